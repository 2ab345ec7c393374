//! One run: what touches the world from templates, what is collected, tasks on the master, and the engine.

pub mod actions;
pub mod collect;
pub mod engine;
pub mod lookups;
