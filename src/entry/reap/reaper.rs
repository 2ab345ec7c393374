//! Looks after every open run: a living master is left alone, a dead one's workers are ended, and what is over is closed.

use super::close::{Left, close};
use crate::core::ids::{InstanceId, RunId};
use crate::core::records::{CloudKind, Spec};
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::entry::trigger::{MasterLock, StateFolder, SystemWorld, load_receipt, load_spec, store_failed};
use crate::platform::store::{Store, layout};

/// What became of one open run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// Its master lives.
    Alive,
    /// It was over; now that is proven.
    Closed {
        /// Workers that were still there.
        ended: usize,
    },
    /// Its master was dead; nothing is left of it now.
    Ended {
        /// Workers that were ended.
        ended: usize,
    },
    /// It never began.
    Empty,
    /// Not proven gone.
    Unproven(Vec<InstanceId>),
    /// Nobody can tell now; the next look will.
    Unknown(String),
}

/// Looks at every open run of a store.
pub async fn reap(store: &dyn Store, state: &StateFolder) -> Result<Vec<(RunId, Reaped)>, Problem> {
    let open = store.list(layout::INDEX_OPEN, None).await.map_err(store_failed)?;
    let mut reaped = Vec::new();
    for listed in open {
        let Some(run) = listed.key.rsplit('/').next().map(RunId::new) else { continue };
        // One run that cannot be read must not keep the others from being looked after.
        let found = look_after(store, state, &run).await.unwrap_or_else(|problem| Reaped::Unknown(problem.to_string()));
        reaped.push((run, found));
    }
    Ok(reaped)
}

/// An index entry without a spec is left alone for this long: its trigger may still be at work.
const TRIGGER_MS: i64 = 10 * 60_000;

async fn look_after(store: &dyn Store, state: &StateFolder, run: &RunId) -> Result<Reaped, Problem> {
    if store.get(&layout::spec_key(run)).await.map_err(store_failed)?.is_none() {
        return without_spec(store, run).await;
    }
    let spec = load_spec(store, run).await?;
    if MasterLock::holder(&state.lock(run)).is_some() {
        return Ok(Reaped::Alive);
    }
    let receipt = load_receipt(store, run).await?;
    let elsewhere = spec.cloud != CloudKind::Local && !MasterLock::was_here(&state.lock(run));
    if receipt.is_none() && elsewhere && beats(store, &spec).await? {
        // A lock tells of this machine only; the master may live on another.
        return Ok(Reaped::Alive);
    }
    let (master, over) = match receipt {
        Some(_) => ("ended with a receipt", true),
        None => ("dead: no lock, no receipt", false),
    };
    Ok(match close(store, state, &spec, master).await? {
        Left::Nothing { ended } if over => Reaped::Closed { ended },
        Left::Nothing { ended } => Reaped::Ended { ended },
        Left::Unproven(ids) => Reaped::Unproven(ids),
    })
}

/// Whether the last sign of life is young, by the store's own times.
async fn beats(store: &dyn Store, spec: &Spec) -> Result<bool, Problem> {
    let beats = store.list(&layout::beat_prefix(&spec.run), None).await.map_err(store_failed)?;
    let last = beats.iter().map(|beat| beat.modified_ms).max().unwrap_or(spec.created_ms);
    Ok(SystemWorld.unix_ms() - last < spec.timing.beat_dead_ms as i64)
}

/// A trigger died between index and spec: nothing was launched, because launches follow the spec.
async fn without_spec(store: &dyn Store, run: &RunId) -> Result<Reaped, Problem> {
    let key = layout::index_open_key(run);
    let listed = store.list(&key, None).await.map_err(store_failed)?;
    let age = listed.first().map_or(i64::MAX, |entry| SystemWorld.unix_ms() - entry.modified_ms);
    if age < TRIGGER_MS {
        return Ok(Reaped::Unknown("its order is still being written".to_owned()));
    }
    store.delete(&key).await.map_err(store_failed)?;
    Ok(Reaped::Empty)
}
