//! From an order to workers that answer.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::LocalCloud;
use super::ending::settle;
use super::machine::{Machine, Order, State, instance, instance_id};
use super::sshd;
use crate::core::records::FORMAT_VERSION;
use crate::core::timing::ms;
use crate::platform::cloud::host_key::public_line;
use crate::platform::cloud::{CloudError, Instance, InstanceState, LaunchError, LaunchOrder};

const LOOK: Duration = Duration::from_millis(10);

impl LocalCloud {
    /// Makes the folders, starts a warden where none was, and waits until every sshd answers or is known not to.
    pub(super) async fn launch_all(&self, order: &LaunchOrder, host_key: &str) -> Result<Vec<Instance>, LaunchError> {
        let (user, sshd) = (sshd::login_user()?, sshd::find()?);
        let public = public_line(host_key).map_err(|error| LaunchError::Impossible(error.to_string()))?;
        let mut machines = Vec::new();
        for slot in &order.slots {
            let id = instance_id(order, slot);
            let machine = Machine::of(&self.settings.state, &order.run, &id);
            let order = Order {
                v: FORMAT_VERSION,
                run: order.run.clone(),
                token: order.token.clone(),
                slot: slot.clone(),
                instance: id,
                user: user.clone(),
                sshd: sshd.clone(),
                host_key: public.clone(),
                deadline_ms: order.deadline_ms,
                lease_ms: order.lease_ms,
            };
            machines.push((machine, order));
        }
        for (machine, wanted) in &machines {
            self.start(machine, wanted, host_key, &order.authorized_key).map_err(|error| {
                LaunchError::Impossible(format!("cannot start {} on this machine: {error}", wanted.slot))
            })?;
        }
        let states = self.answers(&machines).await.map_err(|error| LaunchError::Ambiguous(error.to_string()))?;
        let dead = |state: &&State| state.phase == InstanceState::Terminated;
        if !states.is_empty() && states.iter().filter(dead).count() == states.len() {
            let why: Vec<&str> = states.iter().map(|state| state.why.as_str()).take(1).collect();
            return Err(LaunchError::Impossible(format!("no local worker started: {}", why.join("; "))));
        }
        Ok(machines.iter().zip(&states).map(|((_, order), state)| instance(order, state)).collect())
    }

    /// Makes one worker and its warden, or finds what an earlier try made.
    fn start(&self, machine: &Machine, order: &Order, host_key: &str, authorized_key: &str) -> io::Result<()> {
        if !machine.create(order, host_key, authorized_key)? {
            let known = machine.order()?;
            if known.is_none_or(|known| known.token != order.token || known.slot != order.slot) {
                return Err(io::Error::other(format!("{} belongs to another launch", machine.folder.display())));
            }
        }
        // One that spoke once is not started again: its life happened, or is going on.
        if machine.state()?.is_some() {
            return Ok(());
        }
        // An old folder without a warden counts as given up; from now on this one is young again.
        File::options().write(true).open(machine.path("order.json"))?.set_modified(SystemTime::now())?;
        let log = File::options().create(true).append(true).open(machine.path("warden.log"))?;
        let mut command = tokio::process::Command::new(&self.settings.dayfly);
        command.arg("local-worker").arg(&machine.folder).current_dir("/").env_clear();
        // Nothing of the master's environment, which may hold secrets, belongs to a worker.
        for name in ["PATH", "LANG", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(false);
        // Dropped, the child is still reaped by the runtime while this process lives.
        drop(
            command.spawn().map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", self.settings.dayfly.display()))
            })?,
        );
        Ok(())
    }

    async fn answers(&self, machines: &[(Machine, Order)]) -> Result<Vec<State>, CloudError> {
        let give_up = Instant::now() + ms(self.settings.timing.boot_ms);
        loop {
            let folders: Vec<Machine> = machines.iter().map(|(machine, _)| machine.clone()).collect();
            let states = self.blocking(move |_| folders.iter().map(settle).collect::<io::Result<Vec<_>>>()).await?;
            let pending = states.iter().any(|state| state.phase == InstanceState::Pending);
            if !pending || Instant::now() >= give_up {
                return Ok(states);
            }
            sleep(LOOK).await;
        }
    }
}
