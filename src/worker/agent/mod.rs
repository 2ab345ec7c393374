//! The agent: steps that outlive their connection, on disk.
//!
//! `dayfly-agent connect` serves one channel from the step folders and ends with it; `dayfly-agent supervise` owns one
//! step; `dayfly-agent exec` runs a module as another user. They meet only on disk: a folder that appears by `rename`,
//! a lock that its supervisor holds while it lives, an outcome that appears by `rename`. So there is no daemon, no state
//! to lose, and any number of channels may look at the same step.

mod arguments;
mod becoming;
mod capture;
mod cgroup;
mod changes;
mod channel;
mod clock;
mod connect;
mod environment;
mod fence;
mod files;
mod folders;
mod follow;
mod frame;
mod glob;
mod guard;
mod lease;
mod prune;
mod reserve;
mod role;
mod runner;
mod sample;
mod service;
mod signals;
mod spool;
mod spool_reader;
mod step_folder;
mod supervise;
mod tree;
mod user;

pub use role::main;
