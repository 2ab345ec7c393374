//! A plan as people read it.

use std::fmt::Write as _;

use super::estimate::{Machines, Pick, Plan};
use crate::views::report::duration_text;

/// The plan of a cluster on EC2.
pub fn render(plan: &Plan) -> String {
    let mut text = String::new();
    let region = plan.region.as_deref().unwrap_or("an unknown region");
    let ttl = duration_text(plan.ttl_ms);
    let _ = writeln!(text, "{}: on EC2 in {region}, for {ttl} at most; nothing was launched", plan.name);
    for machines in &plan.machines {
        let _ = write!(text, "\n{}", machines_text(machines));
    }
    let _ = writeln!(text);
    match plan.estimate_at_most_usd {
        Some(usd) => {
            let _ = writeln!(text, "At most {usd:.2} USD (estimate), if every machine lived for {ttl}.");
        }
        None => {
            let _ = writeln!(text, "At most: unknown, because a price is not known (estimate of the rest above).");
        }
    }
    for what in &plan.unknown {
        let _ = writeln!(text, "Not known: {what}.");
    }
    let _ = writeln!(
        text,
        "An estimate: list prices on demand of {} for us-east-1, times a factor in other regions; spot machines are \
         counted\nat list price. Not in it: traffic, public addresses, what images cost, S3 and endpoints.",
        plan.prices_of
    );
    text
}

fn machines_text(machines: &Machines) -> String {
    let mut text = String::new();
    let count = match (machines.count, machines.min_count) {
        (count, enough) if enough < count => format!("{count}, {enough} are enough to begin"),
        (count, _) => count.to_string(),
    };
    let cost = machines.at_most_usd.map_or_else(|| "unknown".to_owned(), |usd| format!("{usd:.2} USD"));
    let _ = writeln!(text, "{}: {count}  (at most {cost}, estimate)", machines.name);
    let image = match (&machines.ami, &machines.image) {
        (Some(ami), Some(image)) if ami != image => format!("{image} ({ami})"),
        (Some(ami), _) => ami.clone(),
        (None, Some(image)) => image.clone(),
        (None, None) => "the default".to_owned(),
    };
    let assumed = if machines.volume_assumed { " (assumed: the image decides)" } else { "" };
    let _ = writeln!(text, "  image {image}; volume gp3, {} GiB{assumed}", machines.volume_gib);
    for (number, pick) in machines.picks.iter().enumerate() {
        let _ = writeln!(text, "  {:>2}. {}", number + 1, pick_text(pick));
    }
    text
}

fn pick_text(pick: &Pick) -> String {
    let subnet = pick.subnet.as_deref().unwrap_or("the default subnet");
    let place = pick.zone.as_ref().map_or_else(|| subnet.to_owned(), |zone| format!("{subnet} ({zone})"));
    let list = pick.list_usd_per_hour.map_or_else(|| "price unknown".to_owned(), |usd| format!("{usd:.4} USD/h"));
    let price = match pick.spot_usd_per_hour {
        Some(usd) => format!("{usd:.4} USD/h now, list {list}"),
        None => list,
    };
    format!("{:<14} {:<9}  {place:<34}  {price}", pick.instance_type, pick.market)
}
