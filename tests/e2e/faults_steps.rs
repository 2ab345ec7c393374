//! Steps that behave badly: each is survived, and its end is told truly.

use crate::ended::Ended;
use crate::records::{holds, unzip};
use crate::scene::Scene;

/// Runs tasks on one worker; the scene is closed afterwards.
fn run(tasks: &str, scale: &str) -> (Scene, Ended) {
    let scene = Scene::new().time_scale(scale);
    let tasks: String = tasks.lines().map(|line| format!("      {line}\n")).collect();
    scene.file(
        "p.yml",
        format!(
            "name: p\ncluster:\n  ttl: 10m\n  groups:\n    work: {{count: 1}}\nplays:\n  - hosts: work\n    gather_facts: false\n    tasks:\n{tasks}results:\n  - {{from: work, paths: ['*.txt']}}\n"
        ),
    );
    let ended = scene.dayfly(&["run", "p.yml", "--local", "--output", "json"]);
    scene.nothing_left();
    (scene, ended)
}

/// The bytes that one step of the only worker wrote, by what they hold.
fn logged(scene: &Scene, what: &[u8]) -> bool {
    let archives = scene.archives(&scene.run());
    unzip(&archives["work-0.1"]).values().any(|content| holds(content, what))
}

#[test]
fn one_that_floods_its_output() {
    let (scene, ended) = run(
        "- name: Flood\n  shell: head -c 60000000 /dev/zero | tr '\\0' x; echo; echo the end of the flood\n  register: flood\n- debug: {msg: \"kept {{ flood.stdout | length < 3000000 }} {{ flood.stdout[-20:] }}\"}\n",
        "0.25",
    );
    let ended = ended.exits(0);
    assert!(ended.stdout.contains("kept True the end of the flood"), "{}", ended.whole());
    assert!(logged(&scene, b"the end of the flood"));
}

#[test]
fn one_that_closes_its_output_and_goes_on() {
    let (scene, ended) = run("- shell: exec >&- 2>&-; sleep 1.5; touch went-on.txt\n", "0.25");
    ended.exits(0);
    assert!(scene.results(&scene.run()).contains_key("work-0/went-on.txt"), "the step ended with its output");
}

#[test]
fn one_that_leaves_children_behind() {
    let (scene, ended) = run(
        "- shell: (sleep 987 & echo $! > child.txt) ; setsid sleep 986 & echo left two\n- shell: kill -0 \"$(cat child.txt)\" && echo it lives\n",
        "0.25",
    );
    ended.exits(0);
    // `nothing_left` found neither; by their unlikely arguments neither is found either.
    let left = crate::processes::all().into_iter().filter(|id| {
        [&b"sleep\x00987\x00"[..], b"sleep\x00986\x00"].contains(&crate::processes::command_line(*id).as_slice())
    });
    assert_eq!(left.count(), 0, "children outlive their worker");
    drop(scene);
}

#[test]
fn one_that_prints_nul_and_no_utf8() {
    let (scene, ended) = run(
        "- shell: printf 'a\\000b\\377\\376c\\n'\n  register: odd\n- shell: echo \"{{ odd.rc }}\" > rc.txt\n- debug: {msg: \"{{ odd.stdout | length > 3 }}\"}\n",
        "0.25",
    );
    ended.exits(0);
    assert!(logged(&scene, b"a\x00b\xff\xfec\n"), "the log holds the bytes as they were");
}

#[test]
fn one_that_ignores_term() {
    let (scene, ended) = run(
        "- shell: trap '' TERM; echo deaf; while true; do sleep 1; done\n  timeout: 2s\n  register: deaf\n  ignore_errors: true\n- shell: echo \"{{ deaf is failed }}\" > told.txt\n",
        "0.05",
    );
    ended.exits(0);
    assert_eq!(scene.results(&scene.run())["work-0/told.txt"], b"True\n");
}

#[test]
fn one_that_kills_itself() {
    let (scene, ended) = run(
        "- shell: kill -9 $$\n  register: killed\n  ignore_errors: true\n- shell: echo \"{{ killed.rc }}\" > rc.txt\n",
        "0.25",
    );
    ended.exits(0);
    assert_eq!(scene.results(&scene.run())["work-0/rc.txt"], b"-9\n");
}

#[test]
fn one_that_reads_its_input() {
    let (_, ended) = run("- shell: cat; read line; echo \"end of input\"\n", "0.25");
    let ended = ended.exits(0);
    assert!(ended.stdout.contains("end of input"), "{}", ended.whole());
}

#[test]
fn one_with_a_very_long_line_and_many_short_ones() {
    let (scene, ended) = run(
        "- shell: head -c 3000000 /dev/zero | tr '\\0' y; echo\n- shell: seq 1 300000\n  register: many\n- debug: {msg: \"{{ many.stdout_lines | last }}\"}\n",
        "0.25",
    );
    let ended = ended.exits(0);
    assert!(ended.stdout.contains("300000"), "{}", ended.whole());
    assert!(logged(&scene, b"299999\n300000\n"));
}
