//! When this master last heard that its store takes what it writes. After too long a silence another master may have been
//! made: then nothing new is begun, until the store answers again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// The last sign of life that reached the store.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<Moment>);

#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    /// By the clock that goes on while a machine is suspended.
    since_boot: Option<Duration>,
}

impl Moment {
    fn now() -> Self {
        Self { at: Instant::now(), since_boot: clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from) }
    }
}

impl Pulse {
    /// A master that has just written its first record.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Moment::now()))
    }
    /// The store took something.
    pub(super) fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Moment::now();
    }
    /// How long ago that was.
    pub(super) fn age(&self) -> Duration {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Moment::now();
        let suspended = now.since_boot.zip(last.since_boot).map(|(now, last)| now.saturating_sub(last));
        suspended.unwrap_or_default().max(now.at - last.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_grows_until_the_next_beat() {
        let pulse = Pulse::new();
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert!(pulse.age() >= Duration::from_secs(50));
        pulse.beat();
        assert!(pulse.age() < Duration::from_secs(1));
    }
}
