//! Scenarios on the real programs: real sshd processes, real agents, a real store, all below one temporary folder each.
//!
//! One file per feature. A scenario asserts standard output, standard error and exit code, and in the end that nothing is
//! left: no process that belongs to it, no worker's HOME.

#![expect(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "small texts, made once; the short form reads better"
)]

#[path = "e2e/ended.rs"]
mod ended;
#[path = "e2e/going.rs"]
mod going;
#[path = "e2e/processes.rs"]
mod processes;
#[path = "e2e/records.rs"]
mod records;
#[path = "e2e/scene.rs"]
mod scene;

#[path = "e2e/commands.rs"]
mod commands;
#[path = "e2e/deadline.rs"]
mod deadline;
#[path = "e2e/documentation.rs"]
mod documentation;
#[path = "e2e/faults_input.rs"]
mod faults_input;
#[path = "e2e/faults_machine.rs"]
mod faults_machine;
#[path = "e2e/faults_steps.rs"]
mod faults_steps;
#[path = "e2e/kill_resume.rs"]
mod kill_resume;
#[path = "e2e/pipeline.rs"]
mod pipeline;
#[path = "e2e/playbooks.rs"]
mod playbooks;
#[path = "e2e/secrets.rs"]
mod secrets;
