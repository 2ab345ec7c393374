//! The plain output of whole runs, as people see it.

use serde_json::{Map, Value, json};

use super::*;
use crate::core::event::{Event, EventKind, HostStats, TaskStatus};
use crate::core::ids::{Epoch, HostName, InstanceId, RunId, StepKey};
use crate::core::records::Outcome;

fn happened(kind: EventKind) -> Event {
    Event { v: 1, at_ms: 1_000, replayed: false, kind }
}

fn hosts(names: &[&str]) -> Vec<HostName> {
    names.iter().map(|name| HostName::new(*name)).collect()
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn started(plays: &[&str]) -> Event {
    happened(EventKind::RunStarted {
        run: RunId::new("01jtest"),
        name: "train".into(),
        epoch: Epoch(1),
        plays: plays.iter().map(ToString::to_string).collect(),
        workers: 2,
        deadline_ms: 0,
        store: "/store".into(),
    })
}

fn play(index: u32, name: &str, names: &[&str]) -> Event {
    happened(EventKind::PlayStarted { play: index, name: name.into(), hosts: hosts(names) })
}

fn task(play: u32, path: &str, name: &str, names: &[&str]) -> Event {
    happened(EventKind::TaskStarted {
        play,
        task: path.into(),
        name: name.into(),
        handler: path.starts_with("handlers"),
        hosts: hosts(names),
        place: format!("train.yml:1{play}"),
    })
}

fn result(play: u32, path: &str, host: &str, status: TaskStatus, action: &str, value: Value) -> Event {
    happened(EventKind::TaskResult {
        play,
        task: path.into(),
        name: String::new(),
        host: host.into(),
        delegated: None,
        status,
        result: map(value),
        steps: vec![StepKey::new(format!("01jtest/{play}/{path}/{host}.1/0/1"))],
        action: action.into(),
    })
}

fn item(play: u32, path: &str, host: &str, status: TaskStatus, item: Value, value: Value) -> Event {
    happened(EventKind::ItemResult { play, task: path.into(), host: host.into(), status, item, result: map(value) })
}

fn ended() -> Event {
    let stats = |ok, changed, failed, ignored| HostStats { ok, changed, failed, ignored, ..HostStats::default() };
    happened(EventKind::RunEnded {
        outcome: Outcome::Failed,
        exit: 2,
        message: "work-1 failed".into(),
        stats: vec![("work-1".into(), stats(2, 0, 1, 0)), ("work-0".into(), stats(4, 1, 0, 1))],
        elapsed_ms: 187_000,
        results: "/store/runs/01jtest/results".into(),
        result_files: 3,
        unresolved: vec![],
        ended: 2,
    })
}

fn plain(settings: LineSettings, events: &[Event]) -> String {
    let mut lines = Lines::new(LineSettings { columns: 60, ..settings });
    let mut text = String::new();
    for event in events {
        text.push_str(&lines.event(event));
        text.push_str(&recap(&RunId::new("01jtest"), &event.kind, settings.paint, 60));
    }
    text
}

fn one_run() -> Vec<Event> {
    let failed = json!({"changed": true, "cmd": "exit 3", "rc": 3, "msg": "non-zero return code",
        "stderr": "one\ntwo", "stdout": "", "failed": true});
    vec![
        started(&["Train"]),
        play(0, "Train", &["work-0", "work-1"]),
        task(0, "tasks/0", "Gathering Facts", &["work-0", "work-1"]),
        result(0, "tasks/0", "work-0", TaskStatus::Ok, "setup", json!({"changed": false})),
        result(0, "tasks/0", "work-1", TaskStatus::Ok, "setup", json!({"changed": false})),
        task(0, "tasks/1", "say", &["work-0", "work-1"]),
        result(0, "tasks/1", "work-0", TaskStatus::Ok, "debug", json!({"msg": "hello", "changed": false})),
        result(0, "tasks/1", "work-1", TaskStatus::Skipped, "debug", json!({"changed": false, "skipped": true})),
        task(0, "tasks/2", "loop", &["work-0"]),
        item(0, "tasks/2", "work-0", TaskStatus::Changed, json!("a"), json!({"changed": true})),
        item(0, "tasks/2", "work-0", TaskStatus::Skipped, json!({"k": [1, null]}), json!({"changed": false})),
        result(0, "tasks/2", "work-0", TaskStatus::Changed, "command", json!({"changed": true, "results": []})),
        task(0, "tasks/3", "break", &["work-0", "work-1"]),
        happened(EventKind::Retrying { host: "work-0".into(), name: "break".into(), left: 2 }),
        result(0, "tasks/3", "work-0", TaskStatus::Ignored, "shell", failed.clone()),
        result(0, "tasks/3", "work-1", TaskStatus::Failed, "shell", failed),
        task(0, "handlers/0", "restart", &["work-0"]),
        result(0, "handlers/0", "work-0", TaskStatus::Changed, "shell", json!({"changed": true, "rc": 0})),
        happened(EventKind::PlayEnded { play: 0 }),
        ended(),
    ]
}

#[test]
fn a_run_reads_as_ansibles() {
    insta::assert_snapshot!(plain(LineSettings::default(), &one_run()));
}

#[test]
fn verbosity_adds_results_and_places() {
    insta::assert_snapshot!(plain(LineSettings { verbosity: 2, ..LineSettings::default() }, &one_run()));
}

#[test]
fn plays_side_by_side_say_whose_line_it_is() {
    let events = [
        started(&["Left", "Right"]),
        play(0, "Left", &["a"]),
        task(0, "tasks/0", "first", &["a"]),
        play(1, "Right", &["b"]),
        task(1, "tasks/0", "other", &["b"]),
        result(0, "tasks/0", "a", TaskStatus::Ok, "ping", json!({})),
        result(1, "tasks/0", "b", TaskStatus::Changed, "shell", json!({})),
        happened(EventKind::PlayEnded { play: 1 }),
        result(0, "tasks/0", "c", TaskStatus::Unreachable, "ping", json!({"msg": "no answer", "unreachable": true})),
    ];
    insta::assert_snapshot!(plain(LineSettings::default(), &events));
}

#[test]
fn what_a_former_master_told_is_not_told_again_but_known() {
    let mut events = one_run();
    for event in &mut events[..15] {
        event.replayed = true;
    }
    let text = plain(LineSettings::default(), &events);
    assert!(!text.contains("hello"), "{text}");
    // The first new result stands under its task's name.
    assert!(text.starts_with("\nTASK [break]"), "{text}");
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let escape = '\u{1b}';
    assert!(!plain(LineSettings::default(), &one_run()).contains(escape));
    assert!(plain(LineSettings { paint: Paint::Ansi, ..LineSettings::default() }, &one_run()).contains(escape));
}

#[test]
fn what_is_not_proven_gone_is_named() {
    let mut end = ended();
    if let EventKind::RunEnded { unresolved, .. } = &mut end.kind {
        unresolved.push(InstanceId::new("i-1"));
    }
    let text = plain(LineSettings::default(), &[end]);
    assert!(text.contains("not proven gone: i-1") && !text.contains("nothing is left"), "{text}");
}

#[test]
fn the_course_knows_what_runs_longest_and_forgets_what_ended() {
    let mut course = Course::default();
    let step = |key: &str, host: &str, at_ms: i64| Event {
        at_ms,
        ..happened(EventKind::StepStarted { key: key.into(), host: host.into(), name: "t".into() })
    };
    course.event(&play(0, "p", &["a", "b"]));
    course.event(&step("1", "a", 50));
    course.event(&step("2", "b", 20));
    assert_eq!(course.longest(&hosts(&["a", "b"])).map(|step| step.host.as_str()), Some("b"));
    let end = EventKind::StepEnded { key: "2".into(), host: "b".into(), failed: false, elapsed_ms: 1 };
    course.event(&happened(end));
    assert_eq!(course.longest(&hosts(&["a", "b"])).map(|step| step.host.as_str()), Some("a"));
    assert_eq!((course.steps_done, duration_text(3_725_000).as_str()), (1, "1h02m"));
}
