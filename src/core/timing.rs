//! Every duration that dayfly waits for, in one place, frozen in the spec of a run; tests scale it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Durations in milliseconds (docs/formats.md lists them).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// The master's sign of life is rewritten this often.
    pub beat_ms: u64,
    /// A beat older than this means a dead master.
    pub beat_dead_ms: u64,
    /// A worker may live this long without its master.
    pub lease_ms: u64,
    /// The lease is renewed this often.
    pub renew_ms: u64,
    /// Class B records are flushed to the store after this long.
    pub journal_flush_ms: u64,
    /// Live output is written to the store this often.
    pub live_flush_ms: u64,
    /// A worker's sshd must answer within this time after launch.
    pub boot_ms: u64,
    /// A worker unreachable for this long is terminated.
    pub unreachable_ms: u64,
    /// A host of an inventory that does not answer for this long is unreachable.
    pub connect_ms: u64,
    /// Between TERM and KILL of a cancelled or timed-out step.
    pub kill_grace_ms: u64,
    /// Before the hard deadline, steps are stopped and collected.
    pub collect_reserve_ms: u64,
    /// First pause before a broken connection is opened again; doubles up to sixteen times.
    pub reconnect_ms: u64,
    /// Without a successful beat or append for this long, the master starts nothing new.
    pub self_fence_ms: u64,
    /// Control files (cancel, extend) are looked for this often.
    pub control_ms: u64,
    /// A group waits this long for capacity before it is given up, or begins with `min_count`.
    pub capacity_ms: u64,
    /// A pick without capacity is not asked again for this long.
    pub cool_down_ms: u64,
    /// A store that refuses or does not answer is asked again for this long.
    pub store_patience_ms: u64,
    /// A dead master's run gets at most one new master in this time; one that was asked for may take as long to begin.
    pub take_over_ms: u64,
    /// An eventually consistent cloud may hide a machine for this long after it was asked for: no proof before.
    pub closing_wait_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            beat_ms: 15_000,
            beat_dead_ms: 60_000,
            lease_ms: 15 * 60_000,
            renew_ms: 60_000,
            journal_flush_ms: 250,
            live_flush_ms: 2_000,
            boot_ms: 5 * 60_000,
            unreachable_ms: 10 * 60_000,
            connect_ms: 20_000,
            kill_grace_ms: 30_000,
            collect_reserve_ms: 5 * 60_000,
            reconnect_ms: 500,
            self_fence_ms: 45_000,
            control_ms: 1_000,
            capacity_ms: 5 * 60_000,
            cool_down_ms: 30_000,
            store_patience_ms: 5 * 60_000,
            take_over_ms: 5 * 60_000,
            closing_wait_ms: 10 * 60_000,
        }
    }
}

impl Timing {
    /// The environment variable by which tests scale every duration: a number such as `0.05`.
    pub const SCALE_VARIABLE: &'static str = "DAYFLY_TIME_SCALE";

    /// The environment variable by which tests set single durations: JSON such as `{"beat_ms": 500}`.
    pub const OVERRIDE_VARIABLE: &'static str = "DAYFLY_TIMING";

    /// The same with single durations from a JSON mapping; an unknown name is an error.
    pub fn overridden(&self, mapping: &str) -> Result<Self, serde_json::Error> {
        let own: serde_json::Map<String, serde_json::Value> = serde_json::from_str(mapping)?;
        let mut all = serde_json::to_value(self)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(own);
        }
        serde_json::from_value(all)
    }

    /// All durations multiplied by a factor; none becomes less than a millisecond.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let scale = |ms: u64| ((ms as f64 * factor) as u64).max(1);
        Self {
            beat_ms: scale(self.beat_ms),
            beat_dead_ms: scale(self.beat_dead_ms),
            lease_ms: scale(self.lease_ms),
            renew_ms: scale(self.renew_ms),
            journal_flush_ms: scale(self.journal_flush_ms),
            live_flush_ms: scale(self.live_flush_ms),
            boot_ms: scale(self.boot_ms),
            unreachable_ms: scale(self.unreachable_ms),
            connect_ms: scale(self.connect_ms),
            kill_grace_ms: scale(self.kill_grace_ms),
            collect_reserve_ms: scale(self.collect_reserve_ms),
            reconnect_ms: scale(self.reconnect_ms),
            self_fence_ms: scale(self.self_fence_ms),
            control_ms: scale(self.control_ms),
            capacity_ms: scale(self.capacity_ms),
            cool_down_ms: scale(self.cool_down_ms),
            store_patience_ms: scale(self.store_patience_ms),
            take_over_ms: scale(self.take_over_ms),
            closing_wait_ms: scale(self.closing_wait_ms),
        }
    }
}

/// Milliseconds as a [`Duration`].
pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
