//! `dayfly launch`: a master of its own, and back to the shell.

use clap::Args;

use super::order::{OrderArguments, ReportArguments, Who};
use super::place::StoreArguments;
use super::{Ended, screen};
use crate::core::ids::Epoch;
use crate::core::records::{CloudKind, Spec};
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{
    Ground, MasterCall, MasterLaunchError, Purpose, create, first_beat, launch, launch_master, new_run_id, read,
    withdraw,
};
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
    /// Return only when the master on EC2 has given its first sign of life
    #[arg(long)]
    wait: bool,
}

/// Creates a run, starts its master and returns: on this machine at its first sign of life, on EC2 when the machine is
/// granted.
pub async fn run(arguments: Arguments) -> Ended {
    let order = arguments.order.order(Purpose::Run, Who::Detached, arguments.report.verbose)?;
    let place = arguments.store.open().await?;
    let ground = place.ground()?;
    let reading = read(&order)?;
    if !reading.warnings.is_empty() {
        screen::remark(&reading.warnings);
    }
    let spec = create(&ground, new_run_id(), &order, &reading, &screen::remark).await?;
    let machine = if spec.cloud == CloudKind::Ec2 {
        Some(on_ec2(&ground, &spec, arguments.wait).await?)
    } else {
        launch(ground.store.as_ref(), &ground.state, &ground.programs.dayfly, &spec).await?;
        None
    };
    let run = &spec.run;
    match arguments.report.format() {
        Format::Json => screen::say(&format!("{}\n", serde_json::json!({"v": 1, "run": run, "instance": machine}))),
        Format::Text => {
            screen::say(&format!("{run}\n"));
            let master = machine.map_or_else(|| "launched".to_owned(), |id| format!("launched; its master is {id}"));
            screen::remark(&format!(
                "{master}; dayfly attach {run} follows it, dayfly show {run} says what runs where, dayfly cancel {run} ends it"
            ));
        }
    }
    Ok(exit::SUCCESS)
}

/// The first master's machine: claimed, asked for, granted.
async fn on_ec2(ground: &Ground, spec: &Spec, wait: bool) -> Result<String, Problem> {
    let call = MasterCall {
        epoch: Epoch(1),
        why: "launch".to_owned(),
        by: "dayfly launch".to_owned(),
        deadline_ms: spec.deadline_ms,
    };
    let launched = launch_master(ground.store.as_ref(), &ground.access, spec, &call).await;
    if let Err(Problem::Failed(error)) = &launched
        && let Some(MasterLaunchError::Refused { why, .. }) = error.downcast_ref()
    {
        withdraw(ground.store.as_ref(), &spec.run, why).await?;
    }
    let machine = launched?;
    if wait {
        screen::remark(&format!("run {}: waiting for its master {}", spec.run, machine.id));
        first_beat(ground, spec, &machine.id).await?;
    }
    Ok(machine.id.to_string())
}
