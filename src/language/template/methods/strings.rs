//! Methods of `str`.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::interp::push_text;
use crate::language::template::machine::Machine;
use crate::language::template::methods::argument;
use crate::language::template::python::format::{Spec, format, pad};
use crate::language::template::python::text::{capitalize, split_lines, split_space};
use crate::language::template::val::Val;

/// All of them.
pub(super) const NAMES: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

/// A method of a text.
pub(super) fn call(machine: &Machine, text: &str, name: &str, given: &Given) -> Outcome<Val> {
    let word = |index: usize, key: &str| -> Outcome<Option<String>> {
        match argument(given, index, key) {
            None | Some(Val::None) => Ok(None),
            Some(Val::Str(text)) => Ok(Some(text.to_string())),
            Some(other) => fail!("{name}() argument must be str, not {}", other.type_name()),
        }
    };
    let number = |index: usize, key: &str| argument(given, index, key).and_then(Val::as_int);
    let needed = |index: usize, key: &str| match word(index, key)? {
        Some(text) => Ok(text),
        None => fail!("{name}() takes at least {} argument(s)", index + 1),
    };
    let all = |test: fn(char) -> bool| Val::Bool(!text.is_empty() && text.chars().all(test));
    Ok(match name {
        "upper" => Val::text(text.to_uppercase()),
        "lower" | "casefold" => Val::text(text.to_lowercase()),
        "capitalize" => Val::text(capitalize(text)),
        "title" => Val::text(title(text)),
        "swapcase" => Val::text(
            text.chars()
                .flat_map(|c| {
                    if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() }
                })
                .collect::<String>(),
        ),
        "strip" | "lstrip" | "rstrip" => Val::text(strip(text, name, word(0, "chars")?.as_deref())),
        "split" | "rsplit" => {
            let limit = number(1, "maxsplit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
            Val::list(split(text, word(0, "sep")?.as_deref(), limit, name == "rsplit")?.into_iter().map(Val::text))
        }
        "splitlines" => {
            let keep = argument(given, 0, "keepends").map_or(Ok(false), Val::truthy)?;
            Val::list(split_lines(text, keep).into_iter().map(Val::text))
        }
        "join" => {
            let Some(items) = given.positional.first() else { fail!("join() takes exactly one argument (0 given)") };
            let mut joined = String::new();
            for (at, item) in items.iterate()?.iter().enumerate() {
                let Val::Str(part) = item.present()? else {
                    fail!("sequence item {at}: expected str instance, {} found", item.type_name())
                };
                if at > 0 {
                    joined.push_str(text);
                }
                joined.push_str(part);
            }
            Val::text(joined)
        }
        "replace" => {
            let (old, new) = (needed(0, "old")?, needed(1, "new").unwrap_or_default());
            Val::text(match number(2, "count").and_then(|count| usize::try_from(count).ok()) {
                Some(count) => text.replacen(&old, &new, count),
                None => text.replace(&old, &new),
            })
        }
        "startswith" | "endswith" => {
            let options = match argument(given, 0, "prefix") {
                Some(Val::Tuple(options)) => options.to_vec(),
                Some(option) => vec![option.clone()],
                None => fail!("{name}() takes at least 1 argument (0 given)"),
            };
            let text = window(text, number(1, "start"), number(2, "end"));
            let mut found = false;
            for option in &options {
                let Val::Str(option) = option else {
                    fail!("{name} first arg must be str or a tuple of str, not {}", option.type_name())
                };
                found |= if name == "startswith" { text.starts_with(&**option) } else { text.ends_with(&**option) };
            }
            Val::Bool(found)
        }
        "find" | "index" | "rfind" | "rindex" => {
            let part = needed(0, "sub")?;
            let start = number(1, "start");
            let inside = window(text, start, number(2, "end"));
            let at = if name.starts_with('r') { inside.rfind(&part) } else { inside.find(&part) };
            match at {
                Some(at) => {
                    let skipped = text.chars().count() - window(text, start, None).chars().count();
                    Val::Int((inside[..at].chars().count() + skipped) as i128)
                }
                None if name.ends_with("find") => Val::Int(-1),
                None => fail!("substring not found"),
            }
        }
        "count" => {
            let part = needed(0, "sub")?;
            let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(&part).count() };
            Val::Int(count as i128)
        }
        "format" => Val::text(format(machine, text, given)?),
        "format_map" => {
            let Some(Val::Dict(pairs)) = given.positional.first() else { fail!("format_map() takes a dictionary") };
            let named = pairs.borrow().iter().map(|(key, value)| (key.key_text(), value.clone())).collect();
            Val::text(format(machine, text, &Given { positional: Vec::new(), named })?)
        }
        "zfill" => {
            let (sign, digits) = text.strip_prefix(['-', '+']).map_or(("", text), |rest| (&text[..1], rest));
            let width = width(number(0, "width"))?.saturating_sub(sign.len());
            let spec = Spec { width, fill: Some('0'), ..Spec::default() };
            Val::text(sign.to_owned() + &pad(digits, &spec, '>'))
        }
        "center" | "ljust" | "rjust" => {
            let fill = word(1, "fillchar")?.and_then(|fill| fill.chars().next());
            let spec = Spec { width: width(number(0, "width"))?, fill, ..Spec::default() };
            Val::text(pad(
                text,
                &spec,
                if name == "center" {
                    '^'
                } else if name == "ljust" {
                    '<'
                } else {
                    '>'
                },
            ))
        }
        "expandtabs" => {
            let size = number(0, "tabsize").and_then(|size| usize::try_from(size).ok()).unwrap_or(8);
            let mut out = String::new();
            let mut column = 0;
            for c in text.chars() {
                match c {
                    '\t' if size > 0 => {
                        let spaces = size - column % size;
                        out.push_str(&" ".repeat(spaces));
                        column += spaces;
                    }
                    '\t' => {}
                    c => {
                        out.push(c);
                        column = if c == '\n' || c == '\r' { 0 } else { column + 1 };
                    }
                }
            }
            Val::text(out)
        }
        "partition" | "rpartition" => {
            let separator = needed(0, "sep")?;
            let found = if name == "partition" { text.split_once(&separator) } else { text.rsplit_once(&separator) };
            match found {
                Some((before, after)) => Val::tuple([before, &separator, after].map(Val::text)),
                None if name == "partition" => Val::tuple([text, "", ""].map(Val::text)),
                None => Val::tuple(["", "", text].map(Val::text)),
            }
        }
        "removeprefix" => Val::text(text.strip_prefix(&needed(0, "prefix")?).unwrap_or(text)),
        "removesuffix" => Val::text(text.strip_suffix(&needed(0, "suffix")?).unwrap_or(text)),
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => Val::Bool(text.is_ascii()),
        "isdecimal" | "isdigit" | "isnumeric" => all(char::is_numeric),
        "isspace" => all(char::is_whitespace),
        "islower" => Val::Bool(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)),
        "isupper" => Val::Bool(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)),
        "istitle" => Val::Bool(!text.is_empty() && title(text) == text),
        "isidentifier" => Val::Bool(
            text.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_alphanumeric() || c == '_'),
        ),
        // Templates have no bytes: what is encoded is only ever hashed or decoded again.
        "encode" => Val::text(text),
        _ => {
            let mut shown = String::new();
            push_text(&mut shown, &Val::text(name))?;
            fail!("'str' object has no attribute '{shown}'")
        }
    })
}

fn width(number: Option<i128>) -> Outcome<usize> {
    match number.map(|width| usize::try_from(width.max(0)).unwrap_or(usize::MAX)) {
        Some(width) if width <= 1_000_000 => Ok(width),
        Some(_) => fail!("the width is too large"),
        None => fail!("a width is needed"),
    }
}

fn window(text: &str, start: Option<i128>, end: Option<i128>) -> String {
    if start.is_none() && end.is_none() {
        return text.to_owned();
    }
    let length = text.chars().count() as i128;
    let clamp = |index: i128| (if index < 0 { index + length } else { index }).clamp(0, length) as usize;
    let (start, end) = (start.map_or(0, clamp), end.map_or(length as usize, clamp));
    text.chars().skip(start).take(end.saturating_sub(start)).collect()
}

fn strip<'a>(text: &'a str, side: &str, characters: Option<&str>) -> &'a str {
    let strips = |c: char| characters.map_or(c.is_whitespace(), |set| set.contains(c));
    match side {
        "lstrip" => text.trim_start_matches(strips),
        "rstrip" => text.trim_end_matches(strips),
        _ => text.trim_matches(strips),
    }
}

/// `split` and `rsplit`.
pub(in crate::language::template) fn split(
    text: &str,
    separator: Option<&str>,
    limit: usize,
    from_right: bool,
) -> Outcome<Vec<String>> {
    Ok(match separator {
        Some("") => fail!("empty separator"),
        Some(separator) if from_right => {
            let mut parts: Vec<String> = text.rsplitn(limit.saturating_add(1), separator).map(str::to_owned).collect();
            parts.reverse();
            parts
        }
        Some(separator) => text.splitn(limit.saturating_add(1), separator).map(str::to_owned).collect(),
        None if from_right && limit != usize::MAX => {
            let reversed: String = text.chars().rev().collect();
            let mut parts: Vec<String> =
                split_space(&reversed, limit).iter().map(|part| part.chars().rev().collect()).collect();
            parts.reverse();
            parts
        }
        None => split_space(text, limit),
    })
}

/// `str.title()`: every run of letters starts in upper case.
pub(in crate::language::template) fn title(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}
