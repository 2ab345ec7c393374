//! What a person sees while a run goes: progress, task results, recap; or JSON lines.
//!
//! Views are fed with events and know no engine. What is printed is a pure function of the events ([`Lines`], [`Course`],
//! [`recap`]); the [`Reporter`] puts it on stdout and stderr, [`LiveWriter`] into the store for other processes.

mod course;
mod diff;
mod failures;
mod lines;
mod live;
mod paint;
mod progress;
mod pythonic;
mod recap;
mod reporter;

#[cfg(test)]
mod tests;

pub use course::{Course, PlayCourse, RunningStep, WorkerCourse, duration_text};
pub use failures::Failures;
pub use lines::{LineSettings, Lines};
pub use live::{LiveError, LiveReader, LiveWriter};
pub use paint::{Color, Paint};
pub use recap::{bytes_text, files_text, recap, recap_of_receipt};
pub use reporter::{Format, ReportSettings, Reporter};
