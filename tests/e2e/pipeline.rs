//! The pipeline of the project's promise: two groups, shares by rank, a flaky task, a rescue, files to and fro, results.

use std::collections::BTreeMap;

use dayfly::core::ids::sha256_hex;

use crate::ended::Ended;
use crate::records::{SqlValue, holds, unzip};
use crate::scene::Scene;

/// Every command notes its start in `side`, a file outside the workers.
pub const PLAYBOOK: &str = r#"
name: pipeline
cluster:
  ttl: 20m
  groups:
    prep: {count: 1}
    work: {count: 3}
plays:
  - name: Prepare
    hosts: prep
    gather_facts: false
    tasks:
      - name: Write the numbers
        shell: echo prepare >> {{ side }}; seq 1 30 > numbers.txt
      - name: Bring them home
        fetch: {src: numbers.txt, dest: shared/, flat: true}

  - name: Work
    hosts: work
    gather_facts: false
    tasks:
      - name: Bring the numbers
        copy: {src: shared/numbers.txt, dest: numbers.txt}
      - name: Take my share
        shell: |
          echo "share $DAYFLY_RANK" >> {{ side }}
          awk -v rank={{ dayfly.rank }} -v of="$DAYFLY_WORLD_SIZE" 'NR % of == rank' numbers.txt > mine.txt
      - name: Flaky
        shell: |
          echo "flaky $DAYFLY_RANK" >> {{ side }}
          echo x >> tries; test "$(wc -l < tries)" -ge 3
        register: flaky
        until: flaky is succeeded
        retries: 5
        delay: 0.1
      - name: With a rescue
        block:
          - name: Breaks
            shell: echo "breaks $DAYFLY_RANK" >> {{ side }}; exit 7
          - name: Is never reached
            shell: echo "never $DAYFLY_RANK" >> {{ side }}
        rescue:
          - name: Rescues
            shell: |
              echo "rescues $DAYFLY_RANK" >> {{ side }}
              echo "{{ ansible_failed_task.name }} {{ ansible_failed_result.rc }}" > rescue.txt
        always:
          - name: Always
            shell: echo "always $DAYFLY_RANK" >> {{ side }}; echo always >> rescue.txt
      - name: Takes a while
        shell: |
          echo "slow $DAYFLY_RANK" >> {{ side }}
          for tick in 1 2 3 4 5 6 7 8; do echo "tick $tick of $DAYFLY_RANK"; sleep 0.25; done
      - name: Add up
        shell: |
          echo "sum $DAYFLY_RANK" >> {{ side }}
          awk '{ sum += $1 } END { print sum }' mine.txt > sum.txt
      - name: Bring the sum home
        fetch: {src: sum.txt, dest: "sums/sum-{{ dayfly.rank }}.txt", flat: true}

  - name: Join
    hosts: work[0]
    gather_facts: false
    tasks:
      - name: Bring the sums
        copy: {src: "sums/sum-{{ item }}.txt", dest: "sums/"}
        loop: [0, 1, 2]
      - name: Total
        shell: echo total >> {{ side }}; cat sums/sum-*.txt | awk '{ sum += $1 } END { print sum }' > total.txt
results:
  - {from: work, paths: [sum.txt, rescue.txt, "total.*"]}
"#;

/// What the side file must count.
pub fn expected_starts() -> BTreeMap<String, usize> {
    let mut starts = BTreeMap::from([("prepare".to_owned(), 1), ("total".to_owned(), 1)]);
    for rank in 0..3 {
        for (what, count) in
            [("share", 1), ("flaky", 3), ("breaks", 1), ("rescues", 1), ("always", 1), ("slow", 1), ("sum", 1)]
        {
            starts.insert(format!("{what} {rank}"), count);
        }
    }
    starts
}

/// The starts that the side file counts.
pub fn starts(scene: &Scene) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(scene.path("side")).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// The result files, as they must be.
pub fn expected_results() -> BTreeMap<String, Vec<u8>> {
    let sums = [165, 145, 155];
    let mut results = BTreeMap::from([("work-0/total.txt".to_owned(), b"465\n".to_vec())]);
    for (rank, sum) in sums.iter().enumerate() {
        results.insert(format!("work-{rank}/sum.txt"), format!("{sum}\n").into_bytes());
        results.insert(format!("work-{rank}/rescue.txt"), b"Breaks 7\nalways\n".to_vec());
    }
    results
}

/// The recap, as it must be.
pub fn recap_is_right(ended: &Ended) {
    for (host, ok, changed) in [("prep-0", 2, 2), ("work-0", 10, 10), ("work-1", 8, 8), ("work-2", 8, 8)] {
        assert_eq!(ended.count(host, "ok"), ok, "ok of {host}\n{}", ended.whole());
        assert_eq!(ended.count(host, "changed"), changed, "changed of {host}\n{}", ended.whole());
        assert_eq!(ended.count(host, "failed"), 0, "failed of {host}");
        assert_eq!(ended.count(host, "rescued"), u64::from(host != "prep-0"), "rescued of {host}");
        assert_eq!(ended.count(host, "unreachable") + ended.count(host, "skipped"), 0, "others of {host}");
    }
}

/// The pipeline's command line.
pub fn command(scene: &Scene) -> Vec<String> {
    scene.file("pipeline.yml", PLAYBOOK);
    let side = format!("side={}", scene.path("side"));
    ["run", "pipeline.yml", "--local", "--output", "json", "-e", &side].map(str::to_owned).to_vec()
}

#[test]
fn comes_home_whole_and_leaves_nothing() {
    let scene = Scene::new();
    let words = command(&scene);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = scene.start(&words).ends().exits(0);
    recap_is_right(&ended);

    let run = scene.run();
    assert_eq!(starts(&scene), expected_starts());
    assert_eq!(scene.results(&run), expected_results());

    // A zip for each of the four workers, with the SHA-256 that its manifest names, and a row with the same bytes.
    let archives = scene.archives(&run);
    let names: Vec<&str> = archives.keys().map(String::as_str).collect();
    assert_eq!(names, ["prep-0.1", "work-0.1", "work-1.1", "work-2.1"]);
    for (slot, zip) in &archives {
        let manifest = scene.record(&run, &format!("collect/{slot}.json"));
        assert_eq!(manifest["complete"], true, "{manifest:#}");
        assert_eq!(manifest["logs"]["sha256"], sha256_hex(zip), "{manifest:#}");
        let (host, _) = slot.split_once('.').expect("a slot");
        let rows = scene.sql(&format!("SELECT sha256, zip FROM log_archives WHERE host = '{host}'"));
        assert_eq!(rows, [vec![SqlValue::Text(sha256_hex(zip)), SqlValue::Bytes(zip.clone())]], "the row of {slot}");
    }
    for rank in 0..3 {
        let files = unzip(&archives[&format!("work-{rank}.1")]);
        let line = format!("tick 8 of {rank}\n");
        assert!(
            files.values().any(|content| holds(content, line.as_bytes())),
            "logs of work-{rank}: {:?}",
            files.keys()
        );
    }
    let rows = scene.sql("SELECT outcome, closed, exit_code FROM runs");
    assert_eq!(rows, [vec!["succeeded".into(), SqlValue::Number(1), SqlValue::Number(0)]]);
    assert_eq!(scene.sql("SELECT count(*) FROM workers WHERE state = 'gone'"), [vec![SqlValue::Number(4)]]);
    let SqlValue::Number(steps) = scene.sql("SELECT count(*) FROM steps")[0][0] else { panic!("a number") };
    assert!(steps >= 28, "{steps} steps in the database");

    scene.is_closed(&run, "succeeded");
}
