//! The dispatcher: one loop that owns the run's state. Executors (units, launches, releases) do the I/O and answer with
//! messages; plays advance between them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::apply::{apply, is_quiet};
use super::context::{Context, Engine, Member};
use super::ending::{Problem, Tally};
use super::groups::{self, Home, Launched};
use super::play::{Phase, PlayRun};
use super::state::RunState;
use super::unit::{Finished, Unit, shown, status_of};
use super::variables::PlayScopes;
use super::{EngineError, Stop};
use crate::core::event::{EventKind, TaskStatus};
use crate::core::ids::{GroupName, HostName, HostSlot, Incarnation, InstanceId};
use crate::core::records::{OnLoss, ResultSpec, SealedMember, Start};
use crate::core::values::{Var, Vars};
use crate::language::plan::{self, Hosts, PlanTask, compile_handlers, compile_play};

/// What an executor says.
enum Message {
    Group(GroupName, Engine<Launched>),
    Unit(usize, Box<Engine<Finished>>),
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
        let hosts = hosts_of(&state);
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

    // ---- groups ---------------------------------------------------------------------------------------------------

    fn ask_for(&mut self, group: &GroupName) {
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

    fn group_is_up(&mut self, group: GroupName, launched: Launched) {
        let (sealed, members) = match launched {
            Launched::Ready(sealed, members) => (sealed, members),
            Launched::Failed(problem) => {
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
        self.state.set_group(&group, names);
        self.sealed.insert(group.clone(), sealed);
        self.groups.insert(group, GroupPhase::Ready);
    }

    /// The groups that a play needs: those of its hosts and of the hosts that it names in `delegate_to`.
    fn groups_for(&self, index: usize) -> Vec<GroupName> {
        let play = &self.plays[index];
        let hosts: Vec<HostName> = play.declared.iter().chain(&play.delegates.hosts).cloned().collect();
        self.groups_of(&hosts)
    }

    fn groups_of(&self, hosts: &[HostName]) -> Vec<GroupName> {
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
    fn release_groups(&mut self) {
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

    fn release(&mut self, group: GroupName) {
        let sealed = self.sealed.get(&group).cloned().unwrap_or_default();
        let hosts = hosts_of(&self.state);
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

    /// What `results:` wants of a host.
    fn results_of(&self, host: &HostName, hosts: &Hosts) -> Vec<ResultSpec> {
        let wanted = self
            .context
            .playbook
            .results
            .iter()
            .filter(|result| plan::select(&result.value.from, hosts).is_ok_and(|list| list.contains(host)));
        wanted.map(|result| result.value.clone()).collect()
    }

    /// Collects hosts that outlive the run: their logs and results come home too.
    async fn collect_standing(&mut self) -> Engine<()> {
        let hosts = hosts_of(&self.state);
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

    // ---- plays ----------------------------------------------------------------------------------------------------

    async fn begin_plays(&mut self) -> Engine<()> {
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

    async fn begin_play(&mut self, index: usize) -> Engine<()> {
        let play = self.plays[index].play.clone();
        let hosts = hosts_of(&self.state);
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
            Some(node) => super::values::truth(&self.render(&play, &selected[0], &node.to_value())?).unwrap_or(true),
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

    /// Makes sure that a host of an inventory, or localhost, has a link; workers have theirs since their launch.
    async fn connect(&mut self, play: &crate::language::playbook::Play, host: &HostName) {
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
    fn render(&self, play: &crate::language::playbook::Play, host: &HostName, value: &Value) -> Engine<Value> {
        let scopes = PlayScopes { play: vec![Arc::new(plan::written(&play.directives.vars))], ..PlayScopes::default() };
        super::context::render_plain(&self.state.snapshot(), host, &scopes, value).map_err(|error| self.at(play, error))
    }

    fn at(&self, play: &crate::language::playbook::Play, message: String) -> EngineError {
        EngineError::Playbook(format!("{}: {message}", self.context.sources.place(play.span)))
    }

    fn advance_plays(&mut self) -> Engine<()> {
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

    /// Applies the results of the turn that has just ended, if there was one.
    fn settle_turn(&mut self, index: usize) -> Engine<()> {
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
        let name_of = handler_names(self.state.snapshot(), self.plays[index].vars.clone());
        apply(&context, &mut self.state, &mut self.plays[index], results, fatal, &name_of);
        self.plays[index].turn = None;
        for host in self.state.unreachable.difference(&before).cloned().collect::<Vec<_>>() {
            self.host_is_lost(&host);
        }
        Ok(())
    }

    /// `any_errors_fatal`, which `run_once` implies.
    fn is_fatal(&self, index: usize, results: &[Finished]) -> Engine<bool> {
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
        Ok(super::values::truth(&value).unwrap_or(false))
    }

    fn host_is_lost(&mut self, host: &HostName) {
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
    fn next_turn(&mut self, index: usize) -> Engine<bool> {
        let context = self.context.clone();
        let name_of = handler_names(self.state.snapshot(), self.plays[index].vars.clone());
        let Some(turn) = self.plays[index].next_turn(&name_of) else { return Ok(false) };
        let snapshot = self.state.snapshot();
        let members = self.state.members();
        let run_once = self.runs_once(index, &turn.task, &turn.hosts)?;
        let hosts: Vec<HostName> = if run_once { turn.hosts[..1].to_vec() } else { turn.hosts.clone() };
        let place = place_of(&context, &turn.task);
        let mut name = String::new();
        let mut units = Vec::new();
        for host in &hosts {
            let scopes = self.scopes(index, &turn.task, host)?;
            if name.is_empty() {
                name = super::context::task_name(&turn.task, &snapshot, host, &scopes);
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

    fn runs_once(&self, index: usize, task: &PlanTask, hosts: &[HostName]) -> Engine<bool> {
        let name = task.task.action.name.as_str();
        let word = task.task.action.free.as_ref().map(|free| free.value.trim());
        if name == "pause" || name == "meta" && word == Some("end_play") {
            return Ok(true);
        }
        let (Some(node), Some(host)) = (&task.effective.directives.run_once, hosts.first()) else { return Ok(false) };
        let value = self.render(&self.plays[index].play, host, &node.to_value())?;
        Ok(super::values::truth(&value).unwrap_or(false))
    }

    /// The scopes of a task of a play on a host.
    fn scopes(&mut self, index: usize, task: &PlanTask, host: &HostName) -> Engine<PlayScopes> {
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
                    let snapshot = self.state.snapshot();
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

    fn unit_is_done(&mut self, index: usize, finished: Finished) {
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

    /// Begins the next batch, or ends the play.
    fn next_batch(&mut self, index: usize) {
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

    fn end_play(&mut self, index: usize, broke: bool) {
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

/// What collects and ends the workers of a group.
async fn release(
    context: &Arc<Context>,
    wanted: Vec<(HostSlot, InstanceId, Option<Member>, Vec<ResultSpec>)>,
) -> Engine<(Vec<Home>, Vec<Ended>, Vec<InstanceId>)> {
    let collected = futures::future::join_all(wanted.iter().map(|(slot, _, member, results)| async move {
        let lost = member.is_none().then_some("the worker was lost");
        let left = (context.deadline_ms() - context.world.unix_ms()).max(0) as u64;
        let collecting = groups::collect(context, slot, member.as_ref(), results, lost);
        match tokio::time::timeout(crate::core::timing::ms(left), collecting).await {
            Ok(home) => home,
            // The hard deadline ends machines whether or not they are home.
            Err(_) => Ok(Home::abandoned(context, slot)),
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

/// Groups and hosts as patterns see them.
pub(super) fn hosts_of(state: &RunState) -> Hosts {
    let mut groups = (*state.groups).clone();
    let all = groups.shift_remove("all").unwrap_or_default();
    Hosts { groups, all }
}

fn place_of(context: &Context, task: &PlanTask) -> String {
    let place = context.sources.place(task.task.span);
    place.rsplit_once(':').map_or(place.clone(), |(file_and_line, _)| file_and_line.to_owned())
}

/// A handler's name; templates in it see the run's variables only as far as they are the same for all hosts.
fn handler_names(snapshot: Arc<super::variables::Snapshot>, vars: Arc<Vars>) -> impl Fn(&PlanTask) -> Option<String> {
    move |task: &PlanTask| task.task.name.as_ref().map(|name| super::context::plain_text(&name.value, &snapshot, &vars))
}
