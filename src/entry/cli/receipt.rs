//! `dayfly receipt`: the master's last word, as it stands in the store.

use clap::Args;

use super::place::RunArguments;
use super::{Ended, screen};
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::store_failed;
use crate::platform::store::layout;

/// Flags of `receipt`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
}

/// Prints it, byte for byte; what failed is a remark.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    let bytes = place.store.get(&layout::receipt_key(&run)).await.map_err(store_failed)?;
    let bytes = bytes.ok_or_else(|| {
        Problem::failed(format!("run {run} has no receipt yet: it is not over; dayfly show {run} says how far it is"))
    })?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    screen::say(&text);
    let failures = super::show::failures(&place, &run).await?;
    if !failures.is_empty() {
        screen::remark(&failures);
    }
    Ok(exit::SUCCESS)
}
