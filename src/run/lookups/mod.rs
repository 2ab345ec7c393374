//! What touches the world from templates: lookups that read files, the environment and programs. The engine's door asks
//! here once and pins the answer; every lookup is pinned, though only those of [`is_impure`] could answer otherwise twice.

mod collections;
mod files;
mod password;
mod paths;
mod sequence;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::language::template::{Scope, Templar};

/// Which variables of the environment templates see.
#[derive(Clone, Debug)]
pub enum EnvAccess {
    /// All of this process: a run in the foreground.
    Process,
    /// Only these: a launched run, with what `--env` and `secrets:` give.
    Only(BTreeMap<String, String>),
}

/// The lookups of one run.
#[derive(Clone, Debug)]
pub struct Lookups {
    /// The folder of the playbook: relative paths start here.
    pub playbook_dir: PathBuf,
    /// The run's own copy of the workspace; looked in last.
    pub workspace: PathBuf,
    /// What `lookup('env')` sees.
    pub env: EnvAccess,
}

/// One question of a template, as [`crate::language::template::Doors::lookup`] gets it.
pub struct Question<'a> {
    /// Name of the lookup, without collection.
    pub name: &'a str,
    /// Terms.
    pub terms: &'a [Value],
    /// Options by name.
    pub options: &'a Map<String, Value>,
    /// The scope of the template that asks.
    pub scope: &'a Arc<dyn Scope>,
    /// Makes a templar over a scope, for `template`.
    pub templar: &'a dyn Fn(Arc<dyn Scope>) -> Templar,
    /// A random number, for `password` and `random_choice`.
    pub random: &'a dyn Fn() -> Result<u64, String>,
}

impl Question<'_> {
    fn option(&self, name: &str) -> Option<String> {
        self.options.get(name).filter(|value| !value.is_null()).map(text_of)
    }
    fn flag(&self, name: &str, default: bool) -> bool {
        match self.options.get(name) {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) => matches!(text.to_lowercase().as_str(), "yes" | "true" | "on" | "1"),
            _ => default,
        }
    }
}

/// Whether the answer depends on more than terms and variables.
pub fn is_impure(name: &str) -> bool {
    matches!(
        name,
        "csvfile"
            | "env"
            | "file"
            | "fileglob"
            | "first_found"
            | "ini"
            | "lines"
            | "password"
            | "pipe"
            | "random_choice"
            | "template"
    )
}

impl Lookups {
    /// Answers a question.
    pub fn run(&self, question: &Question<'_>) -> Result<Vec<Value>, String> {
        match question.name {
            "csvfile" => tables::csvfile(self, question),
            "ini" => tables::ini(self, question),
            "env" => Ok(question.terms.iter().map(|term| self.env(term, question)).collect()),
            "file" => files::file(self, question),
            "fileglob" => Ok(files::fileglob(self, question)),
            "first_found" => files::first_found(self, question),
            "template" => files::template(self, question),
            "pipe" => files::pipe(self, question, false),
            "lines" => files::pipe(self, question, true),
            "password" => password::password(self, question),
            "sequence" => sequence::sequence(question),
            name => collections::run(name, question),
        }
    }

    fn env(&self, term: &Value, question: &Question<'_>) -> Value {
        // `lookup('env', 'HOME=x')` has always meant the first word.
        let name = text_of(term);
        let name = name.split_whitespace().next().unwrap_or_default();
        let found = match &self.env {
            EnvAccess::Process => std::env::var(name).ok(),
            EnvAccess::Only(names) => names.get(name).cloned(),
        };
        match found {
            Some(text) => Value::String(text),
            None => question.options.get("default").cloned().unwrap_or_else(|| Value::String(String::new())),
        }
    }

    /// The first place where a relative path exists: the kind's own folder, the playbook's folder, the workspace.
    fn find(&self, kind: &str, path: &str) -> Option<PathBuf> {
        let path = expand_home(path);
        if path.is_absolute() {
            return path.exists().then_some(path);
        }
        let places = [&self.playbook_dir, &self.workspace];
        places
            .iter()
            .flat_map(|place| [place.join(kind).join(&path), place.join(&path)])
            .find(|candidate| candidate.exists())
    }
}

fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// Text as it is, anything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `key a=b c=d` as the words before the pairs and the pairs; values may be quoted.
fn words_and_pairs(term: &str) -> (String, Vec<(String, String)>) {
    let mut words = Vec::new();
    let mut pairs = Vec::new();
    for part in split_quoted(term) {
        match part.split_once('=') {
            Some((key, value)) if !key.is_empty() && !key.contains(['/', ' ']) => {
                pairs.push((key.to_owned(), value.trim_matches(['"', '\'']).to_owned()));
            }
            _ => words.push(part),
        }
    }
    (words.join(" "), pairs)
}

fn split_quoted(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match quote {
            None if c.is_whitespace() => parts.push(String::new()),
            open => {
                if open.is_none() && (c == '"' || c == '\'') {
                    quote = Some(c);
                } else if open == Some(c) {
                    quote = None;
                }
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}
