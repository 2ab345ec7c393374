//! The tries of one item: arguments rendered, the action or step done, `changed_when`, `failed_when` and `until` judged.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::context::Member;
use super::doors::Pins;
use super::finished::flag;
use super::step::{self, StepRequest};
use super::unit::{Trail, Trouble, Unit, environment, keyword, templar};
use super::values::{duration_ms, truth};
use super::variables::HostScope;
use crate::core::event::EventKind;
use crate::core::ids::{HostName, StepKey};
use crate::core::records::{Become, Record, StepOutcome};
use crate::core::values::{Var, Vars};
use crate::language::args::{self, Free, ModuleSpec};
use crate::language::template::{Scope, Templar};
use crate::run::actions::{self, Answer, Call, Fetch, Finder};

/// Who executes an item.
pub(super) struct Target {
    pub(super) executor: HostName,
    pub(super) delegated: Option<HostName>,
    /// None: the host is not known or not reachable.
    pub(super) member: Option<Member>,
}

/// One item on its way.
pub(super) struct Attempt<'a> {
    pub(super) unit: &'a Unit,
    pub(super) scope: &'a HostScope,
    pub(super) pins: &'a Arc<Pins>,
    pub(super) key: &'a str,
    pub(super) target: &'a Target,
    pub(super) no_log: bool,
}

impl Attempt<'_> {
    /// Tries until `until` holds or the tries are used up (ansible-core, `TaskExecutor._execute_internal`).
    pub(super) async fn tries(&self, trail: &mut Trail) -> Result<Map<String, Value>, Trouble> {
        let task = &self.unit.task.task;
        let templar = templar(self.scope, self.pins);
        let number = |node: &crate::language::yaml::Node, what: &str| -> Result<i64, Trouble> {
            let value = templar.value(&node.to_value())?;
            let number = match &value {
                Value::String(text) => text.trim().parse().ok(),
                other => other.as_i64(),
            };
            number.ok_or_else(|| Trouble::Task(format!("{what} must be a whole number, not {value}")))
        };
        let tries = match &task.retries {
            Some(node) => 1 + number(node, "retries")?.max(0),
            None if !task.until.is_empty() => 4,
            None => 1,
        };
        let delay = match &task.delay {
            Some(node) => match templar.value(&node.to_value())? {
                Value::Number(number) if number.as_f64().is_some_and(|n| n < 0.0) => 1000,
                value => duration_ms(&value).map_err(Trouble::Task)?,
            },
            None => 5000,
        };
        let mut attempt = 1;
        loop {
            let fresh_before = std::mem::take(&mut trail.fresh);
            let mut result = self.once(attempt, trail).await?;
            let is_fresh = trail.fresh;
            trail.fresh |= fresh_before;
            if !result.contains_key("failed") {
                let rc = result.get("rc").and_then(Value::as_i64).unwrap_or(0);
                result.insert("failed".to_owned(), json!(rc != 0));
            }
            if tries > 1 {
                result.insert("attempts".to_owned(), json!(attempt));
            }
            result.entry("changed").or_insert(json!(false));
            if flag(&result, "unreachable") {
                return Ok(result);
            }
            self.judge(&mut result);
            if tries == 1 {
                return Ok(result);
            }
            let scope = self.with_result(&result);
            let done = if task.until.is_empty() {
                !flag(&result, "failed")
            } else {
                let templar = self::templar(&scope, self.pins);
                let mut all = true;
                for condition in &task.until {
                    all &= templar.condition(&condition.to_value())?;
                }
                all
            };
            if done {
                return Ok(result);
            }
            if attempt == tries {
                result.insert("attempts".to_owned(), json!(tries - 1));
                result.insert("failed".to_owned(), json!(true));
                return Ok(result);
            }
            if self.unit.context.is_stopping() {
                return Ok(result);
            }
            let left = (tries - attempt) as u32;
            let (host, name) = (self.unit.host.clone(), self.unit.name.clone());
            let again = self.unit.context.history.is_resumed && !is_fresh;
            self.unit.context.tell(EventKind::Retrying { host, name, left }, again);
            let next_is_known = self.unit.context.knows(&self.step_key(attempt + 1));
            if !next_is_known {
                self.sleep(delay).await;
            }
            attempt += 1;
        }
    }

    async fn sleep(&self, milliseconds: u64) {
        let mut stop = self.unit.context.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(milliseconds)) => {}
            _ = stop.wait_for(|stop| *stop != super::Stop::No) => {}
        }
    }

    fn step_key(&self, attempt: i64) -> StepKey {
        StepKey::new(format!("{}/{attempt}", self.key))
    }

    /// The scope with the result under the registered name.
    fn with_result(&self, result: &Map<String, Value>) -> HostScope {
        let mut local = Vars::new();
        if let Some(register) = &self.unit.task.task.register {
            local.insert(register.value.clone(), Var::data(Value::Object(result.clone())));
        }
        if let Some(Value::Object(facts)) = result.get("ansible_facts") {
            for (name, value) in facts {
                local.insert(name.clone(), Var::data(value.clone()));
            }
        }
        self.scope.with(local)
    }

    /// `changed_when` and `failed_when`.
    fn judge(&self, result: &mut Map<String, Value>) {
        if result.contains_key("skipped") {
            return;
        }
        let task = &self.unit.task.task;
        for (conditions, name) in [(&task.changed_when, "changed"), (&task.failed_when, "failed")] {
            let Some(conditions) = conditions.as_ref().filter(|list| !list.is_empty()) else { continue };
            let scope = self.with_result(result);
            let templar = templar(&scope, self.pins);
            let mut holds = Ok(true);
            for condition in conditions {
                holds = match (holds, templar.condition(&condition.to_value())) {
                    (Ok(before), Ok(now)) => Ok(before && now),
                    (Err(error), _) | (_, Err(error)) => Err(error),
                };
            }
            match holds {
                Ok(holds) => {
                    if name == "failed" {
                        result.insert("failed_when_result".to_owned(), json!(holds));
                    }
                    result.insert(name.to_owned(), json!(holds));
                }
                Err(error) => {
                    result.insert("failed".to_owned(), json!(true));
                    result.insert(format!("{name}_when_result"), json!(error.message));
                    return;
                }
            }
        }
    }

    /// One try.
    async fn once(&self, attempt: i64, trail: &mut Trail) -> Result<Map<String, Value>, Trouble> {
        let unit = self.unit;
        let context = &unit.context;
        let action = &unit.task.task.action;
        let Some(spec) = args::find(&action.name) else {
            return Err(Trouble::Task(format!("no module or action is called {}", action.name)));
        };
        let templar = templar(self.scope, self.pins);
        let directives = &unit.task.effective.directives;
        let check = keyword(&templar, directives.check_mode.as_ref(), context.spec.options.check)?;
        let diff = keyword(&templar, directives.diff.as_ref(), context.spec.options.diff)?;
        let rendered = self.arguments(spec, &templar)?;
        let coerced = args::coerce(spec, &rendered).map_err(|problems| Trouble::Task(problems.join("; ")))?;
        let scope: Arc<dyn Scope> = Arc::new(self.scope.clone());
        let answer = actions::perform(
            spec.name,
            Call {
                args: coerced,
                templar: &templar,
                scope: &scope,
                finder: &self.finder(),
                scratch: context.scratch.clone(),
                verbosity: context.spec.options.verbosity,
                check,
            },
        )
        .map_err(Trouble::Task)?;
        let (args, files) = match answer {
            Answer::Returned(returned) => return Ok(returned),
            Answer::Pause { milliseconds, returned } => {
                return self.pause(attempt, milliseconds, returned, trail).await;
            }
            Answer::Fetch(fetch) => {
                self.pins.settle().await?;
                return self.fetch(attempt, &fetch, &templar, trail).await;
            }
            Answer::Step { args, files } => (args, files),
        };
        let timeout_ms = match &directives.timeout {
            Some(node) => duration_ms(&templar.value(&node.to_value())?).map_err(Trouble::Task)?,
            None => 0,
        };
        let request = StepRequest {
            key: self.step_key(attempt),
            name: unit.name.clone(),
            module: spec.name.to_owned(),
            args,
            files,
            environment: environment(unit, &templar, self.scope)?,
            becomes: self.becomes(&templar)?,
            timeout_ms,
            check,
            diff,
            no_log: self.no_log,
            once: spec.once && !unit.task.task.rerun_on_interrupt,
            place: unit.place.clone(),
            after: self.scope.foreign_ticket(),
        };
        self.pins.settle().await?;
        // What the journal knows is answered also where the host is gone since.
        let answer = match (step::replay(context, &request).await?, &self.target.member) {
            (Some(answer), _) => answer,
            (None, Some(member)) => step::run(context, member, &request).await?,
            (None, None) => return Ok(self.no_such_host()),
        };
        trail.steps.push(request.key);
        trail.fresh |= !answer.replayed;
        trail.ticket = trail.ticket.max(answer.ticket);
        if let Some(evidence) = answer.lost {
            trail.lost = Some((self.target.executor.clone(), evidence));
        }
        Ok(step::returned(&answer.outcome, timeout_ms))
    }

    fn no_such_host(&self) -> Map<String, Value> {
        let mut result = actions::unchanged();
        result.insert("unreachable".to_owned(), json!(true));
        let host = &self.target.executor;
        result.insert("msg".to_owned(), json!(format!("{host} is not a host of this run, or is gone")));
        result
    }

    /// The arguments as one mapping, rendered but for those that are expressions.
    fn arguments(&self, spec: &ModuleSpec, templar: &Templar) -> Result<Map<String, Value>, Trouble> {
        let action = &self.unit.task.task.action;
        let mut rendered = Map::new();
        if let Some(template) = &action.template {
            match templar.text(&template.value)? {
                Value::Object(map) => rendered.extend(map),
                Value::String(text) => {
                    let free = args::split_free(spec, &text).map_err(Trouble::Task)?;
                    rendered.extend(free.pairs.into_iter().map(|(name, value)| (name, json!(value))));
                    if let Some(text) = free.text {
                        rendered.insert(free_argument(spec).to_owned(), json!(text));
                    }
                }
                other => return Err(Trouble::Task(format!("the arguments must be a mapping, not {other}"))),
            }
        }
        let mut written = Map::new();
        for (name, node) in &action.args {
            let is_expression = matches!((spec.name, name.value.as_str()), ("debug", "var") | ("assert", "that"));
            if is_expression {
                rendered.insert(name.value.clone(), node.to_value());
            } else {
                let key = if spec.open && name.value.contains("{{") {
                    templar.string(&name.value)?
                } else {
                    name.value.clone()
                };
                written.insert(key, node.to_value());
            }
        }
        match templar.value(&Value::Object(written))? {
            Value::Object(map) => rendered.extend(map),
            _ => return Err(Trouble::Task("the arguments did not render to a mapping".to_owned())),
        }
        if let Some(free) = &action.free {
            let value = templar.text(&free.value)?;
            rendered.insert(free_argument(spec).to_owned(), json!(args::text_of(&value)));
        }
        Ok(rendered)
    }

    fn becomes(&self, templar: &Templar) -> Result<Option<Become>, Trouble> {
        let directives = &self.unit.task.effective.directives;
        let executor: Arc<dyn Scope> =
            self.scope.host(self.target.executor.as_str()).unwrap_or_else(|| Arc::new(self.scope.clone()));
        let by_variable = |name: &str| -> Result<Option<Value>, Trouble> {
            match executor.get(name) {
                Some(var) if var.template => Ok(Some(templar.value(&var.value)?)),
                Some(var) => Ok(Some(var.value)),
                None => Ok(None),
            }
        };
        let wanted = match by_variable("ansible_become")? {
            Some(value) => truth(&value).unwrap_or(false),
            None => keyword(templar, directives.becomes.as_ref(), false)?,
        };
        if !wanted {
            return Ok(None);
        }
        let user = match (by_variable("ansible_become_user")?, &directives.become_user) {
            (Some(value), _) => value,
            (None, Some(node)) => templar.value(&node.to_value())?,
            (None, None) => json!("root"),
        };
        Ok(Some(Become { user: args::text_of(&user) }))
    }

    /// Folders in which files of this task are looked for: its own file's, the playbook's, the workspace.
    fn finder(&self) -> Finder {
        let context = &self.unit.context;
        let own = context.sources.path(self.unit.task.task.span);
        let own = own.and_then(|path| path.parent().map(std::path::Path::to_path_buf));
        let roots = own.into_iter().chain([
            context.playbook_dir.clone(),
            context.output_dir.clone(),
            context.workspace.clone(),
        ]);
        Finder::new(roots)
    }

    /// `pause`: a step on the master; it does not wait again in a replay.
    async fn pause(
        &self,
        attempt: i64,
        milliseconds: u64,
        returned: Map<String, Value>,
        trail: &mut Trail,
    ) -> Result<Map<String, Value>, Trouble> {
        self.pins.settle().await?;
        let context = &self.unit.context;
        let key = self.step_key(attempt);
        if let Some(outcome) = step::recall(context, &key, "pause", &self.unit.place).await? {
            return Ok(outcome.result);
        }
        self.sleep(milliseconds).await;
        trail.fresh = true;
        let outcome = StepOutcome::completed(returned);
        trail.ticket = trail.ticket.max(step::remember(context, &key, "pause", &outcome, false).await?);
        Ok(outcome.result)
    }

    /// `fetch`: a step on the master, journaled on both sides; its file stands in the store, so that another master has it.
    async fn fetch(
        &self,
        attempt: i64,
        fetch: &Fetch,
        templar: &Templar,
        trail: &mut Trail,
    ) -> Result<Map<String, Value>, Trouble> {
        let context = &self.unit.context;
        let key = self.step_key(attempt);
        let digest = crate::core::ids::sha256_hex(format!("{fetch:?}").as_bytes());
        trail.steps.push(key.clone());
        if let Some(outcome) = step::recall(context, &key, &digest, &self.unit.place).await? {
            if let Some(sha256) = outcome.result.get("_blob").and_then(Value::as_str) {
                context.restore(sha256, &fetch.dest).await?;
            }
            let mut result = outcome.result;
            result.remove("_blob");
            return Ok(result);
        }
        let Some(member) = &self.target.member else { return Ok(self.no_such_host()) };
        trail.fresh = true;
        if !context.history.master_steps.contains_key(&key) {
            let record = Record::MasterStepStarted { key: key.clone(), digest: digest.clone() };
            context.journal.record(record).await.map_err(super::EngineError::from)?;
        }
        let becomes = self.becomes(templar)?.map(|becomes| becomes.user);
        let brought = step::bring(context, member, &fetch.src, becomes.as_deref()).await?;
        let result = match brought {
            step::Brought::File { path, sha256 } => {
                let mut landed = None;
                for root in context.fetch_roots() {
                    let (_, result) =
                        fetch.land(root, path.as_ref()).map_err(|error| Trouble::Task(format!("fetch: {error}")))?;
                    landed.get_or_insert(result);
                }
                let mut result = landed.unwrap_or_default();
                context.keep(&sha256, path.as_ref()).await?;
                result.insert("_blob".to_owned(), json!(sha256));
                result
            }
            step::Brought::Missing(why) => fetch.missing(&why),
            step::Brought::Lost(evidence) => {
                trail.lost = Some((self.target.executor.clone(), evidence.clone()));
                let mut result = actions::unchanged();
                result.insert("unreachable".to_owned(), json!(true));
                result.insert("msg".to_owned(), json!(evidence));
                let outcome = StepOutcome::completed(result.clone());
                if !context.is_stopping() {
                    let record = Record::StepJudged { key, outcome };
                    context.journal.record(record).await.map_err(super::EngineError::from)?;
                }
                return Ok(result);
            }
        };
        let outcome = StepOutcome::completed(result.clone());
        let ticket = step::remember(context, &key, &digest, &outcome, self.no_log).await?;
        context.journal.durable(ticket).await.map_err(super::EngineError::from)?;
        trail.ticket = trail.ticket.max(ticket);
        let mut result = result;
        result.remove("_blob");
        Ok(result)
    }
}

/// The argument that a module's free text is.
fn free_argument(spec: &ModuleSpec) -> &'static str {
    match spec.free {
        Free::Argument(name) => name,
        Free::Command => "cmd",
        Free::Pairs | Free::None => "_raw_params",
    }
}
