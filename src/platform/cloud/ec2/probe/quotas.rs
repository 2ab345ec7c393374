//! How many vCPUs of a kind the account may have, and how many a cluster would take.

use std::collections::BTreeMap;

use super::Probe;
use crate::core::records::{ClusterSpec, Market};
use crate::platform::cloud::CloudError;
use crate::platform::cloud::ec2::describing::filter;
use crate::platform::cloud::ec2::failure::Failure;

/// A quota of the account, beside what a cluster would take of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// `on-demand vCPUs of standard types`
    pub name: String,
    /// AWS's code of it.
    pub code: String,
    /// What the account may have at once, used or not.
    pub limit: f64,
    /// What the cluster takes at most.
    pub needed: u32,
}

/// Families of one quota: their first letters, the codes of the quotas on demand and on the spot market (Service Quotas,
/// Amazon EC2).
const CLASSES: [(&str, &[&str], &str, &str); 7] = [
    ("GPU (G, VT)", &["g", "gr", "vt"], "L-DB2E81BA", "L-3819A6DF"),
    ("GPU (P)", &["p"], "L-417A185B", "L-7212CCBC"),
    ("Inferentia", &["inf"], "L-1945791B", "L-B5D1601B"),
    ("Trainium", &["trn"], "L-2C3B7624", "L-6B0D517C"),
    ("FPGA (F)", &["f"], "L-74FC7D96", "L-88CF9481"),
    ("X", &["x"], "L-7295265B", "L-E3A00192"),
    ("standard", &["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"], "L-1216C47A", "L-34B43A08"),
];

impl Probe {
    /// The quotas that a cluster touches. Needs `servicequotas:GetServiceQuota`.
    pub async fn vcpu_quotas(&self, cluster: &ClusterSpec) -> Result<Vec<Quota>, CloudError> {
        let vcpus = self.vcpus(cluster).await?;
        let mut quotas = Vec::new();
        for ((class, spot, code), needed) in needed(cluster, &vcpus) {
            let asked = self.quotas.get_service_quota().service_code("ec2").quota_code(code).send().await;
            let answer =
                asked.map_err(|error| Failure::of(&error).into_cloud_error("servicequotas:GetServiceQuota"))?;
            let Some(limit) = answer.quota().and_then(aws_sdk_servicequotas::types::ServiceQuota::value) else {
                continue;
            };
            let market = if spot { "spot" } else { "on-demand" };
            quotas.push(Quota {
                name: format!("{market} vCPUs of {class} types"),
                code: code.to_owned(),
                limit,
                needed,
            });
        }
        Ok(quotas)
    }

    async fn vcpus(&self, cluster: &ClusterSpec) -> Result<BTreeMap<String, u32>, CloudError> {
        let mut names: Vec<&str> =
            cluster.groups.values().flat_map(|group| &group.instance_types).map(String::as_str).collect();
        names.extend(cluster.master.iter().filter_map(|master| master.instance_type.as_deref()));
        let asked = self.clients.ec2.describe_instance_types().filters(filter("instance-type", &names));
        let mut pages = asked.into_paginator().items().send();
        let mut vcpus = BTreeMap::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeInstanceTypes"))?;
            let count = item
                .v_cpu_info()
                .and_then(aws_sdk_ec2::types::VCpuInfo::default_v_cpus)
                .and_then(|n| u32::try_from(n).ok());
            if let (Some(kind), Some(count)) = (item.instance_type(), count) {
                vcpus.insert(kind.as_str().to_owned(), count);
            }
        }
        Ok(vcpus)
    }
}

/// What each quota would be asked for at most: every group at its largest type of that quota.
fn needed(cluster: &ClusterSpec, vcpus: &BTreeMap<String, u32>) -> BTreeMap<(&'static str, bool, &'static str), u32> {
    let mut needed = BTreeMap::new();
    let master = cluster.master.iter().flat_map(|master| &master.instance_type);
    let groups = cluster.groups.values().map(|group| (group.count, group.market, &group.instance_types[..]));
    let groups = groups.chain(master.map(|name| (1, Market::OnDemand, std::slice::from_ref(name))));
    for (count, market, types) in groups {
        let mut of_group: BTreeMap<(&'static str, bool, &'static str), u32> = BTreeMap::new();
        for name in types {
            let Some((class, on_demand, spot)) = class(name) else { continue };
            let Some(size) = vcpus.get(name) else { continue };
            let mut take = |key| {
                let most = of_group.entry(key).or_insert(0);
                *most = (*most).max(count.saturating_mul(*size));
            };
            if market != Market::OnDemand {
                take((class, true, spot));
            }
            if market != Market::Spot {
                take((class, false, on_demand));
            }
        }
        for (key, most) in of_group {
            *needed.entry(key).or_insert(0) += most;
        }
    }
    needed
}

/// The quota of a type: by the letters before the generation.
fn class(instance_type: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let letters: String = instance_type.chars().take_while(char::is_ascii_alphabetic).collect();
    let class = CLASSES.iter().find(|(_, families, ..)| families.contains(&letters.as_str()))?;
    Some((class.0, class.2, class.3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::GroupName;
    use crate::core::records::GroupSpec;

    #[test]
    fn every_group_counts_at_its_largest_type_once_in_each_market() {
        let group = |count, market, types: &[&str]| GroupSpec {
            count,
            market,
            instance_types: types.iter().map(|name| (*name).to_owned()).collect(),
            ..GroupSpec::default()
        };
        let mut cluster = ClusterSpec::default();
        cluster.groups.insert(GroupName::new("a"), group(4, Market::SpotThenOnDemand, &["g6.xlarge", "g5.2xlarge"]));
        cluster.groups.insert(GroupName::new("b"), group(2, Market::OnDemand, &["c7i.large"]));
        let vcpus = [("g6.xlarge", 4), ("g5.2xlarge", 8), ("c7i.large", 2)];
        let vcpus = vcpus.map(|(name, count)| (name.to_owned(), count)).into();
        let needed: Vec<_> =
            needed(&cluster, &vcpus).into_iter().map(|((class, spot, _), most)| (class, spot, most)).collect();
        assert_eq!(needed, [("GPU (G, VT)", false, 32), ("GPU (G, VT)", true, 32), ("standard", false, 4)]);
    }

    #[test]
    fn types_belong_to_the_quota_of_their_family() {
        assert_eq!(class("im4gn.large").map(|class| class.0), Some("standard"));
        assert_eq!(class("inf2.xlarge").map(|class| class.0), Some("Inferentia"));
        assert_eq!(class("x2gd.large").map(|class| class.0), Some("X"));
        assert_eq!(class("quantum1.large"), None);
    }
}
