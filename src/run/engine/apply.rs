//! What the results of a turn do to the run: variables, counters, failures, handlers, inclusions (ansible-core,
//! `StrategyBase._process_pending_results` and `linear`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::context::{Context, Workspace};
use super::finished::{Facts, Finished, Include, flag};
use super::play::PlayRun;
use super::state::RunState;
use crate::core::event::EventKind;
use crate::core::ids::HostName;
use crate::core::values::Var;
use crate::language::plan::{Cursor, CursorState, PlanTask, compile_included};
use crate::language::playbook::load_tasks;

/// Applies the results of a whole turn, in the order of hosts.
pub(super) fn apply(
    context: &Context,
    state: &mut RunState,
    play: &mut PlayRun,
    results: Vec<Finished>,
    fatal: bool,
    name_of: &dyn Fn(&PlanTask) -> Option<String>,
) {
    let Some(task) = play.turn.as_ref().map(|turn| turn.task.clone()) else { return };
    let mut failed_hosts: Vec<HostName> = Vec::new();
    let mut any_unreachable = false;
    let mut includes: Vec<(Include, Vec<HostName>)> = Vec::new();
    for mut finished in results {
        let targets = if finished.run_once { play.reachable() } else { vec![finished.host.clone()] };
        if let Some((host, evidence)) = finished.lost.take() {
            state.members.remove(&host);
            if host == finished.host {
                finished.unreachable = true;
            }
            context.emit(EventKind::Warning { message: format!("{host} is lost: {evidence}") });
        }
        for target in targets.iter().chain([&finished.host]) {
            let vars = state.host_mut(target);
            vars.ticket = vars.ticket.max(finished.ticket);
        }
        if finished.failed {
            fail(state, play, &task, &finished, &mut failed_hosts);
        } else if finished.unreachable {
            any_unreachable |= !finished.ignore_unreachable;
            unreachable(state, play, &finished);
        } else if finished.skipped && task.task.action.name != "meta" {
            state.stats_of(&finished.host).skipped += 1;
        } else {
            good(context, state, play, &finished, &targets, name_of);
        }
        for include in std::mem::take(&mut finished.includes) {
            // The same file with the same variables is one inclusion for all hosts that reach it.
            let known = includes.iter_mut().find(|(known, hosts)| *known == include && !hosts.contains(&finished.host));
            match known {
                Some((_, hosts)) => hosts.push(finished.host.clone()),
                None => includes.push((include, vec![finished.host.clone()])),
            }
        }
        if let (Some(register), None) = (&task.task.register, &finished.meta) {
            let mut value = finished.result.clone();
            value.remove("_quiet");
            for target in &targets {
                state.host_mut(target).set(&register.value, Value::Object(value.clone()));
            }
        }
        if let Some(word) = finished.meta.take() {
            meta(state, play, &finished.host, &word);
        }
    }
    for (include, hosts) in includes {
        included(context, state, play, &task, include, &hosts);
    }
    if fatal && (!failed_hosts.is_empty() || any_unreachable) {
        // A host that is failed here is out of what follows the batch, also where a rescue catches it.
        for host in play.reachable().into_iter().filter(|host| !failed_hosts.contains(host)) {
            play.fail(&host);
            state.barred.insert(host);
        }
    }
    state.note_failures(play);
}

fn fail(
    state: &mut RunState,
    play: &mut PlayRun,
    task: &PlanTask,
    finished: &Finished,
    failed_hosts: &mut Vec<HostName>,
) {
    let stats = state.stats_of(&finished.host);
    failed_hosts.push(finished.host.clone());
    if finished.ignore_errors {
        stats.ok += 1;
        stats.ignored += 1;
        if finished.changed {
            stats.changed += 1;
        }
        return;
    }
    let rescuing = play.cursors.get(&finished.host).is_some_and(Cursor::is_rescuing);
    let hosts = if finished.run_once { play.reachable() } else { vec![finished.host.clone()] };
    for host in &hosts {
        play.fail(host);
    }
    if rescuing {
        stats.rescued += 1;
        play.removed.remove(&finished.host);
        let vars = state.host_mut(&finished.host);
        let about = json!({
            "name": task.task.name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
            "action": task.task.action.name,
            "args": task.task.action.args.iter().map(|(name, node)| (name.value.clone(), node.to_value()))
                .collect::<Map<String, Value>>(),
        });
        vars.set("ansible_failed_task", about);
        vars.set("ansible_failed_result", Value::Object(finished.result.clone()));
    } else {
        stats.failed += 1;
    }
}

fn unreachable(state: &mut RunState, play: &mut PlayRun, finished: &Finished) {
    let stats = state.stats_of(&finished.host);
    if finished.ignore_unreachable {
        stats.ok += 1;
        stats.ignored += 1;
        return;
    }
    stats.unreachable += 1;
    state.unreachable.insert(finished.host.clone());
    play.end(&finished.host, CursorState::Unreachable);
}

fn good(
    context: &Context,
    state: &mut RunState,
    play: &mut PlayRun,
    finished: &Finished,
    targets: &[HostName],
    name_of: &dyn Fn(&PlanTask) -> Option<String>,
) {
    if finished.meta.is_some() || finished.skipped {
        return;
    }
    let stats = state.stats_of(&finished.host);
    if finished.includes.is_empty() {
        stats.ok += 1;
        if finished.changed {
            stats.changed += 1;
        }
    }
    for facts in &finished.facts {
        for target in targets {
            let vars = state.host_mut(target);
            match facts {
                Facts::Measured(facts) => vars.add_facts(facts),
                Facts::Set(facts) => facts.iter().for_each(|(name, value)| vars.set(name, value.clone())),
                Facts::SetAndKept(facts) => {
                    vars.add_facts(facts);
                    facts.iter().for_each(|(name, value)| vars.set(name, value.clone()));
                }
                Facts::Included(facts) => {
                    let included = Arc::make_mut(&mut vars.included);
                    included.extend(facts.iter().map(|(name, value)| (name.clone(), Var::written(value.clone()))));
                }
            }
        }
    }
    if !finished.changed {
        return;
    }
    for name in &finished.notify {
        for target in targets {
            if !play.notify(target, name, name_of) {
                let message = format!(
                    "the handler '{name}' that {} notifies is neither the name of a handler nor one it listens to",
                    finished.host
                );
                context.emit(EventKind::Warning { message });
            }
        }
    }
}

fn meta(state: &mut RunState, play: &mut PlayRun, host: &HostName, word: &str) {
    match word {
        "end_play" => {
            let going = |cursor: &Cursor| cursor.state() == CursorState::Going;
            let hosts: Vec<HostName> =
                play.cursors.iter().filter(|(_, cursor)| going(cursor)).map(|(host, _)| host.clone()).collect();
            for host in &hosts {
                play.end(host, CursorState::Ended);
            }
            play.batches.clear();
        }
        "end_host" => {
            play.end(host, CursorState::Ended);
        }
        "clear_facts" => state.host_mut(host).clear_facts(),
        _ => {}
    }
}

/// Reads an included file and puts its tasks before what follows, for the hosts that asked for it.
fn included(
    context: &Context,
    state: &mut RunState,
    play: &mut PlayRun,
    task: &PlanTask,
    include: Include,
    hosts: &[HostName],
) {
    let number = play.next_inclusion(&task.path);
    let path = include_path(context, task, &include.file);
    let loaded = if path.is_file() {
        let (items, problems) = load_tasks(&Workspace, &context.sources, &context.playbook_dir, &path, task.handler);
        let errors: Vec<String> = problems
            .iter()
            .filter(|problem| problem.severity == crate::core::source::Severity::Error)
            .map(|problem| problem.render(&context.sources))
            .collect();
        if errors.is_empty() { Ok(items) } else { Err(errors.join("\n")) }
    } else {
        Err(format!("Could not find or access '{}' on the master", context.real(&path).display()))
    };
    match loaded {
        Ok(items) => {
            let block = compile_included(&items, task, number, &include.vars, &context.tags);
            for host in hosts {
                state.stats_of(host).ok += 1;
                if let Some(cursor) = play.cursors.get_mut(host) {
                    cursor.include(block.clone(), task.handler);
                }
            }
            let message = format!("included: {} for {}", context.real(&path).display(), join(hosts));
            context.emit(EventKind::Note { message });
        }
        Err(why) => {
            for host in hosts {
                state.stats_of(host).failed += 1;
                play.fail(host);
                state.barred.insert(host.clone());
                let mut result = crate::run::actions::failed(why.clone());
                result.insert("reason".to_owned(), json!(why));
                context.emit(EventKind::TaskResult {
                    play: play.play.index,
                    task: task.path_text(),
                    name: include.file.clone(),
                    host: host.clone(),
                    delegated: None,
                    status: crate::core::event::TaskStatus::Failed,
                    result,
                    steps: Vec::new(),
                    action: "include_tasks".to_owned(),
                });
            }
        }
    }
}

/// Beside the file that includes, then beside the playbook.
fn include_path(context: &Context, task: &PlanTask, file: &str) -> PathBuf {
    let wanted = Path::new(file);
    let beside = context.sources.path(task.task.span).and_then(|path| path.parent().map(|folder| folder.join(wanted)));
    match beside {
        Some(path) if path.exists() => path,
        _ => context.playbook_dir.join(wanted),
    }
}

fn join(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether a result may be shown at all (`assert` with `quiet`).
pub(super) fn is_quiet(result: &Map<String, Value>) -> bool {
    flag(result, "_quiet")
}
