//! Rendered arguments to what a module takes: aliases, types, choices, exclusions and defaults, with Ansible's words.

use serde_json::{Map, Value};

use super::convert::convert;
use super::python::{text_of, type_name};
use super::table::{Arg, ArgType, ModuleSpec};

/// Converts the arguments of a module. All problems at once, in the order in which Ansible finds them; it shows only the
/// first.
pub fn coerce(spec: &ModuleSpec, rendered: &Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
    let mut problems = Vec::new();
    let (mut given, unknown) = canonical(spec, rendered);
    let exclusive = spec.exclusive.iter().filter(|group| given_of(&given, group) > 1);
    problems.extend(exclusive.map(|group| format!("parameters are mutually exclusive: {}", group.join("|"))));
    let missing: Vec<&str> =
        spec.args.iter().filter(|arg| arg.required && !given.contains_key(arg.name)).map(|arg| arg.name).collect();
    if !missing.is_empty() {
        problems.push(format!("missing required arguments: {}", missing.join(", ")));
    }
    for arg in spec.args {
        let Some(value) = given.get_mut(arg.name) else { continue };
        if !arg.refused.is_empty() {
            problems.push(format!("the argument '{}' is not supported: {}", arg.name, arg.refused));
        }
        match coerce_one(arg, value) {
            Ok(converted) => *value = converted,
            Err(problem) => problems.push(problem),
        }
    }
    let absent = spec.one_of.iter().filter(|group| given_of(&given, group) == 0);
    problems.extend(absent.map(|group| format!("one of the following is required: {}", group.join(", "))));
    if !unknown.is_empty() {
        problems.push(unknown_message(spec, &unknown));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    given.retain(|_, value| !value.is_null() || spec.open);
    for arg in spec.args.iter().filter(|arg| !arg.default.is_empty()) {
        if !given.contains_key(arg.name) {
            given.insert(arg.name.to_owned(), serde_json::from_str(arg.default).unwrap_or_default());
        }
    }
    Ok(given)
}

/// Converts one argument: its type, its elements, its choices.
pub fn coerce_one(arg: &Arg, value: &Value) -> Result<Value, String> {
    if value.is_null() && !arg.required && arg.default.is_empty() {
        return Ok(Value::Null);
    }
    let mut converted = convert(arg.ty, value.clone()).map_err(|why| {
        format!(
            "argument '{}' is of type {} and we were unable to convert to {}: {why}",
            arg.name,
            type_name(value),
            arg.ty.wanted()
        )
    })?;
    if let (Value::Array(items), true) = (&mut converted, arg.elements != ArgType::Raw) {
        for item in items {
            *item = convert(arg.elements, item.clone()).map_err(|why| {
                format!(
                    "Elements value for option '{}' is of type {} and we were unable to convert to {}: {why}",
                    arg.name,
                    type_name(item),
                    arg.elements.wanted()
                )
            })?;
        }
    }
    let chosen = text_of(&converted);
    if !arg.choices.is_empty() && !arg.choices.contains(&chosen.as_str()) {
        return Err(format!("value of {} must be one of: {}, got: {chosen}", arg.name, arg.choices.join(", ")));
    }
    Ok(converted)
}

/// Ansible's sentence about arguments that a module does not have.
pub fn unknown_message(spec: &ModuleSpec, unknown: &[&str]) -> String {
    let mut names = unknown.to_vec();
    names.sort_unstable();
    let mut known: Vec<String> = spec
        .args
        .iter()
        .filter(|arg| arg.refused.is_empty())
        .map(|arg| match arg.aliases {
            [] => arg.name.to_owned(),
            aliases => format!("{} ({})", arg.name, aliases.join(", ")),
        })
        .collect();
    known.sort_unstable();
    format!(
        "Unsupported parameters for ({}) module: {}. Supported parameters include: {}.",
        spec.name,
        names.join(", "),
        known.join(", ")
    )
}

/// The arguments under their canonical names, and the names that the module does not have.
fn canonical<'a>(spec: &ModuleSpec, rendered: &'a Map<String, Value>) -> (Map<String, Value>, Vec<&'a str>) {
    let mut given = Map::new();
    let mut unknown = Vec::new();
    let mut from_alias = Vec::new();
    for (name, value) in rendered {
        match spec.arg(name) {
            Some(arg) if arg.name == name => {
                if !from_alias.contains(&arg.name) {
                    given.insert(name.clone(), value.clone());
                }
            }
            // An alias beats the name itself, as in Ansible.
            Some(arg) => {
                from_alias.push(arg.name);
                given.insert(arg.name.to_owned(), value.clone());
            }
            None if spec.open => {
                given.insert(name.clone(), value.clone());
            }
            None => unknown.push(name.as_str()),
        }
    }
    (given, unknown)
}

fn given_of(given: &Map<String, Value>, group: &[&str]) -> usize {
    group.iter().filter(|name| given.contains_key(**name)).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::find;
    use super::*;

    fn run(module: &str, args: Value) -> Result<Value, Vec<String>> {
        let Value::Object(args) = args else { panic!("arguments are a mapping") };
        coerce(find(module).unwrap(), &args).map(Value::Object)
    }

    #[test]
    fn aliases_types_and_defaults_are_applied() {
        let got = run("stat", json!({"dest": 5, "get_mime": "no", "follow": 1})).unwrap();
        assert_eq!(got["path"], "5");
        assert_eq!(got["get_mime"], false);
        assert_eq!(got["follow"], true);
        assert_eq!(got["checksum_algorithm"], "sha1");
        let got = run("find", json!({"paths": "a,b", "patterns": ["*.txt", 1], "limit": "3"})).unwrap();
        assert_eq!(got["paths"], json!(["a", "b"]));
        assert_eq!(got["patterns"], json!(["*.txt", "1"]));
        assert_eq!(got["limit"], 3);
        assert_eq!(run("assert", json!({"that": "x in [1, 2]"})).unwrap()["that"], json!(["x in [1, 2]"]));
    }

    #[test]
    fn a_null_is_as_if_not_given_where_there_is_no_default() {
        let got = run("file", json!({"path": "x", "owner": null, "mode": null})).unwrap();
        assert!(got.get("owner").is_none() && got.get("mode").is_none());
    }

    #[test]
    fn modes_become_octal_text() {
        for (written, text) in
            [(json!(420), "0644"), (json!("0644"), "0644"), (json!("644"), "644"), (json!("u=rw,g=r"), "u=rw,g=r")]
        {
            assert_eq!(run("file", json!({"path": "x", "mode": written})).unwrap()["mode"], text);
        }
        assert!(run("file", json!({"path": "x", "mode": "rw"})).is_err());
        assert!(run("file", json!({"path": "x", "mode": 99_999})).is_err());
    }

    #[test]
    fn messages_are_those_of_ansible() {
        let message = |module, args| run(module, args).unwrap_err().remove(0);
        assert_eq!(message("stat", json!({})), "missing required arguments: path");
        assert_eq!(
            message("copy", json!({"src": "a", "content": "b", "dest": "c"})),
            "parameters are mutually exclusive: src|content"
        );
        assert_eq!(
            message("ping", json!({"dat": 1})),
            "Unsupported parameters for (ping) module: dat. Supported parameters include: data."
        );
        assert_eq!(
            message("lineinfile", json!({"path": "a", "state": "here"})),
            "value of state must be one of: absent, present, got: here"
        );
        assert_eq!(
            message("find", json!({"paths": "a", "limit": "x"})),
            "argument 'limit' is of type str and we were unable to convert to int: \"'x'\" cannot be converted to an int"
        );
        assert!(message("stat", json!({"path": "a", "follow": "maybe"})).starts_with(
            "argument 'follow' is of type str and we were unable to convert to bool: The value 'maybe' is not a valid"
        ));
        assert_eq!(message("command", json!({"chdir": "/"})), "one of the following is required: cmd, argv");
        assert!(message("copy", json!({"content": "", "dest": "x", "seuser": "u"})).contains("not supported"));
    }

    #[test]
    fn set_fact_takes_any_name_and_keeps_null() {
        let got = run("set_fact", json!({"a": 1, "b": null})).unwrap();
        assert_eq!(got, json!({"a": 1, "b": null, "cacheable": false}));
    }
}
