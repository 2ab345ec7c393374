//! The agent: steps that outlive their connection, on disk.

/// Picks the agent's role by its first argument: `connect`, `supervise`, `exec`.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
