//! `dayfly cancel`: asks a run's master to stop, collect and end everything. The way is the store's, so it works from
//! anywhere.

use clap::Args;

use super::place::RunArguments;
use super::{Ended, screen};
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{has_master, load_receipt, load_spec, refuse_reaped, store_failed};
use crate::platform::store::layout;

/// Flags of `cancel`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
}

/// Writes the wish; the master looks for it every second.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    if load_receipt(place.store.as_ref(), &run).await?.is_some() {
        return Err(Problem::failed(format!("run {run} is over already; dayfly receipt {run} says how")));
    }
    refuse_reaped(place.store.as_ref(), &run).await?;
    let spec = load_spec(place.store.as_ref(), &run).await?;
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    let by = format!("dayfly cancel by {}", user.as_deref().unwrap_or("somebody"));
    let wish = serde_json::json!({"v": 1, "what": "cancel", "by": by});
    let key = layout::control_key(&run, &ulid::Ulid::new().to_string().to_lowercase());
    place.store.create(&key, wish.to_string().into()).await.map_err(store_failed)?;
    screen::remark(&if has_master(place.store.as_ref(), &place.state, &spec).await? {
        format!("asked run {run} to stop; dayfly attach {run} follows it to its end")
    } else {
        format!(
            "asked run {run} to stop, but its master is dead: dayfly resume {run} takes it over and stops it, dayfly reap ends what is left"
        )
    });
    Ok(exit::SUCCESS)
}
