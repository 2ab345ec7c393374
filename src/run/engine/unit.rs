//! One task on one host: its loop, its conditions, its tries. Reads a snapshot of the run and returns what happened;
//! the dispatcher applies it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::EngineError;
use super::attempt::{Attempt, Target};
use super::context::{Context, Engine, Members};
use super::doors::Pins;
use super::finished::{Facts, Finished, Include, facts_of, flag, shown, status_of};
use super::loops::{extended_loop, loop_items, python_type};
use super::values::{duration_ms, truth};
use super::variables::{HostScope, PlayScopes, Snapshot};
use crate::core::event::EventKind;
use crate::core::ids::{HostName, StepKey};
use crate::core::values::{Var, Vars};
use crate::language::plan::PlanTask;
use crate::language::playbook::LoopKind;
use crate::language::template::{Scope, Templar, TemplateError};

/// One task on one host, ready to run.
pub(super) struct Unit {
    pub(super) context: Arc<Context>,
    pub(super) play: u32,
    pub(super) task: Arc<PlanTask>,
    /// The task's name, rendered.
    pub(super) name: String,
    /// `path:line` of the task.
    pub(super) place: String,
    pub(super) host: HostName,
    pub(super) incarnation: u32,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) scopes: PlayScopes,
    pub(super) members: Members,
    /// The batch's number: a task of a play with `serial` runs again for each.
    pub(super) batch: u32,
    pub(super) run_once: bool,
}

/// One item's part of the result.
struct ItemResult {
    result: Map<String, Value>,
    ignore_errors: bool,
    ignore_unreachable: bool,
    no_log: bool,
    notify: Vec<String>,
    include: Option<Include>,
    meta: Option<String>,
    facts: Option<Facts>,
    delegated: Option<HostName>,
}

/// What all items share while the task runs.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) steps: Vec<StepKey>,
    pub(super) lost: Option<(HostName, String)>,
    pub(super) ticket: u64,
    pub(super) fresh: bool,
}

impl Unit {
    /// The key of this task on this host; `item` and `try` follow.
    pub(super) fn key(&self) -> String {
        let run = self.context.key_prefix();
        let path = self.task.path_text();
        let host = if self.run_once { "once".to_owned() } else { format!("{}.{}", self.host, self.incarnation) };
        format!("{run}/{}.{}/{path}/{host}", self.play, self.batch)
    }

    /// Runs it. An error is one of the run itself; a task's failure is a result.
    pub(super) async fn run(self) -> Engine<Finished> {
        let forks = self.context.forks.clone();
        // The semaphore is never closed.
        let _turn = match &forks {
            Some(forks) => forks.acquire().await.ok(),
            None => None,
        };
        let layers = self.snapshot.layers(&self.host, &self.scopes, Vec::new());
        let scope = HostScope::new(layers, self.snapshot.clone(), self.host.clone());
        let pins = Pins::new(&self.context, self.key());
        let mut trail = Trail::default();

        let (items, loop_error) = match self.items(&scope, &pins) {
            Ok(items) => (items, None),
            Err(error) => (None, Some(error)),
        };
        pins.settle().await?;
        let Some(items) = items else {
            let item = self.item(&scope, "-", loop_error, &mut trail).await?;
            return Ok(self.finished_single(item, trail));
        };
        if items.is_empty() {
            let mut result = Map::new();
            result.insert("changed".to_owned(), json!(false));
            result.insert("skipped".to_owned(), json!(true));
            result.insert("skipped_reason".to_owned(), json!("No items in the list"));
            result.insert("results".to_owned(), json!([]));
            return Ok(self.finished_single(ItemResult::of(result), trail));
        }
        self.each(scope, items, trail).await
    }

    /// Runs every item of a loop and joins the results.
    async fn each(self, scope: HostScope, items: Vec<Value>, mut trail: Trail) -> Engine<Finished> {
        let control = &self.task.task.loop_control;
        let loop_var = control.loop_var.as_ref().map_or("item", |name| name.value.as_str()).to_owned();
        let index_var = control.index_var.as_ref().map(|name| name.value.clone());
        let pause = match &control.pause {
            Some(node) => {
                let pins = Pins::new(&self.context, format!("{}/pause", self.key()));
                let templar = templar(&scope, &pins);
                let value = templar.value(&node.to_value()).unwrap_or(Value::Null);
                pins.settle().await?;
                duration_ms(&value).unwrap_or(0)
            }
            None => 0,
        };
        let extended = control.extended.as_ref().is_some_and(|node| truth(&node.to_value()) == Some(true));
        let mut results: Vec<ItemResult> = Vec::new();
        // What an item registers or sets is seen by the next ones.
        let mut gained = Vars::new();
        for (index, value) in items.iter().enumerate() {
            if index > 0 && pause > 0 && trail.fresh {
                tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            }
            let mut local = Vars::new();
            local.insert(loop_var.clone(), Var::data(value.clone()));
            local.insert("ansible_loop_var".to_owned(), Var::data(json!(loop_var)));
            if let Some(name) = &index_var {
                local.insert(name.clone(), Var::data(json!(index)));
                local.insert("ansible_index_var".to_owned(), Var::data(json!(name)));
            }
            if extended {
                local.insert("ansible_loop".to_owned(), Var::data(extended_loop(&items, index)));
            }
            let include_vars = local.clone();
            let scope = scope.with(gained.clone()).with(local);
            let mut item = self.item(&scope, &index.to_string(), None, &mut trail).await?;
            self.gain(&mut gained, &item);
            if let Some(include) = &mut item.include {
                include.vars = include_vars;
            }
            item.result.insert(loop_var.clone(), value.clone());
            item.result.insert("ansible_loop_var".to_owned(), json!(loop_var));
            if let Some(name) = &index_var {
                item.result.insert(name.clone(), json!(index));
                item.result.insert("ansible_index_var".to_owned(), json!(name));
            }
            if extended {
                item.result.insert("ansible_loop".to_owned(), extended_loop(&items, index));
            }
            let again = self.context.is_told_again(&self.host, trail.fresh, !trail.steps.is_empty());
            self.tell_item(&scope, value, &item, again).await?;
            let unreachable = flag(&item.result, "unreachable");
            results.push(item);
            if unreachable && trail.lost.is_some() || self.context.is_stopping() {
                break;
            }
        }
        Ok(self.finished_loop(results, trail))
    }

    /// Adds what an item registered and set.
    fn gain(&self, gained: &mut Vars, item: &ItemResult) {
        if let Some(register) = &self.task.task.register {
            gained.insert(register.value.clone(), Var::data(Value::Object(item.result.clone())));
        }
        let (facts, is_data) = match &item.facts {
            Some(Facts::Set(facts) | Facts::SetAndKept(facts) | Facts::Measured(facts)) => (facts, true),
            Some(Facts::Included(facts)) => (facts, false),
            None => return,
        };
        let var = if is_data { Var::data } else { Var::written };
        gained.extend(facts.iter().map(|(name, value)| (name.clone(), var(value.clone()))));
    }

    /// The items of the loop; none where the task has no loop.
    fn items(&self, scope: &HostScope, pins: &Arc<Pins>) -> Result<Option<Vec<Value>>, TemplateError> {
        let Some(spec) = &self.task.task.loops else { return Ok(None) };
        let templar = templar(scope, pins);
        let rendered = match (spec.kind, spec.items.to_value()) {
            // with_* takes the bare name of a variable too.
            (LoopKind::Items | LoopKind::Dict, Value::String(text))
                if !text.contains("{{") && scope.get(text.trim()).is_some() =>
            {
                templar.text(&format!("{{{{ {text} }}}}"))?
            }
            (_, value) => templar.value(&value)?,
        };
        loop_items(spec.kind, rendered, scope, pins).map(Some).map_err(|message| TemplateError {
            message,
            undefined: false,
            range: None,
        })
    }

    /// One item, or the whole task where there is no loop.
    async fn item(
        &self,
        scope: &HostScope,
        item: &str,
        loop_error: Option<TemplateError>,
        trail: &mut Trail,
    ) -> Engine<ItemResult> {
        let key = format!("{}/{item}", self.key());
        let pins = Pins::new(&self.context, key.clone());
        let outcome = self.execute(scope, &pins, &key, loop_error, trail).await;
        pins.settle().await?;
        match outcome {
            Ok(result) => Ok(result),
            Err(Trouble::Engine(error)) => Err(error),
            Err(Trouble::Task(message)) => {
                let mut result = crate::run::actions::failed(message);
                result.insert("changed".to_owned(), json!(false));
                let templar = templar(scope, &pins);
                let directives = &self.task.effective.directives;
                let mut item = ItemResult::of(result);
                item.ignore_errors = keyword(&templar, directives.ignore_errors.as_ref(), false).unwrap_or(false);
                item.no_log = keyword(&templar, directives.no_log.as_ref(), false).unwrap_or(true);
                Ok(item)
            }
        }
    }

    async fn execute(
        &self,
        scope: &HostScope,
        pins: &Arc<Pins>,
        key: &str,
        loop_error: Option<TemplateError>,
        trail: &mut Trail,
    ) -> Result<ItemResult, Trouble> {
        let templar = templar(scope, pins);
        let directives = &self.task.effective.directives;
        for condition in &directives.when {
            let value = condition.to_value();
            match templar.condition(&value) {
                Ok(true) => {}
                Ok(false) => {
                    let mut result = crate::run::actions::unchanged();
                    result.insert("skipped".to_owned(), json!(true));
                    result.insert("skip_reason".to_owned(), json!("Conditional result was False"));
                    result.insert("false_condition".to_owned(), value);
                    let mut item = ItemResult::of(result);
                    item.no_log = keyword(&templar, directives.no_log.as_ref(), false)?;
                    return Ok(item);
                }
                Err(error) => return Err(loop_error.unwrap_or(error).into()),
            }
        }
        if let Some(error) = loop_error {
            return Err(error.into());
        }
        let mut settings = ItemResult::of(Map::new());
        settings.ignore_errors = keyword(&templar, directives.ignore_errors.as_ref(), false)?;
        settings.ignore_unreachable = keyword(&templar, directives.ignore_unreachable.as_ref(), false)?;
        settings.no_log = keyword(&templar, directives.no_log.as_ref(), false)?;

        let action = self.task.task.action.name.as_str();
        if action == "meta" {
            let word = self.task.task.action.free.as_ref().map(|free| free.value.trim().to_owned()).unwrap_or_default();
            settings.meta = Some(word);
            return Ok(settings);
        }
        if action == "include_tasks" {
            let free = self.task.task.action.free.as_ref().map(|free| json!(free.value));
            let named = self.task.task.action.args.iter().find(|(name, _)| name.value == "file");
            let file = free.or_else(|| named.map(|(_, node)| node.to_value()));
            let file = file.ok_or_else(|| Trouble::Task("No include file was specified to the include".to_owned()))?;
            let file = templar.string(file.as_str().unwrap_or_default())?;
            settings.result.insert("include".to_owned(), json!(file));
            settings.include = Some(Include { file, vars: Vars::new() });
            return Ok(settings);
        }
        let target = self.target(&templar, scope)?;
        settings.delegated.clone_from(&target.delegated);
        let attempt = Attempt { unit: self, scope, pins, key, target: &target, no_log: settings.no_log };
        let result = attempt.tries(trail).await?;
        settings.notify = self.notify(scope, pins, &result)?;
        settings.facts = facts_of(action, &result);
        settings.result = result;
        settings.result.remove("_cacheable");
        Ok(settings)
    }

    /// Who executes: the host itself, or the one it is delegated to.
    fn target(&self, templar: &Templar, scope: &HostScope) -> Result<Target, Trouble> {
        let directives = &self.task.effective.directives;
        let delegated = match &directives.delegate_to {
            Some(node) => match templar.value(&node.to_value())? {
                Value::String(name) if !name.is_empty() => Some(HostName::new(name)),
                Value::Null => None,
                other => return Err(Trouble::Task(format!("delegate_to must be the name of a host, not {other}"))),
            },
            None => None,
        };
        let executor = delegated.clone().unwrap_or_else(|| self.host.clone());
        let connection = match (&delegated, &directives.connection) {
            (Some(_), _) | (None, None) => None,
            (None, Some(node)) => Some(templar.value(&node.to_value())?),
        };
        let connection = connection.or_else(|| {
            let of = scope.host(executor.as_str()).and_then(|other| other.get("ansible_connection"));
            of.map(|var| var.value)
        });
        let is_local = connection.as_ref().and_then(Value::as_str) == Some("local");
        let member = match self.members.get(&executor) {
            Some(member) if !is_local => Some(member.clone()),
            _ if is_local || executor.as_str() == "localhost" || executor.as_str() == "127.0.0.1" => {
                Some(self.context.master_member(&executor))
            }
            _ => None,
        };
        Ok(Target { executor, delegated, member })
    }

    fn notify(&self, scope: &HostScope, pins: &Arc<Pins>, result: &Map<String, Value>) -> Result<Vec<String>, Trouble> {
        if !flag(result, "changed") || self.task.task.notify.is_empty() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        let templar = templar(scope, pins);
        for node in &self.task.task.notify {
            match templar.value(&node.to_value())? {
                Value::String(name) => names.push(name),
                Value::Array(list) => names.extend(list.into_iter().filter_map(|v| v.as_str().map(str::to_owned))),
                other => return Err(Trouble::Task(format!("notify must name handlers, not {other}"))),
            }
        }
        Ok(names)
    }

    async fn tell_item(&self, scope: &HostScope, value: &Value, item: &ItemResult, replayed: bool) -> Engine<()> {
        let label = match &self.task.task.loop_control.label {
            Some(node) => {
                let pins = Pins::new(&self.context, format!("{}/label", self.key()));
                let label = templar(scope, &pins).value(&node.to_value());
                pins.settle().await?;
                label.unwrap_or_else(|error| json!(format!("(label: {error})")))
            }
            None => value.clone(),
        };
        let hide = item.no_log;
        let kind = EventKind::ItemResult {
            play: self.play,
            task: self.task.path_text(),
            host: self.host.clone(),
            status: status_of(&item.result, item.ignore_errors, false),
            item: if hide { json!("(censored due to no_log)") } else { self.context.redactor.value(&label) },
            result: shown(&self.context, &item.result, hide),
        };
        self.context.tell(kind, replayed);
        Ok(())
    }

    fn finished_single(self, item: ItemResult, trail: Trail) -> Finished {
        let again = self.context.is_told_again(&self.host, trail.fresh, !trail.steps.is_empty());
        let mut finished = Finished {
            failed: flag(&item.result, "failed"),
            unreachable: flag(&item.result, "unreachable"),
            skipped: flag(&item.result, "skipped"),
            changed: flag(&item.result, "changed"),
            result: item.result,
            host: self.host,
            ignore_errors: item.ignore_errors,
            ignore_unreachable: item.ignore_unreachable,
            no_log: item.no_log,
            run_once: self.run_once,
            notify: item.notify,
            includes: item.include.into_iter().collect(),
            meta: item.meta,
            facts: item.facts.into_iter().collect(),
            delegated: item.delegated,
            steps: trail.steps,
            lost: trail.lost,
            ticket: trail.ticket,
            replayed: again,
        };
        if finished.meta.is_none() {
            finished.result.entry("changed").or_insert(json!(false));
        }
        finished
    }

    fn finished_loop(self, items: Vec<ItemResult>, trail: Trail) -> Finished {
        let any = |name: &str| items.iter().any(|item| flag(&item.result, name));
        let (failed, unreachable, changed) = (any("failed"), any("unreachable"), any("changed"));
        let skipped = items.iter().all(|item| flag(&item.result, "skipped"));
        let mut result = Map::new();
        let results: Vec<Value> = items.iter().map(|item| Value::Object(item.result.clone())).collect();
        result.insert("results".to_owned(), Value::Array(results));
        result.insert("skipped".to_owned(), json!(skipped));
        result.insert("changed".to_owned(), json!(changed));
        if failed {
            result.insert("failed".to_owned(), json!(true));
        }
        if unreachable {
            result.insert("unreachable".to_owned(), json!(true));
        }
        let message = match (failed, skipped) {
            (true, _) => "One or more items failed",
            (false, true) => "All items skipped",
            (false, false) => "All items completed",
        };
        result.insert("msg".to_owned(), json!(message));
        let mut joined = ItemResult::of(result);
        let failures = || items.iter().filter(|item| flag(&item.result, "failed"));
        joined.ignore_errors = failed && failures().all(|item| item.ignore_errors);
        joined.ignore_unreachable =
            items.iter().filter(|item| flag(&item.result, "unreachable")).all(|item| item.ignore_unreachable);
        joined.no_log = items.iter().any(|item| item.no_log);
        let mut finished = self.finished_single(joined, trail);
        for item in items {
            finished.notify.extend(item.notify);
            finished.includes.extend(item.include);
            finished.facts.extend(item.facts);
            finished.delegated = item.delegated.or(finished.delegated);
        }
        finished
    }
}

impl ItemResult {
    fn of(result: Map<String, Value>) -> Self {
        Self {
            result,
            ignore_errors: false,
            ignore_unreachable: false,
            no_log: false,
            notify: Vec::new(),
            include: None,
            meta: None,
            facts: None,
            delegated: None,
        }
    }
}

/// Why an item has no result of its own.
pub(super) enum Trouble {
    /// The task failed.
    Task(String),
    /// The run cannot go on.
    Engine(EngineError),
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<TemplateError> for Trouble {
    fn from(error: TemplateError) -> Self {
        Self::Task(error.message)
    }
}

/// A templar over a host's scope.
pub(super) fn templar(scope: &HostScope, pins: &Arc<Pins>) -> Templar {
    Templar::new(Arc::new(scope.clone()), pins.clone())
}

/// A keyword that is true, false or a template of either.
pub(super) fn keyword(
    templar: &Templar,
    node: Option<&crate::language::yaml::Node>,
    otherwise: bool,
) -> Result<bool, TemplateError> {
    let Some(node) = node else { return Ok(otherwise) };
    let value = templar.value(&node.to_value())?;
    truth(&value).ok_or_else(|| TemplateError {
        message: format!("{value} is neither true nor false"),
        undefined: false,
        range: None,
    })
}

/// `environment:` of a task and what every step is told of its run.
pub(super) fn environment(
    unit: &Unit,
    templar: &Templar,
    scope: &HostScope,
) -> Result<BTreeMap<String, String>, Trouble> {
    let mut environment = BTreeMap::new();
    if let Some(Value::Object(about)) = scope.get("dayfly").map(|var| var.value) {
        for (name, value) in about {
            let text = match value {
                Value::Null | Value::Object(_) => continue,
                Value::Array(items) => items.iter().map(crate::language::args::text_of).collect::<Vec<_>>().join(","),
                other => crate::language::args::text_of(&other),
            };
            environment.insert(format!("DAYFLY_{}", name.to_uppercase()), text);
        }
    }
    for node in &unit.task.effective.directives.environment {
        match templar.value(&node.to_value())? {
            Value::Object(map) => {
                environment
                    .extend(map.iter().map(|(name, value)| (name.clone(), crate::language::args::text_of(value))));
            }
            Value::Null => {}
            other => {
                return Err(Trouble::Task(format!("environment must be a mapping, received {}", python_type(&other))));
            }
        }
    }
    Ok(environment)
}
