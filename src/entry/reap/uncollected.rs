//! What a dead master never brought home.

use std::collections::BTreeSet;

use anyhow::Context as _;

use crate::core::ids::{HostSlot, RunId};
use crate::core::records::{Manifest, Record};
use crate::entry::exit::Problem;
use crate::entry::trigger::store_failed;
use crate::platform::store::journal::Journal;
use crate::platform::store::{Store, layout};

/// How many workers of a run took part in it and have no manifest, or one with gaps.
pub async fn uncollected(store: &dyn Store, run: &RunId) -> Result<usize, Problem> {
    let entries = Journal::read(store, run).await.with_context(|| format!("read the journal of run {run}"))?;
    let mut slots: BTreeSet<HostSlot> = BTreeSet::new();
    for entry in entries {
        if let Record::GroupSealed { members, .. } = entry.record {
            slots.extend(members.into_iter().map(|of| HostSlot { host: of.host, incarnation: of.incarnation }));
        }
    }
    for listed in store.list(&layout::manifest_prefix(run), None).await.map_err(store_failed)? {
        let Some(bytes) = store.get(&listed.key).await.map_err(store_failed)? else { continue };
        // A manifest that cannot be read says nothing of its worker.
        if let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes)
            && manifest.complete
        {
            slots.remove(&manifest.slot);
        }
    }
    Ok(slots.len())
}
