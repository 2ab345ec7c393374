//! What must be true after every scenario, by the cloud's own ledger and by marks that the steps left outside: nothing of
//! the run lives, nothing was billed for longer than it may, receipt and proof agree, no step began twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cloud::Cloud;
use crate::desk::Desk;

/// The lives of a run's machines.
pub fn lives(cloud: &Cloud, run: &str) -> Vec<Value> {
    let all = cloud.lives();
    all.into_iter().filter(|life| life["tags"]["dayfly:run"] == run).collect()
}

/// The lives of its workers.
pub fn workers(cloud: &Cloud, run: &str) -> Vec<Value> {
    lives(cloud, run).into_iter().filter(|life| life["tags"]["dayfly:group"].is_string()).collect()
}

/// The lives of its masters.
pub fn masters(cloud: &Cloud, run: &str) -> Vec<Value> {
    lives(cloud, run).into_iter().filter(|life| life["tags"]["dayfly:role"] == "master").collect()
}

/// Calls of one action that name a run.
pub fn calls(cloud: &Cloud, action: &str) -> Vec<Value> {
    cloud.calls().into_iter().filter(|call| call["action"] == action).collect()
}

/// Asserts that nothing of the run exists any more: machines, volumes, interfaces, groups, keys, uploads.
pub fn nothing_lives(cloud: &Cloud, run: &str) {
    let alive = cloud.alive();
    let left: Vec<&Value> = alive
        .iter()
        .filter(|thing| {
            let upload =
                thing["kind"] == "multipart-upload" && thing["state"].as_str().is_some_and(|key| key.contains(run));
            thing["run"] == run || upload
        })
        .collect();
    assert!(left.is_empty(), "run {run} left {left:#?}");
}

/// Everything, once a run is closed.
pub fn satisfied(desk: &Desk, run: &str) {
    let cloud = desk.cloud();
    nothing_lives(cloud, run);
    let receipt: Option<Value> = desk.object(&format!("runs/{run}/receipt.json")).map(|text| json(&text));
    let closed = json(&desk.object(&format!("runs/{run}/closed.json")).expect("closed.json"));
    let spec = json(&desk.object(&format!("runs/{run}/spec.json")).expect("spec.json"));
    let deadline = spec["deadline_ms"].as_i64().expect("a deadline") as f64 / 1000.0;
    for life in lives(cloud, run) {
        let ended = life["ended"].as_f64().unwrap_or_else(|| panic!("not ended: {life}"));
        assert!(ended < deadline + 60.0, "it lived past its deadline {deadline}: {life}");
    }
    if let Some(receipt) = &receipt {
        let told: BTreeSet<String> = receipt["resources"]
            .as_array()
            .expect("resources")
            .iter()
            .filter(|resource| resource["kind"] == "instance")
            .filter_map(|resource| resource["id"].as_str().map(str::to_owned))
            .collect();
        let lived: BTreeSet<String> =
            workers(cloud, run).iter().filter_map(|life| life["id"].as_str().map(str::to_owned)).collect();
        assert_eq!(told, lived, "the receipt's machines are those of the ledger");
    }
    assert!(closed["sweeps"].as_array().is_some_and(|sweeps| !sweeps.is_empty()), "{closed}");
    assert!(
        closed["sweeps"].as_array().into_iter().flatten().filter(|sweep| sweep["found"] != 0).count()
            < closed["sweeps"].as_array().map_or(0, Vec::len),
        "a last look found something: {closed}"
    );
    assert!(desk.object(&format!("index/open/{run}")).is_none(), "the run is still listed as open");
    no_step_twice(cloud, run);
}

/// Every mark that a step leaves at its begin (`RUN HOST begin STEP`) is there once.
pub fn no_step_twice(cloud: &Cloud, run: &str) {
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    for mark in marks(cloud, run).into_iter().filter(|mark| mark.contains(" begin ")) {
        *count.entry(mark).or_default() += 1;
    }
    let twice: Vec<_> = count.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "steps that began more than once: {twice:?}");
}

/// The last calls, a line each, for messages of failed tests.
pub fn told(cloud: &Cloud, count: usize) -> String {
    let calls = cloud.calls();
    let start = calls.first().and_then(|call| call["time"].as_f64()).unwrap_or_default();
    let line = |call: &Value| {
        format!(
            "{:8.2} +{} {} e{} {} {} {} {}",
            call["time"].as_f64().unwrap_or_default() - start,
            call["took"],
            call["principal"],
            call["epoch"],
            call["action"],
            call["parameters"]["Key"],
            call["status"],
            call["error"],
        )
    };
    calls.iter().skip(calls.len().saturating_sub(count)).map(line).collect::<Vec<_>>().join("\n")
}

/// The marks of a run, in their order.
pub fn marks(cloud: &Cloud, run: &str) -> Vec<String> {
    cloud.marks().into_iter().filter(|mark| mark.starts_with(run)).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
