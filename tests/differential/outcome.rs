//! What a program said and did: counters of each host, exit code, files.

use std::collections::BTreeMap;
use std::process::Output;

use crate::tree::Tree;

/// ok, changed, unreachable, failed, skipped, rescued, ignored.
pub type Counters = BTreeMap<String, [u64; 7]>;

const NAMES: [&str; 7] = ["ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored"];

/// One program's run.
pub struct Outcome {
    /// Exit code; -1 where a signal ended it.
    pub exit: i32,
    /// Counters by host.
    pub counters: Counters,
    /// What stands in the folder afterwards.
    pub files: Tree,
    /// Both streams, for people.
    pub said: String,
}

impl Outcome {
    /// Puts it together.
    pub fn new(output: &Output, counters: Counters, files: Tree) -> Self {
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Self { exit: output.status.code().unwrap_or(-1), counters, files, said }
    }
}

/// From `h1 : ok=1 changed=0 …` lines, as Ansible prints them.
pub fn counters_of_recap(stdout: &[u8]) -> Counters {
    let text = String::from_utf8_lossy(stdout).into_owned();
    let recap = text.rsplit_once("PLAY RECAP").map_or("", |(_, recap)| recap);
    let mut counters = Counters::new();
    for line in recap.lines() {
        let Some((host, rest)) = line.split_once(" : ") else { continue };
        let mut row = [0; 7];
        for word in rest.split_whitespace() {
            if let Some((name, count)) = word.split_once('=')
                && let Some(index) = NAMES.iter().position(|known| *known == name)
            {
                row[index] = count.parse().expect("a number in the recap");
            }
        }
        counters.insert(host.trim().to_owned(), row);
    }
    counters
}

/// From the `run_ended` event of `--output json`.
pub fn counters_of_events(stdout: &[u8]) -> Counters {
    let text = String::from_utf8_lossy(stdout).into_owned();
    let mut counters = Counters::new();
    for event in text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
        if event["event"] != "run_ended" {
            continue;
        }
        for pair in event["stats"].as_array().into_iter().flatten() {
            let row = NAMES.map(|name| pair[1][name].as_u64().unwrap_or(0));
            counters.insert(pair[0].as_str().unwrap_or_default().to_owned(), row);
        }
    }
    counters
}

/// Hosts whose counters differ; a host with nothing to count may be missing.
pub fn differences(expected: &Counters, actual: &Counters) -> Vec<String> {
    let hosts: std::collections::BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    hosts
        .into_iter()
        .filter_map(|host| {
            let zero = [0; 7];
            let (left, right) = (expected.get(host).unwrap_or(&zero), actual.get(host).unwrap_or(&zero));
            (left != right).then(|| format!("counters of {host}: ansible {}, dayfly {}", row(left), row(right)))
        })
        .collect()
}

fn row(counts: &[u64; 7]) -> String {
    NAMES.iter().zip(counts).map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}
