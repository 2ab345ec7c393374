//! The hosts, tasks and steps that a run's records name: what `logs` can be asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Context as _;

use super::place::Place;
use crate::core::event::EventKind;
use crate::core::ids::{RunId, StepKey};
use crate::core::records::Record;
use crate::entry::exit::Problem;
use crate::platform::store::journal::Journal;
use crate::views::report::LiveReader;

/// So many names of what there is are shown.
const SHOWN: usize = 12;

/// What a run has so far.
#[derive(Debug, Default)]
pub struct Steps {
    /// Hosts of its plays, and those that ran a step.
    pub hosts: BTreeSet<String>,
    /// Names of its tasks, in no order of time.
    pub tasks: BTreeSet<String>,
    /// Its steps and the tasks that they belong to, where that is known.
    pub keys: BTreeMap<StepKey, String>,
}

impl Steps {
    /// From the live events, which know names, and the journal, which knows every step that ended.
    pub async fn of(place: &Place, run: &RunId) -> Result<Self, Problem> {
        let mut steps = Self::default();
        let what = || format!("read the events of run {run}");
        for event in LiveReader::new(place.store.clone(), run.clone()).read().await.with_context(what)? {
            steps.event(event.kind);
        }
        let what = || format!("read the journal of run {run}");
        for entry in Journal::read(place.store.as_ref(), run).await.with_context(what)? {
            if let Record::StepDone { key, .. } | Record::StepJudged { key, .. } = entry.record {
                steps.keys.entry(key).or_default();
            }
        }
        Ok(steps)
    }

    fn event(&mut self, kind: EventKind) {
        match kind {
            EventKind::PlayStarted { hosts, .. } => self.hosts.extend(hosts.iter().map(ToString::to_string)),
            EventKind::TaskStarted { name, .. } => {
                self.tasks.insert(name);
            }
            EventKind::StepStarted { key, host, name } => {
                self.hosts.insert(host.to_string());
                self.keys.insert(key, name);
            }
            EventKind::TaskResult { steps, host, name, .. } => {
                self.hosts.insert(host.to_string());
                self.keys.extend(steps.into_iter().map(|key| (key, name.clone())));
            }
            _ => {}
        }
    }
}

/// `one`, `two` and 3 more
pub fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut text = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    if count > SHOWN {
        let _ = write!(text, " and {} more", count - SHOWN);
    }
    if count == 0 { "none yet".to_owned() } else { text }
}

/// A step's key without the run before it, as people give it.
pub fn short<'a>(run: &RunId, key: &'a StepKey) -> &'a str {
    let key = key.as_str();
    key.strip_prefix(run.as_str()).map_or(key, |rest| rest.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..14).map(|n| format!("h{n}")).collect();
        assert!(listed(names.iter().map(String::as_str)).ends_with("h11 and 2 more"));
        assert_eq!(listed(names[..2].iter().map(String::as_str)), "h0, h1");
        assert_eq!(listed([].into_iter()), "none yet");
    }
}
