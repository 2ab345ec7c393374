//! `set_fact` and `include_vars`: variables that a task makes.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Answer, Call, flag, text, unchanged};
use crate::core::source::SourceMap;
use crate::language::yaml;

/// `set_fact`
pub(super) fn set_fact(mut call: Call<'_>) -> Result<Answer, String> {
    let cacheable = call.args.remove("cacheable").and_then(|value| value.as_bool()).unwrap_or(false);
    if call.args.is_empty() {
        return Err("No key/value pairs provided, at least one is required for this action to succeed".to_owned());
    }
    for name in call.args.keys() {
        if !is_variable_name(name) {
            return Err(format!("{name:?} is not a valid variable name: use letters, digits and underscores"));
        }
    }
    let mut returned = unchanged();
    returned.insert("ansible_facts".to_owned(), Value::Object(call.args));
    if cacheable {
        returned.insert("_cacheable".to_owned(), json!(true));
    }
    Ok(Answer::Returned(returned))
}

fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// `include_vars`; its values stay templates, rendered when they are read.
pub(super) fn include_vars(call: Call<'_>) -> Result<Answer, String> {
    let mut files = Vec::new();
    if let Some(folder) = text(&call.args, "dir") {
        let folder = call.finder.find("vars", folder)?;
        files_below(&call, &folder, 1, &mut files)?;
    } else {
        let name =
            text(&call.args, "file").or_else(|| text(&call.args, "_raw_params")).ok_or("file or dir is required")?;
        files.push(call.finder.find("vars", name)?);
    }
    let mut facts = Map::new();
    let by_hash = text(&call.args, "hash_behaviour") == Some("merge");
    for file in &files {
        for (name, value) in read_vars(file)? {
            match (facts.get_mut(&name), value) {
                (Some(Value::Object(old)), Value::Object(new)) if by_hash => old.extend(new),
                (_, value) => {
                    facts.insert(name, value);
                }
            }
        }
    }
    if let Some(name) = text(&call.args, "name") {
        facts = Map::from_iter([(name.to_owned(), Value::Object(facts))]);
    }
    let mut returned = unchanged();
    returned.insert("ansible_facts".to_owned(), Value::Object(facts));
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    returned.insert("ansible_included_var_files".to_owned(), json!(names));
    Ok(Answer::Returned(returned))
}

fn files_below(call: &Call<'_>, folder: &Path, depth: i64, into: &mut Vec<PathBuf>) -> Result<(), String> {
    let limit = call.args.get("depth").and_then(Value::as_i64).unwrap_or(0);
    let strings = |name: &str| -> Vec<String> {
        let list = call.args.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut extensions = strings("extensions");
    if extensions.is_empty() {
        extensions = ["yaml", "yml", "json"].map(str::to_owned).to_vec();
    }
    let ignored = strings("ignore_files");
    let matching = text(&call.args, "files_matching").map(fancy_regex::Regex::new).transpose();
    let matching = matching.map_err(|error| format!("files_matching: {error}"))?;
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut entries: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if limit == 0 || depth < limit {
                files_below(call, &path, depth + 1, into)?;
            }
            continue;
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
        if ignored.contains(&name) || matching.as_ref().is_some_and(|regex| !regex.is_match(&name).unwrap_or(false)) {
            continue;
        }
        if extensions.contains(&extension) {
            into.push(path);
        } else if !flag(&call.args, "ignore_unknown_extensions") {
            let known = extensions.join(", ");
            return Err(format!("{} does not have a valid extension: {known}", path.display()));
        }
    }
    Ok(())
}

/// The mapping in a YAML or JSON file of variables; an empty file is an empty mapping.
pub(crate) fn read_vars(path: &Path) -> Result<Map<String, Value>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let sources = SourceMap::default();
    let (_, node) = yaml::parse_bytes(&sources, path, &bytes);
    let node = node.map_err(|problems| problems.iter().map(|problem| problem.render(&sources)).collect::<String>())?;
    match node.to_value() {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(format!("{} must hold a mapping of variables, not {}", path.display(), node.describe())),
    }
}
