//! What the keyboard and the system say to a master in the foreground.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// A wish of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// End the run (`SIGINT`, `SIGTERM`).
    Stop(&'static str),
    /// The terminal is gone; the run goes on.
    Detach,
}

/// Signals from now on, as wishes.
pub(super) fn wishes() -> std::io::Result<mpsc::UnboundedReceiver<Wish>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            let wish = tokio::select! {
                Some(()) = interrupt.recv() => Wish::Stop("SIGINT"),
                Some(()) = terminate.recv() => Wish::Stop("SIGTERM"),
                Some(()) = hangup.recv() => Wish::Detach,
                else => return,
            };
            if sender.send(wish).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// The end of a master's machine, as its system announces it.
pub struct Terminated(tokio::signal::unix::Signal);

impl Terminated {
    /// Listens from now on.
    pub fn listen() -> anyhow::Result<Self> {
        use anyhow::Context as _;
        Ok(Self(signal(SignalKind::terminate()).context("listen for signals")?))
    }
    /// Completes when it is announced.
    pub async fn heard(mut self) {
        self.0.recv().await;
    }
}
