//! Streams a step to the master from its folder: output from an offset, then the outcome.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::changes::{Change, Changes};
use super::environment::WORKER;
use super::frame::Kind;
use super::spool_reader::{Piece, SpoolReader};
use super::step_folder::{State, StepFolder};
use crate::core::wire::{Done, Gap, Output, Started, StepEvent, step_event::Event};

/// A supervisor that was started must have taken its lock by then.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Where a stream's events go.
pub type Events = mpsc::Sender<Result<StepEvent, Status>>;

/// One stream.
pub struct Follower {
    /// The step.
    pub step: StepFolder,
    /// Where the master stands in the output.
    pub from: u64,
    /// The highest epoch seen, to end when it is another's.
    pub epochs: watch::Receiver<u32>,
    /// Whether this order is new here: nobody can have started it.
    pub is_new: bool,
    /// The epoch of the caller.
    pub epoch: u32,
    /// Wakes it up.
    pub changes: Changes,
    /// Where events go.
    pub events: Events,
}

/// Why a stream ends.
enum Stop {
    /// It is complete, or nobody listens.
    Over,
    /// Something to tell.
    Error(Status),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Error(refusal(&error))
    }
}

impl Follower {
    /// Follows to the end.
    pub async fn follow(mut self) {
        if let Err(Stop::Error(status)) = self.stream().await {
            let _ = self.events.send(Err(status)).await;
        }
    }

    async fn stream(&mut self) -> Result<(), Stop> {
        let watch = self.changes.watch(&self.step.path);
        let mut reader = SpoolReader::new(&self.step.path, self.from);
        let mut begun = false;
        let mut starting = None;
        let mut woken = Change::Time;
        if self.is_new {
            starting = Some((self.start()?, Instant::now()));
            woken = watch.changed().await;
        }
        loop {
            // The lock is looked at only where its holder may be gone: a look is in the way of a supervisor that begins.
            let state = if woken == Change::Folder { self.step.glance()? } else { self.step.state()? };
            match &state {
                State::Accepted if starting.is_none() => starting = Some((self.start()?, Instant::now())),
                State::Accepted => {
                    if let Some((child, since)) = starting.as_mut() {
                        refused_start(&self.step, child, *since).await?;
                    }
                }
                State::Dead { why } => {
                    if self.step.settle(why)? {
                        starting = None;
                    }
                    woken = Change::Time;
                    continue;
                }
                State::Running | State::Done(_) => {}
                State::Acked => {
                    return Err(Stop::Error(Status::failed_precondition(
                        "this step's outcome was acknowledged before",
                    )));
                }
                State::Absent => return Err(Stop::Error(Status::not_found("this worker knows no such step"))),
            }
            if !begun && let Some(started) = self.step.started()? {
                begun = true;
                let started = Started { boot_id: started.boot_id, pid: started.pid };
                self.send(Event::Started(started)).await?;
            }
            // The outcome was looked for first: all output was written before it.
            while let Some(piece) = reader.next()? {
                self.send(event(piece)).await?;
            }
            if let State::Done(result) = state {
                return self.send(Event::Done(Done { result: Bytes::from(result) })).await;
            }
            tokio::select! {
                change = watch.changed() => woken = change,
                () = self.events.closed() => return Err(Stop::Over),
                _ = self.epochs.wait_for(|seen| *seen > self.epoch) => {}
            }
            let seen = *self.epochs.borrow();
            if seen > self.epoch {
                return Err(Stop::Error(Status::aborted(seen.to_string())));
            }
        }
    }

    async fn send(&self, event: Event) -> Result<(), Stop> {
        self.events.send(Ok(StepEvent { event: Some(event) })).await.map_err(|_| Stop::Over)
    }

    fn start(&self) -> io::Result<tokio::process::Child> {
        start(&self.step)
    }
}

fn event(piece: Piece) -> Event {
    match piece {
        Piece::Frame { offset, kind, time_ms, data, next } => {
            let stream = if kind == Kind::Stderr { 2 } else { 1 };
            Event::Output(Output { offset, stream, time_ms, data, next_offset: next })
        }
        Piece::Gap { offset, bytes, next } => Event::Gap(Gap { offset, bytes, next_offset: next }),
    }
}

/// Starts a supervisor; when two are, one of them finds the lock taken and ends.
fn start(step: &StepFolder) -> io::Result<tokio::process::Child> {
    let agent = std::env::current_exe()?;
    let mut command = std::process::Command::new(agent);
    command.arg("supervise").arg(&step.path).env(WORKER, step.worker());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    tokio::process::Command::from(command).spawn()
}

/// The step is accepted and does not run: has its supervisor given up?
async fn refused_start(step: &StepFolder, child: &mut tokio::process::Child, since: Instant) -> Result<(), Stop> {
    use tokio::io::AsyncReadExt as _;
    let exited = child.try_wait()?;
    if exited.is_none() && since.elapsed() < START_PATIENCE {
        return Ok(());
    }
    // It may have begun and ended between two looks.
    if !matches!(step.state()?, State::Accepted) {
        return Ok(());
    }
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take().filter(|_| exited.is_some()) {
        stderr.read_to_string(&mut words).await?;
    }
    let told = format!("the step's supervisor did not start: {}", words.trim());
    Err(Stop::Error(Status::resource_exhausted(told)))
}

/// An error of the disk as the master is told.
pub fn refusal(error: &io::Error) -> Status {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, StorageFull};
    match error.kind() {
        NotFound => Status::not_found(error.to_string()),
        PermissionDenied => Status::permission_denied(error.to_string()),
        StorageFull | QuotaExceeded => Status::resource_exhausted(error.to_string()),
        _ => Status::failed_precondition(error.to_string()),
    }
}
