//! Looking at machines. Everything is asked by filters, also what is known by id: one id that EC2 does not know (yet)
//! makes a question by ids fail for all of them, while a filter leaves it out. A machine that was launched a moment ago may
//! be missing from any answer (EC2 Developer Guide, eventual consistency), so being missing proves nothing by itself.

use aws_sdk_ec2::types::{Filter, Instance as Described};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::failure::Failure;
use super::token::client_token;
use super::{Ec2Cloud, deadline_tag, tags};
use crate::core::ids::{InstanceId, RunId};
use crate::platform::cloud::{CloudError, Instance, InstanceState};

/// The most values of one filter (EC2 User Guide, filtering: 200).
const VALUES: usize = 200;
/// The largest page.
const PAGE: i32 = 1000;
/// As much of a console is for people.
const CONSOLE_BYTES: usize = 8 * 1024;
/// Every state but `terminated`.
const LIVING: [&str; 5] = ["pending", "running", "stopping", "stopped", "shutting-down"];

/// A machine that carries a run's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// Whose.
    pub run: RunId,
    /// Which.
    pub instance: Instance,
    /// Whether it is a master's.
    pub is_master: bool,
    /// Its hard end, UNIX milliseconds; none where its tag cannot be read.
    pub deadline_ms: Option<i64>,
}

/// A filter; `*` and `?` in values stand for themselves.
pub(super) fn filter<S: AsRef<str>>(name: &str, values: &[S]) -> Filter {
    let escape = |value: &S| value.as_ref().replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?");
    Filter::builder().name(name).set_values(Some(values.iter().map(escape).collect())).build()
}

/// The machines of a run.
pub(super) fn of_run(run: &RunId) -> Filter {
    filter(&format!("tag:{}", tags::RUN), &[run.as_str()])
}

impl Ec2Cloud {
    /// Every machine that passes.
    pub(super) async fn instances(&self, filters: Vec<Filter>) -> Result<Vec<Described>, CloudError> {
        let clients = self.clients().await;
        let mut pages =
            clients.ec2.describe_instances().set_filters(Some(filters)).max_results(PAGE).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeInstances"))?;
            found.extend(page.reservations().iter().flat_map(|reservation| reservation.instances().iter().cloned()));
        }
        Ok(found)
    }

    /// Machines by id, those that are seen.
    pub(super) async fn by_ids(&self, ids: &[InstanceId]) -> Result<Vec<Described>, CloudError> {
        let mut found = Vec::new();
        for ids in ids.chunks(VALUES) {
            found.extend(self.instances(vec![filter("instance-id", ids)]).await?);
        }
        Ok(found)
    }

    /// Machines by the keys of their launches, those that are seen; in any of the states, or in all.
    pub(super) async fn by_tokens(&self, keys: &[String], states: &[&str]) -> Result<Vec<Described>, CloudError> {
        let mut found = Vec::new();
        for keys in keys.chunks(VALUES) {
            let tokens: Vec<String> = keys.iter().map(|key| client_token(key)).collect();
            let mut filters = vec![filter("client-token", &tokens)];
            if !states.is_empty() {
                filters.push(filter("instance-state-name", states));
            }
            found.extend(self.instances(filters).await?);
        }
        Ok(found)
    }

    /// The workers among living machines, by tag.
    pub(super) async fn living_workers(&self, run: &RunId) -> Result<Vec<Instance>, CloudError> {
        let filters = vec![of_run(run), filter("tag-key", &[tags::GROUP]), filter("instance-state-name", &LIVING)];
        Ok(self.instances(filters).await?.iter().filter_map(|found| self.worker(found)).collect())
    }

    /// The same by the keys of launches.
    pub(super) async fn living_by_tokens(&self, keys: &[String]) -> Result<Vec<Instance>, CloudError> {
        let found = self.by_tokens(keys, &LIVING).await?;
        Ok(found.iter().filter_map(|found| self.worker(found)).collect())
    }

    /// The masters among living machines, by tag.
    pub(super) async fn living_masters(&self, run: &RunId) -> Result<Vec<Instance>, CloudError> {
        let role = filter(&format!("tag:{}", tags::ROLE), &[tags::MASTER]);
        let filters = vec![of_run(run), role, filter("instance-state-name", &LIVING)];
        Ok(self.instances(filters).await?.iter().filter_map(|found| self.master(found)).collect())
    }

    /// Every living machine of any run in the account and region: what can be known of runs where their store cannot be
    /// read.
    pub async fn tagged(&self) -> Result<Vec<Tagged>, CloudError> {
        let filters = vec![filter("tag-key", &[tags::RUN]), filter("instance-state-name", &LIVING)];
        let tagged = |found: &Described| {
            let tag = |key: &str| tags::find(found.tags(), key);
            let is_master = tag(tags::ROLE) == Some(tags::MASTER);
            Some(Tagged {
                run: RunId::new(tag(tags::RUN)?),
                instance: if is_master { self.master(found)? } else { self.worker(found)? },
                is_master,
                deadline_ms: tag(tags::DEADLINE).and_then(deadline_tag::read),
            })
        };
        Ok(self.instances(filters).await?.iter().filter_map(tagged).collect())
    }

    /// The present state of machines, in the order of their ids.
    pub(super) async fn present(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        let found: Vec<Instance> = self.by_ids(ids).await?.iter().filter_map(|found| self.worker(found)).collect();
        Ok(ids.iter().filter_map(|id| found.iter().find(|instance| instance.id == *id)).cloned().collect())
    }

    /// The last lines of a machine's console, and why it ended where it did.
    pub(super) async fn last_words(&self, id: &InstanceId) -> Option<String> {
        let clients = self.clients().await;
        let mut said = None;
        // Only some types give the latest; the others give what they kept from their boot.
        for latest in [true, false] {
            let ask = clients.ec2.get_console_output().instance_id(id.as_str());
            let ask = if latest { ask.latest(true) } else { ask };
            said = ask.send().await.ok().and_then(|answer| answer.output().and_then(decoded));
            if said.is_some() {
                break;
            }
        }
        let found = self.by_ids(std::slice::from_ref(id)).await.unwrap_or_default();
        let texts: Vec<String> = [said, found.first().and_then(ended)].into_iter().flatten().collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }
}

/// Why EC2 says that a machine ended.
fn ended(found: &Described) -> Option<String> {
    let is_over = matches!(super::host::state(found), InstanceState::ShuttingDown | InstanceState::Terminated);
    let reason = found.state_reason().filter(|_| is_over)?;
    Some(format!("EC2: {} ({})", reason.message().unwrap_or("ended"), reason.code().unwrap_or("no reason")))
}

fn decoded(output: &str) -> Option<String> {
    let bytes = STANDARD.decode(output.split_whitespace().collect::<String>()).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let from = text.len().saturating_sub(CONSOLE_BYTES);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    (!text.is_empty()).then(|| text[from..].to_owned())
}
