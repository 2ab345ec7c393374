//! A prefix of an S3 bucket as a store: create-once by conditional writes, streams both ways at bounded memory.
//!
//! Every refusal of S3 passes through `failure`, which says what it means, whether it may pass, and what a person can
//! change. Works with any service that speaks S3 and knows conditional writes.

mod address;
mod bucket;
mod creation;
mod download;
mod failure;
mod listing;
mod object_store;
mod upload;

pub use object_store::S3Store;
