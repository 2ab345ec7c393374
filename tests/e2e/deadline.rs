//! A run that is given more time while it goes: `dayfly extend` writes the wish into the store.

use crate::scene::Scene;

const TIGHT: &str = r#"
name: tight
cluster:
  ttl: 16s
  groups:
    work: {count: 1}
plays:
  - name: Outlive the deadline
    hosts: work
    gather_facts: false
    tasks:
      - shell: for i in $(seq 90); do echo "tick $i"; sleep 0.2; done; echo whole > whole.txt
results:
  - {from: work, paths: ["*.txt"]}
"#;

#[test]
fn that_moves_lets_a_run_end_well_after_the_first_one() {
    let scene = Scene::new().time_scale("0.02");
    scene.file("p.yml", TIGHT);
    let mut master = scene.start(&["run", "p.yml", "--local", "--output", "json"]);
    assert!(master.line_with("tick 2").is_some(), "the step never spoke");
    let run = scene.run();
    let first = scene.record(&run, "spec.json")["deadline_ms"].as_i64().expect("a deadline");
    let wanted = first + 60_000;
    let wish = format!(r#"{{"v": 1, "what": "extend", "by": "ada@desk", "deadline_ms": {wanted}}}"#);
    std::fs::create_dir_all(scene.of_run(&run, "control")).expect("a folder");
    std::fs::write(scene.of_run(&run, "control/01.json"), wish).expect("a wish");
    let moved = master.event(|event| event["event"] == "deadline_moved").expect("it is told");
    assert_eq!((moved["deadline_ms"].as_i64(), moved["by"].as_str()), (Some(wanted), Some("ada@desk")));
    master.ends().exits(0);
    let receipt = scene.record(&run, "receipt.json");
    assert!(receipt["ended_ms"].as_i64().expect("a time") > first, "it went on after the first deadline: {receipt}");
    assert_eq!(scene.results(&run).values().next().map(Vec::as_slice), Some(b"whole\n".as_slice()));
    scene.nothing_left();
}
