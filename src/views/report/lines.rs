//! A run as plain lines, in the words of Ansible's default callback; pure: events in, text out.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::diff;
use super::failures::{is_hidden, log_command};
use super::paint::{Color, Paint};
use super::pythonic::{display, dumps};
use crate::core::event::{Event, EventKind, TaskStatus};
use crate::core::ids::{HostName, RunId, StepKey};

/// How much is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineSettings {
    /// Colour.
    pub paint: Paint,
    /// `-v` shows results, `-vvv` shows them indented.
    pub verbosity: u8,
    /// Length of a banner; Ansible's is 79 without a terminal.
    pub columns: usize,
    /// Whether results that an earlier master already told are told again.
    pub replayed: bool,
    /// Whether running steps' output is shown (`logs -f`, not `run`).
    pub output: bool,
}

/// A task of a play: what a banner stands for.
type TaskRef = (u32, String);

struct TaskTitle {
    banner: String,
    name: String,
    place: String,
}

/// Turns events into the lines that a person reads. Keeps only what later lines need: names and open plays.
pub struct Lines {
    settings: LineSettings,
    run: Option<RunId>,
    plays: HashMap<u32, String>,
    open: Vec<u32>,
    tasks: HashMap<TaskRef, TaskTitle>,
    /// The last banner of each play, and the last of all.
    shown: HashMap<u32, String>,
    last: Option<TaskRef>,
    /// Hosts whose items were told one by one: the task's own result adds nothing then.
    itemized: HashSet<(TaskRef, HostName)>,
    hidden: u64,
}

/// What one result line is about.
struct Told<'a> {
    play: u32,
    task: &'a str,
    host: &'a HostName,
    delegated: Option<&'a HostName>,
    status: TaskStatus,
    item: Option<&'a Value>,
    result: &'a Map<String, Value>,
    steps: &'a [StepKey],
    debug: bool,
}

impl Lines {
    /// Lines for one run.
    pub fn new(settings: LineSettings) -> Self {
        Self {
            settings,
            run: None,
            plays: HashMap::new(),
            open: Vec::new(),
            tasks: HashMap::new(),
            shown: HashMap::new(),
            last: None,
            itemized: HashSet::new(),
            hidden: 0,
        }
    }

    /// How many results of earlier masters were not told again.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// What an event adds to stdout; empty where it is none of its business. The recap is
    /// [`recap`](super::recap::recap).
    pub fn event(&mut self, event: &Event) -> String {
        let silent = event.replayed && !self.settings.replayed;
        let mut text = String::new();
        match &event.kind {
            EventKind::RunStarted { run, plays, .. } => {
                self.run = Some(run.clone());
                self.plays = plays.iter().enumerate().map(|(index, name)| (index as u32, name.clone())).collect();
                self.open.clear();
            }
            EventKind::PlayStarted { play, name, .. } => {
                self.plays.insert(*play, name.clone());
                if !self.open.contains(play) {
                    self.open.push(*play);
                }
                if !silent {
                    self.banner(&mut text, &format!("PLAY [{}]", name.trim()));
                }
            }
            EventKind::PlaySkipped { play, name, why } => {
                self.plays.insert(*play, name.clone());
                if !silent {
                    self.banner(&mut text, &format!("PLAY [{}]", name.trim()));
                    let _ = writeln!(text, "{}", self.settings.paint.text(Color::Skip, &format!("skipping: {why}")));
                }
            }
            EventKind::PlayEnded { play } => {
                self.open.retain(|open| open != play);
                self.itemized.retain(|((of, _), _)| of != play);
            }
            EventKind::TaskStarted { play, task, name, handler, place, .. } => {
                let word = if *handler { "RUNNING HANDLER" } else { "TASK" };
                let title = TaskTitle {
                    banner: format!("{word} [{}]", name.trim()),
                    name: name.trim().to_owned(),
                    place: place.clone(),
                };
                self.tasks.insert((*play, task.clone()), title);
                if !silent {
                    self.title(&mut text, *play, task);
                }
            }
            EventKind::ItemResult { play, task, host, status, item, result } => {
                self.itemized.insert(((*play, task.clone()), host.clone()));
                if silent {
                    return text;
                }
                self.told(
                    &mut text,
                    &Told {
                        play: *play,
                        task,
                        host,
                        delegated: None,
                        status: *status,
                        item: Some(item),
                        result,
                        steps: &[],
                        debug: result.get("_ansible_verbose_always") == Some(&Value::Bool(true)),
                    },
                );
            }
            EventKind::TaskResult { play, task, host, delegated, status, result, steps, action, .. } => {
                if silent {
                    self.hidden += 1;
                    self.itemized.remove(&((*play, task.clone()), host.clone()));
                    return text;
                }
                if (action == "include_tasks" || action == "import_tasks") && *status == TaskStatus::Ok {
                    self.included(&mut text, *play, host, result);
                    return text;
                }
                self.told(
                    &mut text,
                    &Told {
                        play: *play,
                        task,
                        host,
                        delegated: delegated.as_ref(),
                        status: *status,
                        item: None,
                        result,
                        steps,
                        debug: action == "debug",
                    },
                );
            }
            EventKind::Retrying { host, name, left } if !silent => {
                let line = format!("FAILED - RETRYING: [{host}]: {} ({left} retries left).", name.trim());
                let _ = writeln!(text, "{}", self.settings.paint.text(Color::Debug, &line));
            }
            EventKind::StepOutput { host, text: output, .. } if self.settings.output && !silent => {
                for line in output.lines() {
                    let _ = writeln!(text, "{}", self.settings.paint.text(Color::Dim, &format!("{host} | {line}")));
                }
            }
            _ => {}
        }
        text
    }

    fn banner(&self, text: &mut String, title: &str) {
        let stars = self.settings.columns.saturating_sub(title.chars().count()).max(3);
        let _ = writeln!(text, "\n{title} {}", "*".repeat(stars));
    }

    /// Where plays run side by side, each line says whose it is.
    fn whose(&self, play: u32) -> String {
        if self.open.len() < 2 {
            return String::new();
        }
        self.plays.get(&play).map_or_else(String::new, |name| format!("{} | ", name.trim()))
    }

    fn title(&mut self, text: &mut String, play: u32, task: &str) {
        let reference = (play, task.to_owned());
        if let Some(title) = self.tasks.get(&reference) {
            self.banner(text, &format!("{}{}", self.whose(play), title.banner));
            if self.settings.verbosity >= 2 && !title.place.is_empty() {
                let _ = writeln!(text, "task path: {}", title.place);
            }
        }
        self.shown.insert(play, task.to_owned());
        self.last = Some(reference);
    }

    /// Says again which task it is, where another's banner stands above.
    fn title_if_needed(&mut self, text: &mut String, play: u32, task: &str) {
        let side_by_side = self.open.len() > 1;
        let stands = if side_by_side {
            self.shown.get(&play).is_some_and(|shown| shown == task)
        } else {
            self.last.as_ref().is_some_and(|(of, shown)| *of == play && shown == task)
        };
        if !stands {
            self.title(text, play, task);
        }
    }

    fn included(&mut self, text: &mut String, play: u32, host: &HostName, result: &Map<String, Value>) {
        let file = result.get("include").or_else(|| result.get("include_file")).map(display).unwrap_or_default();
        let line = format!("{}included: {file} for {host}", self.whose(play));
        let _ = writeln!(text, "{}", self.settings.paint.text(Color::Included, &line));
    }

    fn told(&mut self, text: &mut String, told: &Told<'_>) {
        let reference = (told.play, told.task.to_owned());
        let had_items = told.item.is_none() && self.itemized.remove(&(reference, told.host.clone()));
        self.title_if_needed(text, told.play, told.task);
        let whose = self.whose(told.play);
        let label = match told.delegated {
            Some(to) => format!("{} -> {to}", told.host),
            None => told.host.to_string(),
        };
        if !had_items {
            warnings(text, self.settings.paint, told.result);
            self.diff(text, told);
        }
        let (line, color) = match (told.status, told.item) {
            (TaskStatus::Ok | TaskStatus::Changed, _) if had_items => return,
            (TaskStatus::Ok, item) => (self.good("ok", &label, item, told), Color::Ok),
            (TaskStatus::Changed, item) => (self.good("changed", &label, item, told), Color::Changed),
            (TaskStatus::Skipped, Some(_)) => (self.good("skipping", &label, told.item, told) + " ", Color::Skip),
            (TaskStatus::Skipped, None) => (self.good("skipping", &label, None, told), Color::Skip),
            (TaskStatus::Failed | TaskStatus::Ignored | TaskStatus::Rescued, Some(item)) => (
                format!("failed: [{label}] (item={}) => {}", display(item), self.dump(told.result, false)),
                Color::Error,
            ),
            (TaskStatus::Failed | TaskStatus::Ignored | TaskStatus::Rescued, None) => {
                if had_items {
                    (String::new(), Color::Error)
                } else {
                    (format!("fatal: [{label}]: FAILED! => {}", self.dump(told.result, false)), Color::Error)
                }
            }
            (TaskStatus::Unreachable, _) => {
                (format!("fatal: [{label}]: UNREACHABLE! => {}", self.dump(told.result, false)), Color::Unreachable)
            }
        };
        if !line.is_empty() {
            let _ = writeln!(text, "{}", self.settings.paint.text(color, &format!("{whose}{line}")));
        }
        match (told.status, told.item) {
            (TaskStatus::Ignored, None) => {
                let _ = writeln!(text, "{}", self.settings.paint.text(Color::Skip, &format!("{whose}...ignoring")));
            }
            (TaskStatus::Failed | TaskStatus::Unreachable, None) => self.explain(text, told),
            _ => {}
        }
    }

    fn good(&self, word: &str, label: &str, item: Option<&Value>, told: &Told<'_>) -> String {
        let mut line = format!("{word}: [{label}]");
        if let Some(item) = item {
            let _ = write!(line, " => (item={})", display(item));
        }
        if told.debug && told.status != TaskStatus::Skipped {
            let _ = write!(line, " => {}", self.dump(&of_debug(told.result), true));
        } else if self.settings.verbosity > 0 {
            let _ = write!(line, " => {}", self.dump(told.result, false));
        }
        line
    }

    fn dump(&self, result: &Map<String, Value>, pretty: bool) -> String {
        let told = self.settings.verbosity;
        let kept = result.iter().filter(|(key, _)| {
            !(key.starts_with("_ansible_")
                || matches!(key.as_str(), "exception" | "warnings" | "deprecations")
                || (told < 3 && matches!(key.as_str(), "invocation" | "diff")))
        });
        dumps(&kept.map(|(key, value)| (key.clone(), value.clone())).collect(), pretty || told > 2)
    }

    fn diff(&self, text: &mut String, told: &Told<'_>) {
        if told.result.get("changed") != Some(&Value::Bool(true)) {
            return;
        }
        if let Some(diffs) = told.result.get("diff") {
            text.push_str(&diff::render(diffs, self.settings.paint));
        }
    }

    /// What a person needs to go on after a failure: why, where it is written, and where its whole output is.
    fn explain(&self, text: &mut String, told: &Told<'_>) {
        if is_hidden(told.result) {
            return;
        }
        let mut block = String::new();
        let title = self.tasks.get(&(told.play, told.task.to_owned()));
        if let Some(title) = title.filter(|title| !title.place.is_empty()) {
            let _ = writeln!(block, "at {} ({})", title.place, title.name);
        }
        for key in ["msg", "module_stderr", "stderr"] {
            let Some(Value::String(said)) = told.result.get(key) else { continue };
            let said = said.trim_end();
            if said.is_empty() {
                continue;
            }
            let shown = last_lines(said, SHOWN_LINES);
            if shown.contains('\n') || shown.len() < said.len() {
                let _ = writeln!(block, "{key}:");
                if shown.len() < said.len() {
                    let _ = writeln!(block, "  … (its end only)");
                }
                for line in shown.lines() {
                    let _ = writeln!(block, "  {line}");
                }
            } else {
                let _ = writeln!(block, "{key}: {shown}");
            }
        }
        let command =
            self.run.as_ref().and_then(|run| log_command(run, told.host, told.status, told.result, told.steps));
        if let Some(command) = command {
            let _ = writeln!(block, "log: {command}");
        }
        for line in block.lines() {
            let _ = writeln!(text, "{}", self.settings.paint.text(Color::Dim, &format!("    {line}")));
        }
    }
}

/// So many lines of a long message are shown; the log has all.
const SHOWN_LINES: usize = 12;

/// The last lines of a text.
fn last_lines(text: &str, count: usize) -> &str {
    match text.rmatch_indices('\n').nth(count.saturating_sub(1)) {
        Some((at, _)) => &text[at + 1..],
        None => text,
    }
}

/// `debug` shows what it was told to show and nothing else.
fn of_debug(result: &Map<String, Value>) -> Map<String, Value> {
    let hidden = |key: &str| matches!(key, "changed" | "failed" | "skipped" | "invocation" | "skip_reason");
    let alone = result.contains_key("msg");
    let kept = result.iter().filter(|(key, _)| if alone { key.as_str() == "msg" } else { !hidden(key) });
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn warnings(text: &mut String, paint: Paint, result: &Map<String, Value>) {
    let Some(Value::Array(warnings)) = result.get("warnings") else { return };
    for warning in warnings {
        let _ = writeln!(text, "{}", paint.text(Color::Warning, &format!("[WARNING]: {}", display(warning))));
    }
}
