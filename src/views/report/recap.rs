//! The end of a run, as Ansible counts it and as a person asks: how did it end, where is what it made, what is left.

use std::fmt::Write as _;

use super::course::duration_text;
use super::paint::{Color, Paint};
use crate::core::event::{EventKind, HostStats};
use crate::core::ids::{HostName, InstanceId, RunId};
use crate::core::records::{Outcome, Receipt};

/// Everything that the recap says.
struct End<'a> {
    run: &'a RunId,
    outcome: Outcome,
    message: &'a str,
    stats: &'a [(HostName, HostStats)],
    elapsed_ms: u64,
    results: Option<String>,
    result_files: u64,
    unresolved: &'a [InstanceId],
    ended: u64,
}

/// The recap of a `RunEnded` event; empty for any other.
pub fn recap(run: &RunId, event: &EventKind, paint: Paint, columns: usize) -> String {
    let EventKind::RunEnded { outcome, message, stats, elapsed_ms, results, result_files, unresolved, ended, .. } =
        event
    else {
        return String::new();
    };
    render(
        &End {
            run,
            outcome: *outcome,
            message,
            stats,
            elapsed_ms: *elapsed_ms,
            results: (!results.is_empty()).then(|| results.clone()),
            result_files: *result_files,
            unresolved,
            ended: *ended,
        },
        paint,
        columns,
    )
}

/// The same from the receipt, for a run that is long over.
pub fn recap_of_receipt(receipt: &Receipt, paint: Paint, columns: usize) -> String {
    let files = receipt.collected.iter().map(|collected| collected.files).sum();
    render(
        &End {
            run: &receipt.run,
            outcome: receipt.outcome,
            message: &receipt.message,
            stats: &receipt.recap,
            elapsed_ms: u64::try_from(receipt.ended_ms - receipt.started_ms).unwrap_or_default(),
            results: None,
            result_files: files,
            unresolved: &receipt.unresolved,
            ended: receipt.resources.iter().filter(|resource| resource.gone.is_some()).count() as u64,
        },
        paint,
        columns,
    )
}

fn render(end: &End<'_>, paint: Paint, columns: usize) -> String {
    let mut text = String::new();
    let stars = "*".repeat(columns.saturating_sub("PLAY RECAP".len()).max(3));
    let _ = writeln!(text, "\nPLAY RECAP {stars}");
    // Ansible sorts the hosts by name.
    let mut stats: Vec<_> = end.stats.iter().collect();
    stats.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (host, counted) in stats {
        let color = if counted.failed + counted.unreachable > 0 {
            Color::Error
        } else if counted.changed > 0 {
            Color::Changed
        } else {
            Color::Ok
        };
        let cell = |name: &str, count: u32, color: Color| {
            let cell = format!("{name}={count:<4}");
            if count > 0 { paint.text(color, &cell) } else { cell }
        };
        let host = paint.text(color, &format!("{host:<26}"));
        let _ = writeln!(
            text,
            "{host} : {} {} {} {} {} {} {}",
            cell("ok", counted.ok, Color::Ok),
            cell("changed", counted.changed, Color::Changed),
            cell("unreachable", counted.unreachable, Color::Unreachable),
            cell("failed", counted.failed, Color::Error),
            cell("skipped", counted.skipped, Color::Skip),
            cell("rescued", counted.rescued, Color::Ok),
            cell("ignored", counted.ignored, Color::Warning),
        );
    }
    let (word, color) = match end.outcome {
        Outcome::Succeeded => ("succeeded", Color::Ok),
        Outcome::Failed => ("failed", Color::Error),
        Outcome::Cancelled => ("was cancelled", Color::Warning),
        Outcome::Expired => ("was ended by its deadline", Color::Error),
        Outcome::Unproven => ("ended, but something is not proven gone", Color::Error),
    };
    let _ = writeln!(
        text,
        "\n{} after {}{}",
        paint.text(color, &format!("run {} {word}", end.run)),
        duration_text(end.elapsed_ms),
        if end.message.is_empty() { String::new() } else { format!(": {}", end.message) },
    );
    if end.result_files > 0 || end.results.is_some() {
        let at = end.results.as_ref().map_or_else(String::new, |at| format!(" in {at}"));
        let files = files_text(end.result_files);
        let _ = writeln!(text, "results: {files}{at}; dayfly results {} --to DIR copies them out", end.run);
    }
    if end.unresolved.is_empty() {
        let _ = match end.ended {
            0 => writeln!(text, "nothing is left: no worker was launched"),
            ended => writeln!(text, "nothing is left: {} ended", plural(ended, "worker", "workers")),
        };
    } else {
        let ids: Vec<_> = end.unresolved.iter().map(InstanceId::as_str).collect();
        let line = format!("not proven gone: {}; dayfly reap looks again", ids.join(", "));
        let _ = writeln!(text, "{}", paint.text(Color::Error, &line));
    }
    text
}

/// `1 file`, `2 files`
pub fn files_text(count: u64) -> String {
    plural(count, "file", "files")
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A size as people read it: `1.5 GiB`.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}
