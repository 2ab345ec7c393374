//! What people see of a run.

pub mod metrics;
pub mod notify;
pub mod report;
pub mod rundb;
