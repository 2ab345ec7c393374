//! Every command, as its user meets it.

use crate::scene::Scene;

const TWO: &str = r#"
name: two
cluster:
  ttl: 10m
  groups:
    pair: {count: 2}
plays:
  - name: Say
    hosts: pair
    gather_facts: false
    tasks:
      - name: Speak
        shell: echo "I am {{ inventory_hostname }}"; echo "to stderr" >&2; echo kept > kept.txt
      - name: Break on the second
        command: sh -c 'echo "the reason of it"; exit 9'
        when: dayfly.rank == 1
results:
  - {from: pair, paths: ["*.txt"]}
"#;

const SLOW: &str = r#"
name: slow
cluster:
  ttl: 10m
  groups:
    one: {count: 1}
plays:
  - name: Take long
    hosts: one
    gather_facts: false
    tasks:
      - name: Sleep
        shell: |
          echo began > began.txt
          for i in $(seq {{ ticks | default(200) }}); do echo "tick $i"; sleep 0.2; done
      - name: After
        shell: echo after > after.txt
results:
  - {from: one, paths: ["*.txt"]}
"#;

#[test]
fn run_then_everything_that_reads_it() {
    let scene = Scene::new();
    scene.file("two.yml", TWO);
    scene.dayfly(&["run", "two.yml", "--local"]).exits(2).says("the reason of it").says("pair-1").says("failed=1");
    let run = scene.run();
    scene.dayfly(&["runs"]).exits(0).says("two").says(&run[..8]);
    scene.dayfly(&["show", "last"]).exits(0).says("two");
    scene.dayfly(&["show", &run[..12]]).exits(0).says("two");
    scene.dayfly(&["logs", "last"]).exits(0).says("I am pair-0").says("to stderr").says("the reason of it");
    scene.dayfly(&["logs", "last", "--host", "pair-1"]).exits(0).says("the reason of it").never_says("I am pair-0");
    scene.dayfly(&["results", "last"]).exits(0).says("pair-0/kept.txt").says("pair-1/kept.txt");
    let to = scene.path("out");
    scene.dayfly(&["results", "last", "--to", &to]).exits(0);
    assert_eq!(std::fs::read(format!("{to}/pair-1/kept.txt")).expect("copied"), b"kept\n");
    scene.dayfly(&["resume", "last"]).exits(2).tells("failed=1");
    std::fs::remove_file(scene.store().join("runs.db")).expect("the database");
    scene.dayfly(&["db", "sync"]).exits(0);
    assert_eq!(scene.sql("SELECT outcome FROM runs"), [vec!["failed".into()]]);
    scene.dayfly(&["reap"]).exits(0);
    scene.is_closed(&run, "failed");
}

#[test]
fn launch_returns_and_the_master_lives_on() {
    let scene = Scene::new();
    scene.file("slow.yml", SLOW);
    scene.dayfly(&["launch", "slow.yml", "--local", "-e", "ticks=15"]).exits(0);
    let run = scene.run();
    scene.dayfly(&["resume", "last"]).exits(1).tells("is being worked on");
    scene.dayfly(&["attach", "last"]).exits(0).says("After");
    assert_eq!(scene.results(&run).len(), 2);
    scene.is_closed(&run, "succeeded");
}

#[test]
fn logs_follow_a_run() {
    let scene = Scene::new();
    scene.file("slow.yml", SLOW);
    scene.dayfly(&["launch", "slow.yml", "--local", "-e", "ticks=15"]).exits(0);
    scene.dayfly(&["logs", "-f", "last"]).exits(0).says("tick 1\n").says("tick 15");
    scene.dayfly(&["attach", "last"]).exits(0);
    scene.is_closed(&scene.run(), "succeeded");
}

#[test]
fn cancel_ends_and_collects() {
    let scene = Scene::new();
    scene.file("slow.yml", SLOW);
    let mut master = scene.start(&["run", "slow.yml", "--local", "--output", "json"]);
    assert!(master.line_with("tick 2").is_some());
    scene.dayfly(&["cancel", "last"]).exits(0);
    master.ends().exits(130);
    let run = scene.run();
    let results = scene.results(&run);
    assert_eq!(results["one-0/began.txt"], b"began\n", "what was there is collected");
    assert!(!results.contains_key("one-0/after.txt"));
    scene.is_closed(&run, "cancelled");
}

#[test]
fn check_needs_no_machine_and_no_store() {
    let scene = Scene::new().env("DAYFLY_STORE", "/proc/no/such/store");
    scene.file("two.yml", TWO);
    scene.dayfly(&["check", "two.yml", "--local"]).exits(0);
}

#[test]
fn usage() {
    let scene = Scene::new();
    scene.dayfly(&["fly"]).exits(5).remarks("fly");
    scene.dayfly(&["run"]).exits(5);
    scene.dayfly(&["--help"]).exits(0).says("resume").says("Exit codes");
    scene.dayfly(&["--version"]).exits(0).says(env!("CARGO_PKG_VERSION"));
    scene.dayfly(&["show", "last"]).exits(1);
    scene.dayfly(&["logs", "nosuchrun"]).exits(1).remarks("no run");
}

#[test]
fn a_plain_playbook_on_localhost_needs_no_cluster() {
    let scene = Scene::new();
    scene.file("plain.yml", "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - command: echo plain\n      register: said\n    - debug: {var: said.stdout}\n    - copy: {dest: \"{{ playbook_dir }}/made\", content: here}\n");
    scene.dayfly(&["run", "plain.yml"]).exits(0).says("plain").says("ok=3");
    assert_eq!(std::fs::read(scene.play().join("made")).expect("made"), b"here");
    scene.file("hosts.yml.txt", "");
    scene.file("other.yml", "- hosts: somewhere\n  tasks: [{ping: }]\n");
    scene.dayfly(&["run", "other.yml"]).exits(3).remarks("--inventory");
    scene.nothing_left();
}

#[test]
fn a_plain_playbook_with_a_cluster_file() {
    let scene = Scene::new();
    scene.file(
        "plain.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - command: echo on {{ inventory_hostname }}\n",
    );
    scene.file("cluster.yml", "ttl: 10m\ngroups:\n  web: {count: 2}\n");
    scene.dayfly(&["run", "plain.yml", "--cluster", "cluster.yml", "--local"]).exits(0).says("web-0").says("web-1");
    scene.is_closed(&scene.run(), "succeeded");
}

#[test]
fn an_inventory_is_never_ended() {
    let scene = Scene::new();
    scene.file(
        "hosts.ini",
        "[web]\na ansible_connection=local colour=red\nb ansible_connection=local\n[web:vars]\nsize=3\n",
    );
    scene.file("p.yml", "- hosts: web\n  gather_facts: false\n  tasks:\n    - debug: {msg: \"{{ inventory_hostname }} {{ colour | default('none') }} {{ size + 1 }}\"}\n");
    scene.dayfly(&["run", "p.yml", "-i", "hosts.ini"]).exits(0).says("a red 4").says("b none 4");
    scene.nothing_left();
}

#[test]
fn two_runs_at_once() {
    let scene = Scene::new();
    scene.file("slow.yml", SLOW);
    let first = scene.start(&["run", "slow.yml", "--local", "-e", "ticks=5"]);
    let second = scene.start(&["run", "slow.yml", "--local", "-e", "ticks=5"]);
    first.ends().exits(0);
    second.ends().exits(0);
    let runs = scene.runs();
    assert_eq!(runs.len(), 2);
    for run in runs {
        scene.is_closed(&run, "succeeded");
    }
}

#[test]
fn colour_and_width() {
    let scene = Scene::new().env("NO_COLOR", "1").env("COLUMNS", "80");
    scene.file("two.yml", TWO);
    scene.dayfly(&["run", "two.yml", "--local"]).exits(2).never_says("\u{1b}[");
}
