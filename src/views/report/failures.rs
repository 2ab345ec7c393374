//! What went wrong in a run, for who asks afterwards: each failed task with its host, its message, and where its output is.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::core::event::{Event, EventKind, TaskStatus};
use crate::core::ids::{HostName, RunId, StepKey};

/// So many failures are told; a thousand hosts fail in the same way.
const SHOWN: usize = 20;
/// So much of a message.
const MESSAGE_CHARS: usize = 400;

/// A task that failed on a host.
struct Failure {
    /// Play, task and host: a later master tells the same again.
    at: (u32, String, HostName),
    name: String,
    word: &'static str,
    message: String,
    log: Option<String>,
}

/// Collects a run's failures from its events.
pub struct Failures {
    run: RunId,
    places: HashMap<(u32, String), String>,
    found: Vec<Failure>,
}

impl Failures {
    /// Of one run.
    pub fn new(run: RunId) -> Self {
        Self { run, places: HashMap::new(), found: Vec::new() }
    }

    /// Looks at an event.
    pub fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::TaskStarted { play, task, place, .. } => {
                self.places.insert((*play, task.clone()), place.clone());
            }
            EventKind::TaskResult { play, task, name, host, status, result, steps, .. } => {
                let word = match status {
                    TaskStatus::Failed => "failed",
                    TaskStatus::Unreachable => "was unreachable",
                    _ => return,
                };
                let at = (*play, task.clone(), host.clone());
                let failure = Failure {
                    name: name.trim().to_owned(),
                    word,
                    message: message_of(result),
                    log: log_command(&self.run, host, *status, result, steps),
                    at,
                };
                match self.found.iter_mut().find(|known| known.at == failure.at) {
                    Some(known) => *known = failure,
                    None => self.found.push(failure),
                }
            }
            _ => {}
        }
    }

    /// A few lines each; empty where nothing failed.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for failure in self.found.iter().take(SHOWN) {
            let (play, task, host) = &failure.at;
            let place = self.places.get(&(*play, task.clone())).filter(|place| !place.is_empty());
            let place = place.map_or_else(String::new, |place| format!(" ({place})"));
            let _ = writeln!(text, "{host} {}: {}{place}", failure.word, failure.name);
            for line in failure.message.lines() {
                let _ = writeln!(text, "    {line}");
            }
            if let Some(log) = &failure.log {
                let _ = writeln!(text, "    log: {log}");
            }
        }
        if self.found.len() > SHOWN {
            let _ = writeln!(text, "and {} more", self.found.len() - SHOWN);
        }
        text
    }
}

/// The message, and where that says nothing, the end of what the program said.
fn message_of(result: &Map<String, Value>) -> String {
    if is_hidden(result) {
        return "its output is hidden (no_log)".to_owned();
    }
    let failed = failed_item(result).map_or(result, |(_, item)| item);
    let said = |key: &str| failed.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let mut message = said("msg").unwrap_or_default().to_owned();
    if let Some(rc) = failed.get("rc").and_then(Value::as_i64) {
        let _ = write!(message, " (rc {rc})");
    }
    if let Some(last) = said("stderr").or_else(|| said("module_stderr")).and_then(|text| text.lines().last()) {
        let _ = write!(message, "\n{last}");
    }
    let clean: String = message.chars().filter(|c| !c.is_control() || *c == '\n').take(MESSAGE_CHARS).collect();
    clean.trim().to_owned()
}

/// Whether `no_log` keeps a result from people.
pub(super) fn is_hidden(result: &Map<String, Value>) -> bool {
    result.get("_ansible_no_log") == Some(&Value::Bool(true)) || result.contains_key("censored")
}

/// The command that prints a failure's output; none where the step said nothing, or there was none.
pub(super) fn log_command(
    run: &RunId,
    host: &HostName,
    status: TaskStatus,
    result: &Map<String, Value>,
    steps: &[StepKey],
) -> Option<String> {
    let item = failed_item(result);
    // A step's key ends with host.incarnation / item / try.
    let of_item = |index: usize| {
        steps.iter().rev().find(|key| key.as_str().rsplit('/').nth(1).is_some_and(|part| part == index.to_string()))
    };
    let step = item.and_then(|(index, _)| of_item(index)).or_else(|| steps.last())?;
    let result = item.map_or(result, |(_, item)| item);
    let spoke = ["stdout", "stderr", "module_stdout", "module_stderr"]
        .into_iter()
        .any(|key| result.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
    // What a lost worker said so far is kept, and no result tells of it.
    if is_hidden(result) || !(spoke || status == TaskStatus::Unreachable) {
        return None;
    }
    let short = step.as_str().strip_prefix(run.as_str()).map_or(step.as_str(), |rest| rest.trim_start_matches('/'));
    Some(format!("dayfly logs {run} --host {host} --step {short}"))
}

/// The first item of a loop that failed, and its index.
fn failed_item(result: &Map<String, Value>) -> Option<(usize, &Map<String, Value>)> {
    let items = result.get("results")?.as_array()?;
    let items = items.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_object()?)));
    items.into_iter().find(|(_, item)| item.get("failed") == Some(&Value::Bool(true)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(status: TaskStatus, result: &Value, steps: &[&str], replayed: bool) -> Event {
        let kind = EventKind::TaskResult {
            play: 0,
            task: "tasks/1".to_owned(),
            name: "Train".to_owned(),
            host: "work-0".into(),
            delegated: None,
            status,
            result: result.as_object().cloned().unwrap_or_default(),
            steps: steps.iter().map(|key| StepKey::new(*key)).collect(),
            action: "shell".to_owned(),
        };
        Event { v: 1, at_ms: 1, replayed, kind }
    }

    fn told(events: &[Event]) -> String {
        let mut failures = Failures::new(RunId::new("r1"));
        for event in events {
            failures.event(event);
        }
        failures.render()
    }

    #[test]
    fn a_failure_is_told_once_with_its_message_and_its_log() {
        let failed = json!({"msg": "non-zero return code", "rc": 3, "stderr": "one\ntwo", "failed": true});
        let event = |replayed| result(TaskStatus::Failed, &failed, &["r1/0/tasks/1/work-0.1/-/1"], replayed);
        assert_eq!(
            told(&[event(false), event(true)]),
            "work-0 failed: Train\n    non-zero return code (rc 3)\n    two\n    \
             log: dayfly logs r1 --host work-0 --step 0/tasks/1/work-0.1/-/1\n"
        );
    }

    #[test]
    fn who_said_nothing_has_no_log_and_who_is_hidden_stays_so() {
        let step = ["r1/0/tasks/1/work-0.1/-/1"];
        let silent = json!({"msg": "non-zero return code", "rc": 1, "stderr": "", "stdout": ""});
        assert!(!told(&[result(TaskStatus::Failed, &silent, &step, false)]).contains("log:"));
        assert_eq!(told(&[result(TaskStatus::Ok, &silent, &step, false)]), "");
        let hidden = json!({"censored": "…", "stderr": "secret"});
        let text = told(&[result(TaskStatus::Failed, &hidden, &step, false)]);
        assert!(!text.contains("secret") && !text.contains("log:"), "{text}");
    }

    #[test]
    fn of_a_loop_the_failed_item_is_told() {
        let items = json!({"msg": "One or more items failed", "results": [
            {"failed": false, "stdout": "fine"}, {"failed": true, "msg": "broke", "stderr": "why"}, {"stdout": "late"}]});
        let steps = ["r1/0/tasks/1/work-0.1/0/1", "r1/0/tasks/1/work-0.1/1/1", "r1/0/tasks/1/work-0.1/2/1"];
        let text = told(&[result(TaskStatus::Failed, &items, &steps, false)]);
        assert!(text.contains("broke") && text.contains("--step 0/tasks/1/work-0.1/1/1"), "{text}");
    }
}
