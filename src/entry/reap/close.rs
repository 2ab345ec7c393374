//! Ends what a run left, and writes down that nothing is left.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::core::ids::{InstanceId, RunId, sha256_hex};
use crate::core::records::{Closed, CloudKind, FORMAT_VERSION, Receipt, Spec, Sweep};
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::entry::trigger::{Executables, MasterLock, StateFolder, SystemWorld, cloud_of, load_spec, store_failed};
use crate::platform::aws::Access;
use crate::platform::cloud::Cloud;
use crate::platform::store::{Store, layout};

/// So long a cloud may take to end what it was asked to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// What a look for leftovers came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing is left; `closed.json` says so.
    Nothing {
        /// How many were ended just now.
        ended: usize,
    },
    /// These are not proven gone.
    Unproven(Vec<InstanceId>),
    /// The cloud shows things late: `dayfly reap` proves it when it may.
    Later,
    /// Another process holds the run's lock: a master, or one that closes it.
    Busy,
}

/// The proof of a run whose master said its last word: by the process that waited for it, or by the reaper.
pub async fn close_after_receipt(store: &dyn Store, state: &StateFolder, receipt: &Receipt) -> Result<Left, Problem> {
    let spec = load_spec(store, &receipt.run).await?;
    if spec.cloud == CloudKind::Ec2 {
        // Nobody waits in front of a terminal until nothing can hide any more.
        if MasterLock::holder(&state.lock(&spec.run)).is_none() {
            state.forget(&spec.run);
        }
        return Ok(Left::Later);
    }
    match MasterLock::take(&state.lock(&spec.run))? {
        Ok(lock) => close(store, state, &spec, &lock, "ended with a receipt").await,
        Err(_) => Ok(Left::Busy),
    }
}

/// Sweeps, ends what is found, verifies it, and writes the proof. The lock is held meanwhile, so that no master begins
/// between the look and the proof; one that comes later finds the proof.
pub async fn close(
    store: &dyn Store,
    state: &StateFolder,
    spec: &Spec,
    _held: &MasterLock,
    master: &str,
) -> Result<Left, Problem> {
    let run = &spec.run;
    let cloud = cloud_of(spec, state, &Executables::find()?, &Access::default())?;
    let mut sweeps = Vec::new();
    let found = sweep(cloud.as_ref(), run, &mut sweeps).await?;
    let ended = found.len();
    if !found.is_empty() {
        cloud.terminate(run, &found).await.with_context(|| format!("end what run {run} left"))?;
        let until = Instant::now() + PATIENCE;
        loop {
            let left = sweep(cloud.as_ref(), run, &mut sweeps).await?;
            if left.is_empty() {
                break;
            }
            if Instant::now() > until {
                return Ok(Left::Unproven(left));
            }
            // Only the last look counts; the ones on the way say nothing.
            sweeps.pop();
            tokio::time::sleep(PAUSE).await;
        }
    }
    let receipt = store.get(&layout::receipt_key(run)).await.map_err(store_failed)?;
    let closed = Closed {
        v: FORMAT_VERSION,
        receipt_sha256: receipt.as_deref().map(sha256_hex).unwrap_or_default(),
        master_state: master.to_owned(),
        sweeps,
    };
    let bytes = serde_json::to_vec_pretty(&closed).context("write the proof")?;
    // Somebody may have proven it before: theirs stands.
    store.create(&layout::closed_key(run), bytes.into()).await.map_err(store_failed)?;
    cloud.forget(run).await.with_context(|| format!("remove what run {run} kept on this machine"))?;
    state.forget(run);
    store.delete(&layout::index_open_key(run)).await.map_err(store_failed)?;
    Ok(Left::Nothing { ended })
}

async fn sweep(cloud: &dyn Cloud, run: &RunId, sweeps: &mut Vec<Sweep>) -> Result<Vec<InstanceId>, Problem> {
    let found = cloud.sweep(run).await.with_context(|| format!("look for what run {run} left"))?;
    sweeps.push(Sweep { by: "tag".to_owned(), region: None, found: found.len() as u64, at_ms: SystemWorld.unix_ms() });
    Ok(found.into_iter().map(|instance| instance.id).collect())
}
