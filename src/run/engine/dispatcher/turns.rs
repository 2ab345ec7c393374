//! The dispatcher's turns: one task on all hosts that are in step at it, from its scopes to its results.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::{Dispatcher, Message};
use crate::core::event::{EventKind, TaskStatus};
use crate::core::ids::HostName;
use crate::core::records::OnLoss;
use crate::core::values::{Var, Vars};
use crate::language::plan::PlanTask;
use crate::run::engine::apply::{apply, is_quiet};
use crate::run::engine::context::{Context, Engine};
use crate::run::engine::ending::Problem;
use crate::run::engine::finished::{Finished, shown, status_of};
use crate::run::engine::unit::Unit;
use crate::run::engine::variables::PlayScopes;

impl Dispatcher {
    /// Applies the results of the turn that has just ended, if there was one.
    pub(super) fn settle_turn(&mut self, index: usize) -> Engine<()> {
        let run = &mut self.plays[index];
        if run.turn.is_none() {
            return Ok(());
        }
        let mut results = std::mem::take(&mut run.finished);
        let order: Vec<HostName> = run.turn.as_ref().map(|turn| turn.hosts.clone()).unwrap_or_default();
        results.sort_by_key(|finished| order.iter().position(|host| *host == finished.host));
        let fatal = self.is_fatal(index, &results)?;
        let context = self.context.clone();
        let before: BTreeSet<HostName> = self.state.unreachable.clone();
        let name_of = handler_names(self.snapshot(index), self.plays[index].vars.clone());
        apply(&context, &mut self.state, &mut self.plays[index], results, fatal, &name_of);
        self.plays[index].turn = None;
        for host in self.state.unreachable.difference(&before).cloned().collect::<Vec<_>>() {
            self.host_is_lost(&host);
        }
        Ok(())
    }

    /// `any_errors_fatal`, which `run_once` implies.
    pub(super) fn is_fatal(&self, index: usize, results: &[Finished]) -> Engine<bool> {
        let run = &self.plays[index];
        let Some(turn) = &run.turn else { return Ok(false) };
        if results.iter().any(|finished| finished.ignore_errors) {
            return Ok(false);
        }
        if results.iter().any(|finished| finished.run_once) {
            return Ok(true);
        }
        let Some(node) = &turn.task.effective.directives.any_errors_fatal else { return Ok(false) };
        let Some(host) = turn.hosts.first() else { return Ok(false) };
        let value = self.render(&run.play, host, &node.to_value())?;
        Ok(crate::run::engine::values::truth(&value).unwrap_or(false))
    }

    pub(super) fn host_is_lost(&mut self, host: &HostName) {
        let Some(group) = self.sealed.iter().find(|(_, list)| list.iter().any(|member| member.host == *host)) else {
            return;
        };
        let policy = self.context.spec.cluster.groups.get(group.0).map(|spec| spec.on_loss);
        if policy == Some(OnLoss::Fail) {
            let why = format!("{host} was lost, and its group has on_loss: fail");
            self.give_up(Problem::of_hosts(why));
        }
    }

    /// Picks and starts the next turn; false where the batch is through.
    pub(super) fn next_turn(&mut self, index: usize) -> Engine<bool> {
        let context = self.context.clone();
        let name_of = handler_names(self.snapshot(index), self.plays[index].vars.clone());
        let Some(turn) = self.plays[index].next_turn(&name_of) else { return Ok(false) };
        let snapshot = self.snapshot(index);
        let members = self.state.members();
        let run_once = self.runs_once(index, &turn.task, &turn.hosts)?;
        let hosts: Vec<HostName> = if run_once { turn.hosts[..1].to_vec() } else { turn.hosts.clone() };
        let place = place_of(&context, &turn.task);
        let mut name = String::new();
        let mut units = Vec::new();
        for host in &hosts {
            let scopes = self.scopes(index, &turn.task, host)?;
            if name.is_empty() {
                name = crate::run::engine::context::task_name(&turn.task, &snapshot, host, &scopes);
            }
            units.push(Unit {
                context: context.clone(),
                play: index as u32,
                task: turn.task.clone(),
                name: name.clone(),
                place: place.clone(),
                host: host.clone(),
                incarnation: self.state.incarnation(host),
                snapshot: snapshot.clone(),
                scopes,
                members: members.clone(),
                batch: self.plays[index].batch_number,
                run_once,
            });
        }
        if turn.task.task.action.name != "meta" {
            context.emit(EventKind::TaskStarted {
                play: index as u32,
                task: turn.task.path_text(),
                name,
                handler: turn.task.handler,
                hosts,
                place,
            });
        }
        let run = &mut self.plays[index];
        run.open = units.len();
        run.turn = Some(turn);
        for unit in units {
            self.jobs.spawn(async move { Message::Unit(index, Box::new(unit.run().await)) });
        }
        Ok(true)
    }

    pub(super) fn runs_once(&self, index: usize, task: &PlanTask, hosts: &[HostName]) -> Engine<bool> {
        let name = task.task.action.name.as_str();
        let word = task.task.action.free.as_ref().map(|free| free.value.trim());
        if name == "pause" || name == "meta" && word == Some("end_play") {
            return Ok(true);
        }
        let (Some(node), Some(host)) = (&task.effective.directives.run_once, hosts.first()) else { return Ok(false) };
        let value = self.render(&self.plays[index].play, host, &node.to_value())?;
        Ok(crate::run::engine::values::truth(&value).unwrap_or(false))
    }

    /// The scopes of a task of a play on a host.
    pub(super) fn scopes(&mut self, index: usize, task: &PlanTask, host: &HostName) -> Engine<PlayScopes> {
        let run = &self.plays[index];
        let left =
            |hosts: &[HostName]| json!(hosts.iter().filter(|host| !run.removed.contains(*host)).collect::<Vec<_>>());
        let options = &self.context.spec.options;
        let magic: Vars = [
            ("ansible_play_name", json!(run.play.name.value)),
            ("ansible_play_hosts", left(&run.hosts)),
            ("ansible_play_batch", left(&run.batch)),
            ("ansible_play_hosts_all", json!(run.hosts)),
            ("play_hosts", left(&run.batch)),
            ("ansible_check_mode", json!(options.check)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Var::data(value)))
        .collect();
        let mut scopes = PlayScopes { play: vec![run.vars.clone()], task: Arc::default(), magic: Arc::new(magic) };
        if !run.play.vars_files.is_empty() {
            let known = run.vars_files.get(host).cloned();
            let files = match known {
                Some(files) => files,
                None => {
                    let snapshot = self.snapshot(index);
                    let has_facts = snapshot.hosts.get(host).is_some_and(|vars| !vars.facts.is_empty());
                    match self.context.vars_files(&run.play, &snapshot, host, &scopes) {
                        Ok(files) => {
                            let files = Arc::new(files);
                            self.plays[index].vars_files.insert(host.clone(), files.clone());
                            files
                        }
                        // A name may rest on facts that are about to be gathered: until then the files are left out.
                        Err(why) if !has_facts && why.contains("undefined") => Arc::default(),
                        Err(why) => return Err(self.at(&run.play, why)),
                    }
                }
            };
            scopes.play.push(files);
        }
        scopes.task = task.effective.vars.clone();
        Ok(scopes)
    }

    pub(super) fn unit_is_done(&mut self, index: usize, finished: Finished) {
        let run = &mut self.plays[index];
        run.open = run.open.saturating_sub(1);
        let Some(turn) = &run.turn else { return };
        let rescuing = run.cursors.get(&finished.host).is_some_and(crate::language::plan::Cursor::is_rescuing);
        let is_meta = turn.task.task.action.name == "meta" && !finished.failed;
        if !is_meta && (finished.includes.is_empty() || finished.failed) {
            let status = match status_of(&finished.result, finished.ignore_errors, rescuing) {
                TaskStatus::Unreachable if finished.ignore_unreachable => TaskStatus::Ignored,
                status => status,
            };
            let mut result = shown(&self.context, &finished.result, finished.no_log);
            result.remove("_quiet");
            if is_quiet(&finished.result) {
                result.remove("msg");
            }
            self.context.tell(
                EventKind::TaskResult {
                    play: run.play.index,
                    task: turn.task.path_text(),
                    name: turn.task.task.name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
                    host: finished.host.clone(),
                    delegated: finished.delegated.clone(),
                    status,
                    result,
                    steps: finished.steps.clone(),
                    action: turn.task.task.action.name.clone(),
                },
                finished.replayed,
            );
        }
        run.finished.push(finished);
    }
}

fn place_of(context: &Context, task: &PlanTask) -> String {
    let place = context.sources.place(task.task.span);
    place.rsplit_once(':').map_or(place.clone(), |(file_and_line, _)| file_and_line.to_owned())
}

/// A handler's name; templates in it see the run's variables only as far as they are the same for all hosts.
fn handler_names(
    snapshot: Arc<crate::run::engine::variables::Snapshot>,
    vars: Arc<Vars>,
) -> impl Fn(&PlanTask) -> Option<String> {
    move |task: &PlanTask| {
        task.task.name.as_ref().map(|name| crate::run::engine::context::plain_text(&name.value, &snapshot, &vars))
    }
}
