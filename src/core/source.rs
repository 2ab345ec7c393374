//! Where a thing was written, and how a mistake there is shown: file, line, column, the line itself, a caret, why,
//! and what to do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The index of a file in a [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A range in a file. Lines and columns count from 1; columns count characters; the end is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First line, from 1. Zero means "nowhere": made by dayfly itself.
    pub line: u32,
    /// First column, from 1.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// One past the last column.
    pub end_column: u32,
}

/// A value together with where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins the two.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One file that was read.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path as people know it (relative to where they stand, if it can be).
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The files that were read so far; cheap to clone, shared by all that point into them.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Arc<Mutex<Vec<Arc<SourceFile>>>>,
}

impl SourceMap {
    /// Remembers a file and gives it a number.
    pub fn add(&self, path: impl Into<PathBuf>, text: impl Into<String>) -> FileId {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.push(Arc::new(SourceFile { path: path.into(), text: text.into() }));
        FileId(files.len() as u32 - 1)
    }
    /// The file of a number.
    pub fn file(&self, id: FileId) -> Option<Arc<SourceFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(id.0 as usize).cloned()
    }
    /// `path:line:column`, for messages of one line.
    pub fn place(&self, span: Span) -> String {
        match self.file(span.file) {
            Some(file) if span.line > 0 => format!("{}:{}:{}", file.path.display(), span.line, span.column),
            _ => "(no file)".to_owned(),
        }
    }
    /// The path of the file that a span points into.
    pub fn path(&self, span: Span) -> Option<PathBuf> {
        (span.line > 0).then(|| self.file(span.file).map(|file| file.path.clone())).flatten()
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Refuses the run.
    Error,
    /// Worth a look.
    Warning,
}

/// One problem of what a person wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in lower case, without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What stands at the caret ("not a keyword of a task").
    pub label: String,
    /// Other places that belong to it, each with a label.
    pub related: Vec<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span,
            label: String::new(),
            related: Vec::new(),
            help: None,
        }
    }
    /// A warning at a place.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }
    /// Says what stands at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// Points at another place too.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// The problem as people read it: heading, place, the line with a caret, related places, help.
    pub fn render(&self, sources: &SourceMap) -> String {
        use std::fmt::Write as _;
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut text = format!("{word}: {}\n", self.message);
        if self.span.line > 0 {
            let widest = self.related.iter().map(|(span, _)| span.line).fold(self.span.line, u32::max);
            let gutter = widest.to_string().len();
            snippet(&mut text, sources, self.span, &self.label, gutter);
            for (span, label) in &self.related {
                snippet(&mut text, sources, *span, label, gutter);
            }
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "  help: {help}");
        }
        text
    }
}

/// The longest part of a source line that is shown.
const SHOWN_COLUMNS: usize = 160;

fn snippet(text: &mut String, sources: &SourceMap, span: Span, label: &str, gutter: usize) {
    use std::fmt::Write as _;
    let Some(file) = sources.file(span.file) else { return };
    let _ = writeln!(text, "{:gutter$}--> {}", "", sources.place(span));
    let Some(line) = file.text.lines().nth(span.line as usize - 1) else { return };
    let clean = |part: String| part.replace('\t', " ").replace(|c: char| c.is_control(), "\u{fffd}");
    let start = (span.column as usize).saturating_sub(1);
    let from = if start > SHOWN_COLUMNS - 40 { start - 40 } else { 0 };
    let shown = clean(line.chars().skip(from).take(SHOWN_COLUMNS).collect());
    let width = if span.end_line == span.line {
        (span.end_column.saturating_sub(span.column)).max(1) as usize
    } else {
        line.chars().count().saturating_sub(start).max(1)
    };
    let width = width.min(SHOWN_COLUMNS.saturating_sub(start - from)).max(1);
    let _ = writeln!(text, "{:gutter$} |", "");
    let _ = writeln!(text, "{:>gutter$} | {shown}", span.line);
    let carets = "^".repeat(width);
    let line = format!("{:gutter$} | {:indent$}{carets} {label}", "", "", indent = start - from);
    let _ = writeln!(text, "{}", line.trim_end());
}

/// The closest of the known words, if one is close enough to be a slip (edits and swaps, at most a third of the word).
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), !is_within(word, candidate), candidate))
        .filter(|(distance, _, _)| *distance <= limit)
        .min()
        .map(|(_, _, candidate)| candidate)
}

/// Whether a word is another with letters left out: the slip that is made most often.
fn is_within(word: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    word.chars().all(|letter| rest.any(|other| other == letter))
}

/// Reads files of a playbook; the language knows no other door to the disk.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>>;
    /// Whether there is such a file or folder.
    fn exists(&self, path: &Path) -> bool;
}
