//! The simulated cloud: places with room for so many machines, tokens that are bound to their order, machines that end
//! early or cannot be seen yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use dayfly::core::ids::{GroupName, InstanceId, RunId};
use dayfly::core::records::{CloudKind, GroupSpec};
use dayfly::platform::cloud::{
    Again, Cloud, CloudError, Instance, InstanceState, LaunchError, LaunchOrder, Pick, Reach,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::world::{Life, Machine, Reality};

/// A place where machines may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub rank: u32,
    /// As many fit.
    pub fits: usize,
    /// It never gives any.
    pub is_closed: bool,
}

impl Room {
    pub const fn of(rank: u32, fits: usize) -> Self {
        Self { rank, fits, is_closed: false }
    }
    pub const fn closed(rank: u32) -> Self {
        Self { rank, fits: 0, is_closed: true }
    }
}

/// What a token stands for.
#[derive(Clone, Debug)]
pub struct Granted {
    order: LaunchOrder,
    pub ids: Vec<InstanceId>,
}

/// One master's way to the cloud.
pub struct SimCloud(pub Life);

impl SimCloud {
    fn grant(&self, order: &LaunchOrder) -> Result<Vec<InstanceId>, LaunchError> {
        let reality = &self.0.reality;
        let mut launches = reality.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut machines = reality.machines();
        if let Some(known) = launches.get(&order.token) {
            if known.order != *order {
                violated(reality, format!("{} was asked for with other bytes", order.token));
            }
            let is_over = |id: &InstanceId| machines[id].state == InstanceState::Terminated;
            if known.ids.iter().all(is_over) {
                let why = format!("{} is over", order.token);
                return Err(LaunchError::Over { ids: known.ids.clone(), why });
            }
            return Ok(known.ids.clone());
        }
        let alive = |machine: &&Machine| machine.state != InstanceState::Terminated;
        let mut room = usize::MAX;
        if let Some(place) = reality.faults.places.get(order.pick.index as usize) {
            if place.is_closed {
                return Err(LaunchError::Refused { why: "not offered here".to_owned(), again: Again::Never });
            }
            let here = machines.values().filter(alive).filter(|machine| machine.pick == order.pick.index);
            room = place.fits.saturating_sub(here.count());
        }
        if room == 0 {
            return Err(LaunchError::Refused { why: "no capacity".to_owned(), again: Again::Later });
        }
        let mut ids = Vec::new();
        for slot in order.slots.iter().take(room) {
            if machines.values().filter(alive).any(|machine| machine.slot.host == slot.host) {
                violated(reality, format!("{} has two machines", slot.host));
            }
            let number = machines.len();
            let id = InstanceId::new(format!("i-{}", number + 1));
            let is_stillborn = number < reality.faults.stillborn;
            let machine = Machine {
                slot: slot.clone(),
                state: if is_stillborn { InstanceState::Terminated } else { InstanceState::Running },
                pick: order.pick.index,
                since: Instant::now(),
                is_mute: !is_stillborn && number < reality.faults.stillborn + reality.faults.mute,
                deadline_ms: order.deadline_ms,
                shown_ms: order.deadline_ms,
                epoch: 0,
                steps: HashMap::new(),
                files: BTreeMap::new(),
            };
            machines.insert(id.clone(), machine);
            ids.push(id);
        }
        launches.insert(order.token.clone(), Granted { order: order.clone(), ids: ids.clone() });
        Ok(ids)
    }

    fn is_visible(&self, machine: &Machine) -> bool {
        machine.since.elapsed() >= self.0.reality.faults.blind
    }
}

fn violated(reality: &Reality, what: String) {
    reality.violations.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}

#[async_trait]
impl Cloud for SimCloud {
    fn kind(&self) -> CloudKind {
        CloudKind::Local
    }
    async fn prepare(&self, _: &RunId, _: &GroupName, _: &GroupSpec) -> Result<Vec<Pick>, LaunchError> {
        self.0.breathe().await;
        let places = self.0.reality.faults.places;
        if places.is_empty() {
            return Ok(vec![Pick::only()]);
        }
        let pick = |(index, place): (u32, &Room)| Pick {
            index,
            rank: place.rank,
            label: format!("place {index}"),
            place: Value::from(index),
        };
        Ok((0..).zip(places).map(pick).collect())
    }
    async fn launch(&self, order: &LaunchOrder, _host_key: &str) -> Result<Vec<Instance>, LaunchError> {
        self.0.breathe().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.0.breathe().await;
        let granted = self.grant(order);
        let reality = &self.0.reality;
        if reality.dice.one_in(reality.faults.launch_answer_lost) {
            return Err(LaunchError::Ambiguous("timeout".to_owned()));
        }
        let ids = granted?;
        let machines = reality.machines();
        Ok(ids.iter().map(|id| instance(id, &machines[id])).collect())
    }
    async fn describe(&self, _run: &RunId, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        self.0.breathe().await;
        let machines = self.0.reality.machines();
        let seen = ids.iter().filter_map(|id| machines.get(id).map(|machine| (id, machine)));
        Ok(seen.filter(|(_, machine)| self.is_visible(machine)).map(|(id, machine)| instance(id, machine)).collect())
    }
    async fn terminate(&self, _run: &RunId, ids: &[InstanceId]) -> Result<(), CloudError> {
        self.0.breathe().await;
        let mut machines = self.0.reality.machines();
        for id in ids {
            if let Some(machine) = machines.get_mut(id) {
                machine.state = InstanceState::Terminated;
            }
        }
        Ok(())
    }
    async fn sweep(&self, _run: &RunId) -> Result<Vec<Instance>, CloudError> {
        self.0.breathe().await;
        let machines = self.0.reality.machines();
        let alive = machines.iter().filter(|(_, machine)| machine.state != InstanceState::Terminated);
        Ok(alive.filter(|(_, machine)| self.is_visible(machine)).map(|(id, machine)| instance(id, machine)).collect())
    }
    async fn sweep_tokens(&self, _run: &RunId, tokens: &[String]) -> Result<Vec<Instance>, CloudError> {
        self.0.breathe().await;
        let launches = self.0.reality.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let machines = self.0.reality.machines();
        let ids = tokens.iter().filter_map(|token| launches.get(token)).flat_map(|granted| &granted.ids);
        let alive = ids.filter(|id| machines[*id].state != InstanceState::Terminated);
        Ok(alive.map(|id| instance(id, &machines[id])).collect())
    }
    async fn extend(&self, _run: &RunId, ids: &[InstanceId], deadline_ms: i64) -> Result<(), CloudError> {
        self.0.breathe().await;
        let mut machines = self.0.reality.machines();
        for id in ids {
            if let Some(machine) = machines.get_mut(id) {
                machine.shown_ms = deadline_ms;
            }
        }
        Ok(())
    }
    async fn console(&self, _run: &RunId, id: &InstanceId) -> Option<String> {
        Some(format!("{id}: kernel panic"))
    }
    fn is_eventual(&self) -> bool {
        !self.0.reality.faults.blind.is_zero()
    }
    async fn forget(&self, _run: &RunId) -> Result<(), CloudError> {
        Ok(())
    }
}

fn instance(id: &InstanceId, machine: &Machine) -> Instance {
    Instance {
        id: id.clone(),
        slot: machine.slot.clone(),
        state: machine.state,
        reach: Some(Reach::Child),
        address: format!("10.0.0.{}", id.as_str().trim_start_matches("i-")),
    }
}
