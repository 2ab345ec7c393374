//! Texts of time, and the splitting that Python's `str` does its own way.

use jiff::civil::DateTime;
use jiff::fmt::strtime;

use crate::language::template::error::{Outcome, fail};

/// `datetime.strftime`
pub(in crate::language::template) fn strftime(format: &str, date: DateTime) -> Outcome<String> {
    let zoned = match date.to_zoned(jiff::tz::TimeZone::UTC) {
        Ok(zoned) => zoned,
        Err(error) => fail!("the date is out of range: {error}"),
    };
    // Python's %f has six digits; %-d and its kin are glibc's, which jiff knows too.
    let format = format.replace("%f", "%6f");
    match strtime::format(&format, &zoned) {
        Ok(text) => Ok(text),
        Err(error) => fail!("the format of the time is not understood: {error}"),
    }
}

/// `datetime.strptime`
pub(in crate::language::template) fn strptime(text: &str, format: &str) -> Outcome<DateTime> {
    let problem = || format!("time data '{text}' does not match format '{format}'");
    let Ok(parsed) = strtime::parse(format, text) else { fail!("{}", problem()) };
    match parsed.to_datetime().or_else(|_| parsed.to_date().map(|date| date.at(0, 0, 0, 0))) {
        Ok(date) => Ok(date),
        Err(_) => fail!("{}", problem()),
    }
}

/// `str.split()` without a separator, at most `limit` times.
pub(in crate::language::template) fn split_space(text: &str, limit: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest.trim_end().to_owned());
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        parts.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    parts
}

/// `str.splitlines()`
pub(in crate::language::template) fn split_lines(text: &str, keep: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at =
            rest.find(['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}']);
        let Some(at) = at else {
            lines.push(rest.to_owned());
            break;
        };
        let ending =
            if rest[at..].starts_with("\r\n") { 2 } else { rest[at..].chars().next().map_or(1, char::len_utf8) };
        lines.push(rest[..if keep { at + ending } else { at }].to_owned());
        rest = &rest[at + ending..];
    }
    lines
}

/// `str.capitalize()`
pub(in crate::language::template) fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + &letters.as_str().to_lowercase())
}
