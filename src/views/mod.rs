//! What people see of a run.

pub mod report;
pub mod rundb;
