//! Picks what this process is: command line, function or master. Nothing else.

fn main() -> std::process::ExitCode {
    dayfly::entry::cli::main()
}
