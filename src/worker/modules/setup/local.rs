//! `ansible_local`: facts that the machine's owner wrote, as JSON, as INI, or as programs that print either.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::place::Place;
use super::super::{Context, Program, pattern};
use super::gather::Args;
use super::{Facts, facts};

pub(super) fn gather(args: &Args, context: &mut Context, warnings: &mut Vec<Value>) -> Facts {
    let folder = Place::new(&args.fact_path, context).path;
    let mut told = Map::new();
    for path in pattern::glob(&folder.join("*.fact")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace(".fact", "");
        let fact = match text(&path, context) {
            Ok(text) => read(&text, &path),
            Err(problem) => Err(problem),
        };
        let fact = fact.unwrap_or_else(|problem| {
            warnings.push(problem.clone().into());
            problem.into()
        });
        told.insert(name, fact);
    }
    facts([("local", told.into())])
}

fn text(path: &Path, context: &mut Context) -> Result<String, String> {
    let shown = path.to_string_lossy().into_owned();
    let metadata = std::fs::metadata(path).map_err(|error| format!("Could not stat fact ({shown}): {error}"))?;
    if metadata.permissions().mode() & 0o100 == 0 {
        let bytes = std::fs::read(path).unwrap_or_default();
        return String::from_utf8(bytes)
            .map_err(|_| format!("error loading fact - output of running \"{shown}\" was not utf-8"));
    }
    let end = context
        .programs
        .run(Program { argv: vec![shown.clone()], ..Program::default() })
        .map_err(|error| format!("Could not execute fact script ({shown}): {error}"))?;
    if end.rc == 0 {
        Ok(end.stdout)
    } else {
        Err(format!("Failure executing fact script ({shown}), rc: {}, err: {}", end.rc, end.stderr))
    }
}

fn read(text: &str, path: &Path) -> Result<Value, String> {
    serde_json::from_str(text)
        .ok()
        .or_else(|| ini(text))
        .ok_or_else(|| format!("error loading facts as JSON or ini - please check content: {}", path.to_string_lossy()))
}

/// Reads what Python's `configparser` reads: sections of `key = value` or `key: value`, keys in lower case, `DEFAULT` in
/// every section, indented lines continue a value.
fn ini(text: &str) -> Option<Value> {
    let mut defaults: Map<String, Value> = Map::new();
    let mut sections: Map<String, Value> = Map::new();
    let mut section: Option<String> = None;
    let mut key: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let header = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let is_indented = line.starts_with([' ', '\t']);
        if let Some((name, _)) = header
            && !(is_indented && key.is_some())
        {
            if name != "DEFAULT" {
                if sections.contains_key(name) {
                    return None;
                }
                sections.insert(name.to_owned(), json!({}));
            }
            section = Some(name.to_owned());
            key = None;
            continue;
        }
        let values = match section.as_deref()? {
            "DEFAULT" => &mut defaults,
            name => sections.get_mut(name)?.as_object_mut()?,
        };
        if is_indented && let Some(key) = &key {
            let so_far = values.get(key).and_then(Value::as_str).unwrap_or_default();
            let longer = format!("{so_far}\n{trimmed}");
            values.insert(key.clone(), longer.into());
            continue;
        }
        let (name, value) = trimmed.split_once(['=', ':'])?;
        let name = name.trim().to_lowercase();
        if values.contains_key(&name) {
            return None;
        }
        values.insert(name.clone(), value.trim().into());
        key = Some(name);
    }
    for values in sections.values_mut().filter_map(Value::as_object_mut) {
        for (name, value) in &defaults {
            values.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    Some(sections.into())
}

#[cfg(test)]
mod tests {
    use super::super::super::rehearsal::Rehearsal;
    use super::*;

    #[test]
    fn reads_json_ini_and_programs() {
        let mut stage = Rehearsal::new();
        let folder = stage.home().join("facts");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a.fact"), "{\"x\": 1}").unwrap();
        std::fs::write(folder.join("b.fact"), "[DEFAULT]\nd = 0\n[s]\nKey = v\n  w\nother: 2\n").unwrap();
        std::fs::write(folder.join("c.fact"), "#!/bin/sh\necho '[1]'\n").unwrap();
        std::fs::write(folder.join("d.fact"), "#!/bin/sh\nexit 3\n").unwrap();
        std::fs::write(folder.join("e.fact"), "nonsense").unwrap();
        for name in ["c.fact", "d.fact"] {
            std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let result = stage.run("setup", json!({"gather_subset": ["!all", "!min", "local"], "fact_path": "facts"}));
        let told = &result["ansible_facts"]["ansible_local"];
        assert_eq!(told["a"], json!({"x": 1}));
        assert_eq!(told["b"], json!({"s": {"key": "v\nw", "other": "2", "d": "0"}}));
        assert_eq!(told["c"], json!([1]));
        assert!(told["d"].as_str().unwrap().contains("rc: 3"));
        assert!(told["e"].as_str().unwrap().starts_with("error loading facts as JSON or ini"));
        assert_eq!(result["warnings"].as_array().unwrap().len(), 2);
    }
}
