//! `diff` of a file's content: before and after, unless it is binary or large.

use std::path::Path;

use serde_json::{Map, Value};

/// Ansible compares no file that is larger.
const LARGEST: u64 = 104_448;

/// One side.
enum Side {
    Text(String),
    Binary,
    Large,
}

fn read(path: &Path) -> Side {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.len() > LARGEST => Side::Large,
        Ok(metadata) if metadata.is_file() => match std::fs::read(path) {
            Ok(bytes) if bytes[..bytes.len().min(8192)].contains(&0) => Side::Binary,
            Ok(bytes) => Side::Text(String::from_utf8_lossy(&bytes).into_owned()),
            Err(_) => Side::Text(String::new()),
        },
        _ => Side::Text(String::new()),
    }
}

/// The difference between what is at a destination and what will be.
pub fn of_files(before: &Path, before_header: &str, after: &Path, after_header: &str) -> Value {
    let mut diff = Map::new();
    for (side, file, header, binary, large) in [
        ("before", before, before_header, "dst_binary", "dst_larger"),
        ("after", after, after_header, "src_binary", "src_larger"),
    ] {
        match read(file) {
            Side::Text(text) => {
                if side == "after" || file.exists() {
                    diff.insert(format!("{side}_header"), header.into());
                }
                diff.insert(side.to_owned(), text.into());
            }
            Side::Binary => {
                diff.insert(binary.to_owned(), 1.into());
            }
            Side::Large => {
                diff.insert(large.to_owned(), LARGEST.into());
            }
        }
    }
    Value::Object(diff)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_text_binary_and_large_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::write(&new, "b\n").unwrap();
        assert_eq!(of_files(&old, "/d", &new, "s"), json!({"before": "", "after_header": "s", "after": "b\n"}));
        std::fs::write(&old, "a\0").unwrap();
        std::fs::write(&new, vec![b'x'; LARGEST as usize + 1]).unwrap();
        assert_eq!(of_files(&old, "/d", &new, "s"), json!({"dst_binary": 1, "src_larger": LARGEST}));
    }
}
