//! A folder as a value: every path with its kind, permission bits and content.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Relative path to what stands there.
pub type Tree = BTreeMap<String, Entry>;

/// One file, folder or link.
#[derive(Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File { mode: u32, content: Vec<u8> },
    /// A folder.
    Folder { mode: u32 },
    /// A symbolic link and where it points.
    Link { to: String },
}

/// Reads a folder.
pub fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(root, root, &mut tree);
    tree
}

fn walk(root: &Path, folder: &Path, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let meta = path.symlink_metadata().expect("metadata");
        let mode = meta.permissions().mode() & 0o7777;
        if meta.is_symlink() {
            let to = std::fs::read_link(&path).expect("a link").to_string_lossy().into_owned();
            tree.insert(name, Entry::Link { to });
        } else if meta.is_dir() {
            tree.insert(name, Entry::Folder { mode });
            walk(root, &path, tree);
        } else {
            let content = std::fs::read(&path).expect("a file that can be read");
            tree.insert(name, Entry::File { mode, content });
        }
    }
}

/// Copies a folder with its permission bits.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}

/// What differs, each in a few lines.
pub fn differences(expected: &Tree, actual: &Tree) -> Vec<String> {
    let paths: std::collections::BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| match (expected.get(path), actual.get(path)) {
            (Some(left), Some(right)) if left == right => None,
            (left, right) => {
                Some(format!("{path}\n  ansible: {}\n  dayfly:  {}", show(left, right), show(right, left)))
            }
        })
        .collect()
}

fn show(entry: Option<&Entry>, other: Option<&Entry>) -> String {
    match entry {
        None => "nothing".to_owned(),
        Some(Entry::Folder { mode }) => format!("folder {mode:04o}"),
        Some(Entry::Link { to }) => format!("link to {to}"),
        Some(Entry::File { mode, content }) => {
            let text = String::from_utf8_lossy(content);
            let lines: Vec<&str> = text.lines().collect();
            // Only the lines around the first difference of long texts are worth reading.
            let other: Vec<String> = match other {
                Some(Entry::File { content, .. }) => {
                    String::from_utf8_lossy(content).lines().map(str::to_owned).collect()
                }
                _ => Vec::new(),
            };
            let first = lines.iter().zip(&other).position(|(left, right)| left != right);
            let from =
                first.unwrap_or(if other.is_empty() { 0 } else { lines.len().min(other.len()) }).saturating_sub(3);
            let part: Vec<String> = lines.iter().skip(from).take(12).map(|line| format!("    {line}")).collect();
            format!("file {mode:04o}, {} bytes, from line {}:\n{}", content.len(), from + 1, part.join("\n"))
        }
    }
}
