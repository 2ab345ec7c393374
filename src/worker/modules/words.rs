//! Command lines as Python reads them: `shlex.split`, `os.path.expandvars`, `os.path.expanduser`.

use std::collections::BTreeMap;
use std::path::Path;

/// Why a text is no command line, in Python's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A quote is never closed.
    #[error("No closing quotation")]
    Quotation,
    /// It ends with a backslash.
    #[error("No escaped character")]
    Escape,
}

/// Splits a command line as `shlex.split` does: quotes and backslashes as in POSIX shells, no comments.
pub fn split(text: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(SplitError::Quotation),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err(SplitError::Escape),
                        },
                        Some(c) => word.push(c),
                        None => return Err(SplitError::Quotation),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or(SplitError::Escape)?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Replaces `$NAME` and `${NAME}` by the environment's values; an unknown name stays as it is.
pub fn expand_variables(text: &str, environment: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, dollar) = rest.split_at(at);
        expanded.push_str(before);
        let after = &dollar[1..];
        let (name, length) = if let Some(inside) = after.strip_prefix('{') {
            inside.find('}').map_or(("", 0), |end| (&inside[..end], end + 2))
        } else {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            (&after[..end], end)
        };
        match environment.get(name) {
            Some(value) if length > 0 => expanded.push_str(value),
            _ => expanded.push_str(&dollar[..=length]),
        }
        rest = &after[length..];
    }
    expanded.push_str(rest);
    expanded
}

/// Replaces a leading `~` by HOME and `~name` by that user's home; an unknown user stays as it is.
pub fn expand_user(text: &str, home: &Path, environment: &BTreeMap<String, String>) -> String {
    let Some(tail) = text.strip_prefix('~') else { return text.to_owned() };
    let (name, rest) = tail.split_at(tail.find('/').unwrap_or(tail.len()));
    let base = if name.is_empty() {
        environment.get("HOME").cloned().unwrap_or_else(|| home.to_string_lossy().into_owned())
    } else {
        match nix::unistd::User::from_name(name) {
            Ok(Some(user)) => user.dir.to_string_lossy().into_owned(),
            _ => return text.to_owned(),
        }
    };
    let whole = format!("{}{rest}", base.trim_end_matches('/'));
    if whole.is_empty() { "/".to_owned() } else { whole }
}

/// Lines as Python's `str.splitlines` counts them.
pub fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_end =
            matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if is_end {
            lines.push(&text[start..at]);
            start = at + c.len_utf8();
            if c == '\r' && chars.next_if(|(_, next)| *next == '\n').is_some() {
                start += 1;
            }
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// Quotes a word for a POSIX shell where it must be.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\"'\"'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_shlex() {
        let cases: &[(&str, &[&str])] = &[
            ("a  b\tc\nd", &["a", "b", "c", "d"]),
            (r#"a'b c'd "e f""#, &["ab cd", "e f"]),
            (r#""a\"b\\c\d$e""#, &[r#"a"b\c\d$e"#]),
            (r"'a\b' c\ d", &[r"a\b", "c d"]),
            ("a '' \"\"", &["a", "", ""]),
            ("a # b", &["a", "#", "b"]),
            ("", &[]),
        ];
        for (text, words) in cases {
            assert_eq!(split(text).unwrap(), *words, "{text}");
        }
        assert_eq!(split("a 'b"), Err(SplitError::Quotation));
        assert_eq!(split("a \"b"), Err(SplitError::Quotation));
        assert_eq!(split("a \\"), Err(SplitError::Escape));
    }

    #[test]
    fn expands_what_is_known() {
        let environment = BTreeMap::from([("A".into(), "x$A".into()), ("HOME".into(), "/h/".into())]);
        let expand = |text| expand_variables(text, &environment);
        assert_eq!(expand("$A-${A}_$B ${B} $ ${A $$A"), "x$A-x$A_$B ${B} $ ${A $x$A");
        assert_eq!(expand("é$A"), "éx$A");
        let user = |text| expand_user(text, Path::new("/other"), &environment);
        assert_eq!(user("~/a"), "/h/a");
        assert_eq!(user("~"), "/h");
        assert_eq!(user("~root/a"), "/root/a");
        assert_eq!(user("~no-such-user/a"), "~no-such-user/a");
        assert_eq!(user("a~"), "a~");
    }

    #[test]
    fn counts_lines_as_python() {
        assert_eq!(lines("a\r\nb\rc\u{b}d\n\n"), ["a", "b", "c", "d", ""]);
        assert_eq!(lines("a\nb"), ["a", "b"]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(quote("a/b-c"), "a/b-c");
        assert_eq!(quote("it's"), "'it'\"'\"'s'");
        assert_eq!(quote(""), "''");
    }
}
