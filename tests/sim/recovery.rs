//! Masters that die, answers that are lost, workers that go.

use std::time::Duration;

use dayfly::core::event::EventKind;
use dayfly::core::records::{Outcome, Receipt, Record};
use dayfly::platform::store::Store;
use dayfly::platform::store::journal::Journal;

use crate::oracle::{check, essence};
use crate::scenario::{Kill, PIPELINE, Scenario};
use crate::world::Faults;

async fn undisturbed(seed: u64, faults: Faults) -> (Scenario, Receipt) {
    let scenario = Scenario::new(seed, faults, PIPELINE).await;
    let (outcome, events) = scenario.master(Kill::Never).await.expect("nobody kills it");
    let receipt = outcome.expect("the run ends");
    let told: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::TaskResult { host, result, status, name, .. } => {
                Some(format!("{host} {name} {status:?} {result:?}"))
            }
            EventKind::Warning { message } => Some(message.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(receipt.outcome, Outcome::Succeeded, "{}\n{}", receipt.message, told.join("\n"));
    check(&scenario, "undisturbed");
    (scenario, receipt)
}

#[tokio::test(start_paused = true)]
async fn an_undisturbed_run_succeeds_and_leaves_nothing() {
    let (scenario, receipt) = undisturbed(1, Faults::default()).await;
    assert_eq!(receipt.resources.len(), 4);
    assert!(receipt.losses.is_empty());
    let results = scenario.store.list("runs/sim/results/", None).await.expect("a listing");
    assert_eq!(results.len(), 3, "each worker's result is home once: {results:?}");
}

#[tokio::test(start_paused = true)]
async fn a_master_killed_at_any_segment_is_followed_by_one_that_ends_the_run_alike() {
    let (first, receipt) = undisturbed(1, Faults::default()).await;
    let segments = first.store.list("runs/sim/journal/", None).await.expect("a listing").len() as u64;
    assert!(segments > 20, "the pipeline writes many segments: {segments}");
    let wanted = essence(&receipt);
    for number in 1..=segments {
        for after in [false, true] {
            let what = format!("killed {} segment {number}", if after { "after" } else { "before" });
            let scenario = Scenario::new(1, Faults::default(), PIPELINE).await;
            let killed = scenario.master(Kill::AtSegment { number, after }).await;
            if let Some((outcome, _)) = killed {
                // The timing of class B segments may leave it with fewer: then it was never killed.
                outcome.expect("the run ends");
            }
            let (outcome, _) = scenario.master(Kill::Never).await.expect("nobody kills the second");
            let receipt = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&scenario, &what);
            assert_eq!(essence(&receipt), wanted, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn masters_that_die_again_and_again_come_to_the_same_end() {
    let (_, receipt) = undisturbed(1, Faults::default()).await;
    let wanted = essence(&receipt);
    for stride in [2, 3, 5, 7] {
        let scenario = Scenario::new(1, Faults::default(), PIPELINE).await;
        let mut epochs = 0;
        let receipt = loop {
            epochs += 1;
            assert!(epochs < 200, "every master must come further than the one before");
            if let Some((outcome, _)) =
                scenario.master(Kill::AtSegment { number: stride, after: epochs % 2 == 0 }).await
            {
                break outcome.expect("the run ends");
            }
        };
        check(&scenario, &format!("a master every {stride} segments"));
        assert_eq!(essence(&receipt), wanted, "a master every {stride} segments, {epochs} of them");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_answers_change_nothing() {
    let (_, receipt) = undisturbed(1, Faults::default()).await;
    let wanted = essence(&receipt);
    for seed in 0..60 {
        let faults = Faults { launch_answer_lost: 2, connection_lost: 4, store_answer_lost: 6, ..Faults::default() };
        let scenario = Scenario::new(seed, faults, PIPELINE).await;
        let kill = if seed % 2 == 0 { Kill::Never } else { Kill::AtSegment { number: seed, after: seed % 4 == 1 } };
        let outcome = match scenario.master(kill).await {
            Some((outcome, _)) => outcome,
            None => scenario.master(Kill::Never).await.expect("nobody kills the second").0,
        };
        let receipt = outcome.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        check(&scenario, &format!("seed {seed}"));
        assert_eq!(essence(&receipt), wanted, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_is_unreachable_and_the_rest_goes_on() {
    for kill in [Kill::Never, Kill::AtSegment { number: 30, after: true }] {
        let faults = Faults { dies_at: Some(("work-1", "/2.1/3.")), ..Faults::default() };
        let faults = Faults { dies_at: faults.dies_at.map(|(host, _)| (host, "/1.1/3.1")), ..faults };
        let scenario = Scenario::new(7, faults, PIPELINE).await;
        let outcome = match scenario.master(kill).await {
            Some((outcome, _)) => outcome,
            None => scenario.master(Kill::Never).await.expect("nobody kills the second").0,
        };
        let receipt = outcome.expect("the run ends");
        check(&scenario, "a lost worker");
        assert_eq!((receipt.outcome, receipt.exit), (Outcome::Failed, 4), "{}", receipt.message);
        let stats = |name: &str| receipt.recap.iter().find(|(host, _)| host.as_str() == name).map(|(_, stats)| *stats);
        assert_eq!(stats("work-1").map(|stats| stats.unreachable), Some(1));
        assert_eq!(stats("work-0").map(|stats| (stats.unreachable, stats.rescued)), Some((0, 1)));
        assert!(receipt.losses.iter().any(|loss| loss.what == "work-1.1"), "{:?}", receipt.losses);
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_master_cannot_write_once_a_new_one_has_begun() {
    let (scenario, _) = undisturbed(3, Faults::default()).await;
    let before = Journal::read(&scenario.store, &scenario.spec.run).await.expect("the journal");
    let (outcome, _) = scenario.master(Kill::Never).await.expect("nobody kills it");
    let again = outcome.expect("a finished run only tells its receipt again");
    assert_eq!(again.epochs, 1, "the receipt is the first one's");
    let after = Journal::read(&scenario.store, &scenario.spec.run).await.expect("the journal");
    assert_eq!(after.len(), before.len() + 1, "nothing but EpochStarted was added");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_collected_and_leaves_nothing_also_where_its_master_dies() {
    for seconds in [1, 2, 3, 5, 8, 13] {
        for kill in [Kill::Never, Kill::AtSegment { number: 12 + seconds, after: true }] {
            let what = format!("cancelled after {seconds} s, {kill:?}");
            let mut scenario = Scenario::new(seconds, Faults::default(), PIPELINE).await;
            scenario.cancel_after = Some(Duration::from_secs(seconds));
            let outcome = match scenario.master(kill).await {
                Some((outcome, _)) => outcome,
                None => scenario.master(Kill::Never).await.expect("nobody kills the second").0,
            };
            let receipt = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&scenario, &what);
            assert!(matches!(receipt.outcome, Outcome::Cancelled | Outcome::Succeeded), "{what}: {}", receipt.message);
            assert!(receipt.losses.is_empty(), "{what}: {:?}", receipt.losses);
            let sealed = Journal::read(&scenario.store, &scenario.spec.run).await.expect("the journal");
            let members = sealed.iter().filter_map(|entry| match &entry.record {
                Record::GroupSealed { members, .. } => Some(members.len()),
                _ => None,
            });
            assert_eq!(receipt.collected.len(), members.sum::<usize>(), "{what}: every sealed worker is home");
        }
    }
}
