//! The dispatcher's plays: when each begins, its hosts and batches, and its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Dispatcher, GroupPhase, hosts_of};
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostName, Incarnation};
use crate::language::plan::{self, compile_handlers, compile_play};
use crate::run::engine::EngineError;
use crate::run::engine::context::Engine;
use crate::run::engine::play::Phase;
use crate::run::engine::variables::{PlayScopes, Snapshot};

impl Dispatcher {
    pub(super) async fn begin_plays(&mut self) -> Engine<()> {
        for index in 0..self.plays.len() {
            match self.plays[index].phase {
                Phase::Waiting => {
                    let over = |other: &u32| self.plays.get(*other as usize).map(|play| play.phase);
                    let fates: Vec<Option<Phase>> = self.before[index].iter().map(over).collect();
                    let broke = fates.iter().any(|phase| matches!(phase, Some(Phase::Over { broke: true })));
                    if broke || self.hurry {
                        self.cut |= self.hurry;
                        self.plays[index].phase = Phase::Over { broke };
                    } else if fates.iter().all(|phase| matches!(phase, Some(Phase::Over { .. }))) {
                        let groups = self.groups_for(index);
                        for group in &groups {
                            self.ask_for(group);
                        }
                        self.plays[index].phase = Phase::Launching;
                    }
                }
                Phase::Launching | Phase::Running | Phase::Over { .. } => {}
            }
            if self.plays[index].phase != Phase::Launching {
                continue;
            }
            let groups = self.groups_for(index);
            let failed = groups.iter().any(|group| matches!(self.groups[group], GroupPhase::Failed(_)));
            if failed || self.hurry {
                self.cut |= self.hurry;
                self.plays[index].phase = Phase::Over { broke: true };
            } else if groups.iter().all(|group| !matches!(self.groups[group], GroupPhase::Launching)) {
                self.begin_play(index).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn begin_play(&mut self, index: usize) -> Engine<()> {
        let play = self.plays[index].play.clone();
        let view = Arc::new(self.state.view(&self.groups_known_to(index)));
        let hosts = hosts_of(&view.groups);
        self.plays[index].view = Some(view);
        let selected = plan::select(&play.hosts.value, &hosts)
            .map_err(|error| EngineError::Internal(format!("{}: {error}", play.hosts.value)))?;
        let selected: Vec<HostName> = match &self.context.spec.options.limit {
            Some(limit) => {
                let within = plan::select(limit, &hosts).map_err(|error| EngineError::Internal(error.to_string()))?;
                selected.into_iter().filter(|host| within.contains(host)).collect()
            }
            None => selected,
        };
        for host in &selected {
            self.connect(&play, host).await;
        }
        let selected: Vec<HostName> =
            selected.into_iter().filter(|host| !self.state.unreachable.contains(host)).collect();
        let name = play.name.value.clone();
        if selected.is_empty() {
            let why = "no hosts matched".to_owned();
            self.context.emit(EventKind::PlaySkipped { play: play.index, name, why });
            self.plays[index].phase = Phase::Over { broke: false };
            return Ok(());
        }
        let serial = match &play.serial {
            Some(node) => match self.render(&play, &selected[0], &node.to_value())? {
                Value::Array(list) => list,
                Value::Null => Vec::new(),
                other => vec![other],
            },
            None => Vec::new(),
        };
        let batches = plan::batches(&selected, &serial).map_err(|message| self.at(&play, message))?;
        let gather = match &play.gather_facts {
            Some(node) => {
                crate::run::engine::values::truth(&self.render(&play, &selected[0], &node.to_value())?).unwrap_or(true)
            }
            None => true,
        };
        let hosts = selected.clone();
        self.context.emit(EventKind::PlayStarted { play: play.index, name, hosts });
        let block = compile_play(&play, gather, &self.context.tags);
        let run = &mut self.plays[index];
        run.handlers = compile_handlers(&play);
        run.block = Some(block);
        run.hosts = selected;
        run.batches = batches.into();
        run.phase = Phase::Running;
        Ok(())
    }

    /// The groups of a play and of all plays before it: they are sealed when it begins.
    fn groups_known_to(&self, index: usize) -> BTreeSet<GroupName> {
        let mut known = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![index];
        while let Some(play) = open.pop() {
            if seen.insert(play) {
                known.extend(self.groups_for(play));
                open.extend(self.before[play].iter().map(|before| *before as usize));
            }
        }
        known
    }

    /// All variables as a play sees them now.
    pub(super) fn snapshot(&self, index: usize) -> Arc<Snapshot> {
        match &self.plays[index].view {
            Some(view) => self.state.snapshot(view),
            // It has not begun: it knows no more than what is declared.
            None => self.state.snapshot(&self.state.view(&BTreeSet::new())),
        }
    }

    /// Makes sure that a host of an inventory, or localhost, has a link; workers have theirs since their launch.
    pub(super) async fn connect(&mut self, play: &crate::language::playbook::Play, host: &HostName) {
        if self.state.members.contains_key(host) || !self.state.incarnations.contains_key(host) {
            let is_local = host.as_str() == "localhost";
            if !self.state.hosts.contains_key(host) && is_local {
                self.state.host_mut(host);
                self.state.incarnations.insert(host.clone(), Incarnation(1));
            } else {
                return;
            }
        }
        if self.state.unreachable.contains(host) {
            return;
        }
        let user = play.directives.remote_user.as_ref().and_then(|node| node.to_value().as_str().map(str::to_owned));
        if let Some(member) = self.context.inventory_member(host, user).await {
            self.state.members.insert(host.clone(), member);
        }
    }

    /// Renders a keyword of a play in the scope of its first host.
    pub(super) fn render(
        &self,
        play: &crate::language::playbook::Play,
        host: &HostName,
        value: &Value,
    ) -> Engine<Value> {
        let scopes = PlayScopes { play: vec![Arc::new(plan::written(&play.directives.vars))], ..PlayScopes::default() };
        crate::run::engine::context::render_plain(&self.snapshot(play.index as usize), host, &scopes, value)
            .map_err(|error| self.at(play, error))
    }

    pub(super) fn at(&self, play: &crate::language::playbook::Play, message: String) -> EngineError {
        EngineError::Playbook(format!("{}: {message}", self.context.sources.place(play.span)))
    }

    pub(super) fn advance_plays(&mut self) -> Engine<()> {
        for index in 0..self.plays.len() {
            while self.plays[index].phase == Phase::Running && self.plays[index].open == 0 {
                self.settle_turn(index)?;
                if self.plays[index].phase != Phase::Running {
                    break;
                }
                if self.hurry {
                    self.cut = true;
                    self.end_play(index, false);
                } else if !self.next_turn(index)? {
                    self.next_batch(index);
                }
            }
        }
        Ok(())
    }

    /// Begins the next batch, or ends the play.
    pub(super) fn next_batch(&mut self, index: usize) {
        let run = &mut self.plays[index];
        self.state.note_failures(run);
        if run.batch_number > 0 {
            let lost = |host: &HostName| {
                run.cursors.get(host).is_some_and(|cursor| {
                    matches!(cursor.state(), plan::CursorState::Failed | plan::CursorState::Unreachable)
                })
            };
            if !run.batch.is_empty() && run.batch.iter().all(lost) {
                self.end_play(index, true);
                return;
            }
        }
        match run.batches.pop_front() {
            Some(batch) => {
                let state = &mut self.state;
                state.failed.append(&mut state.barred);
                let going: Vec<HostName> = batch
                    .iter()
                    .filter(|host| !state.failed.contains(*host) && !state.unreachable.contains(*host))
                    .cloned()
                    .collect();
                run.begin_batch(batch, &going, &state.failed);
            }
            None => self.end_play(index, false),
        }
    }

    pub(super) fn end_play(&mut self, index: usize, broke: bool) {
        let run = &mut self.plays[index];
        if run.is_over() {
            return;
        }
        if run.phase == Phase::Running {
            self.context.emit(EventKind::PlayEnded { play: run.play.index });
        }
        run.phase = Phase::Over { broke };
    }
}
