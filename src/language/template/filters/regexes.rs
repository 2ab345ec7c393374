//! `regex_replace`, `regex_search`, `regex_findall`, `regex_escape`.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::regex::{compile, group, substitute};
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter(
        "regex_replace",
        &["value", "pattern", "replacement", "ignorecase", "multiline", "count", "mandatory_count"],
        replace,
    ),
    filter("regex_search", &["value", "regex", "*", "**"], search),
    filter("regex_findall", &["value", "regex", "multiline", "ignorecase"], find_all),
    filter("regex_escape", &["value", "re_type"], escape),
];

fn replace(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let pattern = args.text(1, "");
    let regex = compile(&pattern, args.flag(3, false)?, args.flag(4, false)?)?;
    let (replaced, count) = substitute(&regex, &text, &args.text(2, ""), args.size(5, 0)?)?;
    let mandatory = args.size(6, 0)?;
    if mandatory != 0 && mandatory != count {
        fail!("'{pattern}' should match {mandatory} times, but matches {count} times in '{text}'");
    }
    Ok(Val::text(replaced))
}

fn search(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let regex = compile(
        &args.needed(1, "regex")?.to_string(),
        args.named_flag("ignorecase", false)?,
        args.named_flag("multiline", false)?,
    )?;
    let mut wanted = Vec::new();
    for reference in &args.rest {
        let reference = reference.to_string();
        let name = reference
            .strip_prefix("\\g<")
            .and_then(|rest| rest.strip_suffix('>'))
            .or_else(|| reference.strip_prefix('\\').filter(|rest| rest.bytes().all(|c| c.is_ascii_digit())));
        match name {
            Some(name) => wanted.push(name.to_owned()),
            None => fail!("Unknown argument"),
        }
    }
    let found = match regex.captures(&text) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Val::None),
        Err(error) => fail!("the regular expression gave up: {error}"),
    };
    if wanted.is_empty() {
        return Ok(Val::text(group(&found, "0")?));
    }
    let mut groups = Vec::new();
    for name in &wanted {
        let taken = match name.parse::<usize>() {
            Ok(number) if number < found.len() => found.get(number).is_some(),
            _ => true,
        };
        groups.push(if taken { Val::text(group(&found, name)?) } else { Val::None });
    }
    Ok(Val::list(groups))
}

fn find_all(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let regex = compile(&args.needed(1, "regex")?.to_string(), args.flag(3, false)?, args.flag(2, false)?)?;
    let mut out = Vec::new();
    for found in regex.captures_iter(&text) {
        let found = match found {
            Ok(found) => found,
            Err(error) => fail!("the regular expression gave up: {error}"),
        };
        let part = |index: usize| Val::text(found.get(index).map_or("", |part| part.as_str()));
        out.push(match found.len() {
            1 => part(0),
            2 => part(1),
            count => Val::tuple((1..count).map(part)),
        });
    }
    Ok(Val::list(out))
}

fn escape(_: &Machine, args: &Args) -> Outcome<Val> {
    let special = match args.text(1, "python").as_str() {
        "python" => "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}",
        "posix_basic" => "].[^$*\\",
        other => fail!("Invalid regex type ({other})"),
    };
    let mut out = String::new();
    for c in args.value().to_string().chars() {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(Val::text(out))
}
