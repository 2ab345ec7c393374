//! The SQL projection of the store: runs, steps, workers, log archives. Everything in it can be rebuilt from the store
//! (`dayfly db sync`), so nothing ever waits for it or trusts it.

mod database;
mod project;
mod rows;

#[cfg(test)]
mod tests;

pub use database::{Database, RundbError};
pub use rows::{ArchiveRow, RunRow, StepRow, WorkerRow};
