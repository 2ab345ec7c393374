//! `--diff`: what a module says that it changed, as a unified diff.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

use super::paint::{Color, Paint};
use super::pythonic::display;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// Above this many line pairs the middle is shown as replaced as a whole: exact would take too long.
const EXACT_PAIRS: usize = 4_000_000;

/// The `diff` of a result: one mapping or a list of them.
pub(super) fn render(diffs: &Value, paint: Paint) -> String {
    let one = std::slice::from_ref(diffs);
    let list = diffs.as_array().map_or(one, Vec::as_slice);
    list.iter().map(|diff| of_one(diff, paint)).collect()
}

fn of_one(diff: &Value, paint: Paint) -> String {
    let mut text = String::new();
    for (key, side) in [("dst_binary", "destination"), ("src_binary", "source")] {
        if diff.get(key).is_some() {
            let _ = writeln!(text, "diff skipped: {side} file appears to be binary");
        }
    }
    for (key, side) in [("dst_larger", "destination"), ("src_larger", "source")] {
        if let Some(size) = diff.get(key) {
            let _ = writeln!(text, "diff skipped: {side} file size is greater than {}", display(size));
        }
    }
    if let (Some(before), Some(after)) = (diff.get("before"), diff.get("after")) {
        let header = |side: &str| match diff.get(format!("{side}_header")).map(display) {
            Some(header) if !header.is_empty() => format!("{side}: {header}"),
            _ => side.to_owned(),
        };
        let body = unified(&content(before), &content(after), &header("before"), &header("after"));
        for line in body.lines() {
            let painted = match line.as_bytes().first() {
                Some(b'+') => paint.text(Color::Added, line),
                Some(b'-') => paint.text(Color::Removed, line),
                Some(b'@') => paint.text(Color::Skip, line),
                _ => line.to_owned(),
            };
            text.push_str(&painted);
            text.push('\n');
        }
        if !body.is_empty() {
            text.push('\n');
        }
    }
    if let Some(Value::String(prepared)) = diff.get("prepared") {
        text.push_str(prepared);
        text.push('\n');
    }
    text
}

fn content(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default() + "\n",
    }
}

/// One run of equal or of different lines.
#[derive(Debug, PartialEq)]
struct Change {
    old: Range<usize>,
    new: Range<usize>,
}

fn unified(before: &str, after: &str, from: &str, to: &str) -> String {
    let old: Vec<&str> = before.lines().collect();
    let new: Vec<&str> = after.lines().collect();
    let changes = changes(&old, &new);
    if changes.is_empty() {
        return String::new();
    }
    let mut text = format!("--- {from}\n+++ {to}\n");
    let mut rest = changes.as_slice();
    while let Some(first) = rest.first() {
        let mut count = 1;
        while count < rest.len() && rest[count].old.start - rest[count - 1].old.end <= 2 * CONTEXT {
            count += 1;
        }
        let (hunk, after_hunk) = rest.split_at(count);
        rest = after_hunk;
        let last = &hunk[count - 1];
        let lead = CONTEXT.min(first.old.start);
        let tail = CONTEXT.min(old.len() - last.old.end);
        let old_range = first.old.start - lead..last.old.end + tail;
        let new_range = first.new.start - lead..last.new.end + tail;
        let _ = writeln!(text, "@@ -{} +{} @@", range_text(&old_range), range_text(&new_range));
        let mut at = old_range.start;
        for change in hunk {
            old[at..change.old.start].iter().for_each(|line| marked(&mut text, ' ', line));
            old[change.old.clone()].iter().for_each(|line| marked(&mut text, '-', line));
            new[change.new.clone()].iter().for_each(|line| marked(&mut text, '+', line));
            at = change.old.end;
        }
        old[at..old_range.end].iter().for_each(|line| marked(&mut text, ' ', line));
    }
    text
}

fn marked(text: &mut String, mark: char, line: &str) {
    text.push(mark);
    text.push_str(line);
    text.push('\n');
}

fn range_text(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        length => format!("{},{length}", range.start + 1),
    }
}

/// The differing runs, by the longest common subsequence of what stands between equal ends.
fn changes(old: &[&str], new: &[&str]) -> Vec<Change> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    if a.len().saturating_mul(b.len()) > EXACT_PAIRS {
        return vec![Change { old: head..head + a.len(), new: head..head + b.len() }];
    }
    let width = b.len() + 1;
    let mut longest = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found: Vec<Change> = Vec::new();
    while i < a.len() || j < b.len() {
        let (from_i, from_j) = (i, j);
        while i < a.len() || j < b.len() {
            if i < a.len() && j < b.len() && a[i] == b[j] {
                break;
            }
            let down = if i < a.len() { longest[(i + 1) * width + j] } else { 0 };
            let right = if j < b.len() { longest[i * width + j + 1] } else { 0 };
            if i < a.len() && (j == b.len() || down >= right) {
                i += 1;
            } else {
                j += 1;
            }
        }
        if (from_i, from_j) != (i, j) {
            found.push(Change { old: head + from_i..head + i, new: head + from_j..head + j });
        }
        while i < a.len() && j < b.len() && a[i] == b[j] {
            i += 1;
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_line_stands_in_its_context() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        let text = render(&json!({"before": before, "after": after, "before_header": "/etc/x"}), Paint::Plain);
        assert_eq!(text, "--- before: /etc/x\n+++ after\n@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n+9\n\n");
    }

    #[test]
    fn a_new_file_is_all_plus_and_no_difference_is_nothing() {
        assert_eq!(
            render(&json!([{"before": "", "after": "a\nb\n"}]), Paint::Plain),
            "--- before\n+++ after\n@@ -0,0 +1,2 @@\n+a\n+b\n\n"
        );
        assert_eq!(render(&json!({"before": "a\n", "after": "a\n"}), Paint::Plain), "");
    }

    #[test]
    fn far_changes_are_two_hunks() {
        let before: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let mut after = before.clone();
        after[2] = "x".to_owned();
        after[30].clear();
        let text = render(&json!({"before": before.join("\n"), "after": after.join("\n")}), Paint::Plain);
        assert_eq!(text.matches("@@ -").count(), 2, "{text}");
    }
}
