//! Scenarios on the pocket cloud (docs/pocket-cloud.md): the real programs, real machines, an EC2 and S3 that follow the
//! rules of the real ones. The oracle reads the cloud's own ledger, never dayfly's word.
//!
//! Each scenario has a cloud of its own, which is gone with the test, however that ends. They need root and Linux
//! namespaces; where those are refused, they fail and say so.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a failed scenario shows")]

#[expect(dead_code, reason = "the same file serves the scenarios on local workers, which ask more")]
#[path = "../e2e/ended.rs"]
mod ended;
#[expect(dead_code, reason = "the same file serves the scenarios on local workers, which ask more")]
#[path = "../e2e/going.rs"]
mod going;
#[expect(dead_code, reason = "the same file serves the scenarios on local workers, which ask more")]
#[path = "../e2e/processes.rs"]
mod processes;

mod cloud;
mod desk;
mod oracle;
mod programs;

#[path = "scenarios/asking.rs"]
mod asking;
#[path = "scenarios/crowds.rs"]
mod crowds;
#[path = "scenarios/demo.rs"]
mod demo;
#[path = "scenarios/launches.rs"]
mod launches;
#[path = "scenarios/layers.rs"]
mod layers;
#[path = "scenarios/masters.rs"]
mod masters;
#[path = "scenarios/names.rs"]
mod names;
#[path = "scenarios/refusals.rs"]
mod refusals;
#[path = "scenarios/trust.rs"]
mod trust;
#[path = "scenarios/wishes.rs"]
mod wishes;
