//! The process that keeps one worker of the local cloud.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::platform::cloud::local::warden;

/// Flags of the hidden command.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The worker's folder
    folder: PathBuf,
}

/// Lives as long as its worker.
pub fn run(arguments: Arguments) -> ExitCode {
    warden::main(&arguments.folder)
}
