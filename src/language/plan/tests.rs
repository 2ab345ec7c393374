//! Walks of one host through a play, with failures where the test says so.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::core::source::{Files, SourceMap};
use crate::core::values::Vars;
use crate::language::playbook;

struct Text(&'static str);

impl Files for Text {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }
    fn exists(&self, _path: &Path) -> bool {
        true
    }
}

fn play(text: &'static str) -> playbook::Play {
    let loaded = playbook::load(&Text(text), &SourceMap::default(), Path::new("site.yml"));
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.playbook.expect("a playbook").plays.remove(0)
}

fn name(task: &PlanTask) -> String {
    task.task.name.as_ref().map_or_else(|| task.task.action.name.clone(), |name| name.value.clone())
}

/// The names of the tasks that a host takes, and how it ends, where the tasks of these names fail.
fn walk(text: &'static str, failing: &[&str], filter: &TagFilter) -> (Vec<String>, CursorState) {
    let mut cursor = Cursor::new(compile_play(&play(text), false, filter));
    let mut taken = Vec::new();
    while let Some(task) = cursor.advance() {
        let name = name(&task);
        if task.task.action.name == "meta" {
            continue;
        }
        if failing.contains(&name.as_str()) {
            cursor.fail();
        }
        taken.push(name);
    }
    (taken, cursor.state())
}

const NESTED: &str = "
- hosts: all
  tasks:
    - {name: first, debug: }
    - block:
        - {name: a, debug: }
        - block:
            - {name: inner, debug: }
          always:
            - {name: inner always, debug: }
        - {name: b, debug: }
      rescue:
        - {name: rescue, debug: }
        - {name: rescue 2, debug: }
      always:
        - {name: always, debug: }
    - {name: last, debug: }
";

#[test]
fn a_good_host_takes_blocks_and_always_in_order() {
    let (taken, state) = walk(NESTED, &[], &TagFilter::default());
    assert_eq!(taken, ["first", "a", "inner", "inner always", "b", "always", "last"]);
    assert_eq!(state, CursorState::Going);
}

#[test]
fn a_failure_goes_through_inner_always_to_the_outer_rescue() {
    let (taken, state) = walk(NESTED, &["inner"], &TagFilter::default());
    assert_eq!(taken, ["first", "a", "inner", "inner always", "rescue", "rescue 2", "always", "last"]);
    assert_eq!(state, CursorState::Going);
}

#[test]
fn a_failure_in_rescue_runs_always_and_ends_the_host() {
    let (taken, state) = walk(NESTED, &["a", "rescue"], &TagFilter::default());
    assert_eq!(taken, ["first", "a", "rescue", "always"]);
    assert_eq!(state, CursorState::Failed);
}

#[test]
fn a_failure_in_always_ends_the_host() {
    let (taken, state) = walk(NESTED, &["always"], &TagFilter::default());
    assert_eq!(taken.last().map(String::as_str), Some("always"));
    assert_eq!(state, CursorState::Failed);
}

#[test]
fn a_failure_outside_of_blocks_ends_the_host() {
    let (taken, state) = walk(NESTED, &["first"], &TagFilter::default());
    assert_eq!(taken, ["first"]);
    assert_eq!(state, CursorState::Failed);
}

#[test]
fn a_failure_is_rescued_only_inside_of_a_block_with_rescue() {
    let mut cursor = Cursor::new(compile_play(&play(NESTED), false, &TagFilter::default()));
    let mut rescuing = Vec::new();
    while let Some(task) = cursor.advance() {
        if cursor.is_rescuing() {
            rescuing.push(name(&task));
        }
    }
    assert_eq!(rescuing, ["a", "inner", "inner always", "b"]);
}

#[test]
fn tags_of_a_block_are_its_tasks_and_sections_follow_each_other() {
    const TAGGED: &str = "
- hosts: all
  post_tasks:
    - {name: post, debug: , tags: x}
  pre_tasks:
    - {name: pre, debug: , tags: always}
  tasks:
    - block:
        - {name: in block, debug: }
      tags: x
    - {name: without, debug: }
    - {name: never, debug: , tags: [x, never]}
";
    let only = TagFilter::new(&["x".to_owned()], &[]);
    assert_eq!(walk(TAGGED, &[], &only).0, ["pre", "in block", "never", "post"]);
    assert_eq!(walk(TAGGED, &[], &TagFilter::default()).0, ["pre", "in block", "without", "post"]);
}

#[test]
fn inclusions_of_one_task_run_in_their_order_and_before_what_follows() {
    const INCLUDES: &str = "
- hosts: all
  tasks:
    - {name: include, include_tasks: more.yml}
    - {name: after, debug: }
";
    let play = play(INCLUDES);
    let mut cursor = Cursor::new(compile_play(&play, false, &TagFilter::default()));
    let include = std::iter::from_fn(|| cursor.advance()).find(|task| task.task.action.name == "include_tasks");
    let include = include.expect("the include");
    for number in 0..3 {
        let mut items = play.tasks[1..].to_vec();
        if let playbook::Item::Task(task) = &mut items[0] {
            task.name.as_mut().expect("a name").value = format!("included {number}");
        }
        let block = compile_included(&items, &include, number, &Vars::new(), &TagFilter::default());
        cursor.include(block, false);
    }
    let mut taken = Vec::new();
    while let Some(task) = cursor.advance() {
        taken.push((name(&task), task.path.clone()));
    }
    let names: Vec<&str> =
        taken.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "flush_handlers").collect();
    assert_eq!(names, ["included 0", "included 1", "included 2", "after"]);
    let mut paths: Vec<_> = taken.iter().map(|(_, path)| path.clone()).collect();
    paths.sort();
    assert!(taken.iter().map(|(_, path)| path.clone()).eq(paths), "paths order tasks as they run");
}

#[test]
fn handlers_run_before_anything_else_and_a_failure_drops_the_rest() {
    let handlers = "
- hosts: all
  tasks:
    - {name: task, debug: }
  handlers:
    - {name: one, debug: }
    - {name: two, debug: }
";
    let play = play(handlers);
    let mut cursor = Cursor::new(compile_play(&play, false, &TagFilter::default()));
    let all: Vec<Arc<PlanTask>> = compile_handlers(&play);
    all.iter().for_each(|handler| cursor.notify(handler));
    cursor.flush(&[9], &all);
    assert!(cursor.is_flushing());
    assert_eq!(cursor.advance().map(|task| name(&task)).as_deref(), Some("one"));
    cursor.fail();
    assert_eq!(cursor.advance().map(|task| name(&task)), None);
    assert_eq!(cursor.state(), CursorState::Failed);
}
