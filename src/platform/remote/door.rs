//! The one connection of a link: opened when it is needed, shared by all who call, let go when it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tonic::transport::Channel;

use super::connection::Connection;
use super::connector::ControlFolder;
use super::{Greeting, LinkError, LinkOrder};
use crate::core::wire::agent_client::AgentClient;

/// A connection that is being closed is given up after this long; ssh's own process ends by itself when it is idle.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A slot that is held for longer than this is one whose connection is being opened.
const LOOK_PATIENCE: Duration = Duration::from_secs(1);

/// Opens connections, one at a time.
pub struct Door {
    control: Arc<ControlFolder>,
    order: LinkOrder,
    slot: Mutex<Slot>,
    /// Set before the slot is asked for: a connection that is being opened is given up.
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct Slot {
    connection: Option<Connection>,
    generation: u64,
    /// When and why the last opening failed: whoever waited for it meanwhile has the same answer.
    failed: Option<(Instant, LinkError)>,
}

/// A client and which connection it belongs to.
pub struct Open {
    /// Its calls.
    pub client: AgentClient<Channel>,
    /// The connection's number.
    pub generation: u64,
    /// The agent's first words, where the connection was opened for this call.
    pub greeting: Option<Greeting>,
}

impl Door {
    /// A door; nothing is opened yet.
    pub fn new(control: Arc<ControlFolder>, order: LinkOrder) -> Arc<Self> {
        Arc::new(Self { control, order, slot: Mutex::default(), closed: watch::Sender::new(false) })
    }

    /// The present connection, or a new one. Opening goes on in a task of its own: it needs nobody who waits for it, and
    /// a caller that gives up, or is not polled for a while, holds up no other.
    pub async fn open(self: &Arc<Self>) -> Result<Open, LinkError> {
        let door = Arc::clone(self);
        let opened = tokio::spawn(async move { door.opened().await });
        opened.await.unwrap_or_else(|error| Err(LinkError::Unknown(error.to_string())))
    }

    async fn opened(&self) -> Result<Open, LinkError> {
        let asked = Instant::now();
        let mut slot = self.slot.lock().await;
        let mut closed = self.closed.subscribe();
        if *closed.borrow() {
            return Err(is_closed());
        }
        let mut greeting = None;
        if slot.connection.is_none() {
            if let Some((_, error)) = slot.failed.as_ref().filter(|(at, _)| *at >= asked) {
                return Err(error.clone());
            }
            let opened = tokio::select! {
                opened = Connection::open(&self.control, &self.order) => opened,
                _ = closed.wait_for(|closed| *closed) => return Err(is_closed()),
            };
            let opened = opened.inspect_err(|error| slot.failed = Some((Instant::now(), error.clone())))?;
            greeting = Some(opened.greeting.clone());
            slot.connection = Some(opened);
            slot.generation += 1;
        }
        let connection = slot.connection.as_ref().ok_or_else(is_closed)?;
        Ok(Open { client: connection.client.clone(), generation: slot.generation, greeting })
    }

    /// Does something until the link is closed: a stream that is followed would keep the connection open.
    pub async fn unless_closed<T>(&self, work: impl Future<Output = Result<T, LinkError>>) -> Result<T, LinkError> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            answer = work => answer,
            _ = closed.wait_for(|closed| *closed) => Err(is_closed()),
        }
    }

    /// Hands an error on. A lost connection is let go, so that the next call opens another.
    pub async fn failed(&self, generation: u64, error: LinkError) -> LinkError {
        // Whoever closes the link takes the connection.
        if matches!(error, LinkError::Unknown(_)) && !*self.closed.borrow() {
            // One that is being opened has taken the lost one's place already.
            let Ok(mut slot) = tokio::time::timeout(LOOK_PATIENCE, self.slot.lock()).await else { return error };
            let lost = if slot.generation == generation { slot.connection.take() } else { None };
            drop(slot);
            if let Some(lost) = lost {
                tokio::spawn(tokio::time::timeout(CLOSE_PATIENCE, lost.close()));
            }
        }
        error
    }

    /// Closes it for good.
    pub async fn close(&self) {
        self.closed.send_replace(true);
        let open = self.slot.lock().await.connection.take();
        if let Some(connection) = open {
            let _ = tokio::time::timeout(CLOSE_PATIENCE, connection.close()).await;
        }
        self.control.leave();
    }
}

fn is_closed() -> LinkError {
    LinkError::Unknown("the link was closed".into())
}
