//! How long this worker may live: written here, read by whoever ends it (a timer, the local cloud's warden).

use std::io;

use serde::{Deserialize, Serialize};

use super::clock;
use super::folders::{Durability, WorkerFolder, replace};

/// `until`: the worker lease, in this boot's own time.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// Format version.
    pub v: u32,
    /// The boot that `boottime_ms` counts from.
    pub boot_id: String,
    /// CLOCK_BOOTTIME, milliseconds.
    pub boottime_ms: i64,
}

/// `deadline`: the hard end, the one absolute time.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Format version.
    pub v: u32,
    /// UNIX milliseconds.
    pub unix_ms: i64,
}

/// The worker may live this long from now.
pub fn renew(worker: &WorkerFolder, duration_ms: u64) -> io::Result<()> {
    let boottime_ms = clock::boottime_ms().saturating_add_unsigned(duration_ms);
    let until = Until { v: crate::core::records::FORMAT_VERSION, boot_id: clock::boot_id(), boottime_ms };
    replace(&worker.0.join("until"), &serde_json::to_vec(&until)?, Durability::Relaxed)
}

/// Moves the hard end.
pub fn deadline(worker: &WorkerFolder, unix_ms: i64) -> io::Result<()> {
    let deadline = Deadline { v: crate::core::records::FORMAT_VERSION, unix_ms };
    replace(&worker.0.join("deadline"), &serde_json::to_vec(&deadline)?, Durability::Relaxed)
}
