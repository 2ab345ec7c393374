//! `pause`: a run has no one at its keyboard, so a prompt does not wait.

use serde_json::{Value, json};

use super::{Answer, Call, flag, unchanged};

/// `pause`
pub(super) fn pause(call: &Call<'_>) -> Answer {
    let number = |name: &str| call.args.get(name).and_then(Value::as_f64);
    let (seconds, unit) = match (number("minutes"), number("seconds")) {
        (Some(minutes), _) => (Some(minutes * 60.0), "minutes"),
        (None, Some(seconds)) => (Some(seconds), "seconds"),
        (None, None) => (None, "seconds"),
    };
    // Ansible waits at least one second where a time is given, and not at all without a terminal.
    let seconds = seconds.map_or(0.0, |seconds| seconds.max(1.0));
    let shown = if unit == "minutes" { seconds / 60.0 } else { seconds };
    let mut returned = unchanged();
    returned.insert("rc".to_owned(), json!(0));
    returned.insert("stderr".to_owned(), json!(""));
    returned.insert("stdout".to_owned(), json!(format!("Paused for {shown:?} {unit}")));
    returned.insert("delta".to_owned(), json!(seconds as i64));
    returned.insert("echo".to_owned(), json!(!call.args.contains_key("echo") || flag(&call.args, "echo")));
    returned.insert("user_input".to_owned(), json!(""));
    Answer::Pause { milliseconds: (seconds * 1000.0) as u64, returned }
}
