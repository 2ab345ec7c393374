//! `dayfly doctor`: everything that can be known to be wrong before a run, each with what to do. Launches nothing.

mod cloud;
mod finding;
mod machine;
mod records;

use std::path::PathBuf;

use clap::Args;

use self::cloud::Who;
use self::finding::{Finding, Health, render};
use super::place::StoreArguments;
use super::plan::master_of;
use super::{Ended, screen};
use crate::core::records::{CloudKind, Options};
use crate::entry::exit::{self, Problem};
use crate::entry::trigger::{Order, Place, Purpose, Reading, read};

/// Flags of `doctor`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A playbook whose cluster is looked at, too
    #[arg(value_name = "PLAYBOOK")]
    playbook: Option<PathBuf>,
    /// The mapping of `cluster:`, for a playbook that has none
    #[arg(long, value_name = "FILE", requires = "playbook")]
    cluster: Option<PathBuf>,
    /// Workers will be processes of this user on this machine
    #[arg(long)]
    local: bool,
    /// For dayfly launch: these credentials only launch the master's machine, which has a role of its own
    #[arg(long)]
    launch: bool,
    /// The findings as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// All checks; exit 1 where one of them found a problem.
pub async fn run(arguments: Arguments) -> Ended {
    let reading = arguments.playbook.clone().map(|playbook| understood(playbook, &arguments)).transpose()?;
    let cloud = reading.as_ref().map(|reading| reading.cloud);
    let local = arguments.local || cloud == Some(CloudKind::Local);
    let mut findings = machine::check(local);
    let region = reading.as_ref().and_then(|reading| reading.cluster.region.clone());
    let mut access = arguments.store.access().in_region(region.as_deref());
    match arguments.store.open().await {
        Ok(place) => {
            let in_s3 = place.store.location().starts_with("s3://");
            access = place.access.in_region(region.as_deref());
            findings.extend(records::check(place.store.as_ref()).await);
            if !in_s3 && cloud != Some(CloudKind::Ec2) {
                return Ok(said(&findings, arguments.json));
            }
            if !in_s3 {
                findings.push(Finding::problem(
                    "the store",
                    format!("{} is a folder, and a master on EC2 cannot read it", place.store.location()),
                    "name one in S3: --store s3://BUCKET/PREFIX (dayfly run alone can do with a folder)",
                ));
            }
        }
        Err(problem) => findings.push(Finding::problem("the store", problem.to_string(), "correct --store")),
    }
    let (who, probe) = cloud::caller(&access).await;
    findings.extend(who);
    if let Some(probe) = probe.filter(|_| !local) {
        let who = if arguments.launch { Who::Trigger } else { Who::Master };
        findings.extend(cloud::common(&probe, &access, who).await);
        if let Some(reading) = reading.filter(|reading| reading.cloud == CloudKind::Ec2) {
            let mut cluster = reading.cluster.clone();
            cluster.master = Some(master_of(&cluster));
            findings.extend(cloud::cluster(&probe, &access, &cluster, who).await);
            if cluster.master.as_ref().is_some_and(|master| master.iam_instance_profile.is_none()) {
                findings.push(Finding::problem(
                    "the master's role",
                    "no instance profile is named for the master: it could neither read the store nor launch workers",
                    "write cluster: master: iam_instance_profile: NAME (dayfly run does without)",
                ));
            }
        }
    }
    Ok(said(&findings, arguments.json))
}

fn understood(playbook: PathBuf, arguments: &Arguments) -> Result<Reading, Problem> {
    let reading = read(&Order {
        playbook,
        purpose: Purpose::Check,
        place: Place { local: arguments.local, inventory: None, cluster: arguments.cluster.clone() },
        extra_vars: serde_json::Map::new(),
        options: Options::default(),
        foreground: false,
    })?;
    if !reading.warnings.is_empty() {
        screen::remark(&reading.warnings);
    }
    Ok(reading)
}

fn said(findings: &[Finding], json: bool) -> u8 {
    let problem = findings.iter().any(|finding| finding.health == Health::Problem);
    let text = if json {
        format!("{:#}\n", serde_json::json!({"v": 1, "ok": !problem, "findings": findings}))
    } else {
        render(findings)
    };
    screen::say(&text);
    if problem { exit::FAILURE } else { exit::SUCCESS }
}
