//! Looking after runs on a cloud that follows EC2's rules: plan, doctor and reap from outside, against the rules of the
//! pocket cloud without its hosts. A master launched there never gives a sign of life.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure is told")]

mod desk;
mod doctor;
mod plan;
#[path = "../store_s3/pocket.rs"]
#[allow(dead_code, reason = "the tests of the store need more of it")]
mod pocket;
mod reap;
