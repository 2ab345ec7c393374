//! Workers on this machine: each is an sshd on loopback with its own host key, port and HOME, run as the present user.
//!
//! A worker is a folder (`machine`) and one process that looks after it, its warden: the warden holds the folder's lock as
//! long as the worker lives, starts the sshd, adopts every process that loses its parent, and ends all of them when it is
//! asked to, when the worker's lease or deadline is over, or when the sshd dies. The lock tells whether a worker lives; what
//! a killed warden left is ended by whoever looks next (`ending`).

mod ending;
mod launching;
mod machine;
mod processes;
mod sshd;
mod verbs;
pub mod warden;

use std::path::PathBuf;

use crate::core::timing::Timing;

/// What the local cloud needs to know of this machine.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Where the workers' folders stand, one folder a run (`~/.local/state/dayfly/local`).
    pub state: PathBuf,
    /// The executable that is a warden when called as `dayfly local-worker DIR`.
    pub dayfly: PathBuf,
    /// All durations.
    pub timing: Timing,
}

/// Workers on this machine.
#[derive(Clone, Debug)]
pub struct LocalCloud {
    settings: LocalSettings,
}

impl LocalCloud {
    /// A cloud of this machine. Does no I/O.
    pub fn new(settings: LocalSettings) -> Self {
        Self { settings }
    }
}
