//! The layer that needs nothing but the cloud: machines past the deadline in their tags are ended, masters and workers
//! alike, even while no store answers.

use std::collections::BTreeMap;

use super::facts::present_deadline;
use super::verdict::grace_ms;
use crate::core::ids::{InstanceId, RunId};
use crate::core::timing::Timing;
use crate::entry::exit::Problem;
use crate::entry::trigger::load_spec;
use crate::platform::aws::Access;
use crate::platform::cloud::ec2::{Dated, dated_machines, terminate_machines};
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
    let found = dated_machines(access).await.map_err(anyhow::Error::new)?;
    let mut swept = Vec::new();
    let mut doomed = Vec::new();
    for (run, machines) in expired(found, timing, now_ms) {
        let spared = match store {
            Some(store) => moved(store, &run, timing, now_ms).await,
            None => None,
        };
        if spared.is_none() {
            doomed.extend(machines.iter().cloned());
        }
        swept.push(Swept { run, machines, spared });
    }
    terminate_machines(access, &doomed).await.map_err(anyhow::Error::new)?;
    Ok(swept)
}

/// Machines whose time is over, by run.
fn expired(found: Vec<Dated>, timing: &Timing, now_ms: i64) -> BTreeMap<RunId, Vec<InstanceId>> {
    let mut expired: BTreeMap<RunId, Vec<InstanceId>> = BTreeMap::new();
    for machine in found {
        if machine.deadline_ms.saturating_add(grace_ms(timing)) <= now_ms {
            expired.entry(machine.run).or_default().push(machine.id);
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

    #[test]
    fn a_machine_is_expired_after_its_deadline_and_grace_and_not_before() {
        let machine = |id: &str, run: &str, deadline_ms| Dated { id: id.into(), run: run.into(), deadline_ms };
        let timing = Timing::default();
        let found = vec![
            machine("i-1", "a", 1_000_000),
            machine("i-2", "a", 1_000_001),
            machine("i-3", "b", 999_999),
            machine("i-4", "c", i64::MAX),
        ];
        let expired = expired(found, &timing, 1_000_000 + 2 * 60_000);
        let expected: Vec<(RunId, Vec<InstanceId>)> =
            vec![("a".into(), vec!["i-1".into()]), ("b".into(), vec!["i-3".into()])];
        assert_eq!(expired.into_iter().collect::<Vec<_>>(), expected);
    }
}
