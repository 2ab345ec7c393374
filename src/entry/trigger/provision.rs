//! What EC2 makes of the names in a playbook, once, before anything exists: region, images, zones, the master's machine.

use std::fmt::Write as _;

use serde_json::Value;

use super::ground::Ground;
use super::machine::{Blueprint, unseen, with_defaults};
use super::order::Order;
use super::read::Reading;
use crate::core::records::{CloudKind, ClusterSpec};
use crate::entry::exit::Problem;
use crate::platform::aws::region_of;
use crate::platform::cloud::ec2::{Resolution, ResolveError, Wrong, resolve};

/// What goes into the spec of it.
pub(super) struct Provision {
    /// The cluster, its defaults written out.
    pub(super) cluster: ClusterSpec,
    /// What the cloud made of its names.
    pub(super) resolved: Value,
    /// The master's machine, where it gets one.
    pub(super) master: Option<Blueprint>,
}

/// Asks EC2 where the order's workers come from there; of the others nothing has to be known before.
pub(super) async fn provision(ground: &Ground, order: &Order, reading: &Reading) -> Result<Provision, Problem> {
    let mut cluster = reading.cluster.clone();
    if reading.cloud != CloudKind::Ec2 {
        return Ok(Provision { cluster, resolved: Value::Null, master: None });
    }
    let location = ground.store.location();
    if !order.foreground {
        if !location.starts_with("s3://") {
            return Err(unseen(&location));
        }
        cluster.master = Some(with_defaults(&cluster)?);
    }
    let access = ground.access.in_region(cluster.region.as_deref());
    let region = region_of(&access).await.ok_or_else(|| {
        Problem::Usage(
            "no AWS region is named: write it in the playbook (cluster: region: eu-west-1), or give --region or AWS_REGION"
                .to_owned(),
        )
    })?;
    cluster.region = Some(region.clone());
    let access = ground.access.in_region(Some(&region));
    let Resolution { resolved, master } =
        resolve(&access, &cluster, !order.foreground).await.map_err(|error| refusal(&error))?;
    let master = master.map(|place| -> Result<Blueprint, Problem> {
        fits(&place.arch)?;
        Ok(Blueprint {
            picks: place.picks,
            store: location,
            store_region: ground.store.region().unwrap_or_else(|| region.clone()),
            region,
            endpoint_url: access.endpoint_url.clone(),
            arch: std::env::consts::ARCH.to_owned(),
        })
    });
    Ok(Provision { cluster, resolved, master: master.transpose()? })
}

/// What EC2 does not have of what the playbook names, as check would say it; or that it could not be asked.
fn refusal(error: &ResolveError) -> Problem {
    let ResolveError::Wrong(found) = error else { return Problem::failed(format!("ask EC2: {error}")) };
    let mut text = String::new();
    for Wrong { at, what, hint } in found {
        let _ = writeln!(text, "error: {at}: {what}\n  help: {hint}");
    }
    let word = if found.len() == 1 { "error" } else { "errors" };
    let _ = writeln!(text, "{} {word}; nothing was launched", found.len());
    Problem::Refused(text)
}

/// A master runs this very program.
fn fits(machine: &str) -> Result<(), Problem> {
    let here = std::env::consts::ARCH;
    let same = machine == here || (machine, here) == ("arm64", "aarch64");
    if same {
        return Ok(());
    }
    Err(Problem::Usage(format!(
        "the master's machine is {machine}, and this dayfly is built for {here}: name an instance type of {here} (cluster: \
         master: instance_type), or launch with a dayfly built for {machine}"
    )))
}
