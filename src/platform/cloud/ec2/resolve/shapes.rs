//! Instance types: whether they exist, what they can run, and which zones have them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{LocationType, ProcessorInfo};

use super::{Wanted, Wrong, failed};
use crate::platform::cloud::CloudError;
use crate::platform::cloud::ec2::client::Clients;
use crate::platform::cloud::ec2::describing::filter;
use crate::platform::cloud::ec2::resolved::{Resolved, Shape};

/// The architectures that a worker may have, the preferred one first where a type can run both.
const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

pub(super) async fn resolve(
    clients: &Clients,
    wanted: &[Wanted<'_>],
    resolved: &mut Resolved,
    wrong: &mut Vec<Wrong>,
) -> Result<(), CloudError> {
    let names: BTreeSet<&str> = wanted.iter().flat_map(|wanted| wanted.types.iter().copied()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let known = architectures(clients, &names).await?;
    let zones = zones(clients, &names).await?;
    for wanted in wanted {
        for name in &wanted.types {
            match known.get(*name) {
                Some(Some(architecture)) => {
                    let zones = zones.get(*name).cloned().unwrap_or_default();
                    let shape = Shape { architecture: architecture.clone(), zones };
                    resolved.types.insert((*name).to_owned(), shape);
                }
                Some(None) => {
                    let what = format!("{name} has an architecture that dayfly has no agent for");
                    wrong.push(wanted.wrong("instance_type", what, "name a type of x86_64 or arm64"));
                }
                None => {
                    let what = format!("there is no instance type {name} in {}", resolved.region);
                    let hint = "correct its name: \"aws ec2 describe-instance-type-offerings\" lists what there is";
                    wrong.push(wanted.wrong("instance_type", what, hint));
                }
            }
        }
    }
    Ok(())
}

/// Whether any of the types can be had in any of the subnets. A pair that cannot is left out; none left is an error.
pub(super) fn fits(wanted: &Wanted<'_>, resolved: &Resolved, wrong: &mut Vec<Wrong>) {
    let shapes: Vec<&Shape> = wanted.types.iter().filter_map(|name| resolved.types.get(*name)).collect();
    let subnets: Vec<_> = wanted.subnets.iter().filter_map(|id| resolved.subnets.get(id)).collect();
    if shapes.len() < wanted.types.len() || subnets.len() < wanted.subnets.len() {
        return;
    }
    if shapes.iter().any(|shape| subnets.iter().any(|subnet| shape.zones.contains(&subnet.zone))) {
        return;
    }
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let zones: Vec<&str> = zones.into_iter().collect();
    let offered: BTreeSet<&str> = shapes.iter().flat_map(|shape| shape.zones.iter().map(String::as_str)).collect();
    let offered: Vec<&str> = offered.into_iter().collect();
    let what = format!("{} cannot be had in {}", wanted.types.join(", "), zones.join(", "));
    let hint = if offered.is_empty() {
        "name a type that the region has".to_owned()
    } else {
        format!("name a subnet in {}, or another type", offered.join(" or "))
    };
    wrong.push(wanted.wrong("instance_type", what, hint));
}

/// What each known type can run; none where dayfly has nothing for it.
async fn architectures(clients: &Clients, names: &[&str]) -> Result<BTreeMap<String, Option<String>>, CloudError> {
    let asked = clients.ec2.describe_instance_types().filters(filter("instance-type", names));
    let mut pages = asked.into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed("ec2:DescribeInstanceTypes", &error))?;
        for known in page.instance_types() {
            let supported = known.processor_info().map(ProcessorInfo::supported_architectures).unwrap_or_default();
            let architecture = ARCHITECTURES.iter().find(|name| supported.iter().any(|other| other.as_str() == **name));
            let name = known.instance_type().map(|name| name.as_str().to_owned());
            found.extend(name.map(|name| (name, architecture.map(|name| (*name).to_owned()))));
        }
    }
    Ok(found)
}

async fn zones(clients: &Clients, names: &[&str]) -> Result<BTreeMap<String, Vec<String>>, CloudError> {
    let asked = clients.ec2.describe_instance_type_offerings().location_type(LocationType::AvailabilityZone);
    let mut pages = asked.filters(filter("instance-type", names)).into_paginator().send();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed("ec2:DescribeInstanceTypeOfferings", &error))?;
        for offering in page.instance_type_offerings() {
            if let (Some(name), Some(zone)) = (offering.instance_type(), offering.location()) {
                found.entry(name.as_str().to_owned()).or_default().insert(zone.to_owned());
            }
        }
    }
    Ok(found.into_iter().map(|(name, zones)| (name, zones.into_iter().collect())).collect())
}
