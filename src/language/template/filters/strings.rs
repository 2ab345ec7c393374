//! Text: case, replacing, splitting, quoting.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::methods::split_text;
use crate::language::template::python::percent;
use crate::language::template::python::text::capitalize;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("lower", &["value"], |_, args| Ok(Val::text(args.value().to_string().to_lowercase()))),
    filter("upper", &["value"], |_, args| Ok(Val::text(args.value().to_string().to_uppercase()))),
    filter("capitalize", &["value"], |_, args| Ok(Val::text(capitalize(&args.value().to_string())))),
    filter("title", &["value"], title),
    filter("trim", &["value", "chars"], trim),
    filter("replace", &["value", "old", "new", "count"], replace),
    filter("format", &["value", "*", "**"], format),
    filter("split", &["value", "sep", "maxsplit"], split),
    filter("quote", &["value"], |_, args| {
        Ok(Val::text(quote(&if matches!(args.value(), Val::None) { String::new() } else { args.value().to_string() })))
    }),
    filter("escape", &["value"], |_, args| Ok(Val::text(escape(&args.value().to_string())))),
    filter("e", &["value"], |_, args| Ok(Val::text(escape(&args.value().to_string())))),
    filter("forceescape", &["value"], |_, args| Ok(Val::text(escape(&args.value().to_string())))),
    filter("striptags", &["value"], striptags),
    filter("wordcount", &["value"], |_, args| {
        let text = args.value().to_string();
        Ok(Val::Int(
            text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).count() as i128
        ))
    }),
    filter("pprint", &["value"], |_, args| Ok(Val::text(crate::language::template::python::repr::repr(args.value())))),
];

/// Jinja's `title`: words are what stands between spaces, dashes and brackets.
fn title(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let mut out = String::new();
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<');
    }
    Ok(Val::text(out))
}

fn trim(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    Ok(Val::text(match args.some_text(1) {
        Some(set) => text.trim_matches(|c| set.contains(c)),
        None => text.trim(),
    }))
}

fn replace(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let (old, new) = (args.needed(1, "old")?.to_string(), args.needed(2, "new")?.to_string());
    Ok(Val::text(match args.int(3)? {
        Some(count) if count >= 0 => text.replacen(&old, &new, count as usize),
        _ => text.replace(&old, &new),
    }))
}

fn format(_: &Machine, args: &Args) -> Outcome<Val> {
    if !args.rest.is_empty() && !args.named.is_empty() {
        fail!("can't handle positional and keyword arguments at the same time");
    }
    let values = if args.named.is_empty() {
        Val::tuple(args.rest.clone())
    } else {
        Val::dict(args.named.iter().map(|(name, value)| (Val::text(name), value.clone())))
    };
    percent::format(&args.value().to_string(), &values).map(Val::text)
}

fn split(_: &Machine, args: &Args) -> Outcome<Val> {
    let Val::Str(text) = args.value() else {
        fail!("descriptor 'split' for 'str' objects doesn't apply to a '{}' object", args.value().type_name())
    };
    let limit = args.int(2)?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    Ok(Val::list(split_text(text, args.some_text(1).as_deref(), limit, false)?.into_iter().map(Val::text)))
}

/// `shlex.quote`
pub(in crate::language::template) fn quote(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")
}

fn striptags(_: &Machine, args: &Args) -> Outcome<Val> {
    let mut text = String::new();
    let mut inside = false;
    for c in args.value().to_string().chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(Val::text(words.join(" ")))
}
