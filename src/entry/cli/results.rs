//! `dayfly results`: a run's result files, listed or copied out.

use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::place::RunArguments;
use super::{Ended, screen};
use crate::entry::exit;
use crate::entry::trigger::{load_receipt, store_failed};
use crate::platform::store::layout;
use crate::views::report::{bytes_text, files_text};

/// Flags of `results`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// Copy them into this folder, one folder a host
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Lists or copies.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    let prefix = layout::results_prefix(&run);
    let listed = place.store.list(&prefix, None).await.map_err(store_failed)?;
    if load_receipt(place.store.as_ref(), &run).await?.is_none() {
        screen::remark(&if place.store.get(&layout::closed_key(&run)).await.map_err(store_failed)?.is_some() {
            format!("run {run} was ended by dayfly reap: what its workers had not handed in is gone")
        } else {
            format!("run {run} is not over: results come home when a worker is released or the run ends")
        });
    }
    if listed.is_empty() {
        screen::remark(&format!("run {run} has no results"));
        return Ok(exit::SUCCESS);
    }
    let Some(folder) = arguments.to else {
        let lines = listed.iter().map(|entry| {
            format!("{:>10}  {}\n", bytes_text(entry.size), entry.key.strip_prefix(&prefix).unwrap_or(&entry.key))
        });
        screen::say(&lines.collect::<String>());
        return Ok(exit::SUCCESS);
    };
    let mut bytes = 0;
    for entry in &listed {
        let Some(path) = entry.key.strip_prefix(&prefix).map(Path::new).filter(|path| stays_inside(path)) else {
            continue;
        };
        let to = folder.join(path);
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("make the folder {}", parent.display()))?;
        }
        place.store.get_file(&entry.key, &to).await.map_err(store_failed)?;
        bytes += entry.size;
    }
    screen::say(&format!("{}, {} in {}\n", files_text(listed.len() as u64), bytes_text(bytes), folder.display()));
    Ok(exit::SUCCESS)
}

/// Names come from workers: none may lead out of the folder.
fn stays_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}
