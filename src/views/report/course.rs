//! What runs where and since when: the state of a run as its events tell it. Pure; progress bars and `show` read it.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::event::{Event, EventKind, TaskStatus};
use crate::core::ids::{HostName, InstanceId, RunId, StepKey};

/// So much of a running step's output is kept for people.
const TAIL_BYTES: usize = 4096;

/// A step that runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningStep {
    /// Where.
    pub host: HostName,
    /// The task's name.
    pub name: String,
    /// UNIX milliseconds.
    pub since_ms: i64,
    /// The end of its output.
    pub tail: String,
}

/// One play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayCourse {
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: Vec<HostName>,
    /// The task that it is at.
    pub task: String,
    /// Hosts of that task.
    pub task_hosts: usize,
    /// Hosts that have a result of it.
    pub done: BTreeSet<HostName>,
    /// Tasks begun.
    pub tasks: u32,
    /// Hosts with a failure that nothing caught.
    pub failed: BTreeSet<HostName>,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCourse {
    /// The cloud's name.
    pub instance: InstanceId,
    /// `launched`, `ready`, `lost`, `collected`, `gone`.
    pub state: &'static str,
    /// Its address, once ready.
    pub address: String,
}

/// The state of a run by its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// The run.
    pub run: Option<RunId>,
    /// The playbook's name.
    pub name: String,
    /// The master's epoch.
    pub epoch: u32,
    /// When the first event of this master came.
    pub started_ms: i64,
    /// UNIX milliseconds.
    pub deadline_ms: i64,
    /// Workers that the playbook declares.
    pub declared: u32,
    /// Plays that are at work, by index.
    pub plays: BTreeMap<u32, PlayCourse>,
    /// Steps that run now.
    pub steps: BTreeMap<StepKey, RunningStep>,
    /// Steps that ended.
    pub steps_done: u64,
    /// Workers by slot, `work-0.1`.
    pub workers: BTreeMap<String, WorkerCourse>,
    /// Why it is being stopped.
    pub stopping: Option<String>,
    /// Whether it is over.
    pub ended: bool,
}

impl Course {
    /// Follows an event.
    pub fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { run, name, epoch, workers, deadline_ms, .. } => {
                self.run = Some(run.clone());
                self.name.clone_from(name);
                self.epoch = epoch.0;
                if self.started_ms == 0 {
                    self.started_ms = event.at_ms;
                }
                self.deadline_ms = *deadline_ms;
                self.declared = *workers;
                self.plays.clear();
                self.steps.clear();
            }
            EventKind::WorkerLaunched { slot, instance, .. } => {
                let worker = WorkerCourse { instance: instance.clone(), state: "launched", address: String::new() };
                self.workers.insert(slot.to_string(), worker);
            }
            EventKind::WorkerReady { slot, address } => {
                if let Some(worker) = self.workers.get_mut(&slot.to_string()) {
                    worker.state = "ready";
                    worker.address.clone_from(address);
                }
            }
            EventKind::WorkerLost { slot, .. } => {
                self.worker_is(&slot.to_string(), "lost");
                self.steps.retain(|_, step| step.host != slot.host);
            }
            EventKind::WorkerCollected { slot, .. } => self.worker_is(&slot.to_string(), "collected"),
            EventKind::WorkerGone { slot, .. } => self.worker_is(&slot.to_string(), "gone"),
            EventKind::PlayStarted { play, name, hosts } => {
                let course = PlayCourse { name: name.clone(), hosts: hosts.clone(), ..PlayCourse::default() };
                self.plays.insert(*play, course);
            }
            EventKind::PlayEnded { play } => {
                self.plays.remove(play);
            }
            EventKind::TaskStarted { play, name, hosts, .. } => {
                if let Some(course) = self.plays.get_mut(play) {
                    course.task.clone_from(name);
                    course.task_hosts = hosts.len();
                    course.done.clear();
                    course.tasks += 1;
                }
            }
            EventKind::TaskResult { play, host, status, .. } => {
                if let Some(course) = self.plays.get_mut(play) {
                    course.done.insert(host.clone());
                    if matches!(status, TaskStatus::Failed | TaskStatus::Unreachable) {
                        course.failed.insert(host.clone());
                    }
                }
            }
            EventKind::StepStarted { key, host, name } => {
                let step =
                    RunningStep { host: host.clone(), name: name.clone(), since_ms: event.at_ms, tail: String::new() };
                self.steps.entry(key.clone()).or_insert(step);
            }
            EventKind::StepOutput { key, text, .. } => {
                if let Some(step) = self.steps.get_mut(key) {
                    step.tail.push_str(text);
                    cut_head(&mut step.tail, TAIL_BYTES);
                }
            }
            EventKind::StepEnded { key, .. } => {
                self.steps.remove(key);
                self.steps_done += 1;
            }
            EventKind::Stopping { why } => self.stopping = Some(why.clone()),
            EventKind::RunEnded { .. } => {
                self.ended = true;
                self.steps.clear();
                self.plays.clear();
            }
            _ => {}
        }
    }

    /// The step of these hosts that runs longest.
    pub fn longest(&self, hosts: &[HostName]) -> Option<&RunningStep> {
        self.steps.values().filter(|step| hosts.contains(&step.host)).min_by_key(|step| step.since_ms)
    }

    /// How many workers stand in a state.
    pub fn workers_in(&self, state: &str) -> usize {
        self.workers.values().filter(|worker| worker.state == state).count()
    }

    fn worker_is(&mut self, slot: &str, state: &'static str) {
        if let Some(worker) = self.workers.get_mut(slot) {
            worker.state = state;
        }
    }
}

fn cut_head(text: &mut String, keep: usize) {
    if text.len() > keep {
        let mut at = text.len() - keep;
        while !text.is_char_boundary(at) {
            at += 1;
        }
        text.drain(..at);
    }
}

/// A duration as people read it: `4.2s`, `3m07s`, `2h05m`.
pub fn duration_text(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}.{}s", milliseconds % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}
