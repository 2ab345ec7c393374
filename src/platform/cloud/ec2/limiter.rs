//! The account's launches are counted by EC2 and shared with everybody in it: one process asks for no more than it is
//! given.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Launches at once, and the time in which another one comes free (EC2 Developer Guide, request throttling:
/// `RunInstances` has a bucket of 5 that is refilled with 2 a second).
const BURST: u32 = 5;
const REFILL: Duration = Duration::from_millis(500);

/// Every launch of this process, whichever run it is for.
pub(super) static LAUNCHES: LazyLock<Limiter> = LazyLock::new(|| Limiter(Mutex::new(None)));

/// A token bucket, kept as the moment at which it would be full again.
pub(super) struct Limiter(Mutex<Option<Instant>>);

impl Limiter {
    /// Waits until a call may be made.
    pub(super) async fn admit(&self) {
        let at = {
            let mut full = self.0.lock().await;
            let now = Instant::now();
            let next = full.map_or(now, |full| full.max(now)) + REFILL;
            *full = Some(next);
            next
        };
        if let Some(wait) = at.checked_sub(REFILL * BURST) {
            sleep_until(wait).await;
        }
    }

    /// EC2 said that the account asks too often: what is left of the burst is forgone.
    pub(super) async fn slow_down(&self) {
        let mut full = self.0.lock().await;
        let empty = Instant::now() + REFILL * BURST;
        *full = Some(full.map_or(empty, |full| full.max(empty)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_go_at_once_and_then_two_a_second() {
        let limiter = Limiter(Mutex::new(None));
        let start = Instant::now();
        let mut at = Vec::new();
        for _ in 0..8 {
            limiter.admit().await;
            at.push(start.elapsed().as_millis());
        }
        assert_eq!(at[..5], [0; 5]);
        // Timers of the runtime are rounded up to whole milliseconds.
        assert!(at[5..].iter().zip([500, 1000, 1500]).all(|(at, wanted)| at.abs_diff(wanted) <= 2), "{at:?}");
        tokio::time::sleep(Duration::from_secs(10)).await;
        let later = Instant::now();
        limiter.admit().await;
        assert!(later.elapsed().as_millis() <= 1);
        limiter.slow_down().await;
        limiter.admit().await;
        assert!(later.elapsed().as_millis().abs_diff(500) <= 2);
    }
}
