//! `setup`: facts about the worker under Ansible's names, read from the kernel and the system's files.

mod clock;
mod distribution;
mod gather;
mod hardware;
mod host;
mod local;
mod mounts;
mod network;
mod origin;
mod user;
mod virtualization;

use std::path::Path;

use serde_json::{Map, Value};

pub use gather::run;

/// Facts without the `ansible_` before their names.
type Facts = Map<String, Value>;

/// The content of a file without white space around it; none where it cannot be read or is empty.
fn content(path: impl AsRef<Path>) -> Option<String> {
    let text = std::fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Makes facts of pairs.
fn facts<const N: usize>(pairs: [(&str, Value); N]) -> Facts {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
