//! A link that opens its connection with the first call, and a new one after a loss.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, watch};
use tonic::transport::Channel;

use super::connection::{Connection, hello};
use super::{Greeting, Link, LinkError, LinkOrder, OutputChunk, RemoteFile, Sample, SshSettings, failure, transfer};
use crate::core::event::Stream;
use crate::core::ids::StepKey;
use crate::core::records::{StepOrder, StepOutcome};
use crate::core::wire::agent_client::AgentClient;
use crate::core::wire::step_event::Event;
use crate::core::wire::{
    AckOutputRequest, AckRequest, AttachRequest, CancelRequest, DeadlineRequest, Empty, GlobRequest, RenewRequest,
    RunRequest, StepEvent,
};

/// The agent of one worker.
pub struct AgentLink {
    settings: Arc<SshSettings>,
    order: LinkOrder,
    slot: Mutex<Slot>,
    /// Set before the slot is asked for: a connection that is being opened is given up.
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct Slot {
    connection: Option<Connection>,
    generation: u64,
}

/// A client and which connection it belongs to.
struct Open {
    client: AgentClient<Channel>,
    generation: u64,
}

impl AgentLink {
    /// A link; nothing is opened yet.
    pub fn new(settings: Arc<SshSettings>, order: LinkOrder) -> Self {
        Self { settings, order, slot: Mutex::default(), closed: watch::Sender::new(false) }
    }

    /// The present connection, or a new one. Whoever comes meanwhile waits for it.
    async fn open(&self) -> Result<Open, LinkError> {
        let mut slot = self.slot.lock().await;
        self.opened(&mut slot).await
    }

    async fn opened(&self, slot: &mut Slot) -> Result<Open, LinkError> {
        let mut closed = self.closed.subscribe();
        let is_closed = closed.wait_for(|closed| *closed);
        tokio::pin!(is_closed);
        if *self.closed.borrow() {
            return Err(LinkError::Unknown("the link was closed".into()));
        }
        if slot.connection.is_none() {
            let opened = tokio::select! {
                opened = Connection::open(&self.settings, &self.order) => opened?,
                _ = is_closed => return Err(LinkError::Unknown("the link was closed".into())),
            };
            slot.connection = Some(opened);
            slot.generation += 1;
        }
        let connection = slot.connection.as_ref().ok_or_else(|| LinkError::Unknown("no connection".into()))?;
        Ok(Open { client: connection.client.clone(), generation: slot.generation })
    }

    /// Hands an error on. A lost connection is let go, so that the next call opens another.
    async fn failed(&self, generation: u64, error: LinkError) -> LinkError {
        if matches!(error, LinkError::Unknown(_)) {
            let lost = {
                let mut slot = self.slot.lock().await;
                if slot.generation == generation { slot.connection.take() } else { None }
            };
            if let Some(lost) = lost {
                tokio::spawn(lost.close());
            }
        }
        error
    }

    async fn call<T, F>(&self, call: impl FnOnce(AgentClient<Channel>) -> F) -> Result<T, LinkError>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        let open = self.open().await?;
        match call(open.client).await {
            Ok(reply) => Ok(reply.into_inner()),
            Err(status) => Err(self.failed(open.generation, failure::of_status(&status)).await),
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
        let (mut open, fresh) = {
            let mut slot = self.slot.lock().await;
            let before = slot.generation;
            let open = self.opened(&mut slot).await?;
            let greeting = slot.connection.as_ref().map(|connection| connection.greeting.clone());
            let fresh = greeting.filter(|_| open.generation != before);
            (open, fresh)
        };
        if let Some(greeting) = fresh {
            return Ok(greeting);
        }
        match hello(&mut open.client, &self.order).await {
            Ok(greeting) => Ok(greeting),
            Err(error) => Err(self.failed(open.generation, error).await),
        }
    }

    async fn run(
        &self,
        order: &StepOrder,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError> {
        let mut open = self.open().await?;
        let followed = match self.start(&mut open.client, order, from).await {
            Ok(events) => Self::follow(events, output).await,
            Err(error) => Err(error),
        };
        match followed {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(self.failed(open.generation, error).await),
        }
    }

    async fn attach(
        &self,
        key: &StepKey,
        from: u64,
        output: mpsc::Sender<OutputChunk>,
    ) -> Result<StepOutcome, LinkError> {
        let mut open = self.open().await?;
        let request = AttachRequest { epoch: self.order.epoch.0, key: key.to_string(), from_offset: from };
        let followed = match open.client.attach(request).await {
            Ok(events) => Self::follow(events.into_inner(), output).await,
            Err(status) => Err(failure::of_status(&status)),
        };
        match followed {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(self.failed(open.generation, error).await),
        }
    }

    async fn cancel(&self, key: &StepKey, reason: &str) -> Result<(), LinkError> {
        let request = CancelRequest { epoch: self.order.epoch.0, key: key.to_string(), reason: reason.to_owned() };
        self.call(|mut client| async move { client.cancel(request).await }).await.map(drop)
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
        let mut open = self.open().await?;
        match transfer::put(&mut open.client, self.order.epoch.0, file, sha256).await {
            Ok(path) => Ok(path),
            Err(error) => Err(self.failed(open.generation, error).await),
        }
    }

    async fn get(&self, path: &str, to: &Path, becomes: Option<&str>) -> Result<(u64, String), LinkError> {
        let mut open = self.open().await?;
        match transfer::get(&mut open.client, path, to, becomes).await {
            Ok(got) => Ok(got),
            Err(error) => Err(self.failed(open.generation, error).await),
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
        self.call(|mut client| async move { client.renew(request).await }).await.map(drop)
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

    async fn close(&self) {
        self.closed.send_replace(true);
        let open = self.slot.lock().await.connection.take();
        if let Some(connection) = open {
            connection.close().await;
        }
    }
}
