//! kill -9 of the master at ten moments of the pipeline, then resume: the end is that of an undisturbed run, and no
//! command was started twice.

use serde_json::Value;

use crate::pipeline;
use crate::scene::Scene;

/// Kills the master after the `nth` event that fits, resumes, and compares.
fn killed_at(nth: usize, fits: impl Fn(&Value) -> bool) {
    let scene = Scene::new();
    let words = pipeline::command(&scene);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut master = scene.start(&words);
    for count in 0..nth {
        assert!(master.event(&fits).is_some(), "event {} of {nth} never came", count + 1);
    }
    let killed = master.dies();
    assert_eq!(killed.code, -1, "it should have been killed in the middle\n{}", killed.whole());

    let ended = scene.start(&["resume", "last", "--output", "json"]).ends().exits(0);
    let run = scene.run();
    assert_eq!(pipeline::starts(&scene), pipeline::expected_starts(), "starts\n{}", ended.whole());
    assert_eq!(scene.results(&run), pipeline::expected_results(), "results\n{}", ended.whole());
    pipeline::recap_is_right(&ended);
    let receipt = scene.record(&run, "receipt.json");
    assert_eq!(receipt["epochs"], 2, "{receipt:#}");
    scene.is_closed(&run, "succeeded");

    // Of a finished run resume prints the recap again and ends with its code.
    scene.dayfly(&["resume", &run]).exits(0);
    assert_eq!(pipeline::starts(&scene), pipeline::expected_starts());
}

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == kind
}

#[test]
fn when_it_began() {
    killed_at(1, is("run_started"));
}
#[test]
fn while_the_first_group_is_launched() {
    killed_at(1, is("group_launching"));
}
#[test]
fn when_a_worker_was_launched() {
    killed_at(1, is("worker_launched"));
}
#[test]
fn when_a_group_was_sealed() {
    killed_at(1, is("group_sealed"));
}
#[test]
fn in_the_first_step() {
    killed_at(1, is("step_started"));
}
#[test]
fn while_the_second_group_boots() {
    killed_at(2, |event| event["event"] == "worker_ready");
}
#[test]
fn between_two_tries() {
    killed_at(2, is("retrying"));
}
#[test]
fn after_a_failed_step() {
    killed_at(1, |event| event["event"] == "task_result" && event["status"] == "rescued");
}
#[test]
fn in_the_middle_of_output() {
    killed_at(1, |event| {
        event["event"] == "step_output" && event["text"].as_str().is_some_and(|text| text.contains("tick 4"))
    });
}
#[test]
fn after_the_last_task() {
    killed_at(2, |event| {
        event["event"] == "task_started"
            && event["name"].as_str().is_some_and(|name| name.contains("Total") || name.contains("sums"))
    });
}

#[test]
fn three_times_in_a_row() {
    let scene = Scene::new();
    let words = pipeline::command(&scene);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut master = scene.start(&words);
    assert!(master.event(is("step_started")).is_some());
    master.dies();
    for _ in 0..2 {
        let mut master = scene.start(&["resume", "last", "--output", "json"]);
        let fresh = |event: &Value| event["event"] == "step_started" && event["replayed"] == false;
        if master.event(fresh).is_none() {
            break;
        }
        master.dies();
    }
    let ended = scene.start(&["resume", "last", "--output", "json"]).ends().exits(0);
    assert_eq!(pipeline::starts(&scene), pipeline::expected_starts());
    pipeline::recap_is_right(&ended);
    scene.is_closed(&scene.run(), "succeeded");
}
