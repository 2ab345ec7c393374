//! A master's life from its first record to its receipt.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::context::{Context, Workspace};
use super::dispatcher::Dispatcher;
use super::ending;
use super::history::History;
use super::launches::Launches;
use super::pulse::Pulse;
use super::state::RunState;
use super::watch::{Watch, standing_wish};
use super::{EngineError, Master, Stop, groups};
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostName, Incarnation};
use crate::core::records::{CloudKind, Receipt};
use crate::core::redact::Redactor;
use crate::core::source::{Severity, SourceMap};
use crate::core::timing::ms;
use crate::core::values::{Var, Vars};
use crate::language::plan::{TagFilter, written};
use crate::language::playbook::{self, Playbook};
use crate::platform::secrets::RunKey;
use crate::platform::store::journal::Journal;
use crate::run::collect::LogBook;

/// Works on a run until its end. Errors mean that this master stopped before it: another may go on.
pub async fn run(master: Master) -> Result<Receipt, EngineError> {
    let Master { spec, store, cloud, connector, world, workspace, scratch, why, events, stop: outside } = master;
    let (journal, epoch, entries) =
        Journal::take_over(store.clone(), &spec.run, &why, world.clone(), &spec.timing).await?;
    let history = History::fold(entries, epoch);
    let run_key = RunKey::load(&*store, &spec.run, world.clone()).await?;
    let redactor = Redactor::default();
    let logs = LogBook::open(store.clone(), &spec.run, journal.clone(), redactor.clone(), &spec.timing).await?;
    let sources = SourceMap::default();
    let entry = workspace.join(&spec.entry);
    let playbook = load(&sources, &entry)?;
    let playbook_dir = entry.parent().map_or_else(|| workspace.clone(), Path::to_path_buf);
    let output_dir = spec.foreground_folder.as_ref().map_or_else(|| playbook_dir.clone(), Into::into);
    let (stop_sender, stop) = watch::channel(standing_wish(history.stopping.as_deref()));
    let (deadline, moved) = watch::channel(history.deadline_ms.unwrap_or(spec.deadline_ms));
    let watch = Watch {
        store: store.clone(),
        world: world.clone(),
        run: spec.run.clone(),
        epoch,
        timing: spec.timing.clone(),
        stop: stop_sender,
        journal: journal.clone(),
        pulse: Arc::new(Pulse::new()),
        deadline,
        reserve_ms: spec.deadline_ms - spec.soft_deadline_ms,
        controls: history.controls.clone(),
        events: events.clone(),
    };
    let mut watchers = JoinSet::new();
    watchers.spawn(watch.clone().beat());
    watchers.spawn(watch.clone().listen());
    watchers.spawn(watch.clone().appends());
    watchers.spawn(watch.clone().expire());
    watchers.spawn(watch.clone().forward(outside));

    let tags = TagFilter::new(&spec.options.tags, &spec.options.skip_tags);
    let context = Arc::new(Context {
        epoch,
        store,
        cloud,
        connector,
        world,
        journal,
        launches: Launches::of(&history)?,
        deadline: moved,
        history,
        run_key,
        logs,
        redactor,
        playbook,
        sources,
        tags,
        workspace,
        playbook_dir,
        output_dir,
        scratch,
        events,
        stop,
        watch: watch.clone(),
        children: std::sync::Mutex::default(),
        fresh: std::sync::Mutex::default(),
        forks: Some(spec.options.forks)
            .filter(|forks| *forks > 0)
            .map(|forks| Arc::new(Semaphore::new(forks as usize))),
        spec,
    });
    watchers.spawn(super::deadline::follow(context.clone()));
    let outcome = work(&context, &watch).await;
    watchers.shutdown().await;
    if outcome.as_ref().is_err_and(EngineError::is_of_store) {
        ending::abandon(&context).await;
    }
    context.close_children(outcome.is_ok()).await;
    if !matches!(outcome, Err(EngineError::Fenced(_))) {
        context.journal.clone().close().await?;
    }
    outcome
}

async fn work(context: &Arc<Context>, watch: &Watch) -> Result<Receipt, EngineError> {
    let course = async {
        if context.history.ended.is_some()
            && let Some(receipt) = ending::read_receipt(context).await?
        {
            ending::told(context, &receipt);
            return Ok(receipt);
        }
        let state = scene(context)?;
        context.emit(EventKind::RunStarted {
            run: context.spec.run.clone(),
            name: context.spec.name.clone(),
            epoch: context.epoch,
            plays: context.playbook.plays.iter().map(|play| play.name.value.clone()).collect(),
            workers: context.spec.cluster.groups.values().map(|group| group.count).sum(),
            deadline_ms: context.deadline_ms(),
            store: context.store.location(),
        });
        let tally = Dispatcher::new(context.clone(), state)?.run().await?;
        ending::close(context, tally).await
    };
    tokio::pin!(course);
    let failure = tokio::select! {
        biased;
        outcome = &mut course => return outcome,
        failure = failed(context) => failure,
    };
    if failure.is_of_store() {
        // Nothing new begins, and steps are stopped where they can still be told.
        watch.ask(Stop::Cancel { by: "a store that cannot be written".to_owned() });
        let grace = ms(context.spec.timing.kill_grace_ms);
        drop(tokio::time::timeout(grace, course).await);
    }
    Err(failure)
}

/// Completes when the journal or the logs can be written no more.
async fn failed(context: &Context) -> EngineError {
    let (mut fenced, mut lost) = (context.journal.fenced(), context.logs.failure());
    tokio::select! {
        biased;
        Ok(failure) = fenced.wait_for(Option::is_some) => {
            let failure = failure.clone();
            failure.map_or_else(|| EngineError::Internal("the journal is closed".to_owned()), EngineError::from)
        }
        Ok(failure) = lost.wait_for(Option::is_some) => {
            let failure = failure.clone();
            failure.map_or_else(|| EngineError::Internal("the log book is closed".to_owned()), EngineError::from)
        }
        // Nobody can tell any more.
        else => std::future::pending().await,
    }
}

fn load(sources: &SourceMap, entry: &Path) -> Result<Playbook, EngineError> {
    let loaded = playbook::load(&Workspace, sources, entry);
    let errors: Vec<String> = loaded
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.render(sources))
        .collect();
    match loaded.playbook {
        Some(playbook) if errors.is_empty() => Ok(playbook),
        _ => Err(EngineError::Playbook(errors.join("\n"))),
    }
}

/// Every host that the run declares, with what is known of it before anything runs.
fn scene(context: &Arc<Context>) -> Result<RunState, EngineError> {
    let spec = &context.spec;
    let mut state = RunState::default();
    let mut all: Vec<HostName> = Vec::new();
    let of_playbook = Arc::new(written(&context.playbook.vars));
    let mut groups: IndexMap<GroupName, Vec<HostName>> = IndexMap::new();
    if spec.cloud == CloudKind::Inventory {
        let inventory = super::scene::read_inventory(context)?;
        for (host, layers) in inventory.hosts {
            let vars = state.host_mut(&host);
            vars.inventory.push(of_playbook.clone());
            vars.inventory.extend(layers);
            state.incarnations.insert(host.clone(), Incarnation(1));
            all.push(host);
        }
        groups = inventory.groups;
    }
    for (group, about) in &spec.cluster.groups {
        let hosts = groups::declared(group, about);
        let own: Vars = about.vars.iter().map(|(name, value)| (name.clone(), Var::written(value.clone()))).collect();
        let own = Arc::new(own);
        for host in &hosts {
            let vars = state.host_mut(host);
            vars.inventory = vec![of_playbook.clone(), own.clone()];
            state.incarnations.insert(host.clone(), Incarnation(1));
            all.push(host.clone());
        }
        groups.insert(group.clone(), hosts);
    }
    let localhost = HostName::new("localhost");
    if !state.hosts.contains_key(&localhost) {
        // The implicit localhost: in hostvars where it is used, in no group.
        let vars = state.host_mut(&localhost);
        vars.inventory.push(of_playbook);
        Arc::make_mut(&mut vars.magic).insert("ansible_connection".to_owned(), Var::written(json!("local")));
        state.incarnations.insert(localhost, Incarnation(1));
    }
    state.extra =
        Arc::new(spec.extra_vars.iter().map(|(name, value)| (name.clone(), Var::written(value.clone()))).collect());
    state.magic = Arc::new(super::scene::magic(context));
    state.declare_group(&GroupName::new("all"), all);
    for (group, hosts) in groups {
        state.declare_group(&group, hosts);
    }
    if !state.declared.contains_key("ungrouped") {
        state.declare_group(&GroupName::new("ungrouped"), Vec::new());
    }
    Ok(state)
}
