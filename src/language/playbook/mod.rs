//! The typed model of a playbook, every part with its span, and the loader that makes it from YAML.
//!
//! The loader never stops at a problem: it reports it and goes on, so that a person sees all of them at once.

mod action;
mod ami;
mod cluster;
mod cluster_values;
mod directives;
mod document;
mod inventory;
mod keywords;
mod model;
mod play;
mod reader;
mod task;
#[cfg(test)]
mod tests;
mod units;

pub use ami::AmiName;
pub use cluster::{DEFAULT_TTL_MS, load_cluster};
pub use document::{Loaded, load, load_tasks};
pub use inventory::{Inventory, InventoryGroup, InventoryHost, load_inventory};
pub use keywords::{is_template, is_variable_name};
pub use model::{Action, Block, Directives, Item, LoopControl, LoopKind, LoopSpec, Play, Playbook, PlaybookForm, Task};
pub use units::{parse_duration, parse_gib};
