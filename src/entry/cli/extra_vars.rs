//! `--extra-vars`: `k=v k2="v 2"`, a JSON or YAML mapping, or `@file` with one.

use std::path::Path;

use serde_json::{Map, Value};

use crate::core::source::SourceMap;
use crate::entry::exit::Problem;
use crate::language::args::{split_words, unquote};
use crate::language::yaml::{Kind, parse_bytes};

/// All of them; the later over the earlier.
pub fn parse(given: &[String]) -> Result<Map<String, Value>, Problem> {
    let mut vars = Map::new();
    for text in given {
        vars.extend(one(text.trim())?);
    }
    Ok(vars)
}

fn one(text: &str) -> Result<Map<String, Value>, Problem> {
    if let Some(path) = text.strip_prefix('@') {
        let bytes = std::fs::read(path)
            .map_err(|error| Problem::Usage(format!("--extra-vars {text}: cannot read {path}: {error}")))?;
        return mapping(Path::new(path), &bytes);
    }
    if text.starts_with(['{', '[']) {
        return mapping(Path::new("--extra-vars"), text.as_bytes());
    }
    let words = split_words(text).map_err(|why| Problem::Usage(format!("--extra-vars {text:?}: {why}")))?;
    let pairs = words.iter().filter(|word| !word.trim().is_empty()).map(|word| match word.trim().split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Value::from(unquote(value)))),
        _ => Err(Problem::Usage(format!("--extra-vars {word:?} is neither name=value nor a mapping nor @FILE"))),
    });
    pairs.collect()
}

fn mapping(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let sources = SourceMap::default();
    let node = parse_bytes(&sources, path, bytes).1.map_err(|problems| {
        Problem::Usage(problems.iter().map(|problem| problem.render(&sources)).collect::<Vec<_>>().join("\n"))
    })?;
    match (&node.kind, node.to_value()) {
        (Kind::Null, _) => Ok(Map::new()),
        (_, Value::Object(map)) => Ok(map),
        _ => Err(Problem::Usage(format!("{}: variables are a mapping of names to values", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(given: &[&str]) -> Result<Value, String> {
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        parse(&given).map(Value::Object).map_err(|problem| problem.to_string())
    }

    #[test]
    fn all_forms_are_read_and_the_later_wins() {
        let read = parsed(&["a=1 b='two words'", r#"{"b": [1, true], "c": null}"#, "d={{ x }}"]);
        assert_eq!(read.unwrap(), json!({"a": "1", "b": [1, true], "c": null, "d": "{{ x }}"}));
        assert_eq!(parsed(&[""]).unwrap(), json!({}));
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        for bad in ["word", "=x", "[1, 2]", "{broken", "@/no/such/file"] {
            assert!(parsed(&[bad]).is_err(), "{bad}");
        }
    }
}
