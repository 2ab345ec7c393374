//! Subnets, their networks, and the security groups that belong to them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Wanted, Wrong, failed};
use crate::platform::cloud::CloudError;
use crate::platform::cloud::ec2::client::Clients;
use crate::platform::cloud::ec2::describing::filter;
use crate::platform::cloud::ec2::resolved::{Resolved, Subnet};

pub(super) async fn resolve(
    clients: &Clients,
    wanted: &[Wanted<'_>],
    resolved: &mut Resolved,
    wrong: &mut Vec<Wrong>,
) -> Result<(), CloudError> {
    let region = resolved.region.clone();
    resolved.subnets = subnets(clients, &all(wanted, |wanted| wanted.subnets)).await?;
    for wanted in wanted {
        for id in wanted.subnets.iter().filter(|id| !resolved.subnets.contains_key(*id)) {
            let what = format!("there is no subnet {id} in {region} that these credentials can see");
            wrong.push(wanted.wrong("subnets", what, "correct its id, or the region or account that is used"));
        }
    }
    let networks: BTreeSet<String> = resolved.subnets.values().map(|subnet| subnet.vpc.clone()).collect();
    resolved.networks = ranges(clients, &networks.into_iter().collect::<Vec<_>>()).await?;
    let groups = groups(clients, &all(wanted, |wanted| wanted.security_groups)).await?;
    for wanted in wanted {
        for id in wanted.security_groups {
            let Some(network) = groups.get(id) else {
                let what = format!("there is no security group {id} in {region} that these credentials can see");
                wrong.push(wanted.wrong(
                    "security_groups",
                    what,
                    "correct its id, or leave the key out: then one is made",
                ));
                continue;
            };
            let mut known = wanted.subnets.iter().filter_map(|subnet| Some((subnet, resolved.subnets.get(subnet)?)));
            if let Some((subnet, known)) = known.find(|(_, known)| known.vpc != *network) {
                let what = format!("{id} belongs to {network}, and {subnet} to {}", known.vpc);
                wrong.push(wanted.wrong("security_groups", what, format!("name a security group of {}", known.vpc)));
            }
        }
    }
    Ok(())
}

fn all<'s>(wanted: &'s [Wanted<'_>], of: impl Fn(&'s Wanted<'_>) -> &'s [String]) -> Vec<String> {
    let ids: BTreeSet<String> = wanted.iter().flat_map(|wanted| of(wanted).iter().cloned()).collect();
    ids.into_iter().collect()
}

/// By filter, so that an unknown one is missing from the answer and does not fail it.
async fn subnets(clients: &Clients, ids: &[String]) -> Result<BTreeMap<String, Subnet>, CloudError> {
    let mut pages = clients.ec2.describe_subnets().filters(filter("subnet-id", ids)).into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed("ec2:DescribeSubnets", &error))?;
        for subnet in page.subnets() {
            let (Some(id), Some(zone), Some(vpc)) = (subnet.subnet_id(), subnet.availability_zone(), subnet.vpc_id())
            else {
                continue;
            };
            found.insert(id.to_owned(), Subnet { zone: zone.to_owned(), vpc: vpc.to_owned() });
        }
    }
    Ok(found)
}

async fn ranges(clients: &Clients, ids: &[String]) -> Result<BTreeMap<String, Vec<String>>, CloudError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut pages = clients.ec2.describe_vpcs().filters(filter("vpc-id", ids)).into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed("ec2:DescribeVpcs", &error))?;
        for vpc in page.vpcs() {
            let associated = vpc.cidr_block_association_set().iter().filter_map(|set| set.cidr_block());
            let ranges: BTreeSet<String> = associated.chain(vpc.cidr_block()).map(str::to_owned).collect();
            found.extend(vpc.vpc_id().map(|id| (id.to_owned(), ranges.into_iter().collect())));
        }
    }
    Ok(found)
}

/// The network of each.
async fn groups(clients: &Clients, ids: &[String]) -> Result<BTreeMap<String, String>, CloudError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut pages = clients.ec2.describe_security_groups().filters(filter("group-id", ids)).into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed("ec2:DescribeSecurityGroups", &error))?;
        for group in page.security_groups() {
            if let (Some(id), Some(vpc)) = (group.group_id(), group.vpc_id()) {
                found.insert(id.to_owned(), vpc.to_owned());
            }
        }
    }
    Ok(found)
}
