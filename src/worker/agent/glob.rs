//! Files by pattern, for results: `*`, `?`, `[a-z]` and `**`, as a shell with globstar; a folder means all that is in
//! it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use super::files::resolve;
use crate::core::wire::FileEntry;

/// Deeper folders are not looked into.
const DEEPEST: usize = 64;

/// Every regular file that matches one of the patterns, each once, sorted by path.
pub fn find(home: &Path, patterns: &[String]) -> Vec<FileEntry> {
    let mut found = BTreeMap::new();
    for pattern in patterns {
        let path = resolve(home, pattern);
        let parts: Vec<String> = path
            .components()
            .filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        walk(Path::new("/"), &parts, &mut found);
    }
    found.into_iter().map(|(absolute, (size, mode))| entry(home, &absolute, size, mode)).collect()
}

type Found = BTreeMap<PathBuf, (u64, u32)>;

fn walk(folder: &Path, parts: &[String], found: &mut Found) {
    let Some((part, rest)) = parts.split_first() else {
        take(folder, 0, found);
        return;
    };
    if part == "**" {
        // Nothing, or one folder more; behind a last `**` stands everything.
        if rest.is_empty() {
            take(folder, 0, found);
            return;
        }
        walk(folder, rest, found);
        for name in names(folder) {
            let path = folder.join(&name);
            if !name.starts_with('.') && path.components().count() < DEEPEST && is_real_folder(&path) {
                walk(&path, parts, found);
            }
        }
    } else if part.contains(['*', '?', '[']) {
        for name in names(folder) {
            let hidden = name.starts_with('.') && !part.starts_with('.');
            if !hidden && matches(part, &name) {
                step(&folder.join(&name), rest, found);
            }
        }
    } else {
        step(&folder.join(part), rest, found);
    }
}

fn step(path: &Path, rest: &[String], found: &mut Found) {
    if rest.is_empty() || path.is_dir() {
        walk(path, rest, found);
    }
}

/// A file, or all files of a folder.
fn take(path: &Path, depth: usize, found: &mut Found) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.is_file() {
        found.insert(path.to_owned(), (metadata.len(), metadata.permissions().mode() & 0o7777));
    } else if metadata.is_dir() && depth < DEEPEST && (depth == 0 || is_real_folder(path)) {
        for name in names(path) {
            take(&path.join(name), depth + 1, found);
        }
    }
}

/// A link to a folder is not followed: it may lead back.
fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

fn entry(home: &Path, absolute: &Path, size: u64, mode: u32) -> FileEntry {
    let below = absolute.strip_prefix(home).or_else(|_| absolute.strip_prefix("/")).unwrap_or(absolute);
    FileEntry {
        path: below.to_string_lossy().into_owned(),
        size,
        mode,
        absolute: absolute.to_string_lossy().into_owned(),
    }
}

/// Whether a name matches a pattern without `/`.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches_from(&pattern, &name)
}

fn matches_from(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|skipped| matches_from(rest, &name[skipped..])),
        ['?', rest @ ..] => !name.is_empty() && matches_from(rest, &name[1..]),
        ['[', rest @ ..] if class(rest).is_some() => {
            let (Some((inside, rest)), [first, others @ ..]) = (class(rest), name) else { return false };
            is_in(inside, *first) && matches_from(rest, others)
        }
        [one, rest @ ..] => name.first() == Some(one) && matches_from(rest, &name[1..]),
    }
}

/// What stands in brackets, and what behind them; a `]` right after the opening belongs to the class.
fn class(rest: &[char]) -> Option<(&[char], &[char])> {
    let skip = 1 + usize::from(matches!(rest.first(), Some('!' | '^')));
    let end = rest.iter().skip(skip).position(|one| *one == ']')? + skip;
    Some((&rest[..end], &rest[end + 1..]))
}

fn is_in(class: &[char], one: char) -> bool {
    let (negated, mut class) = match class {
        ['!' | '^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut is_there = false;
    while let [first, rest @ ..] = class {
        if let ['-', last, rest @ ..] = rest {
            is_there |= (*first..=*last).contains(&one);
            class = rest;
        } else {
            is_there |= *first == one;
            class = rest;
        }
    }
    is_there != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.pt", "model.pt", true),
            ("*.pt", "model.pth", false),
            ("m?del*", "model", true),
            ("[a-c]*[0-9]", "b-7", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[x", "[x", true),
            ("*a*b*c", "xxaxxbxxc", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_find_files_below_home() {
        let home = tempfile::tempdir().unwrap();
        for file in ["model/a.pt", "model/deep/er/b.pt", "model/.hidden/c.pt", "metrics.json", "out/x/y.txt"] {
            let path = home.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let found = |patterns: &[&str]| -> Vec<String> {
            let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            find(home.path(), &patterns).into_iter().map(|entry| entry.path).collect()
        };
        assert_eq!(found(&["model/*.pt", "metrics.json", "none/*"]), ["metrics.json", "model/a.pt"]);
        assert_eq!(found(&["model/**/*.pt"]), ["model/a.pt", "model/deep/er/b.pt"]);
        assert_eq!(found(&["out/"]), ["out/x/y.txt"]);
        assert_eq!(found(&["~/metrics.json", "metrics.*"]), ["metrics.json"]);
    }
}
