//! dayfly: a cluster that lives for one run.
//!
//! Seven floors, each importing only the ones above it; `tests/house.rs` holds that rule and
//! `docs/ARCHITECTURE.md` explains it.

pub mod core;
pub mod language;
pub mod worker;

#[cfg(feature = "master")]
pub mod entry;
#[cfg(feature = "master")]
pub mod platform;
#[cfg(feature = "master")]
pub mod run;
#[cfg(feature = "master")]
pub mod views;
