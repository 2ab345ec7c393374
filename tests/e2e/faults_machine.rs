//! What a machine, a person or a disk may do to a run.

use std::time::Duration;

use crate::going::Going;
use crate::processes;
use crate::records::{holds, unzip};
use crate::scene::Scene;

const SLEEPY: &str = r#"
name: sleepy
cluster:
  ttl: 10m
  groups:
    work: {count: 2}
plays:
  - name: Sleep
    hosts: work
    gather_facts: false
    tasks:
      - name: Sleep
        shell: |
          echo began > began.txt
          for i in $(seq {{ ticks | default(300) }}); do echo "tick $i of {{ inventory_hostname }}"; sleep 0.2; done
      - name: After
        shell: echo after > after.txt
results:
  - {from: work, paths: ["*.txt"]}
"#;

/// A run whose two workers are in the middle of a step.
fn in_the_middle(scene: &Scene, more: &[&str]) -> Going {
    scene.file("p.yml", SLEEPY);
    let mut words = vec!["run", "p.yml", "--local", "--output", "json"];
    words.extend(more);
    let mut master = scene.start(&words);
    assert!(master.line_with("tick 2 of work-0").is_some(), "the step never spoke");
    master
}

/// The run's end after a signal that cancels it.
fn cancelled_by(signal: i32) {
    let scene = Scene::new();
    let master = in_the_middle(&scene, &[]);
    master.signal(signal);
    master.ends().exits(130);
    let run = scene.run();
    assert_eq!(scene.results(&run)["work-0/began.txt"], b"began\n");
    scene.is_closed(&run, "cancelled");
}

#[test]
fn sigint_cancels_and_collects() {
    cancelled_by(libc::SIGINT);
}

#[test]
fn sigterm_cancels_and_collects() {
    cancelled_by(libc::SIGTERM);
}

#[test]
fn sighup_goes_on_without_the_terminal() {
    let scene = Scene::new();
    let master = in_the_middle(&scene, &["-e", "ticks=12"]);
    master.signal(libc::SIGHUP);
    master.ends().exits(0);
    scene.is_closed(&scene.run(), "succeeded");
}

#[test]
fn a_second_sigint_stops_waiting() {
    let scene = Scene::new().time_scale("1");
    scene.file("p.yml", SLEEPY.replace("echo began > began.txt", "trap '' TERM INT; echo began > began.txt"));
    let mut master = scene.start(&["run", "p.yml", "--local", "--output", "json"]);
    assert!(master.line_with("tick 2 of work-0").is_some());
    master.signal(libc::SIGINT);
    std::thread::sleep(Duration::from_millis(700));
    master.signal(libc::SIGINT);
    master.ends().exits(130);
    scene.dayfly(&["reap"]);
    scene.nothing_left();
}

#[test]
fn a_killed_worker_is_unreachable_and_the_rest_goes_on() {
    let scene = Scene::new().time_scale("0.05");
    scene.file("p.yml", SLEEPY);
    let mut master = scene.start(&["run", "p.yml", "--local", "--output", "json", "-e", "ticks=20"]);
    let launched = master
        .event(|event| event["event"] == "worker_launched" && event["slot"]["host"] == "work-1")
        .expect("work-1 is launched");
    let instance = launched["instance"].as_str().expect("an instance").to_owned();
    assert!(master.line_with("tick 3 of work-1").is_some());
    // What belongs to that worker: its folder is named by the instance.
    let folder = crate::scene::walk(&scene.top().join("state"))
        .into_iter()
        .find(|path| path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy() == instance))
        .expect("the worker's folder");
    for id in processes::of(&folder) {
        processes::kill(id, libc::SIGKILL);
    }
    let ended = master.ends().exits(4);
    assert_eq!(ended.count("work-1", "unreachable"), 1, "{}", ended.whole());
    assert_eq!(ended.count("work-0", "ok"), 2, "{}", ended.whole());
    assert_eq!(ended.count("work-0", "unreachable"), 0);
    let run = scene.run();
    assert_eq!(scene.results(&run)["work-0/after.txt"], b"after\n");
    scene.dayfly(&["logs", "last", "--host", "work-1"]).exits(0).says("tick 2 of work-1");
    scene.nothing_left();
}

#[test]
fn a_killed_master_is_reaped() {
    let scene = Scene::new();
    in_the_middle(&scene, &[]).dies();
    assert!(!processes::of(scene.top()).is_empty(), "workers live on without their master");
    scene.dayfly(&["reap"]).exits(0);
    scene.nothing_left();
    let run = scene.run();
    assert!(!scene.store().join("index/open").join(&run).exists(), "the run is closed");
    scene.record(&run, "closed.json");
}

#[test]
fn a_killed_master_leaves_nothing_when_the_lease_ends() {
    let scene = Scene::new().time_scale("0.02");
    in_the_middle(&scene, &[]).dies();
    // The lease is 18 s at this scale; nobody calls dayfly again.
    for _ in 0..120 {
        if processes::of(scene.top()).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let left = processes::of(scene.top());
    assert!(left.is_empty(), "still alive:\n{}", processes::describe(&left));
}

#[test]
fn the_hard_end_comes() {
    let scene = Scene::new();
    scene.file("p.yml", SLEEPY.replace("ttl: 10m", "ttl: 12s"));
    let ended = scene.time_scale("0.01").dayfly_expiring();
    assert_ne!(ended, 0);
}

impl Scene {
    /// Runs the sleepy playbook into its deadline and returns the exit code.
    fn dayfly_expiring(&self) -> i32 {
        let ended = self.dayfly(&["run", "p.yml", "--local", "--output", "json"]);
        let run = self.run();
        assert_eq!(self.record(&run, "receipt.json")["outcome"], "expired", "{}", ended.whole());
        self.nothing_left();
        ended.code
    }
}

#[test]
fn a_store_that_cannot_be_written() {
    for store in ["/proc/no/store", "/dev/null/store"] {
        let scene = Scene::new().env("DAYFLY_STORE", store);
        scene.file("p.yml", SLEEPY);
        scene.dayfly(&["run", "p.yml", "--local"]).exits(1).remarks(store);
        scene.nothing_left();
    }
}

#[test]
fn a_missing_sshd_says_how_to_install_it() {
    // A world of its own in which the file is empty: nothing of this machine changes.
    let hide = "for p in /usr/sbin/sshd /usr/local/sbin/sshd /sbin/sshd; do [ -e \"$p\" ] && mount --bind /dev/null \"$p\"; done; exec \"$@\"";
    let namespace =
        if libc_root() { vec!["unshare", "--mount"] } else { vec!["unshare", "--map-root-user", "--mount"] };
    let scene = Scene::new().inside(&[&namespace[..], &["sh", "-c", hide, "sh"]].concat());
    scene.file("p.yml", SLEEPY);
    scene.dayfly(&["run", "p.yml", "--local"]).exits(1).remarks("openssh-server");
    scene.nothing_left();
}

#[test]
fn sshd_is_found_outside_the_path() {
    // Scenes run with a PATH without sbin: that every other scenario passes is the proof; here it is said.
    let scene = Scene::new().env("PATH", "/usr/bin:/bin");
    scene.file("p.yml", SLEEPY);
    scene.dayfly(&["run", "p.yml", "--local", "-e", "ticks=1"]).exits(0);
    scene.is_closed(&scene.run(), "succeeded");
}

#[test]
fn a_full_disk_of_a_worker_fails_the_step_and_not_the_run() {
    let scene = Scene::new();
    let mount = format!("mount -t tmpfs -o size=128m tmpfs {} && exec \"$@\"", scene.path("state"));
    let scene = in_own_mounts(scene, &mount);
    scene.file(
        "p.yml",
        r#"
name: full
cluster:
  ttl: 10m
  groups:
    work: {count: 1}
plays:
  - hosts: work
    gather_facts: false
    tasks:
      - name: Full
        block:
          - name: Fill the disk
            shell: cat /dev/zero > big; seq 1 200000; exit 1
          - name: Never
            shell: touch never.txt
        rescue:
          - name: Make room
            shell: rm big
          - name: Speak again
            shell: seq 1 200000
        always:
          - name: Go on
            shell: echo "{{ ansible_failed_task.name }}" > went-on.txt
results:
  - {from: work, paths: ["*.txt"]}
"#,
    );
    scene.dayfly(&["run", "p.yml", "--local", "--output", "json"]).exits(0);
    let run = scene.run();
    assert_eq!(scene.results(&run)["work-0/went-on.txt"], b"Fill the disk\n");
    assert_eq!(scene.record(&run, "receipt.json")["outcome"], "succeeded");
}

#[test]
fn a_disk_that_stays_full_fails_its_host_and_the_run_ends() {
    let scene = Scene::new();
    let mount = format!("mount -t tmpfs -o size=192m tmpfs {} && exec \"$@\"", scene.path("state"));
    let scene = in_own_mounts(scene, &mount);
    scene.file("p.yml", SLEEPY.replace("echo began > began.txt", "cat /dev/zero > big; exit 1"));
    scene.dayfly(&["run", "p.yml", "--local"]).exits(2).tells("No space left on device");
    assert_eq!(scene.record(&scene.run(), "receipt.json")["outcome"], "failed");
}

#[test]
fn a_full_store_ends_the_run_and_says_so() {
    let scene = Scene::new();
    std::fs::create_dir(scene.store()).expect("the store");
    let mount = format!("mount -t tmpfs -o size=6m tmpfs {} && exec \"$@\"", scene.path("store"));
    let scene = in_own_mounts(scene, &mount).time_scale("0.05");
    scene.file(
        "p.yml",
        SLEEPY.replace(
            "echo began > began.txt",
            "head -c 30000000 /dev/urandom | base64; head -c 30000000 /dev/urandom > big.txt",
        ),
    );
    let ended = scene.start(&["run", "p.yml", "--local", "-e", "ticks=3"]).ends();
    ended.exits(1).remarks("no space is left on the disk that holds");
    // Its workers were ended, though nothing of that could be written down.
    let left = processes::of(scene.top());
    assert!(left.is_empty(), "still alive:\n{}", processes::describe(&left));
}

/// The command in mount namespaces of its own, so that a small disk is seen by it alone.
fn in_own_mounts(scene: Scene, mount: &str) -> Scene {
    let namespace: &[&str] = if libc_root() {
        &["unshare", "--mount", "--propagation", "private"]
    } else {
        &["unshare", "--map-root-user", "--mount"]
    };
    scene.inside(&[namespace, &["sh", "-c", mount, "sh"]].concat())
}

fn libc_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn last_words_of_a_killed_worker_are_in_its_zip_or_segments() {
    let scene = Scene::new();
    let master = in_the_middle(&scene, &["-e", "ticks=10"]);
    master.ends().exits(0);
    let run = scene.run();
    let archives = scene.archives(&run);
    let files = unzip(&archives["work-1.1"]);
    assert!(files.values().any(|content| holds(content, b"tick 10 of work-1\n")), "{:?}", files.keys());
    scene.is_closed(&run, "succeeded");
}
