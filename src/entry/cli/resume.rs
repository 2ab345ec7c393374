//! `dayfly resume`: takes over a run whose master died.

use clap::Args;

use super::order::ReportArguments;
use super::place::RunArguments;
use super::{Ended, screen};
use crate::core::records::Spec;
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{
    Executables, MasterLock, Sight, Turn, living, load_receipt, load_spec, refuse_reaped, watched_elsewhere, work,
};
use crate::views::report::{Format, recap_of_receipt};

/// Flags of `resume`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    report: ReportArguments,
    /// Go on with this dayfly although another build began the run
    #[arg(long)]
    upgrade: bool,
}

/// A dead master's run goes on here; of a finished one the recap is printed; a living one is left alone.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    let mut spec = load_spec(place.store.as_ref(), &run).await?;
    if let Some(receipt) = load_receipt(place.store.as_ref(), &run).await? {
        match arguments.report.format() {
            Format::Json => screen::say(&format!("{}\n", serde_json::to_string(&receipt).unwrap_or_default())),
            Format::Text => screen::say(&recap_of_receipt(&receipt, screen::paint(), screen::columns())),
        }
        return Ok(exit::code_of_run(receipt.exit));
    }
    refuse_reaped(place.store.as_ref(), &run).await?;
    if let Some(pid) = MasterLock::holder(&place.state.lock(&run)) {
        return Err(living(&run, pid));
    }
    if let Some(host) = watched_elsewhere(place.store.as_ref(), &spec).await? {
        return Err(Problem::failed(format!(
            "run {run} has a master that lives on {host}; watch it with dayfly attach {run}, end it with dayfly cancel {run}"
        )));
    }
    let ground = place.ground()?;
    if arguments.upgrade {
        spec.bin = ground.programs.hashes()?;
    } else {
        same_build(&spec, &ground.programs)?;
    }
    let sight = Sight::Terminal(Box::new(screen::reporter(&arguments.report, false)));
    let receipt = work(&ground, spec, &Turn::here("resume"), sight).await?;
    place.finish(&receipt).await
}

/// Each epoch runs exactly what the spec names.
fn same_build(spec: &Spec, programs: &Executables) -> Result<(), Problem> {
    let here = programs.hashes()?;
    for (name, began, now) in
        [("dayfly", &spec.bin.dayfly, &here.dayfly), ("dayfly-agent", &spec.bin.agent, &here.agent)]
    {
        if began != now {
            return Err(Problem::failed(format!(
                "run {} was begun by another build of {name} ({}…, this is {}…); go on with this one by --upgrade",
                spec.run,
                &began[..began.len().min(12)],
                &now[..now.len().min(12)],
            )));
        }
    }
    Ok(())
}
