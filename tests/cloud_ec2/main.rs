//! EC2 as a cloud against a strict EC2 by HTTP: the rules of the pocket cloud, without its hosts.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure is told")]

mod account;
mod endings;
mod launches;
#[path = "../store_s3/pocket.rs"]
#[allow(dead_code, reason = "the tests of the store need more of it")]
mod pocket;
mod resolving;
