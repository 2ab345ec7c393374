//! Shell patterns as Python's `fnmatch` and `glob` read them.

use std::path::{Path, PathBuf};

/// Translates a shell pattern to a regular expression that covers a whole name.
fn to_regex(pattern: &str) -> String {
    let mut regex = String::from("(?s)\\A");
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                // A `]` right after the opening, or after its `!`, stands for itself.
                let mut end = at + 1;
                if chars.get(end) == Some(&'!') {
                    end += 1;
                }
                end += 1;
                while end < chars.len() && chars[end] != ']' {
                    end += 1;
                }
                if end < chars.len() {
                    let negated = chars[at + 1] == '!';
                    let inside = &chars[at + 1 + usize::from(negated)..end];
                    regex.push_str(if negated { "[^" } else { "[" });
                    for &c in inside {
                        if matches!(c, '\\' | '[' | ']' | '^' | '&' | '~') {
                            regex.push('\\');
                        }
                        regex.push(c);
                    }
                    regex.push(']');
                    at = end;
                } else {
                    regex.push_str("\\[");
                }
            }
            c => {
                if c.is_ascii_punctuation() {
                    regex.push('\\');
                }
                regex.push(c);
            }
        }
        at += 1;
    }
    regex.push_str("\\z");
    regex
}

/// A shell pattern, read once for many names. One that cannot be read fits nothing.
#[derive(Debug)]
pub struct Glob(Option<fancy_regex::Regex>);

impl Glob {
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Self {
        Self(fancy_regex::Regex::new(&to_regex(pattern)).ok())
    }
    /// Whether a whole name fits.
    pub fn fits(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(name).unwrap_or(false))
    }
}

/// Whether a whole name fits a shell pattern.
pub fn fits(name: &str, pattern: &str) -> bool {
    Glob::new(pattern).fits(name)
}

fn is_magic(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The paths that fit a pattern, each part on its own; hidden names need a leading dot in the pattern. A broken
/// symbolic link counts as existing.
pub fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let text = part.as_os_str().to_string_lossy();
        let mut next = Vec::new();
        for base in found {
            if !is_magic(&text) {
                next.push(base.join(part));
                continue;
            }
            let folder = if base.as_os_str().is_empty() { Path::new(".") } else { base.as_path() };
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let glob = Glob::new(&text);
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name_text = name.to_string_lossy();
                let hidden = name_text.starts_with('.') && !text.starts_with('.');
                if !hidden && glob.fits(&name_text) {
                    next.push(base.join(&name));
                }
            }
        }
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_as_fnmatch() {
        for (name, pattern) in [
            ("a.txt", "*.txt"),
            ("ab", "a?"),
            ("a]", "a[]]"),
            ("b", "[!a]"),
            ("[a", "[a"),
            ("a+b", "a+b"),
            ("a-", "a[a-]"),
        ] {
            assert!(fits(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in [("a.txt", "*.tx"), ("a", "a?"), ("a", "[!a]"), ("a\n", "a"), ("aab", "a+b")] {
            assert!(!fits(name, pattern), "{name} {pattern}");
        }
    }

    #[test]
    fn globs_part_by_part() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a1", "a2", ".a3"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("f"), "").unwrap();
        }
        assert_eq!(glob(&folder.path().join("a*/f")).len(), 2);
        assert_eq!(glob(&folder.path().join(".a*/f")).len(), 1);
        assert_eq!(glob(&folder.path().join("a*/g")).len(), 0);
        assert_eq!(glob(&folder.path().join("a1")).len(), 1);
    }
}
