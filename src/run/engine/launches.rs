//! Everything that a run asked its cloud for, by this master and by those before it: what must be proven gone at the end.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::EngineError;
use super::context::Engine;
use super::history::History;
use crate::core::ids::{GroupName, HostSlot, InstanceId};
use crate::core::records::Verdict;
use crate::platform::cloud::LaunchOrder;

/// One launch and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) order: LaunchOrder,
    /// The definite answer; none while nobody knows.
    pub(super) answer: Option<Resolution>,
}

/// A definite answer to a launch.
#[derive(Clone, Debug)]
pub(super) struct Resolution {
    pub(super) instances: Vec<InstanceId>,
    pub(super) verdict: Verdict,
    pub(super) error: Option<String>,
}

impl Launch {
    /// Its machines with the names that they carry.
    pub(super) fn machines(&self) -> Vec<(HostSlot, InstanceId)> {
        let ids = self.answer.iter().flat_map(|answer| &answer.instances);
        self.order.slots.iter().cloned().zip(ids.cloned()).collect()
    }
}

/// The launches of a run, by token, in the order of asking.
#[derive(Debug)]
pub(super) struct Launches {
    list: Mutex<Vec<Launch>>,
    /// Machines of which the cloud said `terminated`.
    ended: Mutex<HashSet<InstanceId>>,
    /// Losses before a group began: names that another machine took over, and why.
    lost: Mutex<HashMap<HostSlot, String>>,
    /// Launches of earlier masters are at least as old as this master.
    began: Instant,
}

impl Launches {
    /// What earlier masters asked for.
    pub(super) fn of(history: &History) -> Engine<Self> {
        let mut list = Vec::new();
        for intent in &history.intents {
            let order = serde_json::from_value(intent.request.clone())
                .map_err(|error| EngineError::Internal(format!("the intent {} cannot be read: {error}", intent.id)))?;
            list.push(Launch { order, answer: history.resolved.get(&intent.id).cloned() });
        }
        Ok(Self {
            list: Mutex::new(list),
            ended: Mutex::new(history.gone.keys().cloned().collect()),
            lost: Mutex::new(history.lost.clone().into_iter().collect()),
            began: Instant::now(),
        })
    }

    /// The launches of one group.
    pub(super) fn of_group(&self, group: &GroupName) -> Vec<Launch> {
        self.list().iter().filter(|launch| launch.order.group == *group).cloned().collect()
    }

    /// A launch is about to be asked for.
    pub(super) fn asked(&self, order: &LaunchOrder) {
        let mut list = self.list();
        if !list.iter().any(|launch| launch.order.token == order.token) {
            list.push(Launch { order: order.clone(), answer: None });
        }
    }

    /// A launch has its answer.
    pub(super) fn resolved(&self, token: &str, answer: Resolution) {
        if let Some(launch) = self.list().iter_mut().find(|launch| launch.order.token == token) {
            launch.answer = Some(answer);
        }
    }

    /// The token under which a machine was launched.
    pub(super) fn token_of(&self, id: &InstanceId) -> Option<String> {
        let list = self.list();
        let of_it = |launch: &&Launch| launch.answer.iter().any(|answer| answer.instances.contains(id));
        list.iter().find(of_it).map(|launch| launch.order.token.clone())
    }

    /// The machines of one launch.
    pub(super) fn machines_of(&self, token: &str) -> Vec<(HostSlot, InstanceId)> {
        self.list().iter().filter(|launch| launch.order.token == token).flat_map(Launch::machines).collect()
    }

    /// All tokens, with answer or without.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.list().iter().map(|launch| launch.order.token.clone()).collect()
    }

    /// All machines, with the names that they carry.
    pub(super) fn machines(&self) -> Vec<(HostSlot, InstanceId)> {
        self.list().iter().flat_map(Launch::machines).collect()
    }

    /// The cloud said that a machine is gone; whether that is news.
    pub(super) fn note_end(&self, id: &InstanceId) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone())
    }

    /// Whether the cloud ever said that a machine is gone.
    pub(super) fn is_ended(&self, id: &InstanceId) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// A worker is lost for good; whether that is news.
    pub(super) fn note_loss(&self, slot: &HostSlot, evidence: &str) -> bool {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.insert(slot.clone(), evidence.to_owned()).is_none()
    }

    /// Why a worker is lost, if it is.
    pub(super) fn loss(&self, slot: &HostSlot) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get(slot).cloned()
    }

    /// For how long every launch of an earlier master has been known.
    pub(super) fn age(&self) -> std::time::Duration {
        self.began.elapsed()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Launch>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
