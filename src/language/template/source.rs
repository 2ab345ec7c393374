//! The text of a template before it is parsed: does it hold a template, escapes, the `#jinja2:` header, delimiters.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;

use crate::language::template::error::{Outcome, fail};

/// How a template file is read, as the arguments of the `template` module say.
#[derive(Clone)]
pub struct FileOptions {
    /// `trim_blocks`: the first newline after a block is removed.
    pub trim_blocks: bool,
    /// `lstrip_blocks`: white space before a block is removed.
    pub lstrip_blocks: bool,
    /// `newline_sequence`
    pub newline_sequence: String,
    /// Jinja's own `keep_trailing_newline`; the `template` module keeps trailing newlines in either case.
    pub keep_trailing_newline: bool,
    /// `block_start_string` and `block_end_string`
    pub block: (String, String),
    /// `variable_start_string` and `variable_end_string`
    pub variable: (String, String),
    /// `comment_start_string` and `comment_end_string`
    pub comment: (String, String),
    /// Line statements and line comments, as the header `#jinja2:` may set.
    pub line_statement: Option<String>,
    /// See `line_statement`.
    pub line_comment: Option<String>,
    /// Finds the text of an `{% include %}`; without it an include is refused.
    pub includes: Option<Includes>,
}

/// Finds the text of a template by its name.
pub type Includes = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

impl Default for FileOptions {
    fn default() -> Self {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        Self {
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".to_owned(),
            keep_trailing_newline: false,
            block: pair("{%", "%}"),
            variable: pair("{{", "}}"),
            comment: pair("{#", "#}"),
            line_statement: None,
            line_comment: None,
            includes: None,
        }
    }
}

impl FileOptions {
    /// Whether the text holds something to render.
    pub(super) fn any_in(&self, text: &str) -> bool {
        [&self.variable.0, &self.block.0, &self.comment.0].iter().any(|start| text.contains(start.as_str()))
            || self.line_statement.is_some()
            || self.line_comment.is_some()
    }

    /// The parser's settings.
    pub(super) fn syntax(&self) -> Outcome<SyntaxConfig> {
        let mut builder = SyntaxConfig::builder();
        builder
            .block_delimiters(self.block.0.clone(), self.block.1.clone())
            .variable_delimiters(self.variable.0.clone(), self.variable.1.clone())
            .comment_delimiters(self.comment.0.clone(), self.comment.1.clone())
            .trim_blocks(self.trim_blocks)
            .lstrip_blocks(self.lstrip_blocks)
            .keep_trailing_newline(self.keep_trailing_newline);
        if let Some(prefix) = &self.line_statement {
            builder.line_statement_prefix(prefix.clone());
        }
        if let Some(prefix) = &self.line_comment {
            builder.line_comment_prefix(prefix.clone());
        }
        match builder.build() {
            Ok(syntax) => Ok(syntax),
            Err(error) => fail!("Syntax error in template: {error}"),
        }
    }

    /// Takes off a `#jinja2:` header and applies it; gives the number of bytes that it had too.
    pub(super) fn header<'a>(&self, text: &'a str) -> Outcome<(Cow<'_, Self>, &'a str)> {
        let Some(rest) = text.strip_prefix(HEADER) else { return Ok((Cow::Borrowed(self), text)) };
        let Some((line, body)) = rest.split_once('\n') else {
            fail!("Syntax error in template: Missing newline after '{HEADER}' override.");
        };
        let mut options = self.clone();
        for pair in line.split(',') {
            let Some((key, value)) = pair.split_once(':') else {
                fail!(
                    "Syntax error in template: Missing key-value separator `:` in '{HEADER}' override pair '{pair}'."
                );
            };
            options.set(key.trim(), value.trim())?;
        }
        Ok((Cow::Owned(options), body))
    }

    fn set(&mut self, key: &str, value: &str) -> Outcome<()> {
        let flag = || match value {
            "True" => Ok(true),
            "False" => Ok(false),
            _ => fail!("Syntax error in template: '{key}' in the '{HEADER}' header must be True or False"),
        };
        let text = || match value.as_bytes() {
            [open @ (b'\'' | b'"'), .., close] if open == close => {
                Ok(value[1..value.len() - 1].replace("\\n", "\n").replace("\\r", "\r"))
            }
            _ => fail!("Syntax error in template: '{key}' in the '{HEADER}' header must be a quoted text"),
        };
        match key {
            "trim_blocks" => self.trim_blocks = flag()?,
            "lstrip_blocks" => self.lstrip_blocks = flag()?,
            "keep_trailing_newline" => self.keep_trailing_newline = flag()?,
            "newline_sequence" => self.newline_sequence = text()?,
            "block_start_string" => self.block.0 = text()?,
            "block_end_string" => self.block.1 = text()?,
            "variable_start_string" => self.variable.0 = text()?,
            "variable_end_string" => self.variable.1 = text()?,
            "comment_start_string" => self.comment.0 = text()?,
            "comment_end_string" => self.comment.1 = text()?,
            "line_statement_prefix" => self.line_statement = Some(text()?),
            "line_comment_prefix" => self.line_comment = Some(text()?),
            _ => fail!("Syntax error in template: Invalid '{HEADER}' override key '{key}'."),
        }
        Ok(())
    }
}

const HEADER: &str = "#jinja2:";

/// Whether a text that an author wrote may hold a template.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#") || text.starts_with(HEADER)
}

/// A text whose backslashes inside `{{ }}` strings are doubled, and the way back to the original offsets.
///
/// YAML has already processed the escapes of a playbook's text, so Ansible keeps backslashes in string constants of
/// expressions as they are (in statements it does not).
pub(super) struct Escaped<'a> {
    pub text: Cow<'a, str>,
    /// Offsets in the new text where a backslash was put in.
    added: Vec<usize>,
}

impl<'a> Escaped<'a> {
    /// Nothing changed.
    pub fn plain(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), added: Vec::new() }
    }
    /// Doubles the backslashes of strings inside `{{ }}`.
    pub fn written(text: &'a str) -> Self {
        if !text.contains('\\') || !text.contains("{{") {
            return Self::plain(text);
        }
        let mut out = String::with_capacity(text.len() + 8);
        let mut added = Vec::new();
        let mut rest = text;
        while let Some(start) = next_open(rest) {
            let (before, inside) = rest.split_at(start);
            out.push_str(before);
            let length = if inside.starts_with("{{") {
                copy_expression(inside, &mut out, &mut added)
            } else {
                let close = if inside.starts_with("{%") { "%}" } else { "#}" };
                let length = inside.find(close).map_or(inside.len(), |at| at + 2);
                out.push_str(&inside[..length]);
                length
            };
            rest = &inside[length..];
        }
        out.push_str(rest);
        Self { text: Cow::Owned(out), added }
    }
    /// A range of the new text as one of the original text.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let back = |offset: usize| offset - self.added.iter().take_while(|added| **added < offset).count();
        back(range.start)..back(range.end)
    }
}

fn next_open(text: &str) -> Option<usize> {
    text.match_indices('{').map(|(at, _)| at).find(|at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
}

/// Copies `{{ … }}` with its strings escaped; returns how long it was.
fn copy_expression(text: &str, out: &mut String, added: &mut Vec<usize>) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) => {
                // The lexer must still see an escaped quote as one, so it gets a backslash of its own.
                if c == '\\' || (escaped && c == open) {
                    added.push(out.len());
                    out.push('\\');
                }
                out.push(c);
                if !escaped && c == open {
                    quote = None;
                }
                escaped = !escaped && c == '\\';
            }
            None if text[at..].starts_with("}}") => {
                out.push_str("}}");
                return at + 2;
            }
            None => {
                quote = (c == '"' || c == '\'').then_some(c);
                out.push(c);
            }
        }
    }
    text.len()
}
