//! Every module's and action's typed arguments: one table says names, aliases, types, defaults and choices; check reads
//! it before the run, the engine coerces by it, the worker deserializes what it made.
//!
//! The agent compiles this folder too, so nothing here may need what only the master has.

mod actions;
mod catalog;
mod coerce;
mod convert;
mod files;
mod free_form;
mod probes;
mod programs;
mod python;
mod table;

pub use catalog::{all, find, is_known_to_ansible, short_name};
pub use coerce::{coerce, coerce_one, unknown_message};
pub use free_form::{FreeForm, split_free, split_words, unquote};
pub use python::{literal, text_of};
pub use table::{Arg, ArgType, Free, ModuleSpec, Where};
