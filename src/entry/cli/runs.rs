//! `dayfly runs`: what the store knows, youngest first.

use clap::Args;
use futures::StreamExt as _;

use super::place::{Place, StoreArguments};
use super::{Ended, screen};
use crate::core::ids::RunId;
use crate::core::records::Outcome;
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{NEVER_LAUNCHED, has_master, load_closed, load_receipt, load_spec, recent_runs};
use crate::views::report::duration_text;

/// Flags of `runs`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 20)]
    number: usize,
    #[command(flatten)]
    store: StoreArguments,
}

/// So many runs are looked at side by side.
const AT_ONCE: usize = 16;

/// One line a run.
pub async fn run(arguments: Arguments) -> Ended {
    let place = arguments.store.open().await?;
    let runs = recent_runs(place.store.as_ref(), arguments.number).await?;
    if runs.is_empty() {
        screen::remark(&format!("there is no run yet in the store {}", place.store.location()));
        return Ok(exit::SUCCESS);
    }
    let mut text = format!("{:<26}  {:<19}  {:<14}  {:>8}  {}\n", "RUN", "STARTED (UTC)", "STATE", "TOOK", "PLAYBOOK");
    // Each line is some answers of the store, which may be far away.
    let lines = futures::stream::iter(runs).map(|run| line(&place, run)).buffered(AT_ONCE);
    text.push_str(&lines.collect::<Vec<_>>().await.concat());
    screen::say(&text);
    Ok(exit::SUCCESS)
}

async fn line(place: &Place, run: RunId) -> String {
    match parts(place, &run).await {
        Ok((started, state, took, name)) => format!("{run:<26}  {started:<19}  {state:<14}  {took:>8}  {name}\n"),
        Err(problem) => format!("{run:<26}  {problem}\n"),
    }
}

async fn parts(place: &Place, run: &RunId) -> Result<(String, String, String, String), Problem> {
    let store = place.store.as_ref();
    let spec = load_spec(store, run).await?;
    let started = jiff::Timestamp::from_millisecond(spec.created_ms).unwrap_or_default();
    let started = started.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let (state, took) = match load_receipt(store, run).await? {
        Some(receipt) => {
            let word = match receipt.outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::Failed => "failed",
                Outcome::Cancelled => "cancelled",
                Outcome::Expired => "expired",
                Outcome::Unproven => "unproven",
            };
            let took = u64::try_from(receipt.ended_ms - receipt.started_ms).unwrap_or_default();
            (word.to_owned(), duration_text(took))
        }
        None => match load_closed(store, run).await? {
            Some(closed) if closed.master_state.starts_with(NEVER_LAUNCHED) => {
                ("not launched".to_owned(), String::new())
            }
            Some(_) => ("reaped".to_owned(), String::new()),
            None if has_master(store, &place.state, &spec).await? => ("running".to_owned(), String::new()),
            None => ("master dead".to_owned(), String::new()),
        },
    };
    Ok((started, state, took, spec.name))
}
