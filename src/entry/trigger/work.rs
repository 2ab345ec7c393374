//! The master in this process: everything that the engine is given, and everything that listens to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use super::clock::SystemWorld;
use super::find::{refuse_reaped, store_failed};
use super::ground::Ground;
use super::lock::MasterLock;
use super::machine::OwnLease;
use super::places::{self, Standpoint};
use super::signals::{Wish, wishes};
use super::state::StateFolder;
use crate::core::event::{Event, EventKind};
use crate::core::ids::{Epoch, RunId};
use crate::core::records::{Receipt, Spec};
use crate::core::timing::ms;
use crate::entry::exit::{CANCELLED, Problem};
use crate::platform::bundle;
use crate::platform::store::{PatientStore, Store, layout};
use crate::run::engine::{self, EngineError, Master, Stop};
use crate::views::report::{LiveWriter, Reporter, duration_text};

/// Who watches a run beside the store.
pub enum Sight {
    /// The terminal of this process.
    Terminal(Box<Reporter>),
    /// Nobody: a detached master, whose events go to the store alone.
    Detached,
    /// A master's machine of its own: its log is the screen. What ends the machine does not end the run.
    Machine {
        /// Writes the log.
        log: Box<Reporter>,
        /// The machine's own permission to live.
        lease: OwnLease,
    },
}

/// Why this master begins, and as which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// `launch`, `resume`, `restart`.
    pub why: String,
    /// The epoch that its machine was claimed for; none where no machine was.
    pub claimed: Option<Epoch>,
}

impl Turn {
    /// Of a master without a machine of its own.
    pub fn here(why: &str) -> Self {
        Self { why: why.to_owned(), claimed: None }
    }
}

/// Works on a run until it is over, as its next master. Refused while another master of this machine lives.
pub async fn work(ground: &Ground, spec: Spec, turn: &Turn, sight: Sight) -> Result<Receipt, Problem> {
    let Ground { store, state, programs, access } = ground;
    let store: Arc<dyn Store> = Arc::new(PatientStore::new(store.clone(), &spec.timing));
    let run = spec.run.clone();
    let _lock = match MasterLock::take(&state.lock(&run))? {
        Ok(lock) => lock,
        Err(pid) => return Err(living(&run, pid)),
    };
    // Whoever closes a run holds its lock for that: with the lock in hand this cannot change any more.
    refuse_reaped(store.as_ref(), &run).await?;
    let workspace = workspace(store.as_ref(), state, &spec).await?;
    let scratch = tempfile::Builder::new()
        .prefix("scratch-")
        .tempdir_in(state.work(&run))
        .context("make a folder for temporary files")?;
    let world = Arc::new(SystemWorld);
    let access = access.as_master(&run, expected_epoch(store.as_ref(), &run, turn).await?);
    let standpoint = if turn.claimed.is_some() { Standpoint::Inside } else { Standpoint::Outside };
    let cloud = places::cloud_from(&spec, state, programs, &access, standpoint)?;
    let connector = places::connector_of(&spec, store.as_ref(), scratch.path(), programs).await?;
    let (events, received) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(Stop::No);
    let live = LiveWriter::start(store.clone(), run.clone(), ms(spec.timing.live_flush_ms));
    let lease_ms = spec.timing.lease_ms;
    let showing = tokio::spawn(show(
        received,
        live,
        sight,
        stop,
        Shown { run: run.clone(), lease_ms, workspace: workspace.clone() },
    ));
    let master = Master {
        spec,
        store,
        cloud,
        connector,
        world,
        workspace,
        scratch: scratch.path().to_owned(),
        why: turn.why.clone(),
        events,
        stop: stopped,
    };
    let ended = engine::run(master).await;
    // The engine's sender is gone now: the last events are shown and written before anything else is said.
    showing.await.context("show the events")?;
    ended.map_err(|error| Problem::Failed(anyhow::Error::new(error).context(format!("work on run {run}"))))
}

/// The number that this master will have, as far as can be told before it has it: a name for the provider's logs.
async fn expected_epoch(store: &dyn Store, run: &RunId, turn: &Turn) -> Result<Epoch, Problem> {
    let beats = store.list(&layout::beat_prefix(run), None).await.map_err(store_failed)?;
    let last = beats.last().and_then(|beat| layout::number_of(&beat.key)).unwrap_or(0);
    let next = Epoch(u32::try_from(last + 1).unwrap_or(u32::MAX));
    Ok(turn.claimed.map_or(next, |claimed| claimed.max(next)))
}

/// Whether a master stopped because a newer one works on the run.
pub fn fenced(problem: &Problem) -> bool {
    matches!(problem, Problem::Failed(error) if matches!(error.downcast_ref(), Some(EngineError::Fenced(_))))
}

/// What is said where a run has a living master.
pub fn living(run: &RunId, pid: u32) -> Problem {
    Problem::failed(format!(
        "run {run} is being worked on by the master with process id {pid}; watch it with dayfly attach {run}, end it with dayfly cancel {run}"
    ))
}

/// The bundle, unpacked once for all masters of this machine: files that steps on the master wrote stay.
async fn workspace(store: &dyn Store, state: &StateFolder, spec: &Spec) -> Result<PathBuf, Problem> {
    let folder = state.work(&spec.run);
    let workspace = folder.join("workspace");
    if workspace.is_dir() {
        return Ok(workspace);
    }
    let bytes = store.get(&layout::bundle_key(&spec.bundle)).await.map_err(store_failed)?;
    let bytes = bytes.ok_or_else(|| Problem::failed(format!("the bundle of run {} is not in the store", spec.run)))?;
    let unpacked = tokio::task::spawn_blocking(move || -> anyhow::Result<PathBuf> {
        let unfinished = folder.join("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        std::fs::create_dir_all(&folder)?;
        bundle::unpack(&bytes, &unfinished)?;
        std::fs::rename(&unfinished, &workspace)?;
        Ok(workspace)
    });
    Ok(unpacked.await.context("unpack the bundle")?.context("unpack the bundle")?)
}

/// What showing a run needs to know of it.
struct Shown {
    run: RunId,
    lease_ms: u64,
    workspace: PathBuf,
}

/// People know their playbook by its own name, not by where a master unpacked it.
fn as_written(event: &mut Event, workspace: &Path) {
    if let EventKind::TaskStarted { place, .. } = &mut event.kind
        && let Some(rest) = workspace.to_str().and_then(|folder| place.strip_prefix(folder))
    {
        *place = rest.trim_start_matches('/').to_owned();
    }
}

/// Shows and writes every event until the engine is done, and carries a person's wishes to it.
async fn show(
    mut events: mpsc::UnboundedReceiver<Event>,
    live: LiveWriter,
    sight: Sight,
    stop: watch::Sender<Stop>,
    of: Shown,
) {
    let (mut reporter, lease) = match sight {
        Sight::Terminal(reporter) => (Some(reporter), None),
        Sight::Detached => (None, None),
        Sight::Machine { log, lease } => (Some(log), Some(lease)),
    };
    // Who ends a machine does not end its run: there these signals are the command's own.
    let mut wishes = if lease.is_none() { wishes().ok() } else { None };
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(mut event) = event else { break };
                as_written(&mut event, &of.workspace);
                live.event(&event);
                if let Some(lease) = &lease {
                    follow_deadline(lease, &event.kind);
                }
                if let Some(reporter) = &mut reporter {
                    reporter.event(&event);
                }
            }
            _ = tick.tick(), if reporter.is_some() => {
                if let Some(reporter) = &mut reporter {
                    reporter.tick();
                }
            }
            Some(wish) = wished(&mut wishes) => match wish {
                Wish::Detach => {
                    if let Some(reporter) = &mut reporter {
                        reporter.detach();
                    }
                }
                Wish::Stop(by) => {
                    if *stop.borrow() == Stop::No {
                        let _ = stop.send(Stop::Cancel { by: by.to_owned() });
                        continue;
                    }
                    leave(reporter.as_deref_mut(), &of.run, of.lease_ms);
                }
            },
        }
    }
    live.finish().await;
}

/// The machine of a master lives as long as its run may.
fn follow_deadline(lease: &OwnLease, event: &EventKind) {
    if let EventKind::RunStarted { deadline_ms, .. } | EventKind::DeadlineMoved { deadline_ms, .. } = event {
        // A disk that takes no file of a few bytes takes no journal either: the old end stands.
        let _ = lease.deadline(*deadline_ms);
    }
}

async fn wished(wishes: &mut Option<mpsc::UnboundedReceiver<Wish>>) -> Option<Wish> {
    match wishes {
        Some(wishes) => wishes.recv().await,
        None => std::future::pending().await,
    }
}

/// The second Ctrl-C: the master ends as it stands. Its workers notice by their leases; a resume finds them before.
fn leave(reporter: Option<&mut Reporter>, run: &RunId, lease_ms: u64) -> ! {
    if let Some(reporter) = reporter {
        let lease = duration_text(lease_ms);
        reporter.last_words(&format!(
            "left in the middle: workers go on until their lease ends ({lease}), steps on them too\n\
             dayfly resume {run} takes the run over; dayfly reap ends what is left"
        ));
    }
    std::process::exit(i32::from(CANCELLED));
}
