//! A master's machine of its own: what it is asked for by (`blueprint`), its claim (`claim`), its launch (`launching`),
//! what it does at each boot (`boot`), and what the master does there for the machine (`lease`, `printed`).

mod blueprint;
mod boot;
mod claim;
mod launching;
mod lease;
mod printed;

pub(super) use blueprint::with_defaults;
pub use blueprint::{Blueprint, Program};
pub(super) use boot::unseen;
pub use claim::{MasterCall, MasterClaim, load_claim, next_epoch};
pub use launching::{MasterLaunchError, launch_master};
pub use lease::OwnLease;
pub use printed::Printed;

#[cfg(test)]
pub(crate) use launching::tests::spec as test_spec;
