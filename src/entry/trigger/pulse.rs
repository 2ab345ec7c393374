//! Whether a master works on a run, as far as that can be told from this machine.

use super::clock::SystemWorld;
use super::find::store_failed;
use super::lock::MasterLock;
use super::state::StateFolder;
use tokio::time::Instant;

use crate::core::ids::RunId;
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
    Ok(SystemWorld.unix_ms() - seen_ms < spec.timing.beat_dead_ms as i64)
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

/// Whether a master on another machine lives: one whose beat goes on while this one watches. It takes as long as a beat
/// may be late, and no time where the last beat came from here or there is none. No clocks are compared.
pub async fn other_master_lives(store: &dyn Store, spec: &Spec) -> Result<bool, Problem> {
    let Some((number, first)) = last_beat(store, &spec.run).await? else { return Ok(false) };
    if first.host == this_host() {
        return Ok(false);
    }
    let give_up = Instant::now() + ms(spec.timing.beat_dead_ms);
    while Instant::now() < give_up {
        tokio::time::sleep(ms(spec.timing.beat_ms).min(ms(spec.timing.beat_dead_ms) / 4)).await;
        if last_beat(store, &spec.run).await?.is_none_or(|(now, beat)| now != number || beat.count != first.count) {
            return Ok(true);
        }
    }
    Ok(false)
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
