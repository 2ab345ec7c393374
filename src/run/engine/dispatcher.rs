//! The dispatcher: one loop that owns the run's state. Executors (units, launches, releases) do the I/O and answer with
//! messages; plays advance between them. The loop stands here; `fleet`, `plays` and `turns` are what it does.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::context::{Context, Engine};
use super::ending::{Problem, Tally};
use super::finished::Finished;
use super::groups::{Home, Launched};
use super::play::{Phase, PlayRun};
use super::state::RunState;
use super::{EngineError, Stop};
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostName, HostSlot, InstanceId};
use crate::core::records::{SealedMember, Start};
use crate::language::plan::{self, Hosts};

mod fleet;
mod plays;
mod turns;

/// What an executor says.
enum Message {
    Group(GroupName, Engine<Launched>),
    Unit(usize, Box<Engine<Finished>>),
    /// Machines that no group has any more.
    Ended(Engine<(Vec<Ended>, Vec<InstanceId>)>),
    Released(GroupName, Engine<(Vec<Home>, Vec<Ended>, Vec<InstanceId>)>),
}

/// A machine that the cloud says is gone.
pub(super) type Ended = (HostSlot, InstanceId, String);

/// How far a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GroupPhase {
    Declared,
    Launching,
    Ready,
    Failed(String),
    Releasing,
    Released,
}

/// The loop and what it owns.
pub(super) struct Dispatcher {
    context: Arc<Context>,
    state: RunState,
    plays: Vec<PlayRun>,
    before: Vec<BTreeSet<u32>>,
    groups: IndexMap<GroupName, GroupPhase>,
    sealed: HashMap<GroupName, Vec<SealedMember>>,
    jobs: JoinSet<Message>,
    keepers: HashMap<HostName, AbortHandle>,
    keeper_jobs: JoinSet<()>,
    stop: watch::Receiver<Stop>,
    hurry: bool,
    /// A stop took something away from the run: it came before every play was over.
    cut: bool,
    tally: Tally,
}

impl Dispatcher {
    /// A run at its start; `state` knows every declared host.
    pub(super) fn new(context: Arc<Context>, state: RunState) -> Engine<Self> {
        let hosts = hosts_of(&state.declared);
        let mut plays = Vec::new();
        for play in &context.playbook.plays {
            let declared = match plan::select(&play.hosts.value, &hosts) {
                Ok(declared) => declared,
                Err(error) => return Err(EngineError::Internal(format!("{}: {error}", play.hosts.value))),
            };
            let vars = Arc::new(plan::written(&play.directives.vars));
            plays.push(PlayRun::new(Arc::new(play.clone()), declared, vars));
        }
        let needs: Vec<Option<Vec<u32>>> = plays.iter().map(|play| play.play.needs.clone()).collect();
        let declared: Vec<Vec<HostName>> = plays.iter().map(|play| play.declared.clone()).collect();
        let before = plan::play_dependencies(&needs, &declared);
        let groups = context.spec.cluster.groups.keys().map(|name| (name.clone(), GroupPhase::Declared)).collect();
        let stop = context.stop.clone();
        // An earlier master was asked to stop: so is this one.
        let hurry = context.is_stopping();
        Ok(Self {
            context,
            state,
            plays,
            before,
            groups,
            sealed: HashMap::new(),
            jobs: JoinSet::new(),
            keepers: HashMap::new(),
            keeper_jobs: JoinSet::new(),
            stop,
            hurry,
            cut: false,
            tally: Tally::default(),
        })
    }

    /// Works until every play is over and every group is gone. Returns what happened, for the receipt.
    pub(super) async fn run(mut self) -> Engine<Tally> {
        let eager: Vec<GroupName> = self.groups.keys().cloned().collect();
        for group in eager {
            if self.context.spec.cluster.groups.get(&group).is_some_and(|spec| spec.start == Start::Eager) {
                self.ask_for(&group);
            }
        }
        loop {
            match self.go_on().await {
                Ok(true) => {}
                Ok(false) => break,
                // The run cannot go on, but it ends as every run does: collected, and nothing is left.
                Err(error @ (EngineError::Diverged { .. } | EngineError::Playbook(_))) => self.break_down(&error),
                Err(error) => return Err(error),
            }
        }
        self.keeper_jobs.shutdown().await;
        self.collect_standing().await?;
        self.tally.stats.clone_from(&self.state.stats);
        self.tally.failed = !self.state.failed.is_empty();
        self.tally.unreachable = !self.state.unreachable.is_empty();
        self.tally.stopped = self.cut.then(|| self.context.stop_reason());
        Ok(self.tally)
    }

    /// Starts what can start and takes one message; false where nothing is left to do.
    async fn go_on(&mut self) -> Engine<bool> {
        if !self.hurry && self.context.is_stopping() {
            self.hurry = true;
            self.context.emit(EventKind::Stopping { why: self.context.stop_reason() });
        }
        // What one play's end makes possible for another happens at once.
        loop {
            let before: Vec<Phase> = self.plays.iter().map(|play| play.phase).collect();
            self.begin_plays().await?;
            self.advance_plays()?;
            if before.iter().copied().eq(self.plays.iter().map(|play| play.phase)) {
                break;
            }
        }
        self.release_groups();
        if self.jobs.is_empty() && self.plays.iter().all(PlayRun::is_over) {
            return Ok(false);
        }
        let message = tokio::select! {
            biased;
            message = self.jobs.join_next(), if !self.jobs.is_empty() => message,
            _ = self.stop.changed(), if !self.hurry => None,
        };
        match message {
            Some(Ok(message)) => self.take(message)?,
            Some(Err(error)) => return Err(EngineError::Internal(format!("an executor ended badly: {error}"))),
            None => {}
        }
        Ok(true)
    }

    /// Nothing new begins; what runs is stopped, what there is is collected.
    fn break_down(&mut self, error: &EngineError) {
        let problem = match error {
            EngineError::Playbook(why) => Problem::of_hosts(why.clone()),
            other => Problem::ours(other.to_string()),
        };
        self.context.emit(EventKind::Warning { message: problem.why.clone() });
        self.give_up(problem);
    }

    fn give_up(&mut self, problem: Problem) {
        self.context.watch.ask(Stop::Broken { why: problem.why.clone() });
        self.tally.problems.push(problem);
        self.hurry = true;
        for index in 0..self.plays.len() {
            self.end_play(index, true);
        }
    }

    fn take(&mut self, message: Message) -> Engine<()> {
        match message {
            Message::Group(group, outcome) => self.group_is_up(group, outcome?),
            Message::Unit(index, finished) => self.unit_is_done(index, (*finished)?),
            Message::Ended(outcome) => {
                let (ended, unresolved) = outcome?;
                self.tally.ended.extend(ended);
                self.tally.unresolved.extend(unresolved);
            }
            Message::Released(group, outcome) => {
                let (homes, ended, unresolved) = outcome?;
                self.tally.homes.extend(homes);
                self.tally.ended.extend(ended);
                self.tally.unresolved.extend(unresolved);
                self.groups.insert(group, GroupPhase::Released);
            }
        }
        Ok(())
    }
}

/// Groups and hosts as patterns see them.
pub(super) fn hosts_of(groups: &IndexMap<GroupName, Vec<HostName>>) -> Hosts {
    let mut groups = groups.clone();
    let all = groups.shift_remove("all").unwrap_or_default();
    Hosts { groups, all }
}
