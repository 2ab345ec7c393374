//! `dayfly run`: the master is this process.

use clap::Args;

use super::order::{OrderArguments, ReportArguments, Who};
use super::place::StoreArguments;
use super::{Ended, screen};
use crate::entry::trigger::{Purpose, Sight, Turn, create, new_run_id, read, work};

/// Flags of `run`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    order: OrderArguments,
    #[command(flatten)]
    report: ReportArguments,
    #[command(flatten)]
    store: StoreArguments,
}

/// Creates a run and works on it until it is over.
pub async fn run(arguments: Arguments) -> Ended {
    let order = arguments.order.order(Purpose::Run, Who::Here, arguments.report.verbose)?;
    let place = arguments.store.open().await?;
    let ground = place.ground()?;
    let reading = read(&order)?;
    if !reading.warnings.is_empty() {
        screen::remark(&reading.warnings);
    }
    let spec = create(&ground, new_run_id(), &order, &reading, &screen::remark).await?;
    let sight = Sight::Terminal(Box::new(screen::reporter(&arguments.report, false)));
    let receipt = work(&ground, spec, &Turn::here("launch"), sight).await?;
    place.finish(&receipt).await
}
