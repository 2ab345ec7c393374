//! The detached master: the process that `dayfly launch` starts on this machine, or the service of a machine that was
//! launched for it.

use clap::Args;

use super::order::ReportArguments;
use super::place::{Place, StoreArguments};
use super::{Ended, screen};
use crate::core::ids::{Epoch, RunId};
use crate::core::records::Spec;
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{OwnLease, Printed, Sight, Terminated, Turn, fenced, is_over, load_spec, superseded, work};

/// Flags of the hidden command.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The run
    #[arg(long)]
    run: String,
    /// Why this master begins
    #[arg(long, default_value = "launch")]
    why: String,
    /// This machine was launched for this master and ends with it
    #[arg(long, requires = "epoch")]
    machine: bool,
    /// The epoch that the machine was claimed for
    #[arg(long)]
    epoch: Option<u32>,
    #[command(flatten)]
    store: StoreArguments,
}

/// Works on a run without a terminal.
pub async fn run(arguments: Arguments) -> Ended {
    let run = RunId::new(arguments.run);
    let epoch = arguments.epoch.map(Epoch);
    let place = arguments.store.open().await?;
    if let (true, Some(epoch)) = (arguments.machine, epoch) {
        return on_own_machine(&place, &run, epoch, arguments.why).await;
    }
    // A session of its own: no terminal can hang it up. It fails where this process leads one already, which is as good.
    let _ = nix::unistd::setsid();
    let spec = load_spec(place.store.as_ref(), &run).await?;
    let turn = Turn { why: arguments.why, claimed: epoch };
    let receipt = work(&place.ground()?, spec, &turn, Sight::Detached).await?;
    place.finish(&receipt).await
}

/// The service of a master's machine: its success powers the machine off, its failure starts it again. It succeeds when
/// there is nothing left to do here, however that came.
async fn on_own_machine(place: &Place, run: &RunId, epoch: Epoch, why: String) -> Ended {
    let terminated = Terminated::listen()?;
    let printed = Printed::carry(place.store.clone(), run, epoch);
    let ended = tokio::select! {
        ended = serve(place, run, Turn { why, claimed: Some(epoch) }) => ended,
        () = terminated.heard() => Err(Problem::failed(format!("the machine of master {epoch} of run {run} is being ended"))),
    };
    let code = match ended {
        Ok(()) => exit::SUCCESS,
        Err(problem) => {
            screen::complain(&problem);
            problem.code()
        }
    };
    printed.finish().await;
    Ok(code)
}

async fn serve(place: &Place, run: &RunId, mut turn: Turn) -> Result<(), Problem> {
    let store = place.store.as_ref();
    let spec: Spec = load_spec(store, run).await?;
    let epoch = turn.claimed.unwrap_or(Epoch(1));
    let lease = OwnLease::keep(run, epoch, &spec.timing)
        .map_err(|error| Problem::failed(format!("write this machine's lease: {error}")))?;
    if is_over(store, run).await? {
        screen::remark(&format!("run {run} is over"));
        return Ok(());
    }
    if superseded(store, &spec, epoch).await? {
        screen::remark(&format!("run {run} has a later master that lives"));
        return Ok(());
    }
    if place.state.lock(run).exists() {
        // This machine had a master before, whatever it was launched for.
        "restart".clone_into(&mut turn.why);
    }
    let log = Box::new(screen::reporter(&ReportArguments::default(), false));
    match work(&place.ground()?, spec, &turn, Sight::Machine { log, lease }).await {
        Ok(_receipt) => Ok(()),
        Err(problem) if fenced(&problem) => {
            screen::remark(&problem.to_string());
            Ok(())
        }
        Err(problem) => Err(problem),
    }
}
