//! The calls to one agent, over a connection that opens with the first of them, and again after a loss.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tonic::transport::Channel;

use super::connection::hello;
use super::connector::ControlFolder;
use super::door::Door;
use super::{Greeting, Link, LinkError, LinkOrder, OutputChunk, RemoteFile, Sample, failure, transfer};
use crate::core::event::Stream;
use crate::core::ids::StepKey;
use crate::core::records::{StepOrder, StepOutcome};
use crate::core::wire::agent_client::AgentClient;
use crate::core::wire::step_event::Event;
use crate::core::wire::{
    AckOutputRequest, AckRequest, AttachRequest, CancelRequest, DeadlineRequest, Empty, ForgetRequest, GlobRequest,
    RenewRequest, RunRequest, StepEvent,
};

/// Steps that are followed at once over one connection: HTTP/2 has room for more streams, so that whoever cancels or
/// renews never waits for a step.
const FOLLOWED: usize = 96;
/// Files that are on their way at once.
const TRANSFERS: usize = 16;
/// A call that must not wait behind a connection that is being opened has an answer after this long.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);

/// The agent of one worker.
pub struct AgentLink {
    order: LinkOrder,
    door: Arc<Door>,
    followed: Semaphore,
    transfers: Semaphore,
    /// Cancels that did not reach the worker: they go before the step's order.
    cancels: Mutex<BTreeMap<StepKey, String>>,
}

impl AgentLink {
    /// A link; nothing is opened yet.
    pub fn new(control: Arc<ControlFolder>, order: LinkOrder) -> Self {
        Self {
            door: Door::new(control, order.clone()),
            order,
            followed: Semaphore::new(FOLLOWED),
            transfers: Semaphore::new(TRANSFERS),
            cancels: Mutex::default(),
        }
    }

    fn cancels(&self) -> MutexGuard<'_, BTreeMap<StepKey, String>> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn permit(of: &Semaphore) -> Result<SemaphorePermit<'_>, LinkError> {
        of.acquire().await.map_err(|_| LinkError::Unknown("the link was closed".into()))
    }

    /// A call that gives up soon, with its connection going on.
    async fn soon<T>(&self, call: impl Future<Output = Result<T, LinkError>>) -> Result<T, LinkError> {
        let late = |_| LinkError::Unknown(format!("{} did not answer in time", self.order.slot));
        tokio::time::timeout(SHORT_PATIENCE, call).await.map_err(late)?
    }

    async fn send_cancel(&self, key: &StepKey, reason: &str) -> Result<(), LinkError> {
        let request = CancelRequest { epoch: self.order.epoch.0, key: key.to_string(), reason: reason.to_owned() };
        self.call(|mut client| async move { client.cancel(request).await }).await.map(drop)
    }

    async fn call<T, F>(&self, call: impl FnOnce(AgentClient<Channel>) -> F) -> Result<T, LinkError>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        let open = self.door.open().await?;
        let answered = async { call(open.client).await.map_err(|status| failure::of_status(&status)) };
        match self.door.unless_closed(answered).await {
            Ok(reply) => Ok(reply.into_inner()),
            Err(error) => Err(self.door.failed(open.generation, error).await),
        }
    }

    async fn start(
        &self,
        client: &mut AgentClient<Channel>,
        order: &StepOrder,
        from: u64,
    ) -> Result<tonic::Streaming<StepEvent>, LinkError> {
        let spec = serde_json::to_vec(order).map_err(|error| LinkError::Refused(error.to_string()))?;
        let request = RunRequest {
            epoch: self.order.epoch.0,
            key: order.key.to_string(),
            spec: spec.into(),
            digest: order.digest(),
            from_offset: from,
        };
        let started = client.run(request).await.map_err(|status| failure::of_status(&status))?;
        Ok(started.into_inner())
    }

    async fn follow(
        mut events: tonic::Streaming<StepEvent>,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError> {
        let lost = |status: tonic::Status| failure::of_status(&status);
        while let Some(event) = events.message().await.map_err(lost)? {
            let chunk = match event.event {
                Some(Event::Output(said)) => OutputChunk {
                    next_offset: said.next_offset,
                    stream: Some(if said.stream == 2 { Stream::Stderr } else { Stream::Stdout }),
                    time_ms: said.time_ms,
                    data: said.data,
                    lost: 0,
                },
                Some(Event::Gap(gap)) => OutputChunk {
                    next_offset: gap.next_offset,
                    stream: None,
                    time_ms: 0,
                    data: Bytes::new(),
                    lost: gap.bytes,
                },
                Some(Event::Done(done)) => {
                    return serde_json::from_slice(&done.result)
                        .map_err(|error| LinkError::Refused(format!("the worker's outcome cannot be read: {error}")));
                }
                Some(Event::Started(_)) | None => continue,
            };
            // Nobody need listen; the outcome counts.
            let _ = output.send(chunk).await;
        }
        Err(LinkError::Unknown("the stream ended before the step".into()))
    }
}

#[async_trait]
impl Link for AgentLink {
    async fn hello(&self) -> Result<Greeting, LinkError> {
        let mut open = self.door.open().await?;
        if let Some(greeting) = open.greeting {
            return Ok(greeting);
        }
        match hello(&mut open.client, &self.order).await {
            Ok(greeting) => Ok(greeting),
            Err(error) => Err(self.door.failed(open.generation, error).await),
        }
    }

    async fn run(
        &self,
        order: &StepOrder,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError> {
        let _permit = Self::permit(&self.followed).await?;
        let mut open = self.door.open().await?;
        let cancelled = self.cancels().get(&order.key).cloned();
        if let Some(reason) = cancelled {
            self.send_cancel(&order.key, &reason).await?;
            self.cancels().remove(&order.key);
        }
        let followed = async { Self::follow(self.start(&mut open.client, order, from).await?, output).await };
        match self.door.unless_closed(followed).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(self.door.failed(open.generation, error).await),
        }
    }

    async fn attach(
        &self,
        key: &StepKey,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError> {
        let _permit = Self::permit(&self.followed).await?;
        let mut open = self.door.open().await?;
        let request = AttachRequest { epoch: self.order.epoch.0, key: key.to_string(), from_offset: from };
        let followed = async {
            let events = open.client.attach(request).await.map_err(|status| failure::of_status(&status))?;
            Self::follow(events.into_inner(), output).await
        };
        match self.door.unless_closed(followed).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(self.door.failed(open.generation, error).await),
        }
    }

    async fn cancel(&self, key: &StepKey, reason: &str) -> Result<(), LinkError> {
        let sent = self.soon(self.send_cancel(key, reason)).await;
        if let Err(LinkError::Unknown(_)) = &sent {
            self.cancels().entry(key.clone()).or_insert_with(|| reason.to_owned());
        }
        sent
    }

    async fn acknowledge(&self, keys: &[StepKey]) -> Result<(), LinkError> {
        let keys = keys.iter().map(ToString::to_string).collect();
        let request = AckRequest { epoch: self.order.epoch.0, keys };
        self.call(|mut client| async move { client.ack(request).await }).await.map(drop)
    }

    async fn acknowledge_output(&self, key: &StepKey, offset: u64) -> Result<(), LinkError> {
        let request = AckOutputRequest { epoch: self.order.epoch.0, key: key.to_string(), offset };
        self.call(|mut client| async move { client.ack_output(request).await }).await.map(drop)
    }

    async fn put(&self, file: &Path, sha256: &str) -> Result<String, LinkError> {
        let _permit = Self::permit(&self.transfers).await?;
        let mut open = self.door.open().await?;
        let sent = transfer::put(&mut open.client, self.order.epoch.0, file, sha256);
        match self.door.unless_closed(sent).await {
            Ok(path) => Ok(path),
            Err(error) => Err(self.door.failed(open.generation, error).await),
        }
    }

    async fn get(&self, path: &str, to: &Path, becomes: Option<&str>) -> Result<(u64, String), LinkError> {
        let _permit = Self::permit(&self.transfers).await?;
        let mut open = self.door.open().await?;
        let got = transfer::get(&mut open.client, path, to, becomes);
        match self.door.unless_closed(got).await {
            Ok(got) => Ok(got),
            Err(error) => Err(self.door.failed(open.generation, error).await),
        }
    }

    async fn glob(&self, patterns: &[String]) -> Result<Vec<RemoteFile>, LinkError> {
        let request = GlobRequest { patterns: patterns.to_vec() };
        let reply = self.call(|mut client| async move { client.glob(request).await }).await?;
        let file = |entry: crate::core::wire::FileEntry| RemoteFile {
            path: entry.path,
            absolute: entry.absolute,
            size: entry.size,
            mode: entry.mode,
        };
        Ok(reply.files.into_iter().map(file).collect())
    }

    async fn renew(&self, duration_ms: u64) -> Result<(), LinkError> {
        let request = RenewRequest { epoch: self.order.epoch.0, duration_ms };
        self.soon(self.call(|mut client| async move { client.renew(request).await })).await.map(drop)
    }

    async fn deadline(&self, unix_ms: i64) -> Result<(), LinkError> {
        let request = DeadlineRequest { epoch: self.order.epoch.0, unix_ms };
        self.call(|mut client| async move { client.deadline(request).await }).await.map(drop)
    }

    async fn sample(&self) -> Result<Sample, LinkError> {
        let reply = self.call(|mut client| async move { client.sample(Empty {}).await }).await?;
        Ok(Sample {
            load1: reply.load1,
            memory_total: reply.memory_total,
            memory_available: reply.memory_available,
            disk_total: reply.disk_total,
            disk_free: reply.disk_free,
        })
    }

    async fn forget(&self) -> Result<(), LinkError> {
        let request = ForgetRequest { epoch: self.order.epoch.0 };
        self.call(|mut client| async move { client.forget(request).await }).await.map(drop)
    }

    async fn close(&self) {
        self.followed.close();
        self.transfers.close();
        self.door.close().await;
    }
}
