//! The calls of a channel, answered from the disk.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use nix::fcntl::Flock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{mpsc, watch};
use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::changes::Changes;
use super::fence::{Fence, FenceError};
use super::files;
use super::folders::{Base, WorkerFolder};
use super::follow::{Follower, refusal};
use super::step_folder::{Accepted, State, StepFolder};
use super::user::Account;
use super::{cgroup, clock, glob, lease, prune, reserve, sample, spool_reader};
use crate::core::ids::StepKey;
use crate::core::records::StepOrder;
use crate::core::wire::agent_server::Agent;
use crate::core::wire::{
    AckOutputRequest, AckRequest, AttachRequest, CancelRequest, DeadlineRequest, Empty, ForgetRequest, GetChunk,
    GetRequest, GlobReply, GlobRequest, HaveRequest, HelloReply, HelloRequest, PutChunk, PutReply, RenewRequest,
    RunRequest, SampleReply, StepEvent, WIRE_VERSION,
};

/// Messages on their way to the channel, per stream.
const UNDERWAY: usize = 8;

/// Serves one channel.
pub struct Service {
    home: PathBuf,
    base: Base,
    worker: WorkerFolder,
    fence: Fence,
    changes: Changes,
    epochs: Arc<watch::Sender<u32>>,
}

impl Service {
    /// Must be called in a runtime: a task watches for newer masters.
    pub fn new(home: PathBuf, base: Base, worker: WorkerFolder) -> Self {
        let fence = Fence::new(&worker);
        let changes = Changes::new();
        let epochs = Arc::new(watch::Sender::new(fence.seen()));
        tokio::spawn(watch_epoch(changes.clone(), worker.clone(), fence.clone(), Arc::clone(&epochs)));
        Self { home, base, worker, fence, changes, epochs }
    }

    fn step(&self, key: &str) -> StepFolder {
        StepFolder { path: self.worker.steps().join(StepKey::from(key).directory()) }
    }

    fn enter(&self, epoch: u32) -> Result<Flock<std::fs::File>, Status> {
        self.fence.enter(epoch).map_err(fenced)
    }

    fn follow(&self, step: StepFolder, epoch: u32, from: u64, is_new: bool) -> Replies<StepEvent> {
        let (events, replies) = mpsc::channel(UNDERWAY);
        let follower = Follower {
            step,
            from,
            epochs: self.epochs.subscribe(),
            is_new,
            epoch,
            changes: self.changes.clone(),
            events,
        };
        tokio::spawn(follower.follow());
        Replies(replies)
    }
}

/// A stream of replies.
pub struct Replies<T>(mpsc::Receiver<Result<T, Status>>);

impl<T> Stream for Replies<T> {
    type Item = Result<T, Status>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

#[tonic::async_trait]
impl Agent for Service {
    type RunStream = Replies<StepEvent>;
    type AttachStream = Replies<StepEvent>;
    type GetStream = Replies<GetChunk>;

    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let hello = request.into_inner();
        if hello.version != WIRE_VERSION {
            let told = format!("this agent speaks version {WIRE_VERSION}, the master {}", hello.version);
            return Err(Status::failed_precondition(told));
        }
        self.fence.claim(hello.epoch).map_err(fenced)?;
        self.epochs.send_replace(hello.epoch);
        let known_steps = std::fs::read_dir(self.worker.steps())
            .map_err(|error| refusal(&error))?
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        let (base, worker) = (self.base.clone(), self.worker.clone());
        tokio::task::spawn_blocking(move || {
            prune::prune(&base, &worker);
            reserve::keep(&worker);
            cgroup::sweep();
        });
        let own = Account::own().map(|account| account.name);
        Ok(Response::new(HelloReply {
            version: WIRE_VERSION,
            agent_version: env!("CARGO_PKG_VERSION").into(),
            boot_id: clock::boot_id(),
            root: nix::unistd::geteuid().is_root(),
            user: own.or_else(|| std::env::var("USER").ok()).unwrap_or_default(),
            home: self.home.to_string_lossy().into_owned(),
            known_steps,
        }))
    }

    async fn run(&self, request: Request<RunRequest>) -> Result<Response<Self::RunStream>, Status> {
        let run = request.into_inner();
        let order: StepOrder =
            serde_json::from_slice(&run.spec).map_err(|error| Status::invalid_argument(error.to_string()))?;
        if order.v != crate::core::records::FORMAT_VERSION || order.digest() != run.digest {
            return Err(Status::invalid_argument("this is not the order that its digest tells of"));
        }
        let step = self.step(&run.key);
        let accepted = {
            let _entered = self.enter(run.epoch)?;
            let accept = || step.accept(&run.spec, &run.digest);
            reserve::with_room(&self.worker, accept).map_err(|error| refusal(&error))?
        };
        if accepted == Accepted::Diverged {
            return Err(Status::already_exists(run.key));
        }
        if accepted == Accepted::New {
            // It may have been given up, and there may be room again.
            reserve::keep(&self.worker);
        }
        // A new step has no output yet: an offset would be one of another life of its worker.
        let from = if accepted == Accepted::New { 0 } else { run.from_offset };
        Ok(Response::new(self.follow(step, run.epoch, from, accepted == Accepted::New)))
    }

    async fn attach(&self, request: Request<AttachRequest>) -> Result<Response<Self::AttachStream>, Status> {
        let attach = request.into_inner();
        drop(self.enter(attach.epoch)?);
        Ok(Response::new(self.follow(self.step(&attach.key), attach.epoch, attach.from_offset, false)))
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<Empty>, Status> {
        let cancel = request.into_inner();
        let _entered = self.enter(cancel.epoch)?;
        let step = self.step(&cancel.key);
        reserve::with_room(&self.worker, || cancel_step(&step, &cancel.reason)).map_err(|error| refusal(&error))?;
        Ok(Response::new(Empty {}))
    }

    async fn ack(&self, request: Request<AckRequest>) -> Result<Response<Empty>, Status> {
        let ack = request.into_inner();
        let _entered = self.enter(ack.epoch)?;
        for key in &ack.keys {
            self.step(key).acknowledge().map_err(|error| refusal(&error))?;
        }
        Ok(Response::new(Empty {}))
    }

    async fn ack_output(&self, request: Request<AckOutputRequest>) -> Result<Response<Empty>, Status> {
        let ack = request.into_inner();
        let _entered = self.enter(ack.epoch)?;
        spool_reader::forget(&self.step(&ack.key).path, ack.offset).map_err(|error| refusal(&error))?;
        Ok(Response::new(Empty {}))
    }

    async fn have(&self, request: Request<HaveRequest>) -> Result<Response<PutReply>, Status> {
        Ok(Response::new(files::have(&self.worker, &request.into_inner().sha256)?))
    }

    async fn put(&self, request: Request<Streaming<PutChunk>>) -> Result<Response<PutReply>, Status> {
        let mut chunks = request.into_inner();
        let Some(first) = chunks.message().await? else { return Err(Status::invalid_argument("an empty stream")) };
        drop(self.enter(first.epoch)?);
        Ok(Response::new(files::put(&self.worker, first, chunks).await?))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let get = request.into_inner();
        let (to, replies) = mpsc::channel(UNDERWAY / 2);
        let becomes = Some(get.become_user).filter(|user| !user.is_empty());
        tokio::spawn(files::get(files::resolve(&self.home, &get.path), get.offset, becomes, to));
        Ok(Response::new(Replies(replies)))
    }

    async fn glob(&self, request: Request<GlobRequest>) -> Result<Response<GlobReply>, Status> {
        let glob = request.into_inner();
        let home = self.home.clone();
        // The one call that may walk for long: the others go on beside it.
        let found = tokio::task::spawn_blocking(move || glob::find(&home, &glob.patterns)).await;
        Ok(Response::new(GlobReply { files: found.map_err(|error| Status::failed_precondition(error.to_string()))? }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Empty>, Status> {
        let renew = request.into_inner();
        let _entered = self.enter(renew.epoch)?;
        lease::renew(&self.worker, renew.duration_ms).map_err(|error| refusal(&error))?;
        Ok(Response::new(Empty {}))
    }

    async fn deadline(&self, request: Request<DeadlineRequest>) -> Result<Response<Empty>, Status> {
        let deadline = request.into_inner();
        let _entered = self.enter(deadline.epoch)?;
        lease::deadline(&self.worker, deadline.unix_ms).map_err(|error| refusal(&error))?;
        Ok(Response::new(Empty {}))
    }

    async fn forget(&self, request: Request<ForgetRequest>) -> Result<Response<Empty>, Status> {
        self.fence.leave(request.into_inner().epoch, || prune::forget(&self.worker)).map_err(fenced)?;
        Ok(Response::new(Empty {}))
    }

    async fn sample(&self, _: Request<Empty>) -> Result<Response<SampleReply>, Status> {
        Ok(Response::new(sample::take(&self.home)))
    }
}

/// Writes the wish down, then wakes a supervisor that runs.
fn cancel_step(step: &StepFolder, reason: &str) -> io::Result<()> {
    if matches!(step.state()?, State::Done(_) | State::Acked) {
        return Ok(());
    }
    step.cancel(reason)?;
    // The number is its own as long as it holds the lock.
    if let Some(started) = step.started()?
        && started.pid > 1
        && step.is_locked()?
    {
        let _ = kill(Pid::from_raw(started.pid.cast_signed()), Signal::SIGTERM);
    }
    Ok(())
}

fn fenced(error: FenceError) -> Status {
    match error {
        FenceError::Fenced(epoch) => Status::aborted(epoch.to_string()),
        FenceError::Disk(error) => refusal(&error),
    }
}

/// Another channel may take over at any time: its epoch appears in the worker's folder.
async fn watch_epoch(changes: Changes, worker: WorkerFolder, fence: Fence, epochs: Arc<watch::Sender<u32>>) {
    let watch = changes.watch(&worker.0);
    loop {
        let seen = fence.seen();
        epochs.send_if_modified(|known| {
            let is_newer = seen > *known;
            *known = seen.max(*known);
            is_newer
        });
        if epochs.is_closed() && epochs.receiver_count() == 0 && Arc::strong_count(&epochs) == 1 {
            return;
        }
        watch.changed().await;
    }
}
