//! From a claim to a machine: one pick after another, and the same bytes again where nobody knows.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::blueprint::Blueprint;
use super::boot;
use super::claim::{MasterCall, MasterClaim, load_claim};
use crate::core::ids::{Epoch, RunId};
use crate::core::records::{FORMAT_VERSION, Spec};
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::entry::trigger::clock::SystemWorld;
use crate::entry::trigger::find::store_failed;
use crate::entry::trigger::places;
use crate::platform::aws::Access;
use crate::platform::cloud::{Instance, LaunchError, MasterCloud};
use crate::platform::store::{Created, Store, layout};

/// So long one that asks for a machine waits for a clear answer.
const PATIENCE: Duration = Duration::from_secs(90);
/// The first pause before the same bytes are sent again; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// Why there is no machine. `anyhow::Error::downcast_ref` finds it in a [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterLaunchError {
    /// This epoch's machine was there and is over; the next epoch may be claimed.
    #[error("the machine of master {epoch} of run {run} was launched before and is over: {why}")]
    Over {
        /// The run.
        run: RunId,
        /// Whose.
        epoch: Epoch,
        /// How it is known.
        why: String,
    },
    /// A definite no from every place; the next epoch may be claimed later.
    #[error("no machine for master {epoch} of run {run}: {why}")]
    Refused {
        /// The run.
        run: RunId,
        /// Whose.
        epoch: Epoch,
        /// What each place said.
        why: String,
    },
    /// Nobody knows whether there is a machine: the same call later finds out.
    #[error("it is not known whether master {epoch} of run {run} has a machine: {why}; dayfly reap finds out")]
    Unknown {
        /// The run.
        run: RunId,
        /// Whose.
        epoch: Epoch,
        /// What was heard.
        why: String,
    },
}

/// Claims an epoch and launches its machine, or finds both as somebody made them before: calling it again is safe, at
/// any time, from anywhere. The answer is one machine.
pub async fn launch_master(
    store: &dyn Store,
    access: &Access,
    spec: &Spec,
    call: &MasterCall,
) -> Result<Instance, Problem> {
    let cloud = places::master_cloud_of(spec, access)?;
    let stood = load_claim(store, &spec.run, call.epoch).await?.is_some();
    let claim = claimed(store, spec, call).await?;
    if stood {
        // Asked again: where an earlier place gave the machine, one that had no room then must not give another.
        let masters = cloud.masters(&spec.run).await.map_err(anyhow::Error::new)?;
        if let Some(there) = masters.into_iter().find(|master| master.slot.incarnation.0 == call.epoch.0) {
            return Ok(there);
        }
    }
    Ok(launched(cloud.as_ref(), &spec.run, &claim).await.map_err(anyhow::Error::new)?)
}

/// The claim of an epoch: ours, or the one that stands.
async fn claimed(store: &dyn Store, spec: &Spec, call: &MasterCall) -> Result<MasterClaim, Problem> {
    if let Some(standing) = load_claim(store, &spec.run, call.epoch).await? {
        return Ok(standing);
    }
    let blueprint = Blueprint::of(spec)?;
    let claim = MasterClaim {
        v: FORMAT_VERSION,
        epoch: call.epoch,
        by: call.by.clone(),
        why: call.why.clone(),
        at_ms: SystemWorld.unix_ms(),
        user_data: boot::user_data(spec, &blueprint, call)?,
        picks: blueprint.picks,
        deadline_ms: call.deadline_ms,
    };
    let bytes = serde_json::to_vec_pretty(&claim).context("write the claim of a master")?;
    match store.create(&layout::epoch_key(&spec.run, call.epoch), bytes.into()).await.map_err(store_failed)? {
        Created::New => Ok(claim),
        Created::Exists => load_claim(store, &spec.run, call.epoch).await?.ok_or_else(|| {
            Problem::failed(format!("the claim of master {} of run {} came and went", call.epoch, spec.run))
        }),
    }
}

/// Asks one place after another. Only a definite no moves on: anything else is asked again in the same words, for a
/// machine may be there already.
async fn launched(cloud: &dyn MasterCloud, run: &RunId, claim: &MasterClaim) -> Result<Instance, MasterLaunchError> {
    let (run, epoch) = (run.clone(), claim.epoch);
    let mut refusals: Vec<String> = Vec::new();
    let give_up = Instant::now() + PATIENCE;
    for pick in &claim.picks {
        let order = claim.order(&run, pick);
        let mut pause = PAUSE;
        let mut doubted = false;
        loop {
            match cloud.launch_master(&order).await {
                Ok(instance) => return Ok(instance),
                Err(LaunchError::Refused { why, .. }) => {
                    refusals.push(if pick.label.is_empty() { why } else { format!("{}: {why}", pick.label) });
                    break;
                }
                Err(LaunchError::Over { why, .. }) => return Err(MasterLaunchError::Over { run, epoch, why }),
                // That the caller may not ask now says nothing of the time when its answer was lost.
                Err(LaunchError::Impossible(why)) if doubted => {
                    return Err(MasterLaunchError::Unknown { run, epoch, why });
                }
                Err(LaunchError::Impossible(why)) => return Err(MasterLaunchError::Refused { run, epoch, why }),
                Err(LaunchError::Ambiguous(why)) if Instant::now() + pause > give_up => {
                    return Err(MasterLaunchError::Unknown { run, epoch, why });
                }
                Err(LaunchError::Ambiguous(_)) => {
                    doubted = true;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }
    let why = if refusals.is_empty() { "there is no place to ask".to_owned() } else { refusals.join("; ") };
    Err(MasterLaunchError::Refused { run, epoch, why })
}

#[cfg(test)]
pub(crate) mod tests;
