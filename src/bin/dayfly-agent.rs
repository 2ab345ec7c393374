//! The agent on a worker.

fn main() -> std::process::ExitCode {
    dayfly::worker::agent::main()
}
