//! The user data of a master's machine: constant bytes, a function of spec and claim. Two boothooks, so that both run at
//! every boot: the machine's own timers, and what brings the master.

use serde_json::json;

use super::blueprint::Blueprint;
use super::claim::MasterCall;
use crate::core::records::Spec;
use crate::entry::exit::Problem;
use crate::platform::cloud::ec2::timers;

/// What the machine's disk gets, and its unit.
const BOOT: &str = include_str!("boot.sh");
/// What brings the programs and becomes the master.
const START: &str = include_str!("start.py");
/// The most bytes of user data that EC2 takes (EC2 User Guide, instance user data).
const LARGEST: usize = 16 * 1024;
/// Stands in none of the parts.
const BOUNDARY: &str = "==dayfly-boothook==";

/// The user data of the master that is called.
pub(super) fn user_data(spec: &Spec, blueprint: &Blueprint, call: &MasterCall) -> Result<String, Problem> {
    let parts = [timers(&spec.run, spec.timing.lease_ms, call.deadline_ms), boot(spec, blueprint, call)?];
    let mut text = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n");
    for part in parts {
        text.push_str("\n--");
        text.push_str(BOUNDARY);
        text.push_str("\nContent-Type: text/cloud-boothook; charset=\"utf-8\"\n\n");
        text.push_str(part.trim_end());
        text.push('\n');
    }
    text.push_str("\n--");
    text.push_str(BOUNDARY);
    text.push_str("--\n");
    if text.len() > LARGEST {
        return Err(Problem::failed(format!(
            "the user data of the master has {} bytes, more than EC2 takes ({LARGEST}): shorten the store's location",
            text.len()
        )));
    }
    Ok(text)
}

/// The script that brings the master at every boot.
fn boot(spec: &Spec, blueprint: &Blueprint, call: &MasterCall) -> Result<String, Problem> {
    let (bucket, prefix) = bucket_of(&blueprint.store)?;
    let epoch = call.epoch.to_string();
    let mut arguments = vec![
        "master",
        "--run",
        spec.run.as_str(),
        "--machine",
        "--epoch",
        &epoch,
        "--why",
        &call.why,
        "--store",
        &blueprint.store,
        "--region",
        &blueprint.region,
    ];
    if let Some(url) = &blueprint.endpoint_url {
        arguments.extend(["--endpoint-url", url]);
    }
    let order = json!({
        "bucket": bucket,
        "prefix": prefix,
        "region": blueprint.store_region,
        "endpoint_url": blueprint.endpoint_url,
        "programs": blueprint.programs(&spec.bin),
        "arguments": arguments,
    });
    // One line of JSON: no text in it can end the document that it stands in.
    Ok(BOOT.replace("@START@", START.trim_end()).replace("@ORDER@", &order.to_string()))
}

/// `s3://bucket/prefix` as a bucket and what stands before each key.
fn bucket_of(store: &str) -> Result<(&str, String), Problem> {
    let Some(rest) = store.strip_prefix("s3://") else { return Err(unseen(store)) };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    Ok((bucket, if prefix.is_empty() { String::new() } else { format!("{prefix}/") }))
}

/// What is said of a store that no other machine can reach.
pub(crate) fn unseen(store: &str) -> Problem {
    Problem::Usage(format!(
        "a master on EC2 cannot see the folder {store}: name a bucket with --store s3://BUCKET/PREFIX, or stay its master \
         here with dayfly run"
    ))
}
