//! The agent's entry: from arguments to a role.

use std::io::Write as _;
use std::process::ExitCode;

use super::arguments::{Role, parse};
use super::{becoming, connect, supervise};

/// Picks the agent's role by its first argument: `connect`, `supervise`, `exec`.
pub fn main() -> ExitCode {
    let role = match parse(std::env::args_os().skip(1)) {
        Ok(role) => role,
        Err(error) => return complain(&error, 2),
    };
    let done = match role {
        Role::Connect(order) => connect::connect(order),
        Role::Supervise { folder } => supervise::supervise(&folder),
        Role::Exec => becoming::exec(),
        Role::Version => writeln!(std::io::stdout(), "dayfly-agent {}", env!("CARGO_PKG_VERSION")),
    };
    done.map_or_else(|error| complain(&error, 1), |()| ExitCode::SUCCESS)
}

fn complain(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "dayfly-agent: {error}");
    ExitCode::from(code)
}
