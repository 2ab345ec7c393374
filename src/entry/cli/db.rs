//! `dayfly db`: the run database beside the store.

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::place::StoreArguments;
use super::{Ended, screen};
use crate::entry::exit;
use crate::views::rundb::Database;

/// What can be done with it.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rebuild it from the store
    Sync(Sync),
}

/// Flags of `db sync`.
#[derive(Args, Debug)]
pub struct Sync {
    #[command(flatten)]
    store: StoreArguments,
    /// Log archives up to so many bytes are kept inside; larger ones stay in the store alone
    #[arg(long, value_name = "BYTES")]
    archive_limit: Option<u64>,
}

/// Rebuilds every row.
pub async fn run(command: Command) -> Ended {
    let Command::Sync(arguments) = command;
    let place = arguments.store.open().await?;
    let path = place.state.database(&place.store.location());
    let what = || format!("bring the run database {} up to date", path.display());
    let mut database = Database::open(&path).await.with_context(what)?;
    if let Some(limit) = arguments.archive_limit {
        database = database.archive_limit(limit);
    }
    let runs = database.sync(place.store.as_ref()).await.with_context(what)?;
    screen::say(&format!("{}: {runs} {}\n", path.display(), if runs == 1 { "run" } else { "runs" }));
    Ok(exit::SUCCESS)
}
