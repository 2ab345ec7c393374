//! One step, done once under its key: from the journal, by attaching, or by running it; with its output in the log book
//! and its outcome in the journal.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::EngineError;
use super::context::{Context, Engine, Member};
use crate::core::event::EventKind;
use crate::core::ids::{StepKey, sha256_hex};
use crate::core::records::{Become, End, FORMAT_VERSION, Record, StepOrder, StepOutcome};
use crate::core::timing::ms;
use crate::platform::cloud::InstanceState;
use crate::platform::remote::{LinkError, OutputChunk};
use crate::platform::store::layout;
use crate::run::actions::FileToPut;

/// Outcomes above this size go to the store as blobs.
const INLINE_OUTCOME: usize = 16 * 1024;
/// Live output of one step that views get; the log has it all.
const LIVE_BYTES: u64 = 256 * 1024;

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) struct StepRequest {
    pub(super) key: StepKey,
    /// Of the task, for people.
    pub(super) name: String,
    pub(super) module: String,
    pub(super) args: Map<String, Value>,
    pub(super) files: Vec<FileToPut>,
    pub(super) environment: std::collections::BTreeMap<String, String>,
    pub(super) becomes: Option<Become>,
    pub(super) timeout_ms: u64,
    pub(super) check: bool,
    pub(super) diff: bool,
    pub(super) no_log: bool,
    pub(super) once: bool,
    /// Where the task is written, for "replay diverged at".
    pub(super) place: String,
    /// Journal ticket that must be durable first.
    pub(super) after: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct StepAnswer {
    pub(super) outcome: StepOutcome,
    pub(super) replayed: bool,
    pub(super) ticket: u64,
    /// Set where the host was found lost.
    pub(super) lost: Option<String>,
}

impl StepRequest {
    /// What must be equal in a replay: file contents count, not where they lie on the worker.
    fn digest(&self) -> String {
        let files: Vec<_> = self.files.iter().map(|file| (&file.sha256, &file.relative, file.mode)).collect();
        let becomes = self.becomes.as_ref().map(|becomes| &becomes.user);
        let what = (&self.module, &self.args, files, &self.environment, becomes, self.check);
        sha256_hex(&serde_json::to_vec(&what).unwrap_or_default())
    }

    fn order(&self, grace: u64, sources: &[String]) -> StepOrder {
        let mut args = self.args.clone();
        if !sources.is_empty() {
            let files: Vec<Value> = self
                .files
                .iter()
                .zip(sources)
                .map(|(file, source)| {
                    json!({"source": source, "relative": file.relative, "mode": format!("{:04o}", file.mode & 0o7777)})
                })
                .collect();
            match self.module.as_str() {
                "script" => args.insert("_script".to_owned(), json!(sources[0])),
                _ => args.insert("_files".to_owned(), json!(files)),
            };
        }
        StepOrder {
            v: FORMAT_VERSION,
            key: self.key.clone(),
            module: self.module.clone(),
            args,
            environment: self.environment.clone(),
            becomes: self.becomes.clone(),
            timeout_ms: self.timeout_ms,
            kill_grace_ms: grace,
            check: self.check,
            diff: self.diff,
            no_log: self.no_log,
            once: self.once,
        }
    }
}

/// The outcome of a key that the journal knows, if it does.
pub(super) async fn recall(context: &Context, key: &StepKey, digest: &str, place: &str) -> Engine<Option<StepOutcome>> {
    if let Some(outcome) = context.history.judged.get(key) {
        return Ok(Some(outcome.clone()));
    }
    let Some(known) = context.history.steps.get(key) else { return Ok(None) };
    if known.digest != digest {
        return Err(EngineError::Diverged { place: place.to_owned(), key: key.clone() });
    }
    if let Some(outcome) = &known.outcome {
        return Ok(Some(outcome.clone()));
    }
    let bytes = match (&known.blob, &known.sealed) {
        (Some(sha256), _) => {
            let key = layout::blob_key(&context.spec.run, sha256);
            let Some(bytes) = context.store.get(&key).await? else {
                return Err(EngineError::Internal(format!("{key} is missing in the store")));
            };
            match &known.sealed {
                Some(_) => open_sealed(context, &known.digest, &String::from_utf8_lossy(&bytes))?,
                None => bytes.to_vec(),
            }
        }
        (None, Some(sealed)) => open_sealed(context, &known.digest, sealed)?,
        (None, None) => return Err(EngineError::Internal(format!("the journal has no outcome for {key}"))),
    };
    let outcome = serde_json::from_slice(&bytes)
        .map_err(|error| EngineError::Internal(format!("the outcome of {key} cannot be read: {error}")))?;
    Ok(Some(outcome))
}

fn open_sealed(context: &Context, name: &str, sealed: &str) -> Engine<Vec<u8>> {
    context.run_key.open(name, sealed).map_err(|error| EngineError::Internal(format!("sealed outcome: {error}")))
}

/// Puts an outcome into the journal (class B) and returns its ticket.
pub(super) async fn remember(
    context: &Context,
    key: &StepKey,
    digest: &str,
    outcome: &StepOutcome,
    secret: bool,
) -> Engine<u64> {
    let mut record =
        Record::StepDone { key: key.clone(), digest: digest.to_owned(), outcome: None, blob: None, sealed: None };
    let Record::StepDone { outcome: inline, blob, sealed, .. } = &mut record else { unreachable!("made above") };
    let bytes = serde_json::to_vec(outcome).map_err(|error| EngineError::Internal(error.to_string()))?;
    let secret = secret || context.redactor.hides_in(&String::from_utf8_lossy(&bytes));
    let large = bytes.len() > INLINE_OUTCOME;
    let bytes = if secret { context.run_key.seal(digest, &bytes)?.into_bytes() } else { bytes };
    if large {
        let sha256 = sha256_hex(&bytes);
        context.store.put(&layout::blob_key(&context.spec.run, &sha256), bytes.into()).await?;
        *blob = Some(sha256);
        if secret {
            *sealed = Some(String::new());
        }
    } else if secret {
        *sealed = Some(String::from_utf8_lossy(&bytes).into_owned());
    } else {
        *inline = Some(outcome.clone());
    }
    Ok(context.journal.note(record))
}

/// A step's answer from the journal, if it is there.
pub(super) async fn replay(context: &Context, request: &StepRequest) -> Engine<Option<StepAnswer>> {
    let Some(outcome) = recall(context, &request.key, &request.digest(), &request.place).await? else {
        return Ok(None);
    };
    let lost = outcome.result.get("unreachable").and_then(Value::as_bool).unwrap_or(false);
    let lost = lost.then(|| message_of(&outcome));
    Ok(Some(StepAnswer { outcome, replayed: true, ticket: 0, lost }))
}

/// Runs a step that the journal does not know, or attaches to it where the worker does.
pub(super) async fn run(context: &Arc<Context>, member: &Member, request: &StepRequest) -> Engine<StepAnswer> {
    let digest = request.digest();
    if context.is_stopping() {
        // Nothing new begins. What an earlier master began there ends too.
        let reason = context.stop_reason();
        let told = member.link.cancel(&request.key, &reason);
        drop(tokio::time::timeout(ms(context.spec.timing.connect_ms), told).await);
        let end = End::Cancelled { reason };
        let outcome = StepOutcome { end, ..StepOutcome::completed(Map::new()) };
        return Ok(StepAnswer { outcome, replayed: false, ticket: 0, lost: None });
    }
    if request.after > 0 {
        context.journal.durable(request.after).await?;
    }
    context.watch.until_firm().await;
    context.emit(EventKind::StepStarted {
        key: request.key.clone(),
        host: member.slot.host.clone(),
        name: request.name.clone(),
    });
    let started = Instant::now();
    let outcome = match converse(context, member, request).await? {
        Conversation::Outcome(outcome) => outcome,
        Conversation::Lost(evidence) => {
            let outcome = unreachable_outcome(&evidence, started.elapsed());
            if !context.is_stopping() {
                if member.instance.is_some() {
                    super::groups::lose(context, &member.slot, &evidence).await?;
                }
                context
                    .journal
                    .record(Record::StepJudged { key: request.key.clone(), outcome: outcome.clone() })
                    .await?;
            }
            return Ok(StepAnswer { outcome, replayed: false, ticket: 0, lost: Some(evidence) });
        }
    };
    crate::fault_point!(context.world, "step.before_done");
    let ticket = remember(context, &request.key, &digest, &outcome, request.no_log).await?;
    context.logs.finish(&member.slot, &request.key, &request.name, ticket).await;
    context.emit(EventKind::StepEnded {
        key: request.key.clone(),
        host: member.slot.host.clone(),
        failed: outcome.failed(),
        elapsed_ms: outcome.elapsed_ms,
    });
    Ok(StepAnswer { outcome, replayed: false, ticket, lost: None })
}

enum Conversation {
    Outcome(StepOutcome),
    Lost(String),
}

/// Talks to the worker until there is an outcome or the worker is known to be lost. A lost connection means unknown,
/// never failed: it is opened again, and the step attached to.
async fn converse(context: &Arc<Context>, member: &Member, request: &StepRequest) -> Engine<Conversation> {
    let timing = &context.spec.timing;
    let mut pause = ms(timing.reconnect_ms);
    let mut silent_since: Option<Instant> = None;
    loop {
        let offset = context.logs.offset(&member.slot, &request.key);
        let heard = Instant::now();
        let answer = tokio::select! {
            biased;
            answer = attempt(context, member, request, offset) => answer,
            // The outcome comes over the stream that is open; beside it the cancel is sent until it is heard.
            why = cancel(context, member, &request.key) => return Ok(Conversation::Lost(why)),
        };
        let why = match answer {
            Ok(outcome) => return Ok(Conversation::Outcome(outcome)),
            Err(LinkError::Fenced(epoch)) => return Err(EngineError::Fenced(epoch)),
            Err(LinkError::Diverged) => {
                return Err(EngineError::Diverged { place: request.place.clone(), key: request.key.clone() });
            }
            Err(LinkError::Unreachable(why)) => return Ok(Conversation::Lost(why)),
            Err(LinkError::Refused(why)) => return Ok(Conversation::Outcome(failed_outcome(&why))),
            Err(LinkError::Unknown(why)) => why,
        };
        if heard.elapsed() > ms(timing.reconnect_ms) * 4 {
            // It was talking until now: the silence begins here.
            silent_since = None;
            pause = ms(timing.reconnect_ms);
        }
        let since = *silent_since.get_or_insert_with(Instant::now);
        let limit = if member.instance.is_some() { timing.unreachable_ms } else { timing.connect_ms };
        if let Some(evidence) = gone(context, member).await {
            return Ok(Conversation::Lost(evidence));
        }
        if since.elapsed() > ms(limit) || context.is_stopping() && since.elapsed() > ms(timing.kill_grace_ms) {
            return Ok(Conversation::Lost(why));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ms(timing.reconnect_ms) * 16);
    }
}

/// Once somebody asks for the end, tells the worker until it has heard. Completes only where a step that was told to end
/// has not done so long after its grace: then nobody waits for it any more.
async fn cancel(context: &Context, member: &Member, key: &StepKey) -> String {
    let mut stop = context.stop.clone();
    if stop.wait_for(|stop| *stop != super::Stop::No).await.is_err() {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
    let timing = &context.spec.timing;
    let patience = ms(timing.kill_grace_ms) * 2 + ms(timing.connect_ms);
    let since = Instant::now();
    let tell = async {
        while member.link.cancel(key, &context.stop_reason()).await.is_err() {
            tokio::time::sleep(ms(timing.reconnect_ms)).await;
        }
    };
    drop(tokio::time::timeout(patience, tell).await);
    tokio::time::sleep_until(since + patience).await;
    format!("the step did not end although it was told to ({})", context.stop_reason())
}

/// Evidence that the cloud has ended the worker's machine.
pub(super) async fn gone(context: &Context, member: &Member) -> Option<String> {
    let instance = member.instance.clone()?;
    let answer = context.cloud.describe(&context.spec.run, std::slice::from_ref(&instance)).await.ok()?;
    match answer.iter().find(|known| known.id == instance) {
        Some(known) if matches!(known.state, InstanceState::Terminated | InstanceState::ShuttingDown) => {
            Some(format!("{instance} is gone"))
        }
        _ => None,
    }
}

async fn attempt(
    context: &Arc<Context>,
    member: &Member,
    request: &StepRequest,
    offset: u64,
) -> Result<StepOutcome, LinkError> {
    let mut sources = Vec::new();
    for file in &request.files {
        sources.push(member.link.put(&file.path, &file.sha256).await?);
    }
    let order = request.order(context.spec.timing.kill_grace_ms, &sources);
    let (sender, receiver) = mpsc::channel(8);
    let pump = pump(context, member, request, receiver);
    let run = member.link.run(&order, offset, sender);
    let (outcome, ()) = tokio::join!(run, pump);
    outcome
}

/// Takes output from the link into the log book, and a part of it to the views.
async fn pump(
    context: &Arc<Context>,
    member: &Member,
    request: &StepRequest,
    mut receiver: mpsc::Receiver<OutputChunk>,
) {
    let mut shown = 0;
    while let Some(chunk) = receiver.recv().await {
        if let Some(stream) = chunk.stream
            && !request.no_log
            && shown < LIVE_BYTES
        {
            shown += chunk.data.len() as u64;
            let text = context.redactor.text(&String::from_utf8_lossy(&chunk.data));
            let (key, host) = (request.key.clone(), member.slot.host.clone());
            context.emit(EventKind::StepOutput { key, host, stream, text });
        }
        context.logs.append(&member.slot, &request.key, &request.name, chunk, request.no_log).await;
    }
}

fn message_of(outcome: &StepOutcome) -> String {
    outcome.result.get("msg").and_then(Value::as_str).unwrap_or("the host is lost").to_owned()
}

fn failed_outcome(why: &str) -> StepOutcome {
    let mut result = Map::new();
    result.insert("failed".to_owned(), json!(true));
    result.insert("msg".to_owned(), json!(why));
    StepOutcome::completed(result)
}

fn unreachable_outcome(why: &str, elapsed: Duration) -> StepOutcome {
    let mut result = Map::new();
    result.insert("unreachable".to_owned(), json!(true));
    result.insert("changed".to_owned(), json!(false));
    result.insert("msg".to_owned(), json!(why));
    StepOutcome { elapsed_ms: elapsed.as_millis() as u64, ..StepOutcome::completed(result) }
}

/// Ansible's return values of an outcome, the manner of its end included.
pub(super) fn returned(outcome: &StepOutcome, timeout_ms: u64) -> Map<String, Value> {
    let mut result = outcome.result.clone();
    let why = match &outcome.end {
        End::Completed => return result,
        End::Timeout => {
            result.insert("changed".to_owned(), json!(false));
            result.insert("timedout".to_owned(), json!({"period": timeout_ms / 1000}));
            format!("the step did not end within {} and was stopped", seconds(timeout_ms))
        }
        End::Cancelled { reason } => format!("the step was stopped: {reason}"),
        End::OutOfMemory => "the step was ended for want of memory".to_owned(),
        End::Interrupted { why } => {
            result.insert("interrupted".to_owned(), json!(why));
            format!("the step was interrupted ({why}) and is not known to be safe to run again")
        }
    };
    result.insert("failed".to_owned(), json!(true));
    result.insert("msg".to_owned(), json!(why));
    result
}

fn seconds(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) {
        format!("{} s", milliseconds / 1000)
    } else {
        format!("{:.1} s", milliseconds as f64 / 1000.0)
    }
}

/// What became of bringing a file.
pub(super) enum Brought {
    /// It stands here, for now.
    File { path: tempfile::TempPath, sha256: String },
    /// There is no such file, or it may not be read.
    Missing(String),
    /// The worker is lost.
    Lost(String),
}

/// Brings a file of a worker to the master, over as many connections as it takes.
pub(super) async fn bring(
    context: &Arc<Context>,
    member: &Member,
    src: &str,
    becomes: Option<&str>,
) -> Engine<Brought> {
    let timing = &context.spec.timing;
    let path = tempfile::NamedTempFile::new_in(&context.scratch)
        .map_err(|error| EngineError::Internal(format!("{}: {error}", context.scratch.display())))?
        .into_temp_path();
    let since = Instant::now();
    let mut pause = ms(timing.reconnect_ms);
    loop {
        let why = match member.link.get(src, &path, becomes).await {
            Ok((_, sha256)) => return Ok(Brought::File { path, sha256 }),
            Err(LinkError::Refused(why)) => return Ok(Brought::Missing(why)),
            Err(LinkError::Fenced(epoch)) => return Err(EngineError::Fenced(epoch)),
            Err(LinkError::Unreachable(why)) => return Ok(Brought::Lost(why)),
            Err(error @ (LinkError::Unknown(_) | LinkError::Diverged)) => error.to_string(),
        };
        if let Some(evidence) = gone(context, member).await {
            return Ok(Brought::Lost(evidence));
        }
        let limit = if member.instance.is_some() { timing.unreachable_ms } else { timing.connect_ms };
        if since.elapsed() > ms(limit) || context.is_stopping() {
            return Ok(Brought::Lost(why));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ms(timing.reconnect_ms) * 16);
    }
}
