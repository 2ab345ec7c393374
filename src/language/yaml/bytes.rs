//! From the bytes of a file to text, or to the reason why they are no text.

use std::path::PathBuf;

use crate::core::source::{Diagnostic, FileId, SourceMap, Span};
use crate::language::yaml::{Node, parse};

/// Reads bytes as YAML: adds them to the sources and parses them. What is not UTF-8 text is refused with its place.
pub fn parse_bytes(
    sources: &SourceMap,
    path: impl Into<PathBuf>,
    bytes: &[u8],
) -> (FileId, Result<Node, Vec<Diagnostic>>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let file = sources.add(path, text);
            (file, parse(sources, file))
        }
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let file = sources.add(path, String::from_utf8_lossy(bytes));
            let span = end_of(file, &valid);
            let problem = if bytes.contains(&0) {
                Diagnostic::error(span, "this is a binary file, not YAML").label("not text")
            } else {
                Diagnostic::error(span, "the file is not valid UTF-8")
                    .label(format!("byte 0x{:02x}", bytes[error.valid_up_to()]))
                    .help("save the file as UTF-8")
            };
            (file, Err(vec![problem]))
        }
    }
}

/// The first character that YAML forbids (NUL and other control characters), if there is one.
pub(super) fn forbidden(file: FileId, text: &str) -> Option<Diagnostic> {
    let (at, found) = text.char_indices().find(|(_, c)| {
        matches!(*c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}')
    })?;
    let span = end_of(file, &text[..at]);
    Some(if found == '\0' {
        Diagnostic::error(span, "this is a binary file, not YAML").label("a NUL byte")
    } else {
        Diagnostic::error(span, format!("the control character U+{:04X} is not allowed in YAML", found as u32))
            .label("this one")
            .help("remove it, or write it as an escape in a double-quoted text")
    })
}

/// The place of one character after a text.
fn end_of(file: FileId, before: &str) -> Span {
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) as u32 + 1;
    Span { file, line, column, end_line: line, end_column: column + 1 }
}
