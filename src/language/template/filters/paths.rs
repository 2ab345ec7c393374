//! Paths as text: `basename`, `dirname`, `path_join`, `splitext`, … None of them looks at a disk.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("basename", &["value"], |_, args| Ok(Val::text(split(&args.value().to_string()).1))),
    filter("dirname", &["value"], |_, args| Ok(Val::text(split(&args.value().to_string()).0))),
    filter("splitext", &["value"], |_, args| {
        let (root, ending) = splitext(&args.value().to_string());
        Ok(Val::tuple([Val::text(root), Val::text(ending)]))
    }),
    filter("path_join", &["value"], path_join),
    filter("normpath", &["value"], |_, args| Ok(Val::text(normpath(&args.value().to_string())))),
    // Without a disk at hand a real path is the normal form of an absolute one.
    filter("realpath", &["value"], |_, args| Ok(Val::text(normpath(&args.value().to_string())))),
    filter("relpath", &["value", "start"], |_, args| {
        Ok(Val::text(relpath(&normpath(&args.value().to_string()), &normpath(&args.text(1, ".")))))
    }),
    filter("commonpath", &["value"], commonpath),
    filter("win_basename", &["value"], |_, args| {
        Ok(Val::text(args.value().to_string().rsplit(['\\', '/']).next().unwrap_or_default()))
    }),
    filter("win_dirname", &["value"], |_, args| {
        let path = args.value().to_string();
        Ok(Val::text(path.rfind(['\\', '/']).map_or("", |at| path[..at].trim_end_matches(['\\', '/']))))
    }),
    filter("win_splitdrive", &["value"], |_, args| {
        let path = args.value().to_string();
        let (drive, rest) = if path.chars().nth(1) == Some(':') {
            path.split_at(path.find(':').map_or(0, |at| at + 1))
        } else {
            ("", path.as_str())
        };
        Ok(Val::tuple([Val::text(drive), Val::text(rest)]))
    }),
];

fn split(path: &str) -> (String, String) {
    let at = path.rfind('/').map_or(0, |at| at + 1);
    let (head, tail) = path.split_at(at);
    let head = if head.chars().all(|c| c == '/') { head } else { head.trim_end_matches('/') };
    (head.to_owned(), tail.to_owned())
}

fn splitext(path: &str) -> (String, String) {
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let name = &path[name_at..];
    let dots = name.len() - name.trim_start_matches('.').len();
    match name[dots..].rfind('.') {
        Some(at) => (path[..name_at + dots + at].to_owned(), name[dots + at..].to_owned()),
        None => (path.to_owned(), String::new()),
    }
}

fn path_join(_: &Machine, args: &Args) -> Outcome<Val> {
    if let Val::Str(_) = args.value() {
        return Ok(args.value().clone());
    }
    if !args.value().is_sequence() {
        fail!("|path_join expects string or sequence, got {} instead.", args.value().type_name());
    }
    let mut out = String::new();
    for part in args.value().iterate()? {
        let part = part.present()?.to_string();
        if part.starts_with('/') {
            out = part;
        } else {
            if !out.is_empty() && !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(&part);
        }
    }
    Ok(Val::text(out))
}

fn normpath(path: &str) -> String {
    let root = if path.starts_with("//") && !path.starts_with("///") {
        "//"
    } else if path.starts_with('/') {
        "/"
    } else {
        ""
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            part => parts.push(part),
        }
    }
    let joined = format!("{root}{}", parts.join("/"));
    if joined.is_empty() { ".".to_owned() } else { joined }
}

fn relpath(path: &str, start: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (path, start) = (parts(path), parts(start));
    let common = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), start.len() - common);
    let all: Vec<String> = up.chain(path[common..].iter().cloned()).collect();
    if all.is_empty() { ".".to_owned() } else { all.join("/") }
}

fn commonpath(_: &Machine, args: &Args) -> Outcome<Val> {
    if !args.value().is_sequence() {
        fail!("|commonpath expects sequence, got {} instead.", args.value().type_name());
    }
    let paths: Vec<String> = args.value().iterate()?.iter().map(ToString::to_string).collect();
    let absolute = paths.first().is_some_and(|path| path.starts_with('/'));
    if paths.iter().any(|path| path.starts_with('/') != absolute) {
        fail!("Can't mix absolute and relative paths");
    }
    let split: Vec<Vec<&str>> =
        paths.iter().map(|path| path.split('/').filter(|part| !part.is_empty() && *part != ".").collect()).collect();
    let Some(first) = split.first() else { fail!("commonpath() arg is an empty sequence") };
    let count = (0..first.len()).take_while(|at| split.iter().all(|path| path.get(*at) == first.get(*at))).count();
    Ok(Val::text(format!("{}{}", if absolute { "/" } else { "" }, first[..count].join("/"))))
}
