//! What commands write: data to stdout, everything else to stderr. A closed stream is nobody's fault.

use std::io::{self, IsTerminal as _, Write as _};

use super::order::ReportArguments;
use crate::entry::exit::Problem;
use crate::views::report::{Color, Format, LineSettings, Paint, ReportSettings, Reporter};

/// A banner's length where there is no terminal, as Ansible's.
const COLUMNS: usize = 79;

/// Writes data to stdout.
pub fn say(text: &str) {
    say_bytes(text.as_bytes());
}

/// Writes data to stdout as it is.
pub fn say_bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes a remark to stderr.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// Writes why a command failed.
pub fn complain(problem: &Problem) {
    let paint = Paint::for_terminal(io::stderr().is_terminal());
    match problem {
        // These are rendered with their places already.
        Problem::Refused(text) => remark(text),
        Problem::Usage(_) | Problem::Failed(_) => {
            remark(&format!("{}: {problem}", paint.text(Color::Error, "error")));
        }
    }
}

/// The colours of stdout.
pub fn paint() -> Paint {
    Paint::for_terminal(io::stdout().is_terminal())
}

/// The length of a banner: `$COLUMNS`, else Ansible's own.
pub fn columns() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse::<usize>().ok());
    told.map_or(COLUMNS, |columns| columns.saturating_sub(1).clamp(20, 160))
}

/// A reporter on this process's streams.
pub fn reporter(arguments: &ReportArguments, output: bool) -> Reporter {
    let errors = Paint::for_terminal(io::stderr().is_terminal());
    let settings = ReportSettings {
        format: arguments.format(),
        lines: LineSettings {
            paint: if arguments.format() == Format::Json { Paint::Plain } else { paint() },
            verbosity: arguments.verbose,
            columns: columns(),
            replayed: arguments.verbose > 0,
            output,
        },
        error_paint: errors,
        progress: io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
    };
    Reporter::new(settings, Box::new(io::stdout()), Box::new(io::stderr()))
}
