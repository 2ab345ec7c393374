//! The layer that needs nothing but the cloud: machines past the deadline in their tags are ended, masters and workers
//! alike, even while no store answers.

use std::collections::BTreeMap;

use super::facts::present_deadline;
use super::verdict::grace_ms;
use crate::core::ids::{InstanceId, RunId};
use crate::core::records::ClusterSpec;
use crate::core::timing::Timing;
use crate::entry::exit::Problem;
use crate::entry::trigger::load_spec;
use crate::platform::aws::Access;
use crate::platform::cloud::ec2::{Ec2Cloud, Ec2Settings, Tagged};
use crate::platform::cloud::{Cloud as _, InstanceState};
use crate::platform::store::Store;

/// What became of the machines of one run that are past the deadline in their tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// The run.
    pub run: RunId,
    /// Its machines.
    pub machines: Vec<InstanceId>,
    /// Why they were left: the run's journal says that its end was moved. None: they were ended.
    pub spared: Option<String>,
}

/// Ends every machine of the region that is past its deadline and its grace. The store, where it answers, may only spare:
/// a run whose end was moved and whose tags could not be.
pub async fn end_expired(
    access: &Access,
    store: Option<&dyn Store>,
    timing: &Timing,
    now_ms: i64,
) -> Result<Vec<Swept>, Problem> {
    let cloud = Ec2Cloud::new(Ec2Settings {
        access: access.clone(),
        cluster: ClusterSpec::default(),
        resolved: serde_json::Value::Null,
        timing: timing.clone(),
        outside: false,
    });
    let found = cloud.tagged().await.map_err(anyhow::Error::new)?;
    let mut swept = Vec::new();
    for (run, machines) in expired(found, timing, now_ms) {
        let spared = match store {
            Some(store) => moved(store, &run, timing, now_ms).await,
            None => None,
        };
        if spared.is_none() {
            cloud.terminate(&run, &machines).await.map_err(anyhow::Error::new)?;
        }
        swept.push(Swept { run, machines, spared });
    }
    Ok(swept)
}

/// Machines whose time is over, by run.
fn expired(found: Vec<Tagged>, timing: &Timing, now_ms: i64) -> BTreeMap<RunId, Vec<InstanceId>> {
    let mut expired: BTreeMap<RunId, Vec<InstanceId>> = BTreeMap::new();
    for machine in found {
        // A deadline that cannot be read says nothing: such a machine ends with its run.
        let is_over = machine.deadline_ms.is_some_and(|at_ms| at_ms.saturating_add(grace_ms(timing)) <= now_ms);
        if is_over && machine.instance.state != InstanceState::ShuttingDown {
            expired.entry(machine.run).or_default().push(machine.instance.id);
        }
    }
    expired
}

/// Whether the store knows a later end of the run. A store that does not answer, or does not know the run, spares nobody.
async fn moved(store: &dyn Store, run: &RunId, timing: &Timing, now_ms: i64) -> Option<String> {
    let spec = load_spec(store, run).await.ok()?;
    let deadline_ms = present_deadline(store, &spec).await.ok()?;
    let later = deadline_ms.saturating_add(grace_ms(timing)) > now_ms;
    later.then(|| "its end was moved, although its tags were not".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{HostSlot, Incarnation};
    use crate::platform::cloud::Instance;

    #[test]
    fn a_machine_is_expired_after_its_deadline_and_grace_and_not_before() {
        let machine = |id: &str, run: &str, deadline_ms: Option<i64>, state| Tagged {
            run: run.into(),
            instance: Instance {
                id: id.into(),
                slot: HostSlot { host: "x".into(), incarnation: Incarnation(1) },
                state,
                reach: None,
                address: String::new(),
            },
            is_master: false,
            deadline_ms,
        };
        let timing = Timing::default();
        let found = vec![
            machine("i-1", "a", Some(1_000_000), InstanceState::Running),
            machine("i-2", "a", Some(1_000_001), InstanceState::Running),
            machine("i-3", "b", Some(999_999), InstanceState::Pending),
            machine("i-4", "c", Some(i64::MAX), InstanceState::Running),
            machine("i-5", "d", None, InstanceState::Running),
            machine("i-6", "e", Some(0), InstanceState::ShuttingDown),
        ];
        let expired = expired(found, &timing, 1_000_000 + 2 * 60_000);
        let expected: Vec<(RunId, Vec<InstanceId>)> =
            vec![("a".into(), vec!["i-1".into()]), ("b".into(), vec!["i-3".into()])];
        assert_eq!(expired.into_iter().collect::<Vec<_>>(), expected);
    }
}
