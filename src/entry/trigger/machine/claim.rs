//! A claim of an epoch: made once, before its machine is launched by exactly what the claim holds.
//!
//! `runs/<run>/epoch/000001.json` is written before the launch, with every byte of the request. Whoever comes later, a
//! second trigger or the reaper after the first one died in between, finds the claim and repeats it under its tokens.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::core::ids::{Epoch, RunId};
use crate::core::records::FORMAT_VERSION;
use crate::entry::exit::Problem;
use crate::entry::trigger::find::store_failed;
use crate::platform::cloud::{MasterOrder, Pick};
use crate::platform::store::{Store, layout};

/// Which master, and why it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterCall {
    /// Its number ([`next_epoch`]); 1 for the first.
    pub epoch: Epoch,
    /// `launch`, `dead`.
    pub why: String,
    /// Who asks: `dayfly launch`, `dayfly reap`.
    pub by: String,
    /// Hard end, UNIX milliseconds: the spec's, or the one that it was moved to.
    pub deadline_ms: i64,
}

/// A claim, and all that the launch is asked for by: `runs/<run>/epoch/<epoch>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterClaim {
    /// Format version.
    pub v: u32,
    /// Which master.
    pub epoch: Epoch,
    /// Who asked.
    pub by: String,
    /// Why.
    pub why: String,
    /// When, UNIX milliseconds, for people.
    pub at_ms: i64,
    /// Where it may stand, in order.
    pub picks: Vec<Pick>,
    /// What it does at its boot, byte for byte.
    pub user_data: String,
    /// Hard end, UNIX milliseconds.
    pub deadline_ms: i64,
}

impl MasterClaim {
    /// The order for one of its picks.
    pub fn order(&self, run: &RunId, pick: &Pick) -> MasterOrder {
        MasterOrder {
            run: run.clone(),
            epoch: self.epoch,
            token: format!("{run}/master/{}/{}", self.epoch, pick.index),
            pick: pick.clone(),
            user_data: self.user_data.clone(),
            deadline_ms: self.deadline_ms,
        }
    }
}

/// The number of the next master: after every claim and every master that gave a sign of life.
pub async fn next_epoch(store: &dyn Store, run: &RunId) -> Result<Epoch, Problem> {
    let mut last = 0;
    for prefix in [layout::epoch_prefix(run), layout::beat_prefix(run)] {
        let listed = store.list(&prefix, None).await.map_err(store_failed)?;
        last = listed.iter().filter_map(|entry| layout::number_of(&entry.key)).max().unwrap_or(0).max(last);
    }
    let next = u32::try_from(last + 1).map_err(|_| Problem::failed(format!("run {run} had too many masters")))?;
    Ok(Epoch(next))
}

/// The claim of an epoch, if somebody wrote it. When it was written stands in its listing, by the store's own clock.
pub async fn load_claim(store: &dyn Store, run: &RunId, epoch: Epoch) -> Result<Option<MasterClaim>, Problem> {
    let key = layout::epoch_key(run, epoch);
    let Some(bytes) = store.get(&key).await.map_err(store_failed)? else { return Ok(None) };
    let claim: MasterClaim =
        serde_json::from_slice(&bytes).with_context(|| format!("read the claim {key} of run {run}"))?;
    if claim.v == FORMAT_VERSION {
        Ok(Some(claim))
    } else {
        Err(Problem::failed(format!(
            "run {run} has a claim of version {}; this dayfly reads {FORMAT_VERSION}",
            claim.v
        )))
    }
}
