//! Secrets are in no log, journal, process list or database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::processes;
use crate::records::{holds, unzip};
use crate::scene::{Scene, walk};

/// Each is written at one place only, so that a find says which door is open.
const SECRETS: [&str; 5] =
    ["zebra-quantum-4711", "walrus-neutron-4712", "ferret-photon-4713", "badger-proton-4714", "marten-lepton-4715"];

const PLAYBOOK: &str = r#"
name: secrets
cluster:
  ttl: 10m
  groups:
    work: {count: 1}
vars:
  api_key: "{{ lookup('env', 'API_KEY') }}"
plays:
  - name: Use them
    hosts: work
    gather_facts: false
    environment:
      FROM_ENVIRONMENT: "{{ lookup('env', 'ENVIRONMENT_SECRET') }}"
    tasks:
      - name: In an argument
        shell: test "{{ api_key }}" = "{{ lookup('env', 'API_KEY') }}" && echo "{{ api_key }}" && sleep 1
        no_log: true
        register: said
      - name: In the environment
        shell: test -n "$FROM_ENVIRONMENT" && test "$TASK_SECRET" = "{{ lookup('env', 'TASK_SECRET') }}" && sleep 1
        environment:
          TASK_SECRET: "{{ lookup('env', 'TASK_SECRET') }}"
        no_log: true
      - name: In a loop that fails
        shell: echo "{{ item }}"; exit 3
        loop: ["{{ lookup('env', 'LOOP_SECRET') }}"]
        no_log: true
        ignore_errors: true
      - name: In a file
        copy: {content: "{{ lookup('env', 'FILE_SECRET') }}", dest: secret.conf, mode: "0600"}
        no_log: true
      - name: A password that dayfly makes
        set_fact: {password: "{{ lookup('password', '/dev/null length=24') }}"}
        no_log: true
      - name: The password reaches the worker
        shell: printf %s "{{ password }}" | wc -c > length.txt
        no_log: true
      - name: What was registered stays usable
        shell: test "{{ said.stdout }}" = "{{ api_key }}"
        no_log: true
      - name: In plain sight
        debug: {msg: "done, {{ said.stdout | length }} characters"}
results:
  - {from: work, paths: [length.txt]}
"#;

#[test]
fn are_seen_nowhere() {
    let names = ["API_KEY", "ENVIRONMENT_SECRET", "TASK_SECRET", "LOOP_SECRET", "FILE_SECRET"];
    let mut scene = Scene::new();
    for (name, secret) in names.iter().zip(SECRETS) {
        scene = scene.env(name, secret);
    }
    scene.file("p.yml", PLAYBOOK);

    // The process list is looked at all the time while the run goes.
    let over = Arc::new(AtomicBool::new(false));
    let watch = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut found = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for id in processes::all() {
                    let line = processes::command_line(id);
                    // The step's own shell gets its script by argument: that is the task's author's choice; what the
                    // project's own programs carry is ours.
                    let own = holds(&line, b"dayfly") || line.starts_with(b"ssh") || line.starts_with(b"sudo");
                    for secret in SECRETS {
                        if own && holds(&line, secret.as_bytes()) {
                            found.insert(format!("{secret} in {}", String::from_utf8_lossy(&line).replace('\0', " ")));
                        }
                    }
                }
                std::thread::sleep(std::time::Duration::from_millis(15));
            }
            found
        }
    });
    let ended = scene.dayfly(&["run", "p.yml", "--local", "-vvv"]);
    over.store(true, Ordering::Relaxed);
    let listed = watch.join().expect("the watcher");
    assert!(listed.is_empty(), "in the process list: {listed:?}");

    let ended = ended.exits(0).says("done, 18 characters");
    let run = scene.run();
    assert_eq!(scene.results(&run)["work-0/length.txt"], b"24\n");

    let mut found = Vec::new();
    let mut look = |place: &str, bytes: &[u8]| {
        for secret in SECRETS {
            if holds(bytes, secret.as_bytes()) {
                found.push(format!("{secret} in {place}"));
            }
        }
    };
    look("standard output", ended.stdout.as_bytes());
    look("standard error", ended.stderr.as_bytes());
    look("the journal", scene.journal(&run).join("\n").as_bytes());
    for path in walk(&scene.store()).into_iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(&path).expect("a file of the store");
        look(&path.display().to_string(), &bytes);
        if let Ok(plain) = zstd::decode_all(bytes.as_slice()) {
            look(&format!("{} (decompressed)", path.display()), &plain);
        }
    }
    for (slot, zip) in scene.archives(&run) {
        for (name, content) in unzip(&zip) {
            look(&format!("{name} of {slot}"), &content);
        }
    }
    for row in scene.sql("SELECT * FROM steps") {
        look("the steps of the database", format!("{row:?}").as_bytes());
    }
    for command in [&["logs", "last"][..], &["show", "last"], &["resume", "last"]] {
        let said = scene.dayfly(command);
        look(&command.join(" "), format!("{}{}", said.stdout, said.stderr).as_bytes());
    }
    assert!(found.is_empty(), "secrets are seen:\n{}", found.join("\n"));
    scene.is_closed(&run, "succeeded");
}
