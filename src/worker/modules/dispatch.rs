//! From an order to the module that it names.

use crate::core::records::StepOrder;

use super::failure::Failure;
use super::{Context, Returned, command, copy, file, find, lineinfile, ping, raw, script, setup, slurp, stat};

/// Runs the module that an order names. Never panics: what goes wrong is returned as Ansible returns it, with `failed` and `msg`.
pub fn run(order: &StepOrder, context: &mut Context) -> Returned {
    let args = order.args.clone();
    let outcome = match order.module.as_str() {
        "command" => command::run(args, context, command::Flavour::Command),
        "shell" => command::run(args, context, command::Flavour::Shell),
        "raw" => raw::run(args, context),
        "script" => script::run(args, context),
        "copy" | "template" => copy::run(args, context),
        "file" => file::run(args, context),
        "find" => find::run(args, context),
        "setup" => setup::run(args, context),
        "slurp" => slurp::run(args, context),
        "stat" => stat::run(args, context),
        "lineinfile" => lineinfile::run(args, context),
        "ping" => ping::run(args),
        other => Err(Failure::new(format!("this agent has no module '{other}'"))),
    };
    outcome.unwrap_or_else(Failure::into_returned)
}
