//! One file per command.

use std::process::ExitCode;

/// The command line.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [command, dir] if command == "local-worker" => crate::platform::cloud::local::warden::main(dir.as_ref()),
        _ => ExitCode::SUCCESS,
    }
}
