//! What runs next, pure: host patterns, a play compiled to a tree of tasks, one cursor a host that walks it as Ansible's
//! strategy `linear` does, and the order that keeps hosts in step.

mod compile;
mod cursor;
mod delegates;
mod flush;
pub mod hosts;
mod merge;
mod schedule;
mod tags;
#[cfg(test)]
mod tests;

pub use compile::{PlanBlock, PlanItem, PlanTask, Section, compile_handlers, compile_included, compile_play};
pub use cursor::{Cursor, CursorState};
pub use delegates::Delegates;
pub use hosts::{Hosts, select};
pub use merge::{Effective, written};
pub use schedule::{batches, play_dependencies};
pub use tags::TagFilter;
