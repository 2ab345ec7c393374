//! On the other machine: the agent and its modules. Knows core and language::args only.

pub mod agent;
pub mod modules;
