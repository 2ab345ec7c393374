//! The messages between master and agent, generated from `proto/agent.proto`.
#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

tonic::include_proto!("dayfly.agent.v1");

/// The version that both sides of a channel must agree on.
pub const WIRE_VERSION: u32 = 1;
