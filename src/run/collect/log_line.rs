//! One line of a log segment (docs/formats.md, `runs/<run>/logs/<host>.<inc>/`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::core::event::Stream;
use crate::core::ids::StepKey;

/// A piece of a step's output. Text stands in `d`; bytes that are not UTF-8 stand in `b`, in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// The step.
    pub key: StepKey,
    /// Its task's name.
    pub task: String,
    /// The worker's clock, UNIX milliseconds.
    pub t: i64,
    /// Where the next piece begins in the worker's spool.
    pub next: u64,
    /// Which stream; none for the record of a gap.
    pub s: Option<Stream>,
    /// The text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub d: String,
    /// The bytes, where they are not text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub b: String,
    /// Bytes that the worker could not keep before this piece.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl LogLine {
    /// The line of a step that said nothing.
    pub fn silent(key: StepKey, task: &str) -> Self {
        let task = task.to_owned();
        Self { key, task, t: 0, next: 0, s: None, d: String::new(), b: String::new(), lost: 0 }
    }
    /// Puts bytes where they belong.
    pub fn set_bytes(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.clone_into(&mut self.d),
            Err(_) => self.b = STANDARD.encode(bytes),
        }
    }
    /// The bytes as the step wrote them.
    pub fn bytes(&self) -> Vec<u8> {
        if self.b.is_empty() { self.d.clone().into_bytes() } else { STANDARD.decode(&self.b).unwrap_or_default() }
    }
}
