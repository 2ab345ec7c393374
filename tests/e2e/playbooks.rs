//! The playbooks that come with the project, each as a user would run it.

use std::path::Path;

use crate::records::holds;
use crate::scene::Scene;

/// A scene with the project's playbooks in it.
fn with_playbooks() -> Scene {
    let scene = Scene::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    for path in crate::scene::walk(&from).into_iter().filter(|path| path.is_file()) {
        let name = path.strip_prefix(&from).expect("below").to_string_lossy().into_owned();
        scene.file(&name, std::fs::read(&path).expect("a playbook"));
    }
    scene
}

#[test]
fn all_pass_check() {
    let scene = with_playbooks();
    for name in ["hello.yml", "etl.yml", "digits.yml"] {
        scene.dayfly(&["check", name, "--local"]).exits(0);
    }
}

#[test]
fn hello() {
    let scene = with_playbooks();
    scene
        .dayfly(&["run", "hello.yml", "--local", "-e", "whom=reader"])
        .exits(0)
        .says("hello reader, this is greeter-0, rank 0 of 1")
        .says("greeter-0");
    let run = scene.run();
    assert_eq!(scene.results(&run)["greeter-0/greeting.txt"], b"hello reader, this is greeter-0, rank 0 of 1\n");
    scene.is_closed(&run, "succeeded");
}

#[test]
fn etl() {
    let scene = with_playbooks();
    let sum: u64 = (1..=300).map(|i: u64| i * 37 % 101).sum();
    let ended = scene.dayfly(&["run", "etl.yml", "--local", "-e", "orders=300", "--output", "json"]).exits(0);
    assert!(ended.stdout.contains(&format!("sum of all orders: {sum}")), "{}", ended.whole());
    for rank in 0..3 {
        assert_eq!(ended.count(&format!("shard-{rank}"), "rescued"), 1);
    }
    let run = scene.run();
    let results = scene.results(&run);
    assert!(holds(&results["merge-0/report.csv"], format!("all,{sum}\n").as_bytes()));
    assert_eq!(results["shard-1/share.state"], b"rescued after Look for the checksum that nobody wrote\n1 of 3\n");
    scene.is_closed(&run, "succeeded");
}

#[test]
fn digits() {
    let scene = with_playbooks();
    let ended = scene.dayfly(&["run", "digits.yml", "--local", "-e", "seconds=2"]).exits(0).says("accuracy: 0.9");
    let word = ended.stdout.split("accuracy: ").nth(1).and_then(|rest| rest.get(..5)).expect("a figure");
    assert!(word.parse::<f64>().expect("a figure") > 0.93, "{}", ended.whole());

    let run = scene.run();
    let results = scene.results(&run);
    let metrics: serde_json::Value = serde_json::from_slice(&results["merge-0/metrics.json"]).expect("JSON");
    assert_eq!(metrics["networks"], 3);
    assert!(results["merge-0/confusion.png"].starts_with(b"\x89PNG\r\n"));
    assert!(results["merge-0/model.joblib"].len() > 100_000);
    scene.dayfly(&["logs", "last"]).exits(0).says("epoch");
    scene.is_closed(&run, "succeeded");
}
