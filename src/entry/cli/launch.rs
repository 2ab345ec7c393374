//! `dayfly launch`: a master of its own, and back to the shell.

use clap::Args;

use super::order::{OrderArguments, ReportArguments, Who};
use super::place::StoreArguments;
use super::{Ended, screen};
use crate::entry::exit;
use crate::entry::trigger::{Executables, Purpose, create, launch, new_run_id, read};
use crate::views::report::Format;

/// Flags of `launch`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    order: OrderArguments,
    #[command(flatten)]
    report: ReportArguments,
    #[command(flatten)]
    store: StoreArguments,
}

/// Creates a run, starts its master and returns at its first sign of life.
pub async fn run(arguments: Arguments) -> Ended {
    let order = arguments.order.order(Purpose::Run, Who::Detached, arguments.report.verbose)?;
    let place = arguments.store.open().await?;
    let programs = Executables::find()?;
    let reading = read(&order)?;
    if !reading.warnings.is_empty() {
        screen::remark(&reading.warnings);
    }
    let spec = create(place.store.as_ref(), &place.state, new_run_id(), &order, &reading, &programs).await?;
    launch(place.store.as_ref(), &place.state, &programs.dayfly, &spec).await?;
    let run = &spec.run;
    match arguments.report.format() {
        Format::Json => screen::say(&format!("{}\n", serde_json::json!({"v": 1, "run": run}))),
        Format::Text => {
            screen::say(&format!("{run}\n"));
            screen::remark(&format!(
                "launched; dayfly attach {run} follows it, dayfly show {run} says what runs where, dayfly cancel {run} ends it"
            ));
        }
    }
    Ok(exit::SUCCESS)
}
