//! Machines past their deadline, found by their tag alone: no store, no journal and no spec is needed to end them.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;

use super::probe::said;
use crate::core::ids::{InstanceId, RunId};
use crate::platform::aws::{Access, config};
use crate::platform::cloud::CloudError;

/// The run that a machine was launched for.
const RUN_TAG: &str = "dayfly:run";
/// Its hard end, UNIX milliseconds.
const DEADLINE_TAG: &str = "dayfly:deadline";
/// Machines that may still cost money, or come back.
const ALIVE: [&str; 4] = ["pending", "running", "stopping", "stopped"];
/// So many ids in one request to end them: one unknown id spoils a whole request.
const BATCH: usize = 100;

/// A machine whose deadline stands in its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The machine.
    pub id: InstanceId,
    /// Its run.
    pub run: RunId,
    /// Its hard end, UNIX milliseconds.
    pub deadline_ms: i64,
}

/// Every living machine of the region that carries a run and a deadline, whatever store it belongs to.
pub async fn dated_machines(access: &Access) -> Result<Vec<Dated>, CloudError> {
    let client = aws_sdk_ec2::Client::new(&config(access).await);
    let filter = |name: &str, values: &[&str]| {
        Filter::builder().name(name).set_values(Some(values.iter().map(|value| (*value).to_owned()).collect())).build()
    };
    let mut pages = client
        .describe_instances()
        .filters(filter("tag-key", &[DEADLINE_TAG]))
        .filters(filter("instance-state-name", &ALIVE))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let reservation = page.map_err(|error| CloudError(said(&error)))?;
        for instance in reservation.instances() {
            let tags: BTreeMap<&str, &str> =
                instance.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect();
            // A machine without a run is not ours, and a deadline that cannot be read says nothing.
            let (Some(id), Some(run), Some(deadline_ms)) =
                (instance.instance_id(), tags.get(RUN_TAG), tags.get(DEADLINE_TAG).and_then(|text| text.parse().ok()))
            else {
                continue;
            };
            found.push(Dated { id: InstanceId::new(id), run: RunId::new(*run), deadline_ms });
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

/// Asks for the end of machines; returns at once. One that cannot be ended does not keep the others: what was said of it
/// is in the answer.
pub async fn terminate_machines(access: &Access, ids: &[InstanceId]) -> Result<(), CloudError> {
    let client = aws_sdk_ec2::Client::new(&config(access).await);
    let mut refusals = Vec::new();
    for batch in ids.chunks(BATCH) {
        let ask = |ids: &[InstanceId]| {
            let ids = ids.iter().map(|id| id.as_str().to_owned()).collect();
            client.terminate_instances().set_instance_ids(Some(ids)).send()
        };
        if ask(batch).await.is_ok() {
            continue;
        }
        for id in batch {
            if let Err(error) = ask(std::slice::from_ref(id)).await {
                refusals.push(format!("{id}: {}", said(&error)));
            }
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(CloudError(refusals.join("; "))) }
}
