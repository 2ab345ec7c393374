//! `file`, `fileglob`, `first_found`, `template`, `pipe`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::core::values::Var;
use crate::language::template::{FileOptions, Scope};
use crate::run::lookups::{Lookups, Question, expand_home, text_of};

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The content of files.
pub(super) fn file(lookups: &Lookups, question: &Question<'_>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for term in question.terms {
        let name = text_of(term);
        let Some(path) = lookups.find("files", &name) else {
            return Err(format!("The 'file' lookup had an issue accessing the file '{name}': file not found"));
        };
        let content = read(&path)?;
        let mut text = content.as_str();
        if question.flag("lstrip", false) {
            text = text.trim_start();
        }
        if question.flag("rstrip", true) {
            text = text.trim_end();
        }
        found.push(Value::String(text.to_owned()));
    }
    Ok(found)
}

/// Paths of the files that match; in order of their names, so that a replay on another disk agrees.
pub(super) fn fileglob(lookups: &Lookups, question: &Question<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    for term in question.terms {
        let term = expand_home(&text_of(term));
        let (folder, pattern) = (term.parent().unwrap_or(Path::new("")), term.file_name().unwrap_or_default());
        let folders = if folder.is_absolute() {
            vec![folder.to_path_buf()]
        } else {
            [&lookups.playbook_dir, &lookups.workspace]
                .iter()
                .flat_map(|place| [place.join("files").join(folder), place.join(folder)])
                .collect()
        };
        let pattern: Vec<char> = pattern.to_string_lossy().chars().collect();
        for folder in folders {
            let mut matches: Vec<PathBuf> = std::fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.is_file())
                .filter(|path| {
                    let name: Vec<char> = path.file_name().unwrap_or_default().to_string_lossy().chars().collect();
                    (name.first() != Some(&'.') || pattern.first() == Some(&'.')) && wildcard(&pattern, &name)
                })
                .collect();
            if !matches.is_empty() {
                matches.sort();
                found.extend(matches.into_iter().map(|path| Value::String(path.to_string_lossy().into_owned())));
                break;
            }
        }
    }
    found
}

/// `*`, `?` and `[a-z]`, as the shell matches one name.
pub(super) fn wildcard(pattern: &[char], name: &[char]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some('*'), _) => wildcard(&pattern[1..], name) || (!name.is_empty() && wildcard(pattern, &name[1..])),
        (Some('?'), Some(_)) => wildcard(&pattern[1..], &name[1..]),
        (Some('['), Some(letter)) => {
            let Some(end) = pattern.iter().skip(2).position(|c| *c == ']').map(|at| at + 2) else {
                return *letter == '[' && wildcard(&pattern[1..], &name[1..]);
            };
            let negated = pattern[1] == '!';
            let set = &pattern[if negated { 2 } else { 1 }..end];
            in_set(set, *letter) != negated && wildcard(&pattern[end + 1..], &name[1..])
        }
        (Some(wanted), Some(letter)) => wanted == letter && wildcard(&pattern[1..], &name[1..]),
        _ => false,
    }
}

fn in_set(set: &[char], letter: char) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
            if (set[at]..=set[at + 2]).contains(&letter) {
                return true;
            }
            at += 3;
        } else if set[at] == letter {
            return true;
        } else {
            at += 1;
        }
    }
    false
}

/// The first path that exists.
pub(super) fn first_found(lookups: &Lookups, question: &Question<'_>) -> Result<Vec<Value>, String> {
    let mut candidates = Vec::new();
    let mut skip = question.flag("skip", false);
    let listed = |value: Option<&Value>| -> Vec<String> {
        match value {
            Some(Value::Array(items)) => items.iter().map(text_of).collect(),
            Some(Value::String(text)) => text.split([',', ';', ':']).map(|part| part.trim().to_owned()).collect(),
            _ => Vec::new(),
        }
    };
    let mut add = |files: Vec<String>, paths: Vec<String>| {
        if paths.is_empty() {
            candidates.extend(files);
        } else {
            candidates.extend(paths.iter().flat_map(|path| files.iter().map(move |file| format!("{path}/{file}"))));
        }
    };
    add(listed(question.options.get("files")), listed(question.options.get("paths")));
    let mut terms: Vec<&Value> = Vec::new();
    for term in question.terms {
        match term {
            Value::Array(items) => terms.extend(items),
            other => terms.push(other),
        }
    }
    for term in terms {
        match term {
            Value::Object(map) => {
                skip |= map.get("skip") == Some(&Value::Bool(true));
                add(listed(map.get("files")), listed(map.get("paths")));
            }
            other => add(vec![text_of(other)], listed(question.options.get("paths"))),
        }
    }
    for candidate in &candidates {
        let found = ["files", "templates", "vars", "tasks"].iter().find_map(|kind| lookups.find(kind, candidate));
        if let Some(path) = found {
            return Ok(vec![Value::String(path.to_string_lossy().into_owned())]);
        }
    }
    if skip { Ok(Vec::new()) } else { Err("No file was found when using first_found.".to_owned()) }
}

/// The output of a command, run by the shell in the playbook's folder.
pub(super) fn pipe(lookups: &Lookups, question: &Question<'_>, lines: bool) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for term in question.terms {
        let command = text_of(term);
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(&command).current_dir(&lookups.playbook_dir).stdin(Stdio::null());
        let output = shell.output().map_err(|error| format!("cannot run {command}: {error}"))?;
        if !output.status.success() {
            let code = output.status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
            return Err(format!("lookup_plugin.pipe({command}) returned {code}"));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        if lines {
            found.extend(text.lines().map(|line| Value::String(line.to_owned())));
        } else {
            found.push(Value::String(text.trim_end().to_owned()));
        }
    }
    Ok(found)
}

/// A scope with the variables of `template_vars` on top.
struct Extended {
    base: Arc<dyn Scope>,
    extra: Map<String, Value>,
}

impl Scope for Extended {
    fn get(&self, name: &str) -> Option<Var> {
        self.extra.get(name).cloned().map(Var::data).or_else(|| self.base.get(name))
    }
    fn names(&self) -> Vec<String> {
        let mut names = self.base.names();
        names.extend(self.extra.keys().filter(|name| self.base.get(name).is_none()).cloned());
        names
    }
    fn host(&self, name: &str) -> Option<Arc<dyn Scope>> {
        self.base.host(name)
    }
    fn hosts(&self) -> Vec<String> {
        self.base.hosts()
    }
}

/// Rendered templates.
pub(super) fn template(lookups: &Lookups, question: &Question<'_>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let finder = lookups.clone();
    let mut options = FileOptions {
        trim_blocks: question.flag("trim_blocks", true),
        lstrip_blocks: question.flag("lstrip_blocks", false),
        includes: Some(Arc::new(move |name| finder.find("templates", name).and_then(|path| read(&path).ok()))),
        ..FileOptions::default()
    };
    let marks = [
        ("variable_start_string", &mut options.variable.0),
        ("variable_end_string", &mut options.variable.1),
        ("comment_start_string", &mut options.comment.0),
        ("comment_end_string", &mut options.comment.1),
    ];
    for (name, mark) in marks {
        if let Some(wanted) = question.option(name) {
            *mark = wanted;
        }
    }
    for term in question.terms {
        let name = text_of(term);
        let Some(path) = lookups.find("templates", &name) else {
            return Err(format!("the template file {name} could not be found for the lookup"));
        };
        let mut extra = match question.options.get("template_vars") {
            Some(Value::Object(extra)) => extra.clone(),
            _ => Map::new(),
        };
        extra.insert("template_path".to_owned(), Value::String(path.to_string_lossy().into_owned()));
        let scope: Arc<dyn Scope> = Arc::new(Extended { base: question.scope.clone(), extra });
        let rendered = (question.templar)(scope).file(&read(&path)?, &options).map_err(|error| error.message)?;
        found.push(Value::String(rendered));
    }
    Ok(found)
}
