//! Groups that are hard to get: several places, too little room, machines that end early, and deadlines that move.

use std::time::Duration;

use dayfly::core::event::EventKind;
use dayfly::core::records::{Outcome, Receipt, Record};
use dayfly::platform::store::Store;
use dayfly::platform::store::journal::Journal;

use crate::cloud::Room;
use crate::oracle::{check, essence};
use crate::scenario::{Kill, PIPELINE, Scenario};
use crate::world::Faults;

/// Three places: one with room for one, one that never gives any, and behind them one with enough.
const NARROW: &[Room] = &[Room::of(0, 1), Room::closed(0), Room::of(0, 1), Room::of(1, 2)];

async fn segments(scenario: &Scenario) -> u64 {
    scenario.store.list("runs/sim/journal/", None).await.expect("a listing").len() as u64
}

/// A run whose first master is killed, ended by the second.
async fn ended(scenario: &Scenario, kill: Kill, what: &str) -> Receipt {
    let outcome = match scenario.master(kill).await {
        Some((outcome, _)) => outcome,
        None => scenario.master(Kill::Never).await.expect("nobody kills the second").0,
    };
    let receipt = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    check(scenario, what);
    receipt
}

/// A run whose groups do not wait long for capacity.
async fn impatient(faults: Faults) -> Scenario {
    let mut scenario = Scenario::new(1, faults, PIPELINE).await;
    scenario.spec.timing.capacity_ms = 100_000;
    scenario
}

/// Kills a master at every segment of a run with these faults: the end is always that of the undisturbed run.
async fn alike_at_every_kill(faults: Faults) -> Receipt {
    let first = impatient(faults).await;
    let receipt = ended(&first, Kill::Never, "undisturbed").await;
    let wanted = essence(&receipt);
    for number in 1..=segments(&first).await {
        for after in [false, true] {
            let what = format!("killed {} segment {number}", if after { "after" } else { "before" });
            let scenario = impatient(faults).await;
            let receipt = ended(&scenario, Kill::AtSegment { number, after }, &what).await;
            assert_eq!(essence(&receipt), wanted, "{what}");
        }
    }
    receipt
}

#[tokio::test(start_paused = true)]
async fn a_group_is_gathered_from_several_places_whoever_is_the_master() {
    let receipt = alike_at_every_kill(Faults { places: NARROW, ..Faults::default() }).await;
    assert_eq!(receipt.outcome, Outcome::Succeeded, "{}", receipt.message);
    assert_eq!(receipt.resources.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn machines_that_end_early_are_replaced_before_the_group_begins() {
    let faults = Faults { places: NARROW, stillborn: 1, blind: Duration::from_secs(3), ..Faults::default() };
    let receipt = alike_at_every_kill(faults).await;
    assert_eq!(receipt.outcome, Outcome::Succeeded, "{}", receipt.message);
    assert_eq!(receipt.resources.len(), 5, "the early one is proven gone, too");
    let lost: Vec<&str> = receipt.losses.iter().map(|loss| loss.what.as_str()).collect();
    assert_eq!(lost, ["prep-0.1"]);
    assert!(receipt.losses[0].why.contains("console/prep-0.1.i-1.txt"), "{:?}", receipt.losses);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_of_launches_in_several_places_change_nothing() {
    let faults = Faults { places: NARROW, ..Faults::default() };
    let wanted = essence(&ended(&Scenario::new(1, faults, PIPELINE).await, Kill::Never, "undisturbed").await);
    for seed in 0..40 {
        let faults = Faults { launch_answer_lost: 2, store_answer_lost: 9, ..faults };
        let scenario = Scenario::new(seed, faults, PIPELINE).await;
        let kill = if seed % 2 == 0 { Kill::Never } else { Kill::AtSegment { number: seed, after: seed % 4 == 1 } };
        let receipt = ended(&scenario, kill, &format!("seed {seed}")).await;
        assert_eq!(essence(&receipt), wanted, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_begins_with_fewer_once_it_has_waited_long_enough() {
    const FEW: &[Room] = &[Room::of(0, 1), Room::of(1, 1)];
    let mut scenario = Scenario::new(1, Faults { places: FEW, ..Faults::default() }, PIPELINE).await;
    for spec in scenario.spec.cluster.groups.values_mut() {
        spec.min_count = spec.min_count.min(2);
    }
    let receipt = ended(&scenario, Kill::Never, "with two").await;
    let entries = Journal::read(&scenario.store, &scenario.spec.run).await.expect("the journal");
    let sealed = entries.iter().filter_map(|entry| match &entry.record {
        Record::GroupSealed { members, .. } => Some((entry.t, members.len())),
        _ => None,
    });
    let sealed: Vec<(i64, usize)> = sealed.collect();
    assert_eq!(sealed.iter().map(|(_, members)| *members).collect::<Vec<_>>(), [1, 2], "{}", receipt.message);
    assert!(sealed[1].0 - sealed[0].0 >= 300_000, "it waited for the third: {sealed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_cannot_be_had_says_who_refused_and_what_to_change() {
    const NONE: &[Room] = &[Room::of(0, 1), Room::closed(1)];
    let receipt = alike_at_every_kill(Faults { places: NONE, ..Faults::default() }).await;
    assert_eq!((receipt.outcome, receipt.exit), (Outcome::Failed, 1));
    for part in ["group work: 1 of at least 3", "place 0: no capacity", "place 1: not offered here", "min_count"] {
        assert!(receipt.message.contains(part), "{part}: {}", receipt.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_never_answers_lives_until_its_group_has_begun_and_no_longer() {
    let mut scenario = Scenario::new(1, Faults { mute: 2, ..Faults::default() }, PIPELINE).await;
    scenario.spec.cluster.groups.shift_remove("prep");
    scenario.spec.cluster.groups["work"].min_count = 1;
    let scenario = scenario.with_playbook("- hosts: work\n  tasks: [{shell: sleep 400}]\n");
    let receipt = ended(&scenario, Kill::Never, "two are mute").await;
    assert_eq!(receipt.outcome, Outcome::Succeeded, "{}", receipt.message);
    let lost: Vec<&str> = receipt.losses.iter().map(|loss| loss.what.as_str()).collect();
    assert_eq!(lost, ["work-0.1", "work-1.1"]);
    assert_eq!(receipt.resources.len(), 3);
    let entries = Journal::read(&scenario.store, &scenario.spec.run).await.expect("the journal");
    let at = |wanted: &dyn Fn(&Record) -> bool| entries.iter().position(|entry| wanted(&entry.record));
    let sealed = at(&|record| matches!(record, Record::GroupSealed { .. }));
    let gone = at(&|record| matches!(record, Record::Gone { .. } | Record::WorkerLost { .. }));
    assert!(sealed.is_some() && sealed < gone, "nothing is given up before the seal is written");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_moved_holds_for_workers_cloud_and_every_later_master() {
    let long = "- hosts: work\n  tasks: [{shell: sleep 60000}, {shell: say done}]\n";
    let first = moved(long, Kill::Never, "undisturbed").await;
    for number in 1..=first {
        for after in [false, true] {
            moved(long, Kill::AtSegment { number, after }, &format!("killed at {number}, {after}")).await;
        }
    }
}

/// A run with a minute to live that somebody gives an hour after two seconds; returns how many segments it wrote.
async fn moved(playbook: &str, kill: Kill, what: &str) -> u64 {
    let mut scenario = Scenario::new(1, Faults::default(), PIPELINE).await;
    let now = scenario.spec.created_ms;
    (scenario.spec.deadline_ms, scenario.spec.soft_deadline_ms) = (now + 40_000, now + 30_000);
    let scenario = scenario.with_playbook(playbook);
    let wanted = now + 3_600_000;
    let order = serde_json::json!({"v": 1, "what": "extend", "by": "ada@desk", "deadline_ms": wanted}).to_string();
    scenario.store.put("runs/sim/control/01.json", order.into_bytes().into()).await.expect("a control file");
    let killed = scenario.master(kill).await;
    let (outcome, events) = match killed {
        Some(ended) => ended,
        None => scenario.master(Kill::Never).await.expect("nobody kills the second"),
    };
    let receipt = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&scenario, what);
    assert_eq!(receipt.outcome, Outcome::Succeeded, "{what}: {}", receipt.message);
    for (id, machine) in scenario.reality.machines().iter() {
        assert_eq!((machine.deadline_ms, machine.shown_ms), (wanted, wanted), "{what}: {id}");
    }
    let entries = Journal::read(&scenario.store, &scenario.spec.run).await.expect("the journal");
    let told = entries.iter().filter(|entry| matches!(entry.record, Record::DeadlineMoved { .. })).count();
    assert_eq!(told, 1, "{what}: a wish has its effect once");
    if matches!(kill, Kill::Never) {
        assert!(events.iter().any(|event| matches!(event.kind, EventKind::DeadlineMoved { .. })));
    }
    segments(&scenario).await
}
