//! The rules of the house (docs/ARCHITECTURE.md), read from the source: who may import whom, and what stays in one room.

use std::path::{Path, PathBuf};

/// Floors from top to bottom; a floor imports only what stands before it.
const FLOORS: [&str; 6] = ["core", "language", "platform", "run", "views", "entry"];

/// Rooms of each floor from left to right; a room imports only what stands before it on its floor.
const ROOMS: [(&str, &[&str]); 5] = [
    ("language", &["yaml", "args", "playbook", "template", "plan", "check"]),
    ("platform", &["aws", "store", "cloud", "secrets", "bundle", "remote"]),
    ("run", &["lookups", "collect", "actions", "engine"]),
    ("views", &["report", "rundb"]),
    ("entry", &["trigger", "reap", "cli"]),
];

/// A crate, and the only places whose code may name it.
const CONFINED: [(&str, &[&str]); 6] = [
    ("granit_parser", &["language/yaml/"]),
    ("clap", &["entry/cli/"]),
    ("indicatif", &["views/report/progress"]),
    ("openssh", &["platform/remote/"]),
    ("minijinja", &["language/template/"]),
    ("sqlx", &["views/rundb/"]),
];

/// One source file: its path below src, and its code without comments, strings and tests.
struct Source {
    path: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let path = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
            Source { path, code: bare(&text) }
        })
        .filter(|source| !source.path.ends_with("tests.rs") && !source.path.contains("/tests/"))
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The code without comments, texts and the test module at the end of the file.
fn bare(text: &str) -> String {
    let text = text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..at]);
    let mut code = String::new();
    for line in text.lines() {
        let mut inside = false;
        let mut before = ' ';
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            if !inside && letter == '/' && letters.peek() == Some(&'/') {
                break;
            }
            if letter == '"' && before != '\\' && before != '\'' {
                inside = !inside;
            } else if !inside {
                code.push(letter);
            }
            before = letter;
        }
        code.push('\n');
    }
    code
}

/// The paths `crate::…` of a file, groups in braces opened: `crate::a::{b, c::d}` gives `a::b` and `a::c::d`.
fn imports(source: &Source) -> Vec<String> {
    let code: String = source.code.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$') {
            continue;
        }
        open(&code[at + "crate::".len()..], "", &mut found);
    }
    found
}

/// Follows one path to its end; returns how many bytes it took.
fn open(text: &str, prefix: &str, found: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let word: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        if word.is_empty() && rest.starts_with('{') {
            at += 1;
            loop {
                at += text[at..].len() - text[at..].trim_start_matches([' ', ',']).len();
                if text[at..].starts_with('}') || at >= text.len() {
                    return at + 1;
                }
                let taken = open(&text[at..], &path, found);
                at += taken.max(1);
                // `name as other` belongs to the name.
                while !text[at..].is_empty() && !text[at..].starts_with([',', '}']) {
                    at += text[at..].chars().next().map_or(1, char::len_utf8);
                }
            }
        }
        at += word.len();
        if !word.is_empty() {
            if !path.is_empty() {
                path.push_str("::");
            }
            path.push_str(&word);
        }
        if word.is_empty() || !text[at..].starts_with("::") {
            found.push(path);
            return at;
        }
        at += 2;
    }
}

fn floor_of(path: &str) -> Option<usize> {
    let first = path.split(['/', ':', '.']).next()?;
    FLOORS.iter().position(|floor| *floor == first)
}

fn room_of(floor: &str, rest: &str) -> Option<usize> {
    let rooms = ROOMS.iter().find(|(name, _)| *name == floor)?.1;
    let first = rest.split(['/', ':', '.']).next()?;
    rooms.iter().position(|room| *room == first)
}

#[test]
fn a_floor_imports_only_floors_above_it() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(from) = floor_of(&source.path) else { continue };
        for import in imports(&source) {
            if import.starts_with("worker") {
                broken.push(format!(
                    "src/{} imports crate::{import}: only the agent's program knows the worker",
                    source.path
                ));
            }
            if floor_of(&import).is_some_and(|to| to > from) {
                broken.push(format!("src/{} imports crate::{import}, which stands below it", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_room_imports_only_what_stands_left_of_it() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some((floor, rest)) = source.path.split_once('/') else { continue };
        let Some(from) = room_of(floor, rest) else { continue };
        for import in imports(&source) {
            let Some((to_floor, to_rest)) = import.split_once("::") else { continue };
            if to_floor == floor && room_of(floor, to_rest).is_some_and(|to| to > from) {
                broken.push(format!("src/{} imports crate::{import}, which stands to the right of it", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_worker_knows_core_and_arguments_only() {
    let mut broken = Vec::new();
    for source in sources().into_iter().filter(|source| source.path.starts_with("worker/")) {
        for import in imports(&source) {
            let allowed = ["core", "worker", "fault_point"].contains(&import.split("::").next().unwrap_or_default())
                || import == "language::args"
                || import.starts_with("language::args::");
            if !allowed {
                broken.push(format!("src/{} imports crate::{import}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn some_crates_stay_in_one_room() {
    let mut broken = Vec::new();
    for source in sources() {
        for (name, rooms) in CONFINED {
            let named = source.code.match_indices(&format!("{name}::")).any(|(at, _)| {
                !source.code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':')
            }) || source.code.contains(&format!("use {name}"));
            if named && !rooms.iter().any(|room| source.path.starts_with(room)) {
                broken.push(format!("src/{} names {name}, which belongs to src/{}", source.path, rooms.join(", src/")));
            }
        }
        let client = source.code.contains("agent_client::") || source.code.contains("tonic::transport");
        if client && !source.path.starts_with("platform/remote/") {
            broken.push(format!("src/{} names tonic's client, which belongs to src/platform/remote/", source.path));
        }
        let aws = source.code.contains("aws_sdk_") || source.code.contains("aws_config");
        let rooms = [
            "platform/aws/",
            "platform/cloud/ec2/",
            "platform/store/s3",
            "platform/secrets/",
            "views/metrics/",
            "run/actions/aws/",
        ];
        if aws && !rooms.iter().any(|room| source.path.starts_with(room)) {
            broken.push(format!("src/{} names the AWS SDK", source.path));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_room_says_its_purpose() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let silent: Vec<_> = files
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name == "mod.rs"))
        .filter(|path| !std::fs::read_to_string(path).expect("a source file").starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "these do not begin with what they are for: {silent:?}");
}

#[test]
fn names_say_what_a_file_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let vague = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "imp.rs", "misc.rs", "errors.rs"];
    let found: Vec<_> = files
        .into_iter()
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| vague.contains(&name)))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn groups_in_braces_are_opened() {
    let source = Source {
        path: "x.rs".to_owned(),
        code: "use crate::a::{b, c::{d as e, f}};\nfn g() { crate::h::i(); }\nuse crate::j;".to_owned(),
    };
    assert_eq!(imports(&source), ["a::b", "a::c::d", "a::c::f", "h::i", "j"]);
}
