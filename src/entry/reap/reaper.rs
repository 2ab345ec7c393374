//! Looks after every open run: a living master is left alone, a dead one's workers are ended, and what is over is closed.

use super::close::{Left, close};
use super::uncollected::uncollected;
use crate::core::ids::{InstanceId, RunId};
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::entry::trigger::{MasterLock, StateFolder, SystemWorld, has_master, load_receipt, load_spec, store_failed};
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
        /// Workers whose logs and results had not come home.
        uncollected: usize,
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
    let path = state.lock(run);
    let was_here = MasterLock::was_here(&path);
    if load_receipt(store, run).await?.is_none() && has_master(store, state, &spec).await? {
        return Ok(Reaped::Alive);
    }
    let Ok(lock) = MasterLock::take(&path)? else { return Ok(Reaped::Alive) };
    // Only now nobody can say a last word any more.
    let over = load_receipt(store, run).await?.is_some();
    let uncollected = if over { 0 } else { uncollected(store, run).await? };
    let master = if over { "ended with a receipt" } else { "dead: no lock, no receipt" };
    let left = close(store, state, &spec, &lock, master).await?;
    if !was_here && !matches!(left, Left::Nothing { .. }) {
        // A lock tells that a master lived here: this one was only borrowed.
        let _ = std::fs::remove_file(&path);
    }
    Ok(match left {
        Left::Nothing { ended } if over => Reaped::Closed { ended },
        Left::Nothing { ended } => Reaped::Ended { ended, uncollected },
        Left::Unproven(ids) => Reaped::Unproven(ids),
        Left::Busy => Reaped::Alive,
    })
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
