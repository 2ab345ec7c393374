//! The detached master that `dayfly launch` starts.

use clap::Args;

use super::Ended;
use super::place::StoreArguments;
use crate::core::ids::RunId;
use crate::entry::trigger::{Executables, Sight, load_spec, work};

/// Flags of the hidden command.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The run
    #[arg(long)]
    run: String,
    /// Why this master begins
    #[arg(long, default_value = "launch")]
    why: String,
    #[command(flatten)]
    store: StoreArguments,
}

/// Works on a run without a terminal.
pub async fn run(arguments: Arguments) -> Ended {
    // A session of its own: no terminal can hang it up. It fails where this process leads one already, which is as good.
    let _ = nix::unistd::setsid();
    let place = arguments.store.open().await?;
    let spec = load_spec(place.store.as_ref(), &RunId::new(arguments.run)).await?;
    let programs = Executables::find()?;
    let receipt = work(place.store.clone(), &place.state, &programs, spec, &arguments.why, Sight::Detached).await?;
    place.finish(&receipt).await
}
