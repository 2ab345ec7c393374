//! What a cluster would be: its machines, where they may stand, for how long and for how much money at most. Pure: what
//! AWS was asked before comes in as [`Known`].

use std::collections::BTreeMap;

use serde::Serialize;

use crate::core::records::{ClusterSpec, GroupSpec, Market, MasterSpec, VolumeSpec};
use crate::platform::cloud::ec2::{Meaning, PriceTable, SpotPrice};

/// The master's machine where the playbook names none.
const MASTER_TYPE: &str = "t3.small";
/// Its name among the machines of a plan.
const MASTER: &str = "master";
/// So large a volume is counted where the playbook leaves it to the image.
const IMAGE_GIB: u64 = 30;
const HOUR_MS: f64 = 3_600_000.0;

/// What AWS told, as far as it was asked and answered.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The region, where it is known.
    pub region: Option<String>,
    /// Zone by subnet.
    pub zones: BTreeMap<String, String>,
    /// Image ids by group; the master's under `master`.
    pub images: BTreeMap<String, String>,
    /// GiB of the image's disks by group.
    pub image_gib: BTreeMap<String, u64>,
    /// Spot prices of now.
    pub spot: Vec<SpotPrice>,
}

impl Known {
    /// Takes what a cluster was resolved to.
    pub fn learn(&mut self, meaning: Meaning) {
        self.region = Some(meaning.region);
        self.zones = meaning.zones;
        let of_groups = meaning.images.into_iter().map(|(group, ids)| (group.to_string(), ids.join(", ")));
        self.images = of_groups.chain(meaning.master_image.map(|id| (MASTER.to_owned(), id))).collect();
        let of_groups = meaning.image_gib.into_iter().map(|(group, gib)| (group.to_string(), gib));
        self.image_gib = of_groups.chain(meaning.master_gib.map(|gib| (MASTER.to_owned(), gib))).collect();
    }
}

/// A place where machines would be asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pick {
    /// Instance type.
    pub instance_type: String,
    /// `on-demand` or `spot`.
    pub market: &'static str,
    /// Subnet.
    pub subnet: Option<String>,
    /// Its zone, where it was resolved.
    pub zone: Option<String>,
    /// An hour on demand by the table, USD.
    pub list_usd_per_hour: Option<f64>,
    /// An hour on the spot market now, USD.
    pub spot_usd_per_hour: Option<f64>,
}

/// Machines of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machines {
    /// The group's name; `master` for the master's own.
    pub name: String,
    /// How many.
    pub count: u32,
    /// How many are enough to begin.
    pub min_count: u32,
    /// Where, in the order of trying.
    pub picks: Vec<Pick>,
    /// What the playbook says of the image.
    pub ami: Option<String>,
    /// The image's id, where it was resolved.
    pub image: Option<String>,
    /// GiB of the root volume.
    pub volume_gib: u64,
    /// Whether that is only assumed, because the image decides.
    pub volume_assumed: bool,
    /// For all of them until the end, at the dearest pick and at list price, with volumes, USD.
    pub at_most_usd: Option<f64>,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Format version.
    pub v: u32,
    /// The playbook's name.
    pub name: String,
    /// `ec2`, `local` or `inventory`.
    pub cloud: &'static str,
    /// Region.
    pub region: Option<String>,
    /// For so long at most.
    pub ttl_ms: u64,
    /// The date of the table.
    pub prices_of: String,
    /// Groups, then the master.
    pub machines: Vec<Machines>,
    /// All of it until the end; none where a price is unknown. An estimate.
    pub estimate_at_most_usd: Option<f64>,
    /// What is not known, and why.
    pub unknown: Vec<String>,
}

/// The plan of a cluster on EC2. `detached`: whether the master gets a machine too.
pub fn estimate(name: &str, cluster: &ClusterSpec, ttl_ms: u64, known: &Known, detached: bool) -> Plan {
    let region = known.region.clone().or_else(|| cluster.region.clone());
    let mut unknown = Vec::new();
    if region.is_none() {
        unknown.push("the region: write cluster.region, or give --region; prices depend on it".to_owned());
    }
    let hours = ttl_ms as f64 / HOUR_MS;
    let mut machines: Vec<Machines> = Vec::new();
    for (group, spec) in &cluster.groups {
        machines.push(priced(group.as_str(), spec, region.as_deref(), hours, known, &mut unknown));
    }
    if detached {
        let spec = master_as_group(cluster);
        machines.push(priced(MASTER, &spec, region.as_deref(), hours, known, &mut unknown));
    }
    let total = machines.iter().map(|of| of.at_most_usd).sum::<Option<f64>>();
    unknown.dedup();
    Plan {
        v: 1,
        name: name.to_owned(),
        cloud: "ec2",
        region,
        ttl_ms,
        prices_of: PriceTable::shipped().date().to_owned(),
        machines,
        estimate_at_most_usd: total.map(cents),
        unknown,
    }
}

/// `cluster.master` with what it says where the playbook is silent.
pub fn master_of(cluster: &ClusterSpec) -> MasterSpec {
    let mut master = cluster.master.clone().unwrap_or_default();
    master.instance_type.get_or_insert_with(|| MASTER_TYPE.to_owned());
    if master.subnets.is_empty()
        && let Some(first) = cluster.groups.values().find(|group| !group.subnets.is_empty())
    {
        master.subnets.clone_from(&first.subnets);
    }
    master
}

/// The master's machine as a group of one.
fn master_as_group(cluster: &ClusterSpec) -> GroupSpec {
    let master = master_of(cluster);
    GroupSpec {
        instance_types: master.instance_type.into_iter().collect(),
        subnets: master.subnets,
        ami: master.ami,
        volume: master.volume,
        ..GroupSpec::default()
    }
}

fn priced(
    name: &str,
    spec: &GroupSpec,
    region: Option<&str>,
    hours: f64,
    known: &Known,
    unknown: &mut Vec<String>,
) -> Machines {
    let table = PriceTable::shipped();
    let picks = picks(spec, region, known);
    if picks.is_empty() {
        unknown.push(format!("what {name} would be: it names no instance_type"));
    }
    for pick in &picks {
        if let (None, Some(region)) = (pick.list_usd_per_hour, region) {
            let what = format!("the price of {} in {region}: the table has no such type or region", pick.instance_type);
            if !unknown.contains(&what) {
                unknown.push(what);
            }
        }
    }
    let given = spec.volume.as_ref().map(|VolumeSpec { size_gib }| *size_gib);
    let of_image = known.image_gib.get(name).copied();
    let volume_gib = given.or(of_image).unwrap_or(IMAGE_GIB);
    let dearest = picks
        .iter()
        .map(|pick| pick.list_usd_per_hour)
        .collect::<Option<Vec<f64>>>()
        .and_then(|prices| prices.into_iter().reduce(f64::max));
    let volume = region.and_then(|region| table.volume(region, volume_gib));
    let at_most =
        dearest.zip(volume).map(|(machine, volume)| cents((machine + volume) * hours * f64::from(spec.count)));
    Machines {
        name: name.to_owned(),
        count: spec.count,
        min_count: spec.min_count,
        picks,
        image: known.images.get(name).cloned(),
        ami: spec.ami.clone(),
        volume_gib,
        volume_assumed: given.is_none() && of_image.is_none(),
        // A group of none costs nothing, whatever it would be.
        at_most_usd: if spec.count == 0 { Some(0.0) } else { at_most },
    }
}

/// Markets before types before subnets: a dearer market or a later type is only asked once the earlier has no more.
fn picks(spec: &GroupSpec, region: Option<&str>, known: &Known) -> Vec<Pick> {
    let markets: &[&'static str] = match spec.market {
        Market::OnDemand => &["on-demand"],
        Market::Spot => &["spot"],
        Market::SpotThenOnDemand => &["spot", "on-demand"],
    };
    let subnets: Vec<Option<&String>> =
        if spec.subnets.is_empty() { vec![None] } else { spec.subnets.iter().map(Some).collect() };
    let mut picks = Vec::new();
    for market in markets {
        for instance_type in &spec.instance_types {
            for subnet in &subnets {
                let zone = subnet.and_then(|subnet| known.zones.get(subnet)).cloned();
                let spot = known.spot.iter().filter(|price| price.instance_type == *instance_type);
                // Where the zone is not known, the dearest of the region.
                let spot = spot.filter(|price| zone.as_ref().is_none_or(|zone| *zone == price.zone));
                let spot = spot.map(|price| price.usd).reduce(f64::max);
                picks.push(Pick {
                    instance_type: instance_type.clone(),
                    market,
                    subnet: subnet.cloned(),
                    zone,
                    list_usd_per_hour: region.and_then(|region| PriceTable::shipped().on_demand(region, instance_type)),
                    spot_usd_per_hour: spot.filter(|_| *market == "spot"),
                });
            }
        }
    }
    picks
}

/// Rounded up to a cent: at most stays at most.
fn cents(usd: f64) -> f64 {
    // The thousandth of a cent is noise of the arithmetic.
    ((usd * 100.0) - 1e-3).ceil().max(0.0) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::GroupName;

    fn cluster(groups: &[(&str, GroupSpec)]) -> ClusterSpec {
        ClusterSpec {
            region: Some("us-east-1".to_owned()),
            groups: groups.iter().map(|(name, spec)| (GroupName::new(*name), spec.clone())).collect(),
            ..ClusterSpec::default()
        }
    }

    fn group(count: u32, types: &[&str], market: Market) -> GroupSpec {
        GroupSpec {
            count,
            min_count: count,
            instance_types: types.iter().map(|name| (*name).to_owned()).collect(),
            subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
            market,
            volume: Some(VolumeSpec { size_gib: 730 }),
            ..GroupSpec::default()
        }
    }

    #[test]
    fn at_most_is_every_machine_at_the_dearest_pick_for_the_whole_time_with_its_volume() {
        let cluster = cluster(&[("work", group(2, &["c7i.large", "c7i.xlarge"], Market::SpotThenOnDemand))]);
        let plan = estimate("p", &cluster, 10 * 3_600_000, &Known::default(), false);
        // (0.1785 + 0.08) × 10 h × 2
        assert_eq!(plan.estimate_at_most_usd, Some(5.17));
        assert_eq!(plan.unknown, Vec::<String>::new());
        let order: Vec<_> =
            plan.machines[0].picks.iter().map(|pick| (pick.market, pick.instance_type.as_str())).collect();
        let expected = ["spot", "on-demand"].map(|market| {
            [(market, "c7i.large"), (market, "c7i.large"), (market, "c7i.xlarge"), (market, "c7i.xlarge")]
        });
        assert_eq!(order, expected.concat());
    }

    #[test]
    fn an_unknown_price_makes_the_total_unknown_and_is_said_once() {
        let cluster = cluster(&[
            ("work", group(2, &["zz9.large"], Market::OnDemand)),
            ("more", group(1, &["zz9.large"], Market::OnDemand)),
        ]);
        let plan = estimate("p", &cluster, 3_600_000, &Known::default(), true);
        assert_eq!(plan.estimate_at_most_usd, None);
        assert_eq!(plan.unknown.len(), 1, "{:?}", plan.unknown);
        assert!(plan.unknown[0].contains("zz9.large"));
        assert!(plan.machines[2].at_most_usd.is_some_and(|usd| usd > 0.0), "the master's price is known");
    }

    #[test]
    fn spot_prices_are_those_of_the_zone() {
        let price = |zone: &str, usd| SpotPrice { instance_type: "c7i.large".to_owned(), zone: zone.to_owned(), usd };
        let known = Known {
            zones: [("subnet-1".to_owned(), "us-east-1a".to_owned())].into(),
            spot: vec![price("us-east-1a", 0.03), price("us-east-1b", 0.05)],
            ..Known::default()
        };
        let cluster = cluster(&[("work", group(1, &["c7i.large"], Market::SpotThenOnDemand))]);
        let plan = estimate("p", &cluster, 3_600_000, &known, false);
        let prices: Vec<_> = plan.machines[0].picks.iter().map(|pick| pick.spot_usd_per_hour).collect();
        assert_eq!(prices, [Some(0.03), Some(0.05), None, None]);
    }

    #[test]
    fn without_a_region_nothing_has_a_price() {
        let mut cluster = cluster(&[("work", group(1, &["c7i.large"], Market::OnDemand))]);
        cluster.region = None;
        let plan = estimate("p", &cluster, 3_600_000, &Known::default(), false);
        assert_eq!(plan.estimate_at_most_usd, None);
        assert!(plan.unknown[0].contains("region"), "{:?}", plan.unknown);
    }
}
