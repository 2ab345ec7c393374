//! Names that nobody would choose, and records of a later time.

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

#[test]
fn hostile_names_of_files_and_tags_come_through() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    let long = format!("{}/{}", "l".repeat(200), "o".repeat(200));
    let playbook = PIPELINE
        .replace("count: 2", "count: 1\n      tags_are: none")
        .replace("\n      tags_are: none", "")
        .replace("  ttl: 15m", "  ttl: 15m\n  tags: {\"a+b=c/d@e\": \"ü % + \\\" & <x>\", \"Ünï cøde\": \"日本\"}")
        .replace("name: pocket", "name: \"p+%2F ü 日本 <&>\"")
        .replace("echo done > done.txt", &format!(
            "mkdir -p out/{}; cd out\n          for f in 'a+b' 'a%2Fb' 'sp ace' 'ünï' '日本' \"new\nline\" '-dash' 'q?#&=' {long}; do echo \"$f\" > \"$f\"; done",
            "l".repeat(200)
        ).replace("new\nline", "$(printf 'new\\nline')"))
        .replace("paths: [done.txt]", "paths: [out]");
    desk.playbook("p.yml", &playbook);
    let run = desk.launch("p.yml");
    desk.attach(&run).exits(0);
    desk.close(&run);
    oracle::satisfied(&desk, &run);
    let life = oracle::workers(&cloud, &run).pop().expect("a worker");
    assert_eq!(life["tags"]["Ünï cøde"], "日本", "{life}");
    desk.dayfly(&["runs"]).exits(0).says(&run);
    let results = desk.dayfly(&["results", &run, "--to", "home"]).exits(0);
    for name in ["a+b", "a%2Fb", "sp ace", "ünï", "日本", "new\nline", "-dash", "q?#&=", &long] {
        let path = desk.play().join("home/work-0/out").join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name:?}: {error}; {}", results.whole()));
        assert_eq!(text, format!("{name}\n"));
    }
}

#[test]
fn names_that_cannot_be_are_refused_before_anything_is_launched() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    let long = "g".repeat(300);
    for group in ["../work", "wo+rk", "w%2Fork", "wörk", "\"wo rk\"", "\"wo\\nrk\"", long.as_str()] {
        desk.playbook("p.yml", &PIPELINE.replacen("    work:", &format!("    {group}:"), 1));
        let ended = desk.dayfly(&["launch", "p.yml"]);
        assert_eq!(ended.code, 3, "group {group:?}: {}", ended.whole());
    }
    for count in ["0", "-1", "10001", "many"] {
        desk.playbook("p.yml", &PIPELINE.replace("count: 2", &format!("count: {count}")));
        let ended = desk.dayfly(&["launch", "p.yml"]);
        assert_eq!(ended.code, 3, "count {count}: {}", ended.whole());
    }
    for tag in ["\"aws:x\": y", "\"dayfly:run\": y", "\"\": y", "\"a\\nb\": y"] {
        desk.playbook("p.yml", &PIPELINE.replace("  ttl: 15m", &format!("  ttl: 15m\n  tags: {{{tag}}}")));
        let ended = desk.dayfly(&["launch", "p.yml"]);
        assert_eq!(ended.code, 3, "tag {tag}: {}", ended.whole());
    }
    assert_eq!(cloud.lives(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_spec_of_a_newer_version_is_left_alone_and_said() {
    let cloud = Cloud::start();
    let desk = Desk::new(&cloud);
    let run = "01zzzzzzzzzzzzzzzzzzzzzzzz";
    desk.put_object(&format!("index/open/{run}"), "");
    desk.put_object(&format!("index/day/2026-01-31/{run}"), "");
    desk.put_object(&format!("runs/{run}/spec.json"), &format!(r#"{{"v": 99, "run": "{run}", "much": "else"}}"#));
    for arguments in [&["show", run][..], &["attach", run], &["logs", run], &["cancel", run], &["reap"]] {
        let ended = desk.dayfly(arguments);
        assert!(ended.code != 0, "{}", ended.whole());
        ended.tells("99").never_says("panicked");
    }
    assert!(desk.object(&format!("index/open/{run}")).is_some(), "whoever can read it will close it");
    assert_eq!(cloud.lives(), Vec::<serde_json::Value>::new());
}
