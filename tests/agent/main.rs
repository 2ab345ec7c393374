//! The agent and the way to it, from outside: a real sshd on loopback, real processes, real disks.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod endings;
mod harness;
mod interruptions;
mod output;
mod ssh;
mod steps;
mod users;
