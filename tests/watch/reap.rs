//! Whole lives of runs whose masters never come, by the reaper alone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dayfly::platform::store::Store;

use crate::desk::{Desk, text};

const CLUSTER: &str = "  ttl: TTL
  master: {iam_instance_profile: dayfly-master, subnets: [SUBNET_A]}
  groups:
    work: {count: 1, instance_type: c7i.large, subnets: [SUBNET_A]}
";

fn launch(desk: &Desk) -> String {
    let output = desk.dayfly("admin", &["launch", "p.yml", "--store", &desk.store()]);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn a_master_that_never_comes_is_asked_for_again_succeeded_and_given_up() {
    let desk = Desk::new(&CLUSTER.replace("TTL", "3h"));
    let run = launch(&desk);
    let store = desk.cloud.store("").await;
    let (mut did, mut machines) = (BTreeSet::new(), BTreeSet::new());
    let until = Instant::now() + Duration::from_mins(2);
    while store.get(&format!("index/open/{run}")).await.unwrap().is_some() {
        assert!(Instant::now() < until, "still open after: {did:?}");
        // Two reapers at once do no harm.
        let looks = std::thread::scope(|scope| {
            let look = || scope.spawn(|| desk.json("admin", &["reap", "--store", &desk.store(), "--json"]));
            [look(), look()].map(|look| look.join().unwrap())
        });
        for look in &looks {
            for run in look["runs"].as_array().unwrap() {
                let again = if run["again"] == true { " again" } else { "" };
                did.insert(format!("{}{again}", run["did"].as_str().unwrap()));
                machines.extend(run["machine"].as_str().map(str::to_owned));
                assert_ne!(run["did"], "unknown", "{run}");
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for expected in ["launched", "launched again", "waiting", "ending", "looked", "given-up"] {
        assert!(did.contains(expected), "{expected} is missing: {did:?}");
    }
    assert_eq!(machines.len(), 5, "five masters and no more: {machines:?}");
    assert_eq!(desk.machines().await, Vec::<String>::new());
    let closed = store.get(&format!("runs/{run}/closed.json")).await.unwrap().unwrap();
    let closed: serde_json::Value = serde_json::from_slice(&closed).unwrap();
    assert!(closed["master_state"].as_str().is_some_and(|state| state.contains("5 masters")), "{closed}");
    assert_eq!(closed["sweeps"].as_array().and_then(|sweeps| sweeps.last()).unwrap()["found"], 0);
    assert_eq!(closed["sweeps"][0]["region"], desk.cloud.text("/region"));
}

#[tokio::test]
async fn past_its_deadline_a_machine_ends_by_its_tag_alone() {
    let desk = Desk::new(&CLUSTER.replace("TTL", "2s"));
    launch(&desk);
    assert_eq!(desk.machines().await.len(), 1);
    let region = desk.cloud.text("/region");
    let elsewhere = ["reap", "--store", "s3://no-such-bucket-of-ours/x", "--region", &region, "--json"];
    assert_eq!(desk.json("admin", &elsewhere)["expired"].as_array().map(Vec::len), Some(0), "not before its grace");
    tokio::time::sleep(Duration::from_secs(7)).await;
    let look = desk.json("admin", &elsewhere);
    assert_eq!(look["expired"].as_array().map(Vec::len), Some(1), "{look}");
    assert!(look["problem"].is_string(), "the store was not there: {look}");
    assert_eq!(desk.machines().await, Vec::<String>::new());
}
