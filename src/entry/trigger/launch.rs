//! A master that lives on without this process and its terminal.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::find::store_failed;
use super::ground::Ground;
use super::places::cloud_of;
use super::pulse::is_over;
use super::state::StateFolder;
use crate::core::ids::InstanceId;
use crate::core::records::Spec;
use crate::core::timing::ms;
use crate::entry::exit::Problem;
use crate::platform::store::{Store, layout};

/// A master that gives no sign for this long is reported; it is not ended.
const FIRST_SIGN: Duration = Duration::from_mins(1);
/// So much of an early end's log is shown.
const SHOWN_LOG: i64 = 4096;

/// Starts a detached master for a run that was created, and waits for its first sign of life or its early end.
pub async fn launch(store: &dyn Store, state: &StateFolder, program: &Path, spec: &Spec) -> Result<(), Problem> {
    let run = &spec.run;
    let path = state.master_log(&store.location(), run);
    let what = || format!("open the master's log {}", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(what)?;
    }
    let log = OpenOptions::new().create(true).append(true).open(&path).with_context(what)?;
    // The child makes a session of its own as its first act, so that no terminal can reach it.
    let mut child = Command::new(program)
        .args(["master", "--run", run.as_str(), "--store", &store.location(), "--why", "launch"])
        .stdin(Stdio::null())
        .stdout(log.try_clone().with_context(what)?)
        .stderr(log)
        .current_dir("/")
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let until = Instant::now() + FIRST_SIGN;
    loop {
        let beats = store.list(&layout::beat_prefix(run), None).await.map_err(store_failed)?;
        if !beats.is_empty() {
            return Ok(());
        }
        if let Some(problem) = early_end(&mut child, store, spec, &path).await? {
            return problem;
        }
        if Instant::now() > until {
            return Err(Problem::failed(format!(
                "the master of run {run} (process id {}) gives no sign of life; its log is {}",
                child.id(),
                path.display()
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for the first sign of life of a master on a machine of its own; what the machine said explains a silence.
pub async fn first_beat(ground: &Ground, spec: &Spec, machine: &InstanceId) -> Result<(), Problem> {
    let run = &spec.run;
    let until = Instant::now() + ms(spec.timing.boot_ms);
    while Instant::now() < until {
        let beats = ground.store.list(&layout::beat_prefix(run), None).await.map_err(store_failed)?;
        if !beats.is_empty() || is_over(ground.store.as_ref(), run).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let cloud = cloud_of(spec, &ground.state, &ground.programs, &ground.access)?;
    let said = cloud.console(run, machine).await.unwrap_or_default();
    Err(Problem::failed(format!(
        "the master {machine} of run {run} gives no sign of life; dayfly reap launches another or ends what is left{}",
        if said.trim().is_empty() { String::new() } else { format!(". Its console says:\n{}", said.trim_end()) }
    )))
}

/// What an end before the first beat means: a run that was over at once is fine, anything else is not.
async fn early_end(
    child: &mut Child,
    store: &dyn Store,
    spec: &Spec,
    log: &Path,
) -> Result<Option<Result<(), Problem>>, Problem> {
    let Some(status) = child.try_wait().context("wait for the master")? else { return Ok(None) };
    if store.get(&layout::receipt_key(&spec.run)).await.map_err(store_failed)?.is_some() {
        return Ok(Some(Ok(())));
    }
    let said = tail(log).unwrap_or_default();
    Ok(Some(Err(Problem::failed(format!(
        "the master of run {} ended at once ({status}){}",
        spec.run,
        if said.trim().is_empty() { String::new() } else { format!(":\n{}", said.trim_end()) }
    )))))
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len() as i64;
    file.seek(SeekFrom::Start((length - SHOWN_LOG).max(0) as u64))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
