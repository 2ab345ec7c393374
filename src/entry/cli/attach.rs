//! `dayfly attach`: follows a run that another process works on, by way of the store.

use std::time::{Duration, Instant};

use clap::Args;

use super::order::ReportArguments;
use super::place::{Place, RunArguments};
use super::{Ended, screen};
use crate::core::event::EventKind;
use crate::core::ids::RunId;
use crate::core::records::{Receipt, Spec};
use crate::core::timing::ms;
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{MasterLock, has_master, load_receipt, load_spec, refuse_reaped};
use crate::views::report::{LiveReader, Reporter, recap_of_receipt};

/// Flags of `attach`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// Between two looks into a folder.
const PAUSE: Duration = Duration::from_millis(300);
/// Between two looks into a store that is asked over the network, where each costs something.
const REMOTE_PAUSE: Duration = Duration::from_secs(1);
/// A run without a master for this many looks is said to have none: one that ends may still write its last word.
const LOOKS: u32 = 3;
/// A master with a machine of its own is started again by that machine, or by the reaper.
const MAY_COME_BACK: &str =
    "its master gives no sign of life; its machine starts it again, dayfly reap launches another where that is gone";

/// Shows events until the run is over; ends with the run's exit code.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    let mut reporter = screen::reporter(&arguments.report, false);
    let spec = load_spec(place.store.as_ref(), &run).await?;
    let followed = follow(&place, &spec, &mut reporter).await;
    // Bars must not stand below what is said last.
    reporter.detach();
    Ok(exit::code_of_run(followed?.exit))
}

/// What is said where nobody works on a run that is not over.
pub fn without_master(run: &RunId) -> Problem {
    Problem::failed(format!("no master works on run {run}; dayfly resume {run} takes it over"))
}

/// The pause between two looks into a store.
pub fn pause(place: &Place) -> Duration {
    if place.store.location().contains("://") { REMOTE_PAUSE } else { PAUSE }
}

/// Feeds a reporter until the receipt is there and every event before it was shown.
async fn follow(place: &Place, spec: &Spec, reporter: &mut Reporter) -> Result<Receipt, Problem> {
    let run = &spec.run;
    let mut reader = LiveReader::new(place.store.clone(), run.clone());
    let mut recap_shown = false;
    let (mut looks, mut since) = (0, Instant::now());
    let mut told = false;
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
        } else if silent && !has_master(place.store.as_ref(), &place.state, spec).await? {
            refuse_reaped(place.store.as_ref(), run).await?;
            looks += 1;
            if spec.master.is_some() && since.elapsed() < ms(spec.timing.take_over_ms) {
                if looks == LOOKS {
                    screen::remark(&format!("run {run}: {MAY_COME_BACK}"));
                }
            } else if looks >= LOOKS {
                return Err(without_master(run));
            }
        } else {
            (looks, since) = (0, Instant::now());
            if !told && spec.master.is_some() && reader.is_at_the_start() {
                told = true;
                screen::remark(&format!("run {run}: its master has not begun yet"));
            }
        }
        tokio::time::sleep(pause(place)).await;
    }
}
