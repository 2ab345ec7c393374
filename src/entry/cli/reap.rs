//! `dayfly reap`: gives dead masters successors where a cloud can, ends what is over, and proves that nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;

use super::place::{Place, StoreArguments};
use super::{Ended, screen};
use crate::core::ids::{InstanceId, RunId};
use crate::core::world::World as _;
use crate::entry::exit::{self, Problem};
use crate::entry::reap::{Reaped, Reaper, Swept, end_expired};
use crate::entry::trigger::{SystemWorld, timing};
use crate::language::playbook::parse_duration;
use crate::platform::aws::Access;
use crate::views::report::duration_text;

/// Flags of `reap`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Look again and again until interrupted; default: every 60s
    #[arg(long, value_name = "EVERY", num_args = 0..=1, default_missing_value = "60s", value_parser = every)]
    watch: Option<Duration>,
    /// One JSON object for each look
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArguments,
}

fn every(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(ms) if ms >= 100 => Ok(Duration::from_millis(ms)),
        _ => Err("write a duration such as 60s or 5m".to_owned()),
    }
}

/// One look at every open run; exit 7 where something is not proven gone.
pub async fn run(arguments: Arguments) -> Ended {
    let place = arguments.store.open().await?;
    let Some(every) = arguments.watch else {
        let look = Look::take(&place).await?;
        screen::say(&if arguments.json { look.json() } else { look.text(&place, &BTreeMap::new()) });
        return look.code();
    };
    // Of a look that says the same as the one before nothing is said.
    let mut said = BTreeMap::new();
    loop {
        let look = Look::take(&place).await?;
        screen::say(&if arguments.json { look.json() } else { look.text(&place, &said) });
        said = look.lines();
        if let Some(problem) = &look.problem {
            screen::complain(problem);
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = tokio::signal::ctrl_c() => return Ok(exit::SUCCESS),
        }
    }
}

/// What one look came to.
struct Look {
    at_ms: i64,
    runs: Vec<(RunId, Reaped)>,
    expired: Vec<Swept>,
    /// What could not be done; the rest was.
    problem: Option<Problem>,
    alone: bool,
}

impl Look {
    /// Looks at the open runs, and at machines past their deadline: even where the store does not answer.
    async fn take(place: &Place) -> Result<Self, Problem> {
        let timing = timing()?;
        let reaper = Reaper::new(place.store.as_ref(), &place.state, &place.access);
        let (runs, mut problem) = match reaper.pass().await {
            Ok(runs) => (runs, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let answers = problem.is_none();
        let mut expired = Vec::new();
        for access in regions(place, reaper.regions()) {
            let store = answers.then_some(place.store.as_ref());
            let now_ms = if answers { reaper.now_ms().await } else { SystemWorld.unix_ms() };
            match end_expired(&access, store, &timing, now_ms).await {
                Ok(swept) => expired.extend(swept),
                Err(failed) => problem = problem.or(Some(failed)),
            }
        }
        for (run, what) in &runs {
            if matches!(what, Reaped::Closed { .. } | Reaped::Ended { .. } | Reaped::GivenUp { .. }) {
                place.project(run).await;
            }
        }
        let alone = runs.is_empty() && answers;
        Ok(Self { at_ms: SystemWorld.unix_ms(), runs, expired, problem, alone })
    }

    fn code(self) -> Ended {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let proven = self.runs.iter().all(|(_, what)| is_proven(what));
        Ok(if proven { exit::SUCCESS } else { exit::UNPROVEN })
    }

    fn lines(&self) -> BTreeMap<String, String> {
        let runs = self.runs.iter().map(|(run, what)| (run.to_string(), text_of(what)));
        let expired = self.expired.iter().map(|swept| (format!("{} (by tag)", swept.run), text_of_swept(swept)));
        runs.chain(expired).collect()
    }

    fn text(&self, place: &Place, said: &BTreeMap<String, String>) -> String {
        if self.alone && self.expired.is_empty() {
            let nothing = format!("no run is open in the store {}\n", place.store.location());
            return if said.is_empty() { nothing } else { String::new() };
        }
        let mut news = String::new();
        for (run, text) in self.lines() {
            if said.get(&run) != Some(&text) {
                let _ = writeln!(news, "{run}  {text}");
            }
        }
        news
    }

    fn json(&self) -> String {
        let runs: Vec<_> = self
            .runs
            .iter()
            .map(|(run, what)| {
                let mut line = serde_json::json!({"run": run, "text": text_of(what)});
                if let (Some(line), Ok(serde_json::Value::Object(what))) =
                    (line.as_object_mut(), serde_json::to_value(what))
                {
                    line.extend(what);
                }
                line
            })
            .collect();
        let expired: Vec<_> = self
            .expired
            .iter()
            .map(|swept| serde_json::json!({"run": swept.run, "machines": swept.machines, "spared": swept.spared}))
            .collect();
        let problem = self.problem.as_ref().map(ToString::to_string);
        let look = serde_json::json!({
            "v": 1, "at_ms": self.at_ms, "runs": runs, "expired": expired, "problem": problem,
        });
        format!("{look}\n")
    }
}

/// Where to look by tag: the region that was given, those of the open runs, and for a store in S3 the usual one.
fn regions(place: &Place, mut of_runs: BTreeSet<String>) -> Vec<Access> {
    of_runs.extend(place.access.region.clone());
    let access = |region: Option<String>| Access { region, ..place.access.clone() };
    if of_runs.is_empty() && place.store.location().starts_with("s3://") {
        return vec![access(None)];
    }
    of_runs.into_iter().map(|region| access(Some(region))).collect()
}

/// Whether nothing of a run is left to be proven, as far as it is over.
fn is_proven(what: &Reaped) -> bool {
    match what {
        Reaped::Alive
        | Reaped::Waiting { over: false, .. }
        | Reaped::Launched { .. }
        | Reaped::Closed { .. }
        | Reaped::Ended { .. }
        | Reaped::GivenUp { .. }
        | Reaped::Empty => true,
        Reaped::Waiting { over: true, .. }
        | Reaped::Ending { .. }
        | Reaped::Looked { .. }
        | Reaped::Unproven { .. }
        | Reaped::Unknown { .. } => false,
    }
}

fn text_of(what: &Reaped) -> String {
    match what {
        Reaped::Alive => "its master lives; left alone".to_owned(),
        Reaped::Waiting { why, .. } => format!("{why}; left alone"),
        Reaped::Launched { epoch, machine, again: false } => {
            format!("its master is dead; master {epoch} was launched on {machine}")
        }
        Reaped::Launched { epoch, machine, again: true } => {
            format!("its master never came; the machine of master {epoch} was asked for again: {machine}")
        }
        Reaped::Closed { ended } => format!("was over; closed{}", left_over(*ended)),
        Reaped::Ended { ended, uncollected } => {
            format!("its master was dead; ended and closed{}{}", left_over(*ended), lost(*uncollected))
        }
        Reaped::GivenUp { why } => format!("closed: {why}"),
        Reaped::Ending { machines, things } => {
            let all: Vec<&str> =
                machines.iter().map(InstanceId::as_str).chain(things.iter().map(String::as_str)).collect();
            format!("is over; still there and now asked to end: {}", all.join(", "))
        }
        Reaped::Looked { proof_in_ms } => {
            format!("is over, and nothing of it was found; proven in {} at the earliest", duration_text(*proof_in_ms))
        }
        Reaped::Empty => "never began; forgotten".to_owned(),
        Reaped::Unproven { machines } => {
            let ids: Vec<_> = machines.iter().map(InstanceId::as_str).collect();
            format!("NOT PROVEN GONE: {}", ids.join(", "))
        }
        Reaped::Unknown { why } => format!("not known: {why}"),
    }
}

fn text_of_swept(swept: &Swept) -> String {
    let ids: Vec<&str> = swept.machines.iter().map(InstanceId::as_str).collect();
    match &swept.spared {
        Some(why) => format!("left alone: {}: {why}", ids.join(", ")),
        None => format!("past the deadline; ended: {}", ids.join(", ")),
    }
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
