//! The end of a run that never had a master: every place said a definite no, so there is nothing to watch over.

use anyhow::Context as _;

use super::find::store_failed;
use crate::core::ids::RunId;
use crate::core::records::{Closed, FORMAT_VERSION};
use crate::entry::exit::Problem;
use crate::platform::store::{Store, layout};

/// How the proof of such a run begins to say what became of its master.
pub const NEVER_LAUNCHED: &str = "never launched";

/// Writes the proof at once, so that no reaper launches later what its person was told is not launched.
pub async fn withdraw(store: &dyn Store, run: &RunId, why: &str) -> Result<(), Problem> {
    let closed = Closed {
        v: FORMAT_VERSION,
        receipt_sha256: String::new(),
        master_state: format!("{NEVER_LAUNCHED}: {why}"),
        sweeps: Vec::new(),
    };
    let bytes = serde_json::to_vec_pretty(&closed).context("write the proof")?;
    store.create(&layout::closed_key(run), bytes.into()).await.map_err(store_failed)?;
    // Who may launch may not always delete: the reaper forgets a run that is closed.
    let _ = store.delete(&layout::index_open_key(run)).await;
    Ok(())
}
