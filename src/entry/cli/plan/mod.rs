//! `dayfly plan`: what would be launched where, for how long at most, for how much money at most. Launches nothing.

mod estimate;
mod text;

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;

pub use self::estimate::master_of;
use self::estimate::{Known, Plan, estimate};
use super::order::{OrderArguments, Who};
use super::place::AwsArguments;
use super::{Ended, screen};
use crate::core::records::{CloudKind, Market};
use crate::entry::exit;
use crate::entry::trigger::{Purpose, Reading, read};
use crate::language::playbook::DEFAULT_TTL_MS;
use crate::platform::aws::Access;
use crate::platform::cloud::ec2::{ResolveError, Wrong, meaning, resolve, spot_prices};
use crate::views::report::duration_text;

/// Flags of `plan`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    order: OrderArguments,
    /// Ask AWS nothing: zones, images and spot prices stay unknown
    #[arg(long)]
    offline: bool,
    /// The plan as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    aws: AwsArguments,
}

/// So long AWS may take for each answer that only makes the plan better.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads, checks, asks where it may, and says what would be.
pub async fn run(arguments: Arguments) -> Ended {
    let order = arguments.order.order(Purpose::Check, Who::Detached, 0)?;
    let reading = read(&order)?;
    if !reading.warnings.is_empty() {
        screen::remark(&reading.warnings);
    }
    let ttl_ms = match reading.cluster.ttl_ms {
        0 => DEFAULT_TTL_MS,
        ttl_ms => ttl_ms,
    };
    if reading.cloud != CloudKind::Ec2 {
        let plan = elsewhere(&reading, ttl_ms);
        screen::say(&if arguments.json { json(&plan)? } else { elsewhere_text(&reading, &plan) });
        return Ok(exit::SUCCESS);
    }
    let access = arguments.aws.access().in_region(reading.cluster.region.as_deref());
    let (known, wrong) = if arguments.offline {
        (Known { region: access.region.clone(), ..Known::default() }, Vec::new())
    } else {
        ask(&access, &reading).await
    };
    let plan = estimate(&reading.playbook.name, &reading.cluster, ttl_ms, &known, true);
    screen::say(&if arguments.json { json(&plan)? } else { text::render(&plan) });
    for Wrong { at, what, hint } in &wrong {
        screen::remark(&format!("error: {at}: {what}; {hint}"));
    }
    // A launch would be refused for this.
    Ok(if wrong.is_empty() { exit::SUCCESS } else { exit::REFUSED })
}

fn json(plan: &Plan) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(plan)?))
}

/// Zones, images and spot prices, as far as AWS answers: what it does not say is a remark, and the plan goes on. What is
/// wrong with the cluster is an error of the whole.
async fn ask(access: &Access, reading: &Reading) -> (Known, Vec<Wrong>) {
    let mut cluster = reading.cluster.clone();
    let mut known = Known { region: access.region.clone(), ..Known::default() };
    cluster.master = Some(master_of(&cluster));
    let resolution = match tokio::time::timeout(PATIENCE, resolve(access, &cluster, true)).await {
        Ok(Ok(resolution)) => resolution,
        Ok(Err(ResolveError::Wrong(wrong))) => return (known, wrong),
        Ok(Err(ResolveError::Failed(why))) => return (offline(known, &why.to_string()), Vec::new()),
        Err(_) => return (offline(known, "AWS does not answer"), Vec::new()),
    };
    match meaning(&resolution) {
        Ok(meaning) => known.learn(meaning),
        Err(why) => return (offline(known, &why.to_string()), Vec::new()),
    }
    let spot = cluster.groups.values().filter(|group| group.market != Market::OnDemand);
    let mut types: Vec<String> = spot.flat_map(|group| group.instance_types.clone()).collect();
    types.sort_unstable();
    types.dedup();
    match tokio::time::timeout(PATIENCE, spot_prices(access, &types)).await {
        Ok(Ok(prices)) => known.spot = prices,
        Ok(Err(why)) => screen::remark(&format!("[WARNING]: spot prices are not known: {why}")),
        Err(_) => screen::remark("[WARNING]: spot prices are not known: AWS does not answer"),
    }
    (known, Vec::new())
}

fn offline(known: Known, why: &str) -> Known {
    screen::remark(&format!(
        "[WARNING]: AWS was not asked for zones, images and spot prices: {why} (--offline asks nothing)"
    ));
    known
}

/// A plan for machines that cost nothing.
fn elsewhere(reading: &Reading, ttl_ms: u64) -> Plan {
    let (cloud, ttl_ms) = match reading.cloud {
        CloudKind::Local => ("local", ttl_ms),
        _ => ("inventory", 0),
    };
    let mut plan = estimate(&reading.playbook.name, &reading.cluster, ttl_ms, &Known::default(), false);
    plan.cloud = cloud;
    plan.region = None;
    plan.unknown.clear();
    plan.estimate_at_most_usd = Some(0.0);
    for machines in &mut plan.machines {
        machines.at_most_usd = Some(0.0);
        machines.picks.clear();
        machines.ami = None;
    }
    plan
}

fn elsewhere_text(reading: &Reading, plan: &Plan) -> String {
    let name = &plan.name;
    if reading.cloud != CloudKind::Local {
        return format!(
            "{name}: on hosts that exist already; nothing is launched or ended, it costs nothing by itself\n"
        );
    }
    let ttl = duration_text(plan.ttl_ms);
    let mut text = format!("{name}: workers are processes on this machine, for {ttl} at most; nothing was launched\n");
    for machines in &plan.machines {
        let _ = writeln!(text, "{}: {}", machines.name, machines.count);
    }
    text
}
