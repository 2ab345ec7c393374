//! JSON with Python's spacing: `to_json`, `to_nice_json`, `from_json`, `json_query`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::repr::float;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("to_json", &["value", "profile", "**"], |_, args| dump(args, None, false, None)),
    filter("to_nice_json", &["value", "indent", "sort_keys", "**"], |_, args| {
        dump(args, Some(args.get(1).cloned().unwrap_or(Val::Int(4))), args.flag(2, true)?, Some((",", ": ")))
    }),
    filter("tojson", &["value", "indent"], |_, args| {
        let text = dump(args, args.get(1).cloned(), true, None)?.to_string();
        let safe =
            text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
        Ok(Val::text(safe))
    }),
    filter("from_json", &["value", "profile", "**"], |_, args| {
        let text = args.value().to_string();
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => Ok(Val::from_json(&value)),
            Err(error) => fail!("this is not JSON: {error}"),
        }
    }),
    filter("json_query", &["value", "expr"], query),
];

/// How JSON is laid out.
struct Layout<'a> {
    indent: Option<String>,
    sort: bool,
    ascii: bool,
    item: &'a str,
    key: &'a str,
}

fn dump(args: &Args, indent: Option<Val>, sort: bool, separators: Option<(&str, &str)>) -> Outcome<Val> {
    let indent = match args.named("indent").cloned().or(indent) {
        None | Some(Val::None) => None,
        Some(Val::Str(unit)) => Some(unit.to_string()),
        Some(count) => match count.as_int() {
            Some(count) => Some(" ".repeat(count.clamp(0, 64) as usize)),
            None => fail!("can't multiply sequence by non-int of type '{}'", count.type_name()),
        },
    };
    let given = match args.named("separators") {
        None | Some(Val::None) => None,
        Some(pair) => match pair.iterate()?.as_slice() {
            [item, key] => Some((item.to_string(), key.to_string())),
            _ => fail!("separators must be a pair"),
        },
    };
    let usual = (if indent.is_some() { "," } else { ", " }, ": ");
    let (item, key) = match (separators, &given) {
        (Some(fixed), _) => fixed,
        (None, Some((item, key))) => (item.as_str(), key.as_str()),
        (None, None) => usual,
    };
    let layout = Layout {
        indent,
        sort: args.named_flag("sort_keys", sort)?,
        ascii: args.named_flag("ensure_ascii", true)?,
        item,
        key,
    };
    let mut out = String::new();
    write(&mut out, args.value(), &layout, 0)?;
    Ok(Val::text(out))
}

fn newline(out: &mut String, layout: &Layout<'_>, depth: usize) {
    if let Some(unit) = &layout.indent {
        out.push('\n');
        out.push_str(&unit.repeat(depth));
    }
}

fn write(out: &mut String, value: &Val, layout: &Layout<'_>, depth: usize) -> Outcome<()> {
    if depth > 128 {
        fail!("Circular reference detected");
    }
    match value.present()? {
        Val::None => out.push_str("null"),
        Val::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Val::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Val::Float(value) if value.is_nan() => out.push_str("NaN"),
        Val::Float(value) if value.is_infinite() => out.push_str(if *value > 0.0 { "Infinity" } else { "-Infinity" }),
        Val::Float(value) => out.push_str(&float(*value)),
        Val::Str(text) => string(out, text, layout.ascii),
        Val::Dict(pairs) => {
            let mut pairs: Vec<(String, Val)> = pairs
                .borrow()
                .iter()
                .filter(|(_, value)| !matches!(value, Val::Omit))
                .map(|(key, value)| (key_text(key), value.clone()))
                .collect();
            if layout.sort {
                pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                if at > 0 {
                    out.push_str(layout.item);
                }
                newline(out, layout, depth + 1);
                string(out, key, layout.ascii);
                out.push_str(layout.key);
                write(out, value, layout, depth + 1)?;
            }
            if !pairs.is_empty() {
                newline(out, layout, depth);
            }
            out.push('}');
        }
        Val::Thing(thing) if thing.iterate().is_none() => {
            let json = thing.to_json()?;
            write(out, &Val::from_json(&json), layout, depth)?;
        }
        sequence => {
            let items: Vec<Val> = sequence.iterate()?.into_iter().filter(|item| !matches!(item, Val::Omit)).collect();
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(layout.item);
                }
                newline(out, layout, depth + 1);
                write(out, item, layout, depth + 1)?;
            }
            if !items.is_empty() {
                newline(out, layout, depth);
            }
            out.push(']');
        }
    }
    Ok(())
}

fn key_text(key: &Val) -> String {
    match key {
        Val::None => "null".to_owned(),
        Val::Bool(value) => value.to_string(),
        other => other.to_string(),
    }
}

fn string(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Python's jmespath still takes `` `text` `` without quotes inside for a text.
fn literals(expression: &str) -> String {
    let parts: Vec<&str> = expression.split('`').collect();
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at % 2 == 0 {
            out.push_str(part);
        } else if serde_json::from_str::<Value>(part).is_ok() || at + 1 == parts.len() {
            let _ = write!(out, "`{part}`");
        } else {
            let _ = write!(out, "'{}'", part.replace('\'', "\\'"));
        }
    }
    out
}

fn query(_: &Machine, args: &Args) -> Outcome<Val> {
    let expression = args.needed(1, "expr")?.to_string();
    let compiled = match jmespath::compile(&literals(&expression)) {
        Ok(compiled) => compiled,
        Err(error) => fail!("JMESPathError in json_query filter plugin: {error}"),
    };
    let found = jmespath::Variable::from_serializable(args.value().to_json()?).and_then(|data| compiled.search(data));
    match found.map(|found| serde_json::to_value(&*found)) {
        Ok(Ok(value)) => Ok(Val::from_json(&value)),
        Ok(Err(error)) => fail!("Error in jmespath.search in json_query filter plugin: {error}"),
        Err(error) => fail!("JMESPathError in json_query filter plugin: {error}"),
    }
}
