//! `dayfly logs`: what the steps of a run wrote. While it goes from the segments in the store, afterwards from each
//! worker's zip.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde::Deserialize;

use super::attach::{pause, without_master};
use super::place::{Place, RunArguments};
use super::steps::{Steps, listed, short};
use super::{Ended, screen};
use crate::core::ids::{RunId, StepKey};
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{has_master, load_receipt, load_spec, refuse_reaped, store_failed};
use crate::platform::store::layout;

/// Flags of `logs`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// Go on while the run goes
    #[arg(short, long)]
    follow: bool,
    /// Only this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only this step, by its key or the beginning of one
    #[arg(long, value_name = "KEY")]
    step: Option<String>,
    /// Only steps of tasks whose name holds this
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// What the run's masters printed, not its steps
    #[arg(long, conflicts_with_all = ["host", "step", "task"])]
    master: bool,
}

/// A run without a master for this many looks is said to have none.
const LOOKS: u32 = 3;

/// A piece of a step's output, as a line of a log segment holds it.
#[derive(Debug, Deserialize)]
struct Piece {
    key: StepKey,
    task: String,
    next: u64,
    #[serde(default)]
    d: String,
    #[serde(default)]
    b: String,
    #[serde(default)]
    lost: u64,
}

/// A file of a worker's zip.
#[derive(Debug, Deserialize)]
struct Indexed {
    file: String,
    step: StepKey,
    task: String,
}

/// `index.json` of a worker's zip.
#[derive(Debug, Deserialize)]
struct Index {
    steps: Vec<Indexed>,
}

/// Which steps are wanted.
struct Wanted {
    run: RunId,
    host: Option<String>,
    step: Option<String>,
    task: Option<String>,
}

impl Wanted {
    /// `slot` is the worker that holds the log: a delegated step belongs to its own host too.
    fn takes(&self, slot: &str, key: &StepKey, task: &str) -> bool {
        let is = |slot: &str, host: &str| slot.rsplit_once('.').map_or(slot, |(name, _)| name) == host;
        let short = short(&self.run, key);
        let key = key.as_str();
        let of_host = |host: &String| is(slot, host) || key.rsplit('/').nth(2).is_some_and(|slot| is(slot, host));
        let of_step = |step: &String| {
            let step = step.trim_end_matches('/');
            let begins =
                |key: &str| key.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            begins(key) || begins(short)
        };
        self.host.as_ref().is_none_or(of_host)
            && self.step.as_ref().is_none_or(of_step)
            && self.task.as_ref().is_none_or(|name| task.to_lowercase().contains(&name.to_lowercase()))
    }

    /// Says why nothing was printed; an error where something was asked for that the run does not have.
    fn nothing(&self, has: &Steps) -> Result<(), Problem> {
        let run = &self.run;
        let unknown = |what: &str, name: &str, there: String| {
            Err(Problem::failed(format!("run {run} has no {what} {name:?}; there are: {there}")))
        };
        let only = |host: Option<&String>, step: Option<&String>, task: Option<&String>| Self {
            run: run.clone(),
            host: host.cloned(),
            step: step.cloned(),
            task: task.cloned(),
        };
        // A key says whose step it is, so no worker needs to be named.
        let steps = |wanted: &Self| -> Vec<&StepKey> {
            has.keys.iter().filter(|(key, task)| wanted.takes("", key, task)).map(|(key, _)| key).collect()
        };
        let shown = |keys: Vec<&StepKey>| listed(keys.into_iter().map(|key| short(run, key)));
        if let Some(host) = self.host.as_ref().filter(|host| !has.hosts.contains(*host)) {
            return unknown("host", host, listed(has.hosts.iter().map(String::as_str)));
        }
        if let Some(task) = &self.task {
            let named = has.tasks.iter().any(|name| name.to_lowercase().contains(&task.to_lowercase()));
            if !named && steps(&only(None, None, Some(task))).is_empty() {
                return unknown("task", task, listed(has.tasks.iter().map(String::as_str)));
            }
        }
        if let Some(step) = self.step.as_ref().filter(|step| steps(&only(None, Some(step), None)).is_empty()) {
            return unknown("step", step, shown(steps(&only(self.host.as_ref(), None, self.task.as_ref()))));
        }
        let chosen = self.host.is_some() || self.step.is_some() || self.task.is_some();
        let steps = steps(self);
        screen::remark(&match steps[..] {
            _ if !chosen => format!("no step of run {run} wrote anything"),
            [] => format!("run {run} has no step that fits all of this; nothing was written"),
            [step] => format!("the step {} wrote nothing", short(run, step)),
            _ => format!("{} steps of run {run} fit; none of them wrote anything", steps.len()),
        });
        Ok(())
    }
}

/// Writes pieces and says whose they are where that changes.
#[derive(Default)]
struct Printer {
    last: Option<(String, StepKey)>,
    offsets: BTreeMap<StepKey, u64>,
    shown: u64,
    ended_line: bool,
}

impl Printer {
    fn heading(&mut self, slot: &str, key: &StepKey, task: &str) {
        if self.last.as_ref().is_some_and(|(at, step)| at == slot && step == key) {
            return;
        }
        let gap = match (&self.last, self.ended_line) {
            (None, _) => "",
            (_, true) => "\n",
            (_, false) => "\n\n",
        };
        screen::say(&format!("{gap}==> {slot} {task} ({key}) <==\n"));
        self.last = Some((slot.to_owned(), key.clone()));
        self.ended_line = true;
    }
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.ended_line = *last == b'\n';
        }
        self.shown += bytes.len() as u64;
        screen::say_bytes(bytes);
    }
    fn piece(&mut self, slot: &str, piece: &Piece) {
        let offset = self.offsets.entry(piece.key.clone()).or_default();
        if piece.next <= *offset {
            // A later master read it again before it knew that it stands here.
            return;
        }
        *offset = piece.next;
        self.heading(slot, &piece.key, &piece.task);
        if piece.lost > 0 {
            self.bytes(format!("[{} bytes of output were not kept]\n", piece.lost).as_bytes());
        }
        if piece.b.is_empty() {
            self.bytes(piece.d.as_bytes());
        } else {
            self.bytes(&STANDARD.decode(&piece.b).unwrap_or_default());
        }
    }
}

/// Prints what is there, and what comes.
pub async fn run(arguments: Arguments) -> Ended {
    let (place, run) = arguments.run.open().await?;
    if arguments.master {
        return super::master_logs::show(&place, &run, arguments.follow).await;
    }
    let wanted = Wanted { run: run.clone(), host: arguments.host, step: arguments.step, task: arguments.task };
    let mut printer = Printer::default();
    let mut seen = BTreeSet::new();
    let spec = load_spec(place.store.as_ref(), &run).await?;
    let mut abandoned = 0;
    loop {
        let over = load_receipt(place.store.as_ref(), &run).await?.is_some();
        look(&place, &run, &wanted, &mut seen, &mut printer).await?;
        if over || !arguments.follow || abandoned == LOOKS {
            break;
        }
        abandoned = if has_master(place.store.as_ref(), &place.state, &spec).await? { 0 } else { abandoned + 1 };
        tokio::time::sleep(pause(&place)).await;
    }
    if printer.last.is_none() {
        wanted.nothing(&Steps::of(&place, &run).await?)?;
    } else if !printer.ended_line {
        screen::say("\n");
    }
    if abandoned == LOOKS {
        refuse_reaped(place.store.as_ref(), &run).await?;
        return Err(without_master(&run));
    }
    Ok(exit::SUCCESS)
}

/// Prints everything that was not seen yet.
async fn look(
    place: &Place,
    run: &RunId,
    wanted: &Wanted,
    seen: &mut BTreeSet<String>,
    printer: &mut Printer,
) -> Result<(), Problem> {
    let prefix = layout::logs_prefix(run);
    let listed = place.store.list(&prefix, None).await.map_err(store_failed)?;
    for entry in &listed {
        let name = entry.key.strip_prefix(&prefix).unwrap_or(&entry.key);
        match (name.split_once('/'), name.strip_suffix(".zip")) {
            (Some((slot, _)), _) => {
                // From now on the segments tell of this worker; its zip would tell the same again.
                seen.insert(slot.to_owned());
                if seen.insert(entry.key.clone()) {
                    segment(place, &entry.key, slot, wanted, printer).await?;
                }
            }
            (None, Some(slot)) => {
                let segments = listed.iter().any(|other| other.key.starts_with(&format!("{prefix}{slot}/")));
                if !segments && seen.insert(slot.to_owned()) {
                    archive(place, &entry.key, slot, wanted, printer).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

async fn segment(place: &Place, key: &str, slot: &str, wanted: &Wanted, printer: &mut Printer) -> Result<(), Problem> {
    let Some(bytes) = place.store.get(key).await.map_err(store_failed)? else { return Ok(()) };
    let text = zstd::decode_all(bytes.as_ref()).with_context(|| format!("read the log {key}"))?;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let piece: Piece = serde_json::from_slice(line).with_context(|| format!("read the log {key}"))?;
        if wanted.takes(slot, &piece.key, &piece.task) {
            printer.piece(slot, &piece);
        }
    }
    Ok(())
}

async fn archive(place: &Place, key: &str, slot: &str, wanted: &Wanted, printer: &mut Printer) -> Result<(), Problem> {
    let folder = tempfile::tempdir().context("make a folder for the log archive")?;
    let path = folder.path().join("logs.zip");
    place.store.get_file(key, &path).await.map_err(store_failed)?;
    let what = || format!("read the log archive {key}");
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&path).with_context(what)?).with_context(what)?;
    let mut text = Vec::new();
    zip.by_name("index.json").with_context(what)?.read_to_end(&mut text).with_context(what)?;
    let index: Index = serde_json::from_reader(Cursor::new(text)).with_context(what)?;
    for entry in index.steps.iter().filter(|entry| wanted.takes(slot, &entry.step, &entry.task)) {
        printer.heading(slot, &entry.step, &entry.task);
        let mut file = zip.by_name(&entry.file).with_context(what)?;
        let mut buffer = vec![0u8; 64 * 1024];
        loop {
            let count = file.read(&mut buffer).with_context(what)?;
            if count == 0 {
                break;
            }
            printer.bytes(&buffer[..count]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_by_host_key_and_task() {
        let wanted = |host: Option<&str>, step: Option<&str>, task: Option<&str>| Wanted {
            run: RunId::new("r1"),
            host: host.map(str::to_owned),
            step: step.map(str::to_owned),
            task: task.map(str::to_owned),
        };
        let key = StepKey::new("r1/0.0/tasks.1/work-1.1/-/1");
        let takes = |wanted: Wanted| wanted.takes("work-0.1", &key, "Train a shard");
        assert!(takes(wanted(None, None, None)));
        assert!(takes(wanted(Some("work-0"), None, None)), "where it ran");
        assert!(takes(wanted(Some("work-1"), None, None)), "whose it is");
        assert!(!takes(wanted(Some("work"), None, None)));
        assert!(takes(wanted(None, Some("0.0/tasks.1/work-1.1/-/1"), None)));
        assert!(takes(wanted(None, Some("r1/0.0/tasks.1"), None)));
        assert!(!takes(wanted(None, Some("0.0/tasks"), None)), "only whole parts of a key");
        assert!(takes(wanted(None, None, Some("train"))));
        assert!(!takes(wanted(None, None, Some("merge"))));
    }
}
