//! The supervisor of one step: in a session of its own, it outlives every connection, runs the module, spools the
//! output, keeps the timeout and writes the outcome.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::cgroup::Cgroup;
use super::folders::WorkerFolder;
use super::frame::Kind;
use super::guard::Guard;
use super::runner::{Held, Runner, Sink, listen};
use super::spool::{Limits, Spool};
use super::step_folder::StepFolder;
use super::user::Account;
use super::{becoming, environment, reserve, signals};
use crate::core::records::{End, FORMAT_VERSION, StepOrder, StepOutcome};
use crate::worker::modules::{self, Context};

/// A supervisor that finds the lock taken looks again for this long: whoever tests the lock holds it for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

impl Sink for Spool {
    fn push(&mut self, kind: Kind, time_ms: i64, data: &[u8]) {
        Spool::push(self, kind, time_ms, data);
    }
}

/// What a module left.
pub struct Ran {
    /// Its return values.
    pub result: Map<String, Value>,
    /// Pipes that its children still hold.
    pub held: Vec<Held>,
    /// A program of it was killed, not by us.
    pub killed: bool,
}

/// Runs the step of a folder to its outcome. Nothing happens where another supervisor is there or was.
pub fn supervise(folder: &Path) -> io::Result<()> {
    // On a machine with systemd, root's supervisor would move to a unit of its own here: a session's end may kill what
    // stays in its cgroup.
    let _ = nix::unistd::setsid();
    nix::sys::prctl::set_child_subreaper(true)?;
    signals::install()?;
    let step = StepFolder { path: folder.to_owned() };
    let worker = WorkerFolder(step.worker().to_owned());
    let Some(lock) = reserve::with_room(&worker, || wait_for_lock(&step))? else { return Ok(()) };
    if step.file("result.json").exists() || step.file("started").exists() {
        return Ok(());
    }
    if let Some(end) = cancelled(&step) {
        // It came before the step did.
        return reserve::with_room(&worker, || step.finish(&outcome(end.clone(), Map::new(), Duration::ZERO)));
    }
    let order = step.order()?;
    let cgroup = Cgroup::new(&step.mark());
    reserve::with_room(&worker, || step.start(order.once, cgroup.as_ref()))?;
    silence()?;

    let started = Instant::now();
    let guard = Guard::new(Duration::from_millis(order.kill_grace_ms), cgroup);
    let shared = Arc::new(Stopping { step: step.clone(), guard: Arc::clone(&guard), started });
    watch(Arc::clone(&shared), order.timeout_ms)?;
    let kills_before = guard.memory_kills();
    let mut spool = Spool::new(&step.path, Limits::of_disk(&step.path), step.attempts());
    let ran = run_module(&order, &step, &mut spool, &guard);

    if is_terminated(&ran.result) {
        guard.heed_end(SHUTDOWN_SKEW);
    }
    let end = guard.finish().unwrap_or(if ran.killed && guard.memory_kills() > kills_before {
        End::OutOfMemory
    } else {
        End::Completed
    });
    let mut outcome = outcome(end, ran.result, started.elapsed());
    outcome.output_bytes = spool.written();
    outcome.output_lost = spool.lost();
    step.finish(&outcome)?;
    drop(lock);
    let listened = listen(ran.held);
    guard.let_go();
    listened
}

/// A machine that shuts down signals a step and its supervisor in any order: so far apart at most.
const SHUTDOWN_SKEW: Duration = Duration::from_secs(1);

/// Whether the step's program ended by SIGTERM, itself (−15) or as its shell tells it (128 + 15).
fn is_terminated(result: &Map<String, Value>) -> bool {
    matches!(result.get("rc").and_then(Value::as_i64), Some(-15 | 143))
}

fn run_module(order: &StepOrder, step: &StepFolder, spool: &mut Spool, guard: &Arc<Guard>) -> Ran {
    let home = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let environment = environment::of_login(&order.environment, step);
    let own = Account::own().map(|account| account.name);
    let ran = match &order.becomes {
        Some(other) if Some(&other.user) != own.as_ref() => {
            becoming::run_as(order, &other.user, &home, step, spool, guard)
        }
        _ => run_here(order, home, &environment, spool, guard),
    };
    ran.unwrap_or_else(|error| {
        let mut result = Map::new();
        result.insert("failed".into(), true.into());
        result.insert("msg".into(), format!("the step could not be run: {error}").into());
        Ran { result, held: Vec::new(), killed: false }
    })
}

/// Runs the module in this process, as its user.
pub fn run_here(
    order: &StepOrder,
    home: PathBuf,
    environment: &std::collections::BTreeMap<String, String>,
    sink: &mut dyn Sink,
    guard: &Arc<Guard>,
) -> io::Result<Ran> {
    let mut runner = Runner::new(sink, environment.clone(), Arc::clone(guard))?;
    let mut context = Context { check: order.check, diff: order.diff, environment, home, programs: &mut runner };
    let result = modules::run(order, &mut context);
    Ok(Ran { result, held: std::mem::take(&mut runner.held), killed: runner.killed })
}

struct Stopping {
    step: StepFolder,
    guard: Arc<Guard>,
    started: Instant,
}

impl Stopping {
    /// Ends the step; where the module does not come back after its tree is gone, writes the outcome in its stead.
    fn stop(&self, end: End) {
        if !self.guard.end(end.clone()) {
            return;
        }
        std::thread::sleep(Duration::from_secs(5));
        if !self.step.file("result.json").exists() {
            let _ = self.step.finish(&outcome(end, Map::new(), self.started.elapsed()));
            std::process::exit(0);
        }
    }

    fn cancelled(&self) -> Option<End> {
        cancelled(&self.step)
    }
}

fn cancelled(step: &StepFolder) -> Option<End> {
    let reason = std::fs::read_to_string(step.file("cancel")).ok()?;
    Some(End::Cancelled { reason })
}

/// Waits beside the module for the timeout or for somebody who wants the step to end.
fn watch(shared: Arc<Stopping>, timeout_ms: u64) -> io::Result<()> {
    let ending = signals::ending().ok_or_else(|| io::Error::other("signals are not listened to"))?;
    let limit = (timeout_ms > 0).then(|| Instant::now() + Duration::from_millis(timeout_ms));
    let wait = move || {
        loop {
            // A cancel that came before the signals were listened to stands in the folder.
            if let Some(end) = shared.cancelled() {
                return shared.stop(end);
            }
            let left = limit.map(|limit| limit.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return shared.stop(End::Timeout);
            }
            if wait_readable(ending, left) && signals::take(ending) {
                let by_signal = || End::Cancelled { reason: "ended by a signal".into() };
                return shared.stop(shared.cancelled().unwrap_or_else(by_signal));
            }
        }
    };
    std::thread::Builder::new().name("guard".into()).stack_size(256 << 10).spawn(wait)?;
    Ok(())
}

fn wait_readable(ending: BorrowedFd<'_>, left: Option<Duration>) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    const LONGEST: Duration = Duration::from_hours(1);
    let left = left.unwrap_or(LONGEST).min(LONGEST) + Duration::from_millis(1);
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::NONE);
    poll(&mut [PollFd::new(ending, PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0)
}

fn outcome(end: End, mut result: Map<String, Value>, elapsed: Duration) -> StepOutcome {
    let told = match &end {
        End::Completed => None,
        End::Timeout => Some(format!("the step was ended by its timeout after {:.1} s", elapsed.as_secs_f64())),
        End::Cancelled { reason } => Some(format!("the step was cancelled: {reason}")),
        End::OutOfMemory => Some("the kernel ended the step for want of memory".to_owned()),
        End::Interrupted { why } => Some(format!("the step was interrupted ({why})")),
    };
    if let Some(told) = told {
        result.insert("failed".into(), true.into());
        result.insert("msg".into(), told.into());
    }
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    StepOutcome { v: FORMAT_VERSION, end, elapsed_ms, ..StepOutcome::completed(result) }
}

fn wait_for_lock(step: &StepFolder) -> io::Result<Option<nix::fcntl::Flock<std::fs::File>>> {
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        if let Some(lock) = step.lock()? {
            return Ok(Some(lock));
        }
        if step.file("started").exists() || Instant::now() > patience {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whoever started the supervisor reads its stderr until here: an empty one means that the step began.
fn silence() -> io::Result<()> {
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    Ok(nix::unistd::dup2_stderr(null)?)
}
