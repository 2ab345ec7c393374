//! The typed model of a playbook, every part with its span, and the loader that makes it from YAML.

mod model;

pub use model::{Action, Block, Directives, Item, LoopControl, LoopKind, LoopSpec, Play, Playbook, PlaybookForm, Task};
