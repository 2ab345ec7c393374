//! What to do about the mistakes that people make most in YAML.

use crate::core::source::{Diagnostic, Span};

const QUOTE_IT: &str = "a value that starts with {{ must be quoted: \"{{ … }}\"";

/// The parser's complaint, in words that say what to do, where the line shows what went wrong.
pub(super) fn explain(text: &str, span: Span, message: &str) -> Diagnostic {
    let line = text.lines().nth((span.line as usize).saturating_sub(1)).unwrap_or_default();
    let before = text.lines().nth((span.line as usize).saturating_sub(2)).unwrap_or_default();
    if let Some(found) = tab_indent(span, line).or_else(|| tab_indent(line_up(span), before)) {
        return Diagnostic::error(found, "a tab is used for indentation")
            .label("YAML indents with spaces only")
            .help("replace the tab with spaces");
    }
    for (line, number) in [(line, span.line), (before, span.line.saturating_sub(1))] {
        if let Some(column) = bare_template(line) {
            let place = Span { line: number, column, end_line: number, end_column: column + 2, ..span };
            return Diagnostic::error(place, "a template at the start of a value is not quoted")
                .label("YAML reads this as a mapping")
                .help(QUOTE_IT);
        }
    }
    let problem = Diagnostic::error(span, message.to_owned());
    let quoted = "if this is one text, put it in quotes";
    if message.contains("mapping values are not allowed") {
        problem.label("a second `: ` in one value, or wrong indentation").help(quoted)
    } else if message.contains("did not find expected") || message.contains("simple key") {
        problem.help("check the indentation of this line and of the one before, and that every quote is closed")
    } else if message.contains("cannot start any token") || message.contains("reserved") {
        problem.help(quoted)
    } else {
        problem
    }
}

/// The refusal of `key: {{ x }}`, which parses, but as a mapping in a mapping.
pub(super) fn unquoted_template(span: Span) -> Diagnostic {
    Diagnostic::error(span, "a template at the start of a value is not quoted")
        .label("YAML reads this as a mapping")
        .help(QUOTE_IT)
}

fn line_up(span: Span) -> Span {
    Span { line: span.line.saturating_sub(1).max(1), ..span }
}

fn tab_indent(span: Span, line: &str) -> Option<Span> {
    let at = line.chars().take_while(|c| c.is_whitespace()).position(|c| c == '\t')? as u32 + 1;
    Some(Span { column: at, end_line: span.line, end_column: at + 1, ..span })
}

/// The column of a `{{` that begins a value.
fn bare_template(line: &str) -> Option<u32> {
    let trimmed = line.trim_start_matches([' ', '-']);
    let at = if trimmed.starts_with("{{") { line.len() - trimmed.len() } else { line.find(": {{").map(|at| at + 2)? };
    Some(line[..at].chars().count() as u32 + 1)
}
