//! `dayfly reap`: ends what dead masters left, and proves that nothing is left.

use clap::Args;

use super::place::StoreArguments;
use super::{Ended, screen};
use crate::core::ids::InstanceId;
use crate::entry::exit;
use crate::entry::reap::{Reaped, reap};

/// Flags of `reap`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
}

/// One line for each open run; exit 7 where something is not proven gone.
pub async fn run(arguments: Arguments) -> Ended {
    let place = arguments.store.open().await?;
    let reaped = reap(place.store.as_ref(), &place.state).await?;
    if reaped.is_empty() {
        screen::say(&format!("no run is open in the store {}\n", place.store.location()));
    }
    let mut code = exit::SUCCESS;
    for (run, what) in &reaped {
        let text = match what {
            Reaped::Alive => "its master lives; left alone".to_owned(),
            Reaped::Closed { ended } => format!("was over; closed{}", left_over(*ended)),
            Reaped::Ended { ended, uncollected } => {
                format!("its master was dead; ended and closed{}{}", left_over(*ended), lost(*uncollected))
            }
            Reaped::Empty => "never began; forgotten".to_owned(),
            Reaped::Unproven(ids) => {
                code = exit::UNPROVEN;
                let ids: Vec<_> = ids.iter().map(InstanceId::as_str).collect();
                format!("NOT PROVEN GONE: {}", ids.join(", "))
            }
            Reaped::Unknown(why) => {
                code = exit::UNPROVEN;
                format!("not known: {why}")
            }
        };
        screen::say(&format!("{run}  {text}\n"));
        if matches!(what, Reaped::Closed { .. } | Reaped::Ended { .. }) {
            place.project(run).await;
        }
    }
    Ok(code)
}

/// What nobody can fetch any more, and how to keep it another time.
fn lost(uncollected: usize) -> String {
    let workers = match uncollected {
        0 => return String::new(),
        1 => "1 worker".to_owned(),
        many => format!("{many} workers"),
    };
    format!(
        "; results and logs of {workers} were not collected (where they are wanted, dayfly resume RUN before dayfly reap)"
    )
}

fn left_over(ended: usize) -> String {
    match ended {
        0 => String::new(),
        1 => "; 1 worker was left and is gone now".to_owned(),
        many => format!("; {many} workers were left and are gone now"),
    }
}
