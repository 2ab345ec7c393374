//! Every module's and action's typed arguments: one table says names, aliases, types, defaults and choices; check reads
//! it before the run, the engine coerces by it, the worker deserializes what it made.

mod table;

pub use table::{Arg, ArgType, Free, ModuleSpec, Where};
