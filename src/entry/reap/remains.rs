//! What is left of a run in a cloud that shows things late: ended at every look, called gone only after two looks that
//! stand apart, the second of them long enough after the last launch.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::clock::StoreClock;
use super::facts::{Requests, requests};
use super::reaper::Reaped;
use super::verdict::{Facts, MOST_MASTERS, Over};
use crate::core::ids::{InstanceId, RunId, sha256_hex};
use crate::core::records::{Closed, FORMAT_VERSION, Spec, Sweep};
use crate::core::timing::Timing;
use crate::entry::exit::Problem;
use crate::entry::trigger::store_failed;
use crate::platform::cloud::{Cloud, Instance, Leftover, MasterCloud};
use crate::platform::store::{Store, layout};

/// A run that is over, and the hands to end what is left of it.
pub struct Remains<'a> {
    pub store: &'a dyn Store,
    pub spec: &'a Spec,
    pub cloud: &'a dyn Cloud,
    pub masters: &'a dyn MasterCloud,
    pub clock: StoreClock,
}

/// The looks so far, kept in the store because a reaper keeps nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Looks {
    v: u32,
    sweeps: Vec<Sweep>,
}

/// What one look found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    masters: Vec<InstanceId>,
    by_tag: Vec<InstanceId>,
    by_token: Vec<InstanceId>,
    leftovers: Vec<Leftover>,
    uploads: usize,
}

impl Found {
    fn is_nothing(&self) -> bool {
        self.masters.is_empty() && self.by_tag.is_empty() && self.by_token.is_empty() && self.leftovers.is_empty()
    }

    /// Every machine, once.
    fn machines(&self) -> Vec<InstanceId> {
        let mut ids: Vec<InstanceId> =
            [&self.masters, &self.by_tag, &self.by_token].into_iter().flatten().cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Remains<'_> {
    /// One look: ends what it finds, and writes the proof where this look completes it.
    pub async fn end(&self, over: Over, facts: &Facts) -> Result<Reaped, Problem> {
        let run = &self.spec.run;
        let masters = self.masters.masters(run).await.with_context(|| format!("look for the masters of run {run}"))?;
        if over == (Over::Receipt { overdue: false }) && !masters.is_empty() {
            let why = "its master said its last word and is ending its own machine".to_owned();
            return Ok(Reaped::Waiting { why, over: true });
        }
        let requests = requests(self.store, run, &facts.claims).await?;
        let found = self.look(masters, &requests).await?;
        let machines = found.machines();
        let now_ms = self.clock.now_ms();
        let looks = self.remember(&found, now_ms).await?;
        if !found.is_nothing() {
            return Ok(Reaped::Ending { machines, things: found.leftovers.into_iter().map(name_of).collect() });
        }
        match proven_from(&looks, now_ms, requests.last_ms, &self.spec.timing) {
            from_ms if from_ms <= now_ms => self.close(over, &looks, requests.unreadable).await,
            from_ms => Ok(Reaped::Looked { proof_in_ms: (from_ms - now_ms) as u64 }),
        }
    }

    async fn look(&self, masters: Vec<Instance>, requests: &Requests) -> Result<Found, Problem> {
        let run = &self.spec.run;
        let ids = |list: Vec<Instance>| list.into_iter().map(|instance| instance.id).collect::<Vec<_>>();
        let what = || format!("look for what run {run} left");
        let tokens: Vec<String> = requests.workers.iter().chain(&requests.masters).cloned().collect();
        let mut found = Found {
            masters: ids(masters),
            by_tag: ids(self.cloud.sweep(run).await.with_context(what)?),
            by_token: ids(self.cloud.sweep_tokens(run, &tokens).await.with_context(what)?),
            ..Found::default()
        };
        // Machines first: what fails below must not keep them alive.
        let machines = found.machines();
        if !machines.is_empty() {
            self.cloud.terminate(run, &machines).await.with_context(|| format!("end what run {run} left"))?;
        }
        found.leftovers = self.cloud.leftovers(run).await.with_context(what)?;
        if !found.leftovers.is_empty() {
            // What a machine still holds stays for the next look.
            self.cloud.remove(run, &found.leftovers).await.with_context(|| format!("remove what run {run} left"))?;
        }
        found.uploads = self.store.abort_uploads(&layout::run_prefix(run)).await.map_err(store_failed)?;
        Ok(found)
    }

    /// Adds a look to those before.
    async fn remember(&self, found: &Found, at_ms: i64) -> Result<Vec<Sweep>, Problem> {
        let mut sweeps = self.looks().await?;
        let region = self.spec.cluster.region.clone();
        let sweep =
            |by: &str, found: usize| Sweep { by: by.to_owned(), region: region.clone(), found: found as u64, at_ms };
        // The looks that found something stay, and the first clean one after them: the others prove nothing more.
        let last_found = sweeps.iter().rposition(|sweep| sweep.found > 0).map_or(0, |at| at + 1);
        let clean_from = sweeps.get(last_found).map(|sweep| sweep.at_ms);
        sweeps.retain(|sweep| sweep.found > 0 || Some(sweep.at_ms) == clean_from);
        for (by, found) in [("uploads", found.uploads), ("leftovers", found.leftovers.len())] {
            if found > 0 {
                sweeps.push(sweep(by, found));
            }
        }
        sweeps.push(sweep("tag", found.by_tag.len() + found.masters.len()));
        sweeps.push(sweep("token", found.by_token.len()));
        let bytes = serde_json::to_vec_pretty(&Looks { v: FORMAT_VERSION, sweeps: sweeps.clone() });
        let bytes = bytes.context("write down a look")?;
        self.store.put(&layout::looks_key(&self.spec.run), bytes.into()).await.map_err(store_failed)?;
        Ok(sweeps)
    }

    async fn looks(&self) -> Result<Vec<Sweep>, Problem> {
        let bytes = self.store.get(&layout::looks_key(&self.spec.run)).await.map_err(store_failed)?;
        // Looks that cannot be read are looks that were not made: they are made again.
        let looks = bytes.and_then(|bytes| serde_json::from_slice::<Looks>(&bytes).ok());
        Ok(looks.filter(|looks| looks.v == FORMAT_VERSION).map(|looks| looks.sweeps).unwrap_or_default())
    }

    async fn close(&self, over: Over, looks: &[Sweep], unreadable: bool) -> Result<Reaped, Problem> {
        let run = &self.spec.run;
        let receipt = self.store.get(&layout::receipt_key(run)).await.map_err(store_failed)?;
        let mut master_state = match over {
            Over::Receipt { .. } if self.spec.master.is_some() => {
                "ended with a receipt; its machine is gone".to_owned()
            }
            Over::Receipt { .. } => "ended with a receipt".to_owned(),
            Over::Deadline => "without a receipt at the deadline; ended by dayfly reap".to_owned(),
            Over::Masters => {
                format!("{MOST_MASTERS} masters were launched and died; dayfly reap gave up and ended the run")
            }
            Over::Foreground => "dead: no sign of life until the leases of its workers ended".to_owned(),
        };
        if unreadable {
            master_state.push_str("; its journal cannot be read, so tokens of launches may be missing");
        }
        let closed = Closed {
            v: FORMAT_VERSION,
            receipt_sha256: receipt.as_deref().map(sha256_hex).unwrap_or_default(),
            master_state,
            sweeps: looks.to_vec(),
        };
        let bytes = serde_json::to_vec_pretty(&closed).context("write the proof")?;
        // Somebody may have proven it before: theirs stands.
        self.store.create(&layout::closed_key(run), bytes.into()).await.map_err(store_failed)?;
        self.cloud.forget(run).await.with_context(|| format!("remove what run {run} kept on this machine"))?;
        forget(self.store, run).await?;
        Ok(if receipt.is_some() { Reaped::Closed { ended: 0 } } else { Reaped::GivenUp { why: closed.master_state } })
    }
}

/// Takes a proven run off the list of open ones.
pub async fn forget(store: &dyn Store, run: &RunId) -> Result<(), Problem> {
    store.delete(&layout::looks_key(run)).await.map_err(store_failed)?;
    store.delete(&layout::index_open_key(run)).await.map_err(store_failed)
}

fn name_of(leftover: Leftover) -> String {
    format!("{} {}", leftover.kind, leftover.id)
}

/// From when on a look that finds nothing is the proof: so long after the last request for a machine that no machine can
/// hide any more, and minutes after an earlier look. The looks include the present one.
fn proven_from(looks: &[Sweep], now_ms: i64, last_request_ms: Option<i64>, timing: &Timing) -> i64 {
    let wait_ms = timing.closing_wait_ms as i64;
    let apart_ms = wait_ms / 5;
    // Whatever was found was ended by its own look, so even that one is a first look. Uploads that were ended are gone.
    let earliest = looks.iter().rposition(|sweep| sweep.found > 0 && sweep.by != "uploads");
    let first = looks.get(earliest.unwrap_or(0)).map_or(now_ms, |sweep| sweep.at_ms);
    let after_request = last_request_ms.map_or(i64::MIN, |at_ms| at_ms.saturating_add(wait_ms));
    first.saturating_add(apart_ms).max(after_request)
}
