//! The S3 store against a strict S3 by HTTP: what every store does, and what only S3 does to a store.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure is told")]

mod faults;
mod pocket;
mod refusals;
mod transfers;
mod verbs;
