//! What must be true at the end, read from the simulated world's own ledger.

use std::collections::BTreeMap;

use dayfly::core::ids::{InstanceId, StepKey};
use dayfly::core::records::Receipt;
use dayfly::platform::cloud::InstanceState;

use crate::scenario::Scenario;

/// No machine lives, no name ever had two machines, no key was started twice on a machine.
pub fn check(scenario: &Scenario, what: &str) {
    let violations = scenario.reality.violations.lock().expect("the violations").clone();
    assert!(violations.is_empty(), "{what}: {violations:?}");
    for (id, machine) in scenario.reality.machines().iter() {
        assert_eq!(machine.state, InstanceState::Terminated, "{what}: {id} still lives");
    }
    let mut starts: BTreeMap<(StepKey, InstanceId), u32> = BTreeMap::new();
    for entry in scenario.reality.ledger.lock().expect("the ledger").iter() {
        *starts.entry(entry.clone()).or_default() += 1;
    }
    for ((key, id), count) in starts {
        assert_eq!(count, 1, "{what}: {key} was started {count} times on {id}");
    }
}

/// The part of a receipt that must not depend on how many masters it took.
pub fn essence(receipt: &Receipt) -> String {
    let mut collected: Vec<String> =
        receipt.collected.iter().map(|home| format!("{} {} {}", home.slot, home.files, home.complete)).collect();
    collected.sort();
    let mut resources: Vec<String> =
        receipt.resources.iter().map(|resource| format!("{} {}", resource.id, resource.gone.is_some())).collect();
    resources.sort();
    let mut recap = receipt.recap.clone();
    recap.sort_by(|a, b| a.0.cmp(&b.0));
    let (outcome, message) = (receipt.outcome, &receipt.message);
    format!("{outcome:?} {} {message} {recap:?} {collected:?} {resources:?} {:?}", receipt.exit, receipt.losses)
}
