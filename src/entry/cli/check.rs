//! `dayfly check`: every problem of a playbook, before anything is launched.

use clap::Args;

use super::Ended;
use super::order::{OrderArguments, ReportArguments, Who};
use super::screen;
use crate::entry::exit;
use crate::entry::trigger::{Purpose, read};

/// Flags of `check`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    order: OrderArguments,
    #[command(flatten)]
    report: ReportArguments,
    #[command(flatten)]
    _store: super::place::StoreArguments,
}

/// Reads and checks.
pub fn run(arguments: Arguments) -> Ended {
    let order = arguments.order.order(Purpose::Check, Who::Here, arguments.report.verbose)?;
    let reading = read(&order)?;
    if !reading.warnings.is_empty() {
        screen::remark(&reading.warnings);
    }
    let plays = reading.playbook.plays.len();
    let workers: u32 = reading.cluster.groups.values().map(|group| group.count).sum();
    screen::say(&format!(
        "{}: ok, {plays} {}, {}\n",
        order.playbook.display(),
        if plays == 1 { "play" } else { "plays" },
        match workers {
            0 => "no workers of its own".to_owned(),
            1 => "1 worker".to_owned(),
            many => format!("{many} workers"),
        }
    ));
    Ok(exit::SUCCESS)
}
