//! `dayfly logs --master`: what the masters of a run printed, from the store or from this machine.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::attach::pause;
use super::place::Place;
use super::{Ended, screen};
use crate::core::ids::RunId;
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{is_over, store_failed};
use crate::platform::store::layout;

/// Prints what is there, and with `follow` what comes until the run is over.
pub async fn show(place: &Place, run: &RunId, follow: bool) -> Ended {
    let mut shown: BTreeMap<String, Bytes> = BTreeMap::new();
    loop {
        // First whether it is over, then the logs: what was printed before is then certainly read.
        let over = is_over(place.store.as_ref(), run).await?;
        for (name, bytes) in printed(place, run).await? {
            let before = shown.get(&name).cloned().unwrap_or_default();
            if bytes == before {
                continue;
            }
            if before.is_empty() {
                screen::say(&format!("==> {name} <==\n"));
            }
            // Of a long log only the end is kept: then it begins anew.
            screen::say_bytes(bytes.strip_prefix(before.as_ref()).unwrap_or(&bytes));
            shown.insert(name, bytes);
        }
        if over || !follow {
            break;
        }
        tokio::time::sleep(pause(place)).await;
    }
    if shown.is_empty() {
        screen::remark(&format!(
            "no log of a master of run {run}: one in the foreground prints to its terminal, one on EC2 brings its log while \
             it lives"
        ));
    }
    Ok(exit::SUCCESS)
}

/// Each log with its name: of masters with machines of their own from the store, of one on this machine its file.
async fn printed(place: &Place, run: &RunId) -> Result<Vec<(String, Bytes)>, Problem> {
    let mut logs = Vec::new();
    for listed in place.store.list(&layout::master_log_prefix(run), None).await.map_err(store_failed)? {
        if let Some(bytes) = place.store.get(&listed.key).await.map_err(store_failed)? {
            let number = layout::number_of(&listed.key).unwrap_or(0);
            logs.push((format!("the machine of master {number}"), bytes));
        }
    }
    let here = place.state.master_log(&place.store.location(), run);
    if let Ok(bytes) = std::fs::read(&here)
        && !bytes.is_empty()
    {
        logs.push((here.display().to_string(), bytes.into()));
    }
    Ok(logs)
}
