//! `dayfly show`: what runs where, since when, with what output; also while the master sits somewhere else.

use std::fmt::Write as _;

use clap::Args;

use super::place::{Place, RunArguments};
use super::{Ended, screen};
use crate::core::ids::RunId;
use crate::core::records::{Beat, Spec};
use crate::core::world::World as _;
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{
    MasterLock, NEVER_LAUNCHED, SystemWorld, asked_for, has_master, load_closed, load_receipt, load_spec, store_failed,
};
use crate::platform::store::layout;
use crate::views::report::{Course, Failures, LiveReader, duration_text, recap_of_receipt};

/// Flags of `show`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// So many of the last lines of each running step
    #[arg(short = 'n', long, default_value_t = 3)]
    lines: usize,
}

/// One look.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    let spec = load_spec(place.store.as_ref(), &run).await?;
    if let Some(receipt) = load_receipt(place.store.as_ref(), &run).await? {
        screen::say(&format!("{run}  {}: over\n", spec.name));
        let failures = failures(&place, &run).await?;
        if !failures.is_empty() {
            screen::say(&format!("\n{failures}"));
        }
        screen::say(&recap_of_receipt(&receipt, screen::paint(), screen::columns()));
        return Ok(exit::SUCCESS);
    }
    let mut course = Course::default();
    let mut reader = LiveReader::new(place.store.clone(), run.clone());
    for event in reader.read().await.map_err(anyhow::Error::new)? {
        course.event(&event);
    }
    let now = SystemWorld.unix_ms();
    let left = u64::try_from(spec.deadline_ms - now).unwrap_or_default();
    let mut text = format!("{run}  {}: {}\n", spec.name, master(&place, &spec).await?);
    let _ = writeln!(text, "  ends by its deadline in {}", duration_text(left));
    render(&mut text, &course, now, arguments.lines);
    screen::say(&text);
    Ok(exit::SUCCESS)
}

/// What failed in a run so far, as its live events tell.
pub async fn failures(place: &Place, run: &RunId) -> Result<String, Problem> {
    let mut failures = Failures::new(run.clone());
    for event in LiveReader::new(place.store.clone(), run.clone()).read().await.map_err(anyhow::Error::new)? {
        failures.event(&event);
    }
    Ok(failures.render())
}

async fn master(place: &Place, spec: &Spec) -> Result<String, Problem> {
    let run = &spec.run;
    let beats = place.store.list(&layout::beat_prefix(run), None).await.map_err(store_failed)?;
    let beat = match beats.last() {
        Some(last) => place.store.get(&last.key).await.map_err(store_failed)?.map(|bytes| (bytes, last.modified_ms)),
        None => None,
    };
    let closed = load_closed(place.store.as_ref(), run).await?;
    if let Some(closed) = closed.as_ref().filter(|closed| closed.master_state.starts_with(NEVER_LAUNCHED)) {
        return Ok(closed.master_state.clone());
    }
    let lives = MasterLock::holder(&place.state.lock(run));
    let Some((bytes, at_ms)) = beat else {
        let asked = asked_for(place.store.as_ref(), spec, None).await?;
        return Ok(match (lives, asked) {
            (Some(pid), _) => format!("its master (process {pid}) begins"),
            (None, Some(ago)) => {
                format!("its master was asked for {} ago and has given no sign of life yet", duration_text(ago))
            }
            (None, None) => "no master yet".to_owned(),
        });
    };
    let beat: Beat = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::failed(format!("read the beat of run {run}: {error}")))?;
    let age = duration_text(u64::try_from(SystemWorld.unix_ms() - at_ms).unwrap_or_default());
    Ok(match lives {
        Some(pid) => format!("{}, master {} (process {pid}), seen {age} ago", beat.phase, beat.epoch),
        None if closed.is_some() => "its master died; dayfly reap ended what was left".to_owned(),
        None => {
            let seen = format!(
                "{}, master {} was seen {age} ago on {} (process {})",
                beat.phase, beat.epoch, beat.host, beat.pid
            );
            if let Some(ago) = asked_for(place.store.as_ref(), spec, Some(at_ms)).await? {
                format!("{seen}; another was asked for {} ago", duration_text(ago))
            } else if has_master(place.store.as_ref(), &place.state, spec).await? {
                seen
            } else if spec.master.is_some() {
                format!("{seen} and is dead; dayfly reap launches another, dayfly resume {run} takes over here")
            } else {
                format!("{seen} and is dead; dayfly resume {run} takes over")
            }
        }
    })
}

fn render(text: &mut String, course: &Course, now: i64, lines: usize) {
    if let Some(why) = &course.stopping {
        let _ = writeln!(text, "  stopping: {why}");
    }
    for worker in course.workers.iter().map(|(slot, worker)| {
        let at = if worker.address.is_empty() { String::new() } else { format!(" at {}", worker.address) };
        format!("  {slot:<16} {:<10} {}{at}", worker.state, worker.instance)
    }) {
        let _ = writeln!(text, "{worker}");
    }
    for play in course.plays.values() {
        let _ = writeln!(text, "play {}", play.name);
        if !play.task.is_empty() {
            let _ = writeln!(text, "  task {} ({}/{} hosts)", play.task, play.done.len(), play.task_hosts);
        }
    }
    let mut steps: Vec<_> = course.steps.iter().collect();
    steps.sort_by_key(|(_, step)| step.since_ms);
    for (key, step) in steps {
        let since = duration_text(u64::try_from(now - step.since_ms).unwrap_or_default());
        let _ = writeln!(text, "step {} on {} since {since} ({key})", step.name, step.host);
        let tail: Vec<_> = step.tail.lines().rev().take(lines).collect();
        for line in tail.iter().rev() {
            let clean: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
            let _ = writeln!(text, "  | {clean}");
        }
    }
    let _ = writeln!(text, "{} steps run, {} are done", course.steps.len(), course.steps_done);
}
