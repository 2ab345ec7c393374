//! Every refusal before launch: all problems at once, each with its place, why and what to do.
//!
//! Check is conservative: what it cannot know (a file whose name is a template, a variable that a task may set) it takes
//! for right. What it reports as an error would have failed on a machine.

mod arguments;
mod checker;
mod files;
mod handlers;
mod includes;
mod magic;
mod names;
mod place;
mod plays;
mod reads;
mod tasks;
mod templates;
mod writes;

pub use checker::{CheckInput, check, sort_problems};
