//! How a run starts and ends.

pub mod cli;
pub mod exit;
pub mod reap;
pub mod trigger;
