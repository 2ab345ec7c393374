//! YAML as PyYAML reads it (1.1), with a span for every node; granit-parser's events are composed in `compose.rs`.

mod bytes;
mod compose;
mod hints;
mod node;
mod scalar;
#[cfg(test)]
mod tests;

pub use bytes::parse_bytes;
pub use compose::{MAX_DEPTH, MAX_NODES, parse};
pub use node::{Kind, Node};
pub use scalar::{Plain, resolve};
