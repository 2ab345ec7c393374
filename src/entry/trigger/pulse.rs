//! Whether a master works on a run, as far as that can be told from this machine.

use super::clock::SystemWorld;
use super::find::store_failed;
use super::lock::MasterLock;
use super::state::StateFolder;
use tokio::time::Instant;

use crate::core::ids::{Epoch, RunId};
use crate::core::records::{Beat, Spec};
use crate::core::timing::ms;
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::platform::store::{Store, layout};

/// A held lock is a living master. A free one is a dead master where the last one lived here; else the last beat tells,
/// by the store's own times, and before the first beat the run's age: its master may be about to begin.
pub async fn has_master(store: &dyn Store, state: &StateFolder, spec: &Spec) -> Result<bool, Problem> {
    let lock = state.lock(&spec.run);
    if MasterLock::holder(&lock).is_some() {
        return Ok(true);
    }
    if store.get(&layout::closed_key(&spec.run)).await.map_err(store_failed)?.is_some() {
        return Ok(false);
    }
    let beats = store.list(&layout::beat_prefix(&spec.run), None).await.map_err(store_failed)?;
    let last = beats.last();
    if MasterLock::was_here(&lock) {
        let Some(last) = last else { return Ok(false) };
        let bytes = store.get(&last.key).await.map_err(store_failed)?;
        let beat = bytes.and_then(|bytes| serde_json::from_slice::<Beat>(&bytes).ok());
        if beat.is_none_or(|beat| beat.host == this_host()) {
            return Ok(false);
        }
    }
    let seen_ms = last.map_or(spec.created_ms, |beat| beat.modified_ms);
    if SystemWorld.unix_ms() - seen_ms < spec.timing.beat_dead_ms as i64 {
        return Ok(true);
    }
    Ok(asked_for(store, spec, last.map(|beat| beat.modified_ms)).await?.is_some())
}

/// How long ago, in milliseconds, the machine of a master was asked for that may still be on its way: one that gave no
/// sign of life since (`seen_ms`), and has not taken longer than one may.
pub async fn asked_for(store: &dyn Store, spec: &Spec, seen_ms: Option<i64>) -> Result<Option<u64>, Problem> {
    if spec.master.is_none() {
        return Ok(None);
    }
    let claims = store.list(&layout::epoch_prefix(&spec.run), None).await.map_err(store_failed)?;
    let last = claims.last().filter(|claim| seen_ms.is_none_or(|seen_ms| claim.modified_ms > seen_ms));
    let age = last.map(|claim| u64::try_from(SystemWorld.unix_ms() - claim.modified_ms).unwrap_or(0));
    Ok(age.filter(|age| *age < spec.timing.take_over_ms))
}

/// The machine on which a master of the run lives, unless it is this one. It takes as long as a beat may be late where the
/// last one came from elsewhere, and no time else: the store's clock is not compared with this machine's.
pub async fn watched_elsewhere(store: &dyn Store, spec: &Spec) -> Result<Option<String>, Problem> {
    let Some((number, last)) = last_beat(store, &spec.run).await? else { return Ok(None) };
    if last.host == this_host() {
        return Ok(None);
    }
    Ok(goes_on(store, spec, (number, last.count)).await?.then_some(last.host))
}

/// Whether the last beat changes while this process watches.
async fn goes_on(store: &dyn Store, spec: &Spec, seen: (u64, u64)) -> Result<bool, Problem> {
    let give_up = Instant::now() + ms(spec.timing.beat_dead_ms);
    while Instant::now() < give_up {
        tokio::time::sleep(ms(spec.timing.beat_ms).min(ms(spec.timing.beat_dead_ms) / 4)).await;
        if last_beat(store, &spec.run).await?.is_none_or(|(number, beat)| (number, beat.count) != seen) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nobody can have anything to do for a run any more: its last word was said, or it was closed without one.
pub async fn is_over(store: &dyn Store, run: &RunId) -> Result<bool, Problem> {
    for key in [layout::receipt_key(run), layout::closed_key(run)] {
        if store.get(&key).await.map_err(store_failed)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a machine that was claimed for a master came too late: another was claimed after it, and its master lives,
/// which is seen by beats that go on while this one watches. No clocks are compared. The machine that was claimed last
/// takes over whoever lives: the journal fences the other.
pub async fn superseded(store: &dyn Store, spec: &Spec, claimed: Epoch) -> Result<bool, Problem> {
    let claims = store.list(&layout::epoch_prefix(&spec.run), None).await.map_err(store_failed)?;
    let last = claims.last().and_then(|claim| layout::number_of(&claim.key)).unwrap_or(0);
    if last <= u64::from(claimed.0) {
        return Ok(false);
    }
    let Some((number, first)) = last_beat(store, &spec.run).await? else { return Ok(false) };
    if first.host == this_host() {
        return Ok(false);
    }
    goes_on(store, spec, (number, first.count)).await
}

async fn last_beat(store: &dyn Store, run: &RunId) -> Result<Option<(u64, Beat)>, Problem> {
    let beats = store.list(&layout::beat_prefix(run), None).await.map_err(store_failed)?;
    let Some(last) = beats.last() else { return Ok(None) };
    let bytes = store.get(&last.key).await.map_err(store_failed)?;
    // A beat that cannot be read is no sign of life.
    let beat = bytes.and_then(|bytes| serde_json::from_slice::<Beat>(&bytes).ok());
    Ok(layout::number_of(&last.key).zip(beat))
}

/// This machine's name, as a beat holds it.
fn this_host() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
