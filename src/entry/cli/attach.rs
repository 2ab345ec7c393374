//! `dayfly attach`: follows a run that another process works on, by way of the store.

use std::time::Duration;

use clap::Args;

use super::order::ReportArguments;
use super::place::{Place, RunArguments};
use super::{Ended, screen};
use crate::core::event::EventKind;
use crate::core::ids::RunId;
use crate::core::records::Receipt;
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{MasterLock, load_receipt};
use crate::views::report::{LiveReader, Reporter, recap_of_receipt};

/// Flags of `attach`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// Between two looks into the store.
const PAUSE: Duration = Duration::from_millis(300);
/// A run without a master on this machine for this many looks is said to have none.
const LOOKS: u32 = 20;

/// Shows events until the run is over; ends with the run's exit code.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    let mut reporter = screen::reporter(&arguments.report, false);
    let receipt = follow(&place, &run, &mut reporter).await?;
    Ok(exit::code_of_run(receipt.exit))
}

/// Feeds a reporter until the receipt is there and every event before it was shown.
pub async fn follow(place: &Place, run: &RunId, reporter: &mut Reporter) -> Result<Receipt, Problem> {
    let mut reader = LiveReader::new(place.store.clone(), run.clone());
    let mut recap_shown = false;
    let mut without_master = 0;
    loop {
        // First the receipt, then the events: what was written before it is then certainly read.
        let receipt = load_receipt(place.store.as_ref(), run).await?;
        let events = reader.read().await.map_err(anyhow::Error::new)?;
        let silent = events.is_empty();
        for event in events {
            recap_shown |= matches!(event.kind, EventKind::RunEnded { .. });
            reporter.event(&event);
        }
        reporter.tick();
        if let Some(receipt) = receipt {
            let master_ended = MasterLock::holder(&place.state.lock(run)).is_none();
            if recap_shown || (silent && master_ended) {
                if !recap_shown {
                    screen::say(&recap_of_receipt(&receipt, screen::paint(), screen::columns()));
                }
                return Ok(receipt);
            }
        } else if silent && MasterLock::holder(&place.state.lock(run)).is_none() {
            without_master += 1;
            if without_master == LOOKS {
                reporter.last_words(&format!(
                    "no master of run {run} lives on this machine; dayfly resume {run} takes it over"
                ));
                return Err(Problem::failed(format!("run {run} is not over, and nobody works on it here")));
            }
        } else {
            without_master = 0;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
