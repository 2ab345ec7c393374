//! Where a part of a template stands in its file.

use std::ops::Range;

use crate::core::source::{SourceMap, Span};
use crate::language::template::{Sort, Unknown};

/// Where a part of a scalar stands in its file: exact where the scalar is written as it is read, else the scalar itself.
pub(super) fn place(sources: &SourceMap, span: Span, text: &str, range: &Range<usize>) -> Span {
    let (Some(file), Some(before)) = (sources.file(span.file), text.get(..range.start)) else { return span };
    let lines: Vec<&str> = file.text.lines().collect();
    as_written(&lines, span, text, before, range).or_else(|| by_search(&lines, span, text, range)).unwrap_or(span)
}

/// Line by line as the scalar is read.
fn as_written(lines: &[&str], span: Span, text: &str, before: &str, range: &Range<usize>) -> Option<Span> {
    let row = before.matches('\n').count();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let number = span.line as usize + row;
    let source = lines.get(number.wrapping_sub(1))?;
    let from = if row == 0 { span.column as usize - 1 } else { 0 };
    let skipped: usize = source.chars().take(from).map(char::len_utf8).sum();
    let at = source.get(skipped..)?.find(line)?;
    let column = source[..skipped + at].chars().count() + text[line_start..range.start].chars().count() + 1;
    let width =
        text.get(range.clone()).and_then(|part| part.lines().next()).map_or(1, |part| part.chars().count().max(1));
    let (line, column) = (number as u32, column as u32);
    Some(Span { file: span.file, line, column, end_line: line, end_column: column + width as u32 })
}

/// Where lines are folded: the first place in the scalar where the same words stand.
fn by_search(lines: &[&str], span: Span, text: &str, range: &Range<usize>) -> Option<Span> {
    let part = text.get(range.clone()).filter(|part| !part.trim().is_empty())?;
    let (number, source) = lines
        .iter()
        .enumerate()
        .skip(span.line as usize - 1)
        .take((span.end_line - span.line) as usize + 1)
        .find(|(_, line)| line.contains(part))?;
    let column = source[..source.find(part)?].chars().count() as u32 + 1;
    let (line, width) = (number as u32 + 1, part.chars().count() as u32);
    Some(Span { file: span.file, line, column, end_line: line, end_column: column + width })
}

/// The name inside the expression that uses it: the last one behind its mark.
pub(super) fn name_of(text: &str, unknown: &Unknown) -> Range<usize> {
    let range = &unknown.range;
    let Some(whole) = text.get(range.clone()) else { return range.clone() };
    let marks: &[&str] = match unknown.sort {
        Sort::Filter => &["|"],
        Sort::Test => &["is not ", "is "],
        Sort::Lookup => &["(", "'", "\""],
        Sort::Function => &[],
    };
    for mark in marks {
        let places = whole.match_indices(mark).map(|(at, _)| {
            let rest = &whole[at + mark.len()..];
            at + mark.len() + (rest.len() - rest.trim_start().len())
        });
        if let Some(at) = places.filter(|&at| whole[at..].starts_with(&unknown.name)).last() {
            return range.start + at..range.start + at + unknown.name.len();
        }
    }
    range.clone()
}

/// A variable's name where the range that is known begins behind it, as with attributes: the last one before.
pub(super) fn name_at(text: &str, name: &str, range: &Range<usize>) -> Range<usize> {
    if text.get(range.clone()) == Some(name) {
        return range.clone();
    }
    let before = text.get(..range.start).and_then(|before| before.rfind(name));
    before.map_or(range.clone(), |at| at..at + name.len())
}
