//! One step as the master orders it and as the worker answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::ids::{StepKey, sha256_hex};

/// How a step becomes another user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Become {
    /// `become_user`; Ansible's default is root.
    pub user: String,
}

/// What an agent is asked to do: one module with rendered, typed arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepOrder {
    /// Format version.
    pub v: u32,
    /// The step's key.
    pub key: StepKey,
    /// The module's short name: `command`, `copy`.
    pub module: String,
    /// Its arguments after rendering and coercion by `language::args`.
    pub args: Map<String, Value>,
    /// `environment:` and `DAYFLY_*`, nothing else.
    pub environment: BTreeMap<String, String>,
    /// Another user to act as.
    #[serde(rename = "become")]
    pub becomes: Option<Become>,
    /// The step is ended after this many milliseconds; zero means no limit.
    pub timeout_ms: u64,
    /// Between TERM and KILL.
    pub kill_grace_ms: u64,
    /// `--check`: say what would change, change nothing.
    pub check: bool,
    /// `--diff`: return `diff`.
    pub diff: bool,
    /// Arguments and output are kept out of everything that people see.
    pub no_log: bool,
    /// Runs an arbitrary program (command, shell, raw, script): acceptance and start are made durable first, and after an
    /// interruption it is not started again by itself.
    pub once: bool,
}

impl StepOrder {
    /// What makes two orders the same: SHA-256 of module, arguments, environment, become and check mode, in hex.
    pub fn digest(&self) -> String {
        let what = (&self.module, &self.args, &self.environment, &self.becomes, self.check);
        sha256_hex(&serde_json::to_vec(&what).unwrap_or_default())
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum End {
    /// The module came to its own end; `failed` in the result says whether it failed.
    Completed,
    /// Ended by its `timeout`.
    Timeout,
    /// Ended because somebody asked for it.
    Cancelled {
        /// Why, in plain words.
        reason: String,
    },
    /// The kernel ended it for want of memory.
    OutOfMemory,
    /// Nobody knows how far it came: reboot, supervisor gone.
    Interrupted {
        /// `reboot` or `supervisor`.
        why: String,
    },
}

/// What a step left: Ansible's return values and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepOutcome {
    /// Format version.
    pub v: u32,
    /// How it ended.
    pub end: End,
    /// Ansible's return values: `changed`, `failed`, `rc`, `stdout`, `msg`, …
    pub result: Map<String, Value>,
    /// How long it ran, in milliseconds.
    pub elapsed_ms: u64,
    /// Bytes of output that it wrote.
    pub output_bytes: u64,
    /// Bytes of output that could not be kept.
    pub output_lost: u64,
}

impl StepOutcome {
    /// A completed step with these return values.
    pub fn completed(result: Map<String, Value>) -> Self {
        Self { v: super::FORMAT_VERSION, end: End::Completed, result, elapsed_ms: 0, output_bytes: 0, output_lost: 0 }
    }
    /// Whether it failed: it did not come to its own end, or says `failed`.
    pub fn failed(&self) -> bool {
        self.end != End::Completed || self.result.get("failed").and_then(Value::as_bool).unwrap_or(false)
    }
}
