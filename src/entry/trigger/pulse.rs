//! Whether a master works on a run, as far as that can be told from this machine.

use super::clock::SystemWorld;
use super::find::store_failed;
use super::lock::MasterLock;
use super::state::StateFolder;
use crate::core::records::{Beat, Spec};
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

/// This machine's name, as a beat holds it.
fn this_host() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
