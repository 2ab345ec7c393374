//! This machine's clocks, and the name of its present boot.

use nix::time::{ClockId, clock_gettime};

/// UNIX milliseconds: for people and for the deadline, never for order.
pub fn unix_ms() -> i64 {
    milliseconds(ClockId::CLOCK_REALTIME)
}

/// Milliseconds since boot, suspension included: leases are counted in these.
pub fn boottime_ms() -> i64 {
    milliseconds(ClockId::CLOCK_BOOTTIME)
}

/// The kernel's name of this boot; empty where `/proc` is missing.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn milliseconds(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000)
}
