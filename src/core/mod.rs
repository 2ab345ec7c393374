//! The vocabulary, pure: names and keys, what happens, messages, spans and diagnostics, records, and
//! the traits by which the outside world (clock, chance) is reached.

pub mod event;
pub mod ids;
pub mod records;
pub mod redact;
pub mod source;
pub mod timing;
pub mod values;
pub mod wire;
pub mod world;
