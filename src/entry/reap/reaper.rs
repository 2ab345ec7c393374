//! Looks after every open run: a living master is left alone, a dead one is succeeded where a cloud can give it a machine,
//! else its workers are ended, and what is over is closed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::OnceCell;

use super::clock::StoreClock;
use super::close::{Left, close};
use super::detached::{ClaimAndLaunch, Detached};
use super::uncollected::uncollected;
use crate::core::ids::{Epoch, InstanceId, RunId};
use crate::core::records::{CloudKind, Spec};
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::entry::trigger::{
    Executables, MasterLock, StateFolder, SystemWorld, cloud_of, has_master, load_receipt, load_spec, master_cloud_of,
    store_failed,
};
use crate::platform::aws::Access;
use crate::platform::store::{Store, layout};

/// What became of one open run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "did", rename_all = "kebab-case")]
pub enum Reaped {
    /// Its master lives.
    Alive,
    /// Nothing is to be done yet.
    Waiting {
        /// Why.
        why: String,
        /// Whether the run is over.
        over: bool,
    },
    /// Its master was dead or never came: a machine was asked for.
    Launched {
        /// By which claim.
        epoch: Epoch,
        /// The machine.
        machine: InstanceId,
        /// Whether the claim was there before.
        again: bool,
    },
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
    /// It ended without a last word; now it is proven that nothing is left.
    GivenUp {
        /// What is known of its master.
        why: String,
    },
    /// It is over, and this look still found something, which was ended.
    Ending {
        /// Machines.
        machines: Vec<InstanceId>,
        /// Volumes, interfaces, security groups, keys.
        things: Vec<String>,
    },
    /// It is over and nothing was found; a later look proves it.
    Looked {
        /// Not before.
        proof_in_ms: u64,
    },
    /// It never began.
    Empty,
    /// Not proven gone.
    Unproven {
        /// What was asked to end and did not.
        machines: Vec<InstanceId>,
    },
    /// Nobody can tell now; the next look will.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What a reaper stands on: it keeps nothing itself.
pub struct Reaper<'a> {
    /// Where records are.
    pub store: &'a dyn Store,
    /// What this machine keeps.
    pub state: &'a StateFolder,
    /// How AWS is reached.
    pub access: &'a Access,
    clock: OnceCell<StoreClock>,
    regions: Mutex<BTreeSet<String>>,
}

impl<'a> Reaper<'a> {
    /// One that looks at a store, for one pass.
    pub fn new(store: &'a dyn Store, state: &'a StateFolder, access: &'a Access) -> Self {
        Self { store, state, access, clock: OnceCell::new(), regions: Mutex::default() }
    }

    /// Now by the store's clock; by this machine's, where the store does not answer.
    pub async fn now_ms(&self) -> i64 {
        self.clock().await.map_or_else(|_| SystemWorld.unix_ms(), |clock| clock.now_ms())
    }

    /// The regions of the open runs that were looked at.
    pub fn regions(&self) -> BTreeSet<String> {
        self.regions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The store's clock, read where it is needed first.
    async fn clock(&self) -> Result<StoreClock, Problem> {
        self.clock.get_or_try_init(|| StoreClock::read(self.store)).await.copied()
    }

    /// Looks at every open run of the store, once.
    pub async fn pass(&self) -> Result<Vec<(RunId, Reaped)>, Problem> {
        let open = self.store.list(layout::INDEX_OPEN, None).await.map_err(store_failed)?;
        let mut reaped = Vec::new();
        for listed in open {
            let Some(run) = listed.key.rsplit('/').next().map(RunId::new) else { continue };
            // One run that cannot be read must not keep the others from being looked after.
            let found =
                self.look_after(&run).await.unwrap_or_else(|problem| Reaped::Unknown { why: problem.to_string() });
            reaped.push((run, found));
        }
        Ok(reaped)
    }

    async fn look_after(&self, run: &RunId) -> Result<Reaped, Problem> {
        if self.store.get(&layout::spec_key(run)).await.map_err(store_failed)?.is_none() {
            return self.without_spec(run).await;
        }
        let spec = load_spec(self.store, run).await?;
        match spec.cloud {
            CloudKind::Ec2 => self.far_away(&spec).await,
            CloudKind::Local | CloudKind::Inventory => self.on_this_machine(&spec).await,
        }
    }

    async fn far_away(&self, spec: &Spec) -> Result<Reaped, Problem> {
        // A person's own master may be frozen with its terminal: its lock says that it is there.
        if spec.master.is_none() && MasterLock::holder(&self.state.lock(&spec.run)).is_some() {
            return Ok(Reaped::Alive);
        }
        let region = spec.cluster.region.clone();
        self.regions.lock().unwrap_or_else(PoisonError::into_inner).extend(region.clone());
        // The region of a run is its cluster's, whatever the region of this call.
        let access = Access { region: region.or_else(|| self.access.region.clone()), ..self.access.clone() };
        let cloud = cloud_of(spec, self.state, &Executables::find()?, &access)?;
        let masters = master_cloud_of(spec, &access)?;
        let run = Detached {
            store: self.store,
            spec,
            cloud: cloud.as_ref(),
            masters: masters.as_ref(),
            callers: &ClaimAndLaunch { store: self.store, access: &access },
            clock: self.clock().await?,
        };
        run.look_after().await
    }

    async fn on_this_machine(&self, spec: &Spec) -> Result<Reaped, Problem> {
        let (store, state, run) = (self.store, self.state, &spec.run);
        let path = state.lock(run);
        let was_here = MasterLock::was_here(&path);
        if load_receipt(store, run).await?.is_none() && has_master(store, state, spec).await? {
            return Ok(Reaped::Alive);
        }
        let Ok(lock) = MasterLock::take(&path)? else { return Ok(Reaped::Alive) };
        // Only now nobody can say a last word any more.
        let over = load_receipt(store, run).await?.is_some();
        let uncollected = if over { 0 } else { uncollected(store, run).await? };
        let master = if over { "ended with a receipt" } else { "dead: no lock, no receipt" };
        let left = close(store, state, spec, &lock, master).await?;
        if !was_here && !matches!(left, Left::Nothing { .. }) {
            // A lock tells that a master lived here: this one was only borrowed.
            let _ = std::fs::remove_file(&path);
        }
        Ok(match left {
            Left::Nothing { ended } if over => Reaped::Closed { ended },
            Left::Nothing { ended } => Reaped::Ended { ended, uncollected },
            Left::Unproven(machines) => Reaped::Unproven { machines },
            Left::Busy | Left::Later => Reaped::Alive,
        })
    }

    /// A trigger died between index and spec: nothing was launched, because launches follow the spec.
    async fn without_spec(&self, run: &RunId) -> Result<Reaped, Problem> {
        let key = layout::index_open_key(run);
        let listed = self.store.list(&key, None).await.map_err(store_failed)?;
        let Some(entry) = listed.iter().find(|entry| entry.key == key) else { return Ok(Reaped::Empty) };
        if self.clock().await?.now_ms() - entry.modified_ms < TRIGGER_MS {
            return Ok(Reaped::Unknown { why: "its order is still being written".to_owned() });
        }
        self.store.delete(&key).await.map_err(store_failed)?;
        Ok(Reaped::Empty)
    }
}

/// An index entry without a spec is left alone for this long: its trigger may still be at work.
const TRIGGER_MS: i64 = 10 * 60_000;
