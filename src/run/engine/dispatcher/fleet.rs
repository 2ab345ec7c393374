//! The dispatcher's groups: asked for when a play needs them, released when none can any more, collected and ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::{Dispatcher, Ended, GroupPhase, Message, hosts_of};
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostName, HostSlot, InstanceId};
use crate::core::records::ResultSpec;
use crate::core::values::Var;
use crate::language::plan::{self, Hosts};
use crate::run::engine::context::{Context, Engine, Member};
use crate::run::engine::groups::{self, Home, Launched, Machine};
use crate::run::engine::play::PlayRun;

impl Dispatcher {
    pub(super) fn ask_for(&mut self, group: &GroupName) {
        if self.groups.get(group) != Some(&GroupPhase::Declared) {
            return;
        }
        self.groups.insert(group.clone(), GroupPhase::Launching);
        let (context, group) = (self.context.clone(), group.clone());
        self.jobs.spawn(async move {
            let outcome = groups::bring_up(context, group.clone()).await;
            Message::Group(group, outcome)
        });
    }

    pub(super) fn group_is_up(&mut self, group: GroupName, launched: Launched) {
        let (sealed, members) = match launched {
            Launched::Ready { sealed, members, spare } => {
                self.end_spare(spare);
                (sealed, members)
            }
            Launched::Failed { problem, spare } => {
                self.end_spare(spare);
                self.context.emit(EventKind::Warning { message: problem.why.clone() });
                self.groups.insert(group, GroupPhase::Failed(problem.why.clone()));
                self.tally.problems.push(problem);
                return;
            }
        };
        let names: Vec<HostName> = sealed.iter().map(|member| member.host.clone()).collect();
        let peers: Vec<&str> = sealed.iter().map(|member| member.address.as_str()).collect();
        for (rank, member) in sealed.iter().enumerate() {
            let about = json!({
                "run_id": self.context.spec.run, "event": self.context.spec.event, "group": group, "rank": rank,
                "world_size": sealed.len(), "leader": peers.first(), "peers": peers, "host": member.host,
            });
            let magic = Arc::make_mut(&mut self.state.host_mut(&member.host).magic);
            magic.insert("dayfly".to_owned(), Var::data(about));
            magic.insert("ansible_host".to_owned(), Var::data(json!(member.address)));
            self.state.incarnations.insert(member.host.clone(), member.incarnation);
            if !members.iter().any(|alive| alive.slot.host == member.host) {
                // It is gone since an earlier master; what it did before is still answered by the journal.
                self.state.members.remove(&member.host);
            }
        }
        for member in members {
            let keeper = groups::keep_alive(self.context.clone(), member.clone());
            self.keepers.insert(member.slot.host.clone(), self.keeper_jobs.spawn(keeper));
            self.state.members.insert(member.slot.host.clone(), member);
        }
        self.state.sealed.insert(group.clone(), names);
        self.sealed.insert(group.clone(), sealed);
        self.groups.insert(group, GroupPhase::Ready);
    }

    /// Ends machines that are no members; nobody waits for that but the end of the run.
    fn end_spare(&mut self, spare: Vec<Machine>) {
        if spare.is_empty() {
            return;
        }
        let context = self.context.clone();
        self.jobs.spawn(async move { Message::Ended(groups::end(&context, &spare).await) });
    }

    /// The groups that a play needs: those of its hosts and of the hosts that it names in `delegate_to`.
    pub(super) fn groups_for(&self, index: usize) -> Vec<GroupName> {
        let play = &self.plays[index];
        let hosts: Vec<HostName> = play.declared.iter().chain(&play.delegates.hosts).cloned().collect();
        self.groups_of(&hosts)
    }

    pub(super) fn groups_of(&self, hosts: &[HostName]) -> Vec<GroupName> {
        let mut names = Vec::new();
        for (group, spec) in &self.context.spec.cluster.groups {
            if groups::declared(group, spec).iter().any(|host| hosts.contains(host)) {
                names.push(group.clone());
            }
        }
        names
    }

    /// Ends each group that no later play can need. One that an earlier master sealed and that nobody asked for in this
    /// epoch (the run is being stopped) is looked up first: its workers are collected as all others.
    pub(super) fn release_groups(&mut self) {
        if self.plays.iter().all(PlayRun::is_over) {
            for group in self.context.history.sealed.keys().cloned().collect::<Vec<_>>() {
                self.ask_for(&group);
            }
        }
        let ready: Vec<GroupName> = self
            .groups
            .iter()
            .filter(|(_, phase)| matches!(phase, GroupPhase::Ready | GroupPhase::Failed(_)))
            .map(|(group, _)| group.clone())
            .collect();
        for group in ready {
            let hosts: Vec<HostName> = match self.context.spec.cluster.groups.get(&group) {
                Some(spec) => groups::declared(&group, spec),
                None => continue,
            };
            let needed = self.plays.iter().any(|play| {
                let busy = !play.is_over() || play.open > 0;
                busy && (play.delegates.need(&hosts) || play.declared.iter().any(|host| hosts.contains(host)))
            });
            if needed {
                continue;
            }
            self.release(group);
        }
    }

    pub(super) fn release(&mut self, group: GroupName) {
        let sealed = self.sealed.get(&group).cloned().unwrap_or_default();
        let hosts = self.hosts_now();
        let mut wanted = Vec::new();
        for member in &sealed {
            if let Some(keeper) = self.keepers.remove(&member.host) {
                keeper.abort();
            }
            let slot = HostSlot { host: member.host.clone(), incarnation: member.incarnation };
            let reachable = self.state.members.get(&member.host).cloned();
            let results = self.results_of(&member.host, &hosts);
            wanted.push((slot, member.instance.clone(), reachable, results));
        }
        for member in &sealed {
            self.state.members.remove(&member.host);
        }
        self.groups.insert(group.clone(), GroupPhase::Releasing);
        let context = self.context.clone();
        self.jobs.spawn(async move {
            let outcome = release(&context, wanted).await;
            Message::Released(group, outcome)
        });
    }

    /// All hosts and groups, as far as they are sealed.
    fn hosts_now(&self) -> Hosts {
        let known: BTreeSet<GroupName> = self.state.sealed.keys().cloned().collect();
        hosts_of(&self.state.view(&known).groups)
    }

    /// What `results:` wants of a host.
    pub(super) fn results_of(&self, host: &HostName, hosts: &Hosts) -> Vec<ResultSpec> {
        let wanted = self
            .context
            .playbook
            .results
            .iter()
            .filter(|result| plan::select(&result.value.from, hosts).is_ok_and(|list| list.contains(host)));
        wanted.map(|result| result.value.clone()).collect()
    }

    /// Collects hosts that outlive the run: their logs and results come home too.
    pub(super) async fn collect_standing(&mut self) -> Engine<()> {
        let hosts = self.hosts_now();
        let mut members = self.context.standing();
        members.retain(|member| member.instance.is_none() && !self.keepers.contains_key(&member.slot.host));
        let wanted: Vec<_> =
            members.iter().map(|member| (member, self.results_of(&member.slot.host, &hosts))).collect();
        let unreachable = &self.state.unreachable;
        let collected = futures::future::join_all(wanted.iter().map(|(member, results)| {
            let lost = unreachable.contains(&member.slot.host).then_some("it could not be reached");
            groups::collect(&self.context, &member.slot, Some(member), results, lost)
        }));
        let homes = collected.await.into_iter().collect::<Engine<Vec<Home>>>()?;
        self.tally.homes.extend(homes);
        Ok(())
    }
}

/// What collects and ends the workers of a group.
async fn release(
    context: &Arc<Context>,
    wanted: Vec<(HostSlot, InstanceId, Option<Member>, Vec<ResultSpec>)>,
) -> Engine<(Vec<Home>, Vec<Ended>, Vec<InstanceId>)> {
    let collected = futures::future::join_all(wanted.iter().map(|(slot, _, member, results)| async move {
        let lost = member.is_none().then_some("the worker was lost");
        tokio::select! {
            biased;
            home = groups::collect(context, slot, member.as_ref(), results, lost) => home,
            // The hard deadline ends machines whether or not they are home.
            () = context.watch.hard_deadline() => Ok(Home::abandoned(context, slot)),
        }
    }))
    .await;
    let homes = collected.into_iter().collect::<Engine<Vec<Home>>>()?;
    for (_, _, member, _) in &wanted {
        if let Some(member) = member {
            member.link.close().await;
        }
    }
    crate::fault_point!(context.world, "release.before_terminate");
    let instances: Vec<(HostSlot, InstanceId)> =
        wanted.iter().map(|(slot, instance, _, _)| (slot.clone(), instance.clone())).collect();
    let (ended, unresolved) = groups::end(context, &instances).await?;
    Ok((homes, ended, unresolved))
}
