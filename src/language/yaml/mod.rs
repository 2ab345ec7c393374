//! YAML as PyYAML reads it (1.1), with a span for every node; granit-parser's events are composed in `compose.rs`.

mod node;

pub use node::{Kind, Node};
