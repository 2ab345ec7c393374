//! What EC2 would say to a playbook's cluster, asked before it matters.

use super::finding::Finding;
use crate::core::records::{ClusterSpec, Market};
use crate::core::timing::Timing;
use crate::platform::aws::Access;
use crate::platform::cloud::ec2::{
    Ec2Cloud, Ec2Settings, Network, Permit, Probe, Quota, Resolution, ResolveError, Ways, Wrong, resolve,
};

/// Services whose endpoints a master in a subnet without a way out needs.
const NEEDED: [(&str, &str); 2] = [("s3", "a gateway endpoint for S3"), ("ec2", "an interface endpoint for EC2")];
/// Services that it misses only for some things.
const WANTED: [(&str, &str); 3] = [
    ("sts", "reasons of refusals are not decoded"),
    ("ssm", "ssm: parameters are only resolved by who launches"),
    ("monitoring", "no metrics"),
];

/// Who asks, and where. None where AWS does not know the caller.
pub async fn caller(access: &Access) -> (Vec<Finding>, Option<Probe>) {
    match Probe::connect(access).await {
        Ok(probe) => {
            let who = Finding::ok("credentials", format!("these are {}", probe.caller()));
            let place = Finding::ok("the region", probe.region().to_owned());
            (vec![who, place], Some(probe))
        }
        Err(why) => {
            let remedy = "correct it: everything else on AWS is unknown until then";
            (vec![Finding::problem("credentials", why.to_string(), remedy)], None)
        }
    }
}

/// What holds without a playbook: looking at machines and ending them. These two also tell whether the rest can be asked.
pub async fn common(probe: &Probe, access: &Access, who: Who) -> Vec<Finding> {
    let cloud = Ec2Cloud::new(Ec2Settings {
        access: access.clone(),
        cluster: ClusterSpec::default(),
        resolved: serde_json::Value::Null,
        timing: Timing::default(),
        outside: false,
    });
    let (seen, machine) = match cloud.tagged().await {
        Ok(machines) => {
            let seen = match machines.len() {
                0 => "allowed; no machine of a run lives here".to_owned(),
                1 => "allowed; 1 machine of a run lives here".to_owned(),
                many => format!("allowed; {many} machines of runs live here"),
            };
            let machine = machines.into_iter().next().map(|machine| machine.instance.id);
            (Finding::ok("ec2:DescribeInstances", seen), machine)
        }
        Err(why) => (Finding::problem("ec2:DescribeInstances", why.to_string(), ALLOW), None),
    };
    vec![
        seen,
        of_permit("ec2:TerminateInstances", probe.may_terminate(machine.as_ref()).await, who),
        of_permit("ec2:CreateTags (a deadline that moves)", probe.may_tag(machine.as_ref()).await, who),
    ]
}

/// For whom the questions are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Who asks will be the master (`dayfly run`), or end what is left (`dayfly reap`).
    Master,
    /// Who asks only launches the master's machine, which has a role of its own (`dayfly launch`).
    Trigger,
}

const ALLOW: &str = "allow it (docs/aws.md has the policies)";

/// A playbook's cluster: names, launches, networks, quotas.
pub async fn cluster(probe: &Probe, access: &Access, cluster: &ClusterSpec, who: Who) -> Vec<Finding> {
    let resolution = match resolve(access, cluster, true).await {
        Ok(resolution) => resolution,
        Err(ResolveError::Wrong(wrong)) => {
            return wrong.into_iter().map(|Wrong { at, what, hint }| Finding::problem(at, what, hint)).collect();
        }
        Err(ResolveError::Failed(why)) => {
            return vec![Finding::problem("the cluster", why.to_string(), "")];
        }
    };
    let mut findings = vec![Finding::ok("the cluster", "its subnets, types, images and security groups exist and fit")];
    findings.extend(launches(probe, cluster, &resolution, who).await);
    findings.extend(networks(probe, cluster, who).await);
    findings.extend(match probe.vcpu_quotas(cluster).await {
        Ok(quotas) => quotas.iter().map(of_quota).collect(),
        Err(why) => vec![Finding::unknown("vCPU quotas", why.to_string(), "")],
    });
    findings
}

async fn launches(probe: &Probe, cluster: &ClusterSpec, resolution: &Resolution, who: Who) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut asked = Vec::new();
    for (group, spec) in &cluster.groups {
        asked.push((group.to_string(), who, probe.may_launch(cluster, group, spec, resolution).await));
    }
    let name = "the master".to_owned();
    asked.push((name, Who::Master, probe.may_launch_master(cluster, resolution).await));
    for (name, who, answers) in asked {
        match answers {
            Ok(answers) => findings.extend(of_launches(&name, answers, who)),
            Err(why) => findings.push(Finding::unknown(format!("launching {name}"), why.to_string(), "")),
        }
    }
    if cluster.groups.values().any(|group| group.market != Market::OnDemand)
        && !findings.iter().any(|finding| finding.what == SPOT)
    {
        let seen = "no refusal for want of AWSServiceRoleForEC2Spot; a dry run does not prove that the role is there";
        let remedy =
            "\"aws iam get-role --role-name AWSServiceRoleForEC2Spot\" tells; the first spot launch may make it";
        findings.push(Finding::unknown(SPOT, seen, remedy));
    }
    findings
}

/// What a trigger need not be allowed.
const ITS_ROLE: &str = "nothing, if the master's own role is allowed: ask again with the credentials of that role";
const SPOT: &str = "the spot role";

/// One finding for a group whose launches would all be allowed; else one for each different answer.
fn of_launches(name: &str, answers: Vec<(String, Permit)>, who: Who) -> Vec<Finding> {
    let what = format!("launching {name}");
    let all = answers.len();
    let mut by_answer: Vec<(Permit, Vec<String>)> = Vec::new();
    for (label, permit) in answers {
        match by_answer.iter_mut().find(|(known, _)| *known == permit) {
            Some((_, labels)) => labels.push(label),
            None => by_answer.push((permit, vec![label])),
        }
    }
    let each = |(permit, labels): (Permit, Vec<String>)| {
        let places = if labels.len() == all && all > 1 { format!("all {all} picks") } else { labels.join(", ") };
        match permit {
            Permit::Granted => Finding::ok(&what, format!("{places}: allowed (ec2:RunInstances, tags, profile)")),
            Permit::Denied(why) if who == Who::Trigger => Finding::unknown(&what, format!("{places}: {why}"), ITS_ROLE),
            Permit::Denied(why) => Finding::problem(
                &what,
                format!("{places}: {why}"),
                "allow ec2:RunInstances, ec2:CreateTags at launch and iam:PassRole for the instance profile's role \
                 (docs/aws.md has the policies)",
            ),
            Permit::NoSpotRole => Finding::problem(
                SPOT,
                format!("{places}: this account has never used spot instances"),
                "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
            ),
            Permit::Wrong(why) => Finding::problem(&what, format!("{places}: {why}"), "correct the playbook's cluster"),
            Permit::Unknown(why) => Finding::unknown(&what, format!("{places}: {why}"), ""),
        }
    };
    by_answer.into_iter().map(each).collect()
}

async fn networks(probe: &Probe, cluster: &ClusterSpec, who: Who) -> Vec<Finding> {
    let of_master: Vec<String> = cluster.master.iter().flat_map(|master| master.subnets.clone()).collect();
    let mut subnets: Vec<String> = cluster.groups.values().flat_map(|group| group.subnets.clone()).collect();
    subnets.extend(of_master.clone());
    subnets.sort_unstable();
    subnets.dedup();
    let networks = match probe.networks(&subnets).await {
        Ok(networks) => networks,
        Err(why) => return vec![Finding::unknown("subnets", why.to_string(), "")],
    };
    let mut findings = Vec::new();
    for (group, spec) in &cluster.groups {
        let free: u32 = networks.iter().filter(|at| spec.subnets.contains(&at.subnet)).map(|at| at.free).sum();
        findings.push(of_addresses(group.as_str(), free, spec.count, spec.min_count));
    }
    let public = cluster.master.as_ref().is_some_and(|master| master.public_address);
    for network in networks.iter().filter(|at| of_master.contains(&at.subnet)) {
        let what = format!("the master's way to AWS from {}", network.subnet);
        findings.push(match probe.ways(network).await {
            Ok(Some(ways)) => of_ways(what, network, &ways, public),
            Ok(None) => Finding::unknown(what, "the subnet has no route table that can be seen", ""),
            Err(why) => Finding::unknown(what, why.to_string(), ""),
        });
    }
    if cluster.groups.values().any(|group| group.count > 0 && group.security_groups.is_empty()) {
        let mut vpcs: Vec<&str> = networks.iter().map(|at| at.vpc.as_str()).collect();
        vpcs.sort_unstable();
        vpcs.dedup();
        for vpc in vpcs {
            let what = format!("ec2:CreateSecurityGroup in {vpc}");
            findings.push(of_permit(&what, probe.may_make_security_group(vpc).await, who));
        }
    }
    findings
}

fn of_addresses(group: &str, free: u32, count: u32, min_count: u32) -> Finding {
    let what = format!("addresses for {group}");
    let seen = format!("{free} are free in its subnets, {count} are wanted");
    let remedy = "name further subnets, or larger ones";
    match free {
        _ if free >= count => Finding::ok(what, seen),
        _ if free >= min_count => Finding::unknown(what, format!("{seen}, {min_count} are enough to begin"), remedy),
        _ => Finding::problem(what, seen, remedy),
    }
}

/// Whether a master there reaches what it needs.
fn of_ways(what: String, network: &Network, ways: &Ways, public_address: bool) -> Finding {
    let has = |service: &str| ways.endpoints.iter().any(|endpoint| endpoint == service);
    match &ways.out {
        Some(way) if !ways.need_public_address() || public_address => {
            return Finding::ok(what, format!("by {way}"));
        }
        _ => {}
    }
    let missing: Vec<&str> = NEEDED.iter().filter(|(service, _)| !has(service)).map(|(_, name)| *name).collect();
    let lesser: Vec<String> = WANTED
        .iter()
        .filter(|(service, _)| !has(service))
        .map(|(service, why)| format!("no {service}: {why}"))
        .collect();
    let why = match &ways.out {
        Some(way) => format!("{way} needs a public address, which the master does not get"),
        None => "the subnet is private, without a way out".to_owned(),
    };
    if missing.is_empty() {
        let notes = if lesser.is_empty() { String::new() } else { format!(" ({})", lesser.join("; ")) };
        return Finding::ok(what, format!("{why}; it has endpoints for S3 and EC2{notes}"));
    }
    let remedy = format!(
        "make {} in {}, or give the subnet a NAT gateway, or name another subnet under master: subnets",
        missing.join(" and "),
        network.vpc
    );
    Finding::problem(what, why, remedy)
}

fn of_quota(quota: &Quota) -> Finding {
    let Quota { name, code, limit, needed } = quota;
    let seen = format!("the account may have {limit:.0} at once, this cluster takes {needed} at most");
    if f64::from(*needed) <= *limit {
        Finding::ok(name, format!("{seen} (what runs already is not counted)"))
    } else {
        Finding::problem(
            name,
            seen,
            format!("ask for more in Service Quotas (Amazon EC2, {code}), or name fewer or other types"),
        )
    }
}

fn of_permit(action: &str, permit: Permit, who: Who) -> Finding {
    match permit {
        Permit::Granted => Finding::ok(action, "allowed"),
        Permit::Denied(why) if who == Who::Trigger => Finding::unknown(action, why, ITS_ROLE),
        Permit::Denied(why) => Finding::problem(action, why, ALLOW),
        Permit::Wrong(why) | Permit::Unknown(why) => Finding::unknown(action, why, ""),
        Permit::NoSpotRole => Finding::unknown(action, "the account's spot role is missing", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Health;
    use super::*;

    fn way(out: Option<&str>, endpoints: &[&str], public_address: bool) -> Finding {
        let network =
            Network { subnet: "subnet-1".to_owned(), vpc: "vpc-1".to_owned(), zone: "1a".to_owned(), free: 10 };
        let endpoints = endpoints.iter().map(|name| (*name).to_owned()).collect();
        of_ways("the way".to_owned(), &network, &Ways { out: out.map(str::to_owned), endpoints }, public_address)
    }

    #[test]
    fn a_master_needs_a_way_to_s3_and_ec2() {
        assert_eq!(way(Some("nat-1"), &[], false).health, Health::Ok);
        assert_eq!(way(Some("igw-1"), &[], true).health, Health::Ok);
        let private = way(Some("igw-1"), &["s3"], false);
        assert_eq!(private.health, Health::Problem);
        assert!(private.remedy.contains("endpoint for EC2") && !private.remedy.contains("S3"), "{private:?}");
        assert_eq!(way(None, &["ec2", "s3"], false).health, Health::Ok);
        assert_eq!(way(None, &[], false).health, Health::Problem);
    }

    #[test]
    fn answers_that_are_the_same_are_said_once() {
        let denied = || Permit::Denied("no".to_owned());
        let answers = vec![("a".to_owned(), denied()), ("b".to_owned(), denied()), ("c".to_owned(), Permit::Granted)];
        let findings = of_launches("work", answers.clone(), Who::Master);
        let seen: Vec<_> = findings.iter().map(|finding| (finding.health, finding.seen.as_str())).collect();
        assert_eq!(seen[0], (Health::Problem, "a, b: no"));
        assert_eq!(seen[1].0, Health::Ok);
        assert_eq!(of_launches("work", answers, Who::Trigger)[0].health, Health::Unknown);
    }

    #[test]
    fn too_few_addresses_are_a_problem_only_below_what_is_enough() {
        assert_eq!(of_addresses("work", 4, 4, 4).health, Health::Ok);
        assert_eq!(of_addresses("work", 3, 4, 2).health, Health::Unknown);
        assert_eq!(of_addresses("work", 1, 4, 2).health, Health::Problem);
    }
}
