//! `file`, each state from every other.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::{Value, json};

use super::super::Returned;
use super::super::rehearsal::Rehearsal;

fn mode(stage: &Rehearsal, name: &str) -> u32 {
    fs::symlink_metadata(stage.home().join(name)).unwrap().mode() & 0o7777
}

/// Runs under `--check`, then twice: what check says comes true once, and then nothing changes.
fn settle(stage: &mut Rehearsal, args: Value) -> Returned {
    stage.check = true;
    let promised = stage.run("file", args.clone());
    stage.check = false;
    let first = stage.run("file", args.clone());
    let second = stage.run("file", args);
    assert_eq!(promised["changed"], first["changed"], "{promised:?} {first:?}");
    assert_eq!(second["changed"], false, "{second:?}");
    first
}

#[test]
fn directories_are_made_with_those_above() {
    let mut stage = Rehearsal::new();
    let made = settle(&mut stage, json!({"path": "a/b", "state": "directory", "mode": "0750"}));
    assert_eq!((&made["changed"], &made["path"], &made["mode"]), (&json!(true), &json!("a/b"), &json!("0750")));
    assert_eq!((mode(&stage, "a"), mode(&stage, "a/b")), (0o750, 0o750));
    assert_eq!(made.get("diff"), None);
}

#[test]
fn recursion_reaches_everything_once() {
    let mut stage = Rehearsal::new();
    fs::create_dir_all(stage.home().join("a/b")).unwrap();
    fs::write(stage.home().join("a/b/f"), "").unwrap();
    symlink("..", stage.home().join("a/b/up")).unwrap();
    let args = json!({"path": "a", "state": "directory", "recurse": true, "mode": "u=rwX,g=,o="});
    assert_eq!(settle(&mut stage, args)["changed"], true);
    assert_eq!((mode(&stage, "a/b"), mode(&stage, "a/b/f")), (0o700, 0o600));
}

#[test]
fn links_lead_where_they_should() {
    let mut stage = Rehearsal::new();
    fs::write(stage.home().join("t"), "").unwrap();
    let made = settle(&mut stage, json!({"path": "l", "state": "link", "src": "t"}));
    assert_eq!((&made["dest"], &made["src"], &made["changed"]), (&json!("l"), &json!("t"), &json!(true)));
    let refused = stage.run("file", json!({"path": "l", "state": "link", "src": "gone"}));
    assert!(refused["msg"].as_str().unwrap().starts_with("src file does not exist, use 'force=yes'"));
    let forced = settle(&mut stage, json!({"path": "l", "state": "link", "src": "gone", "force": true}));
    assert_eq!(forced["changed"], true);
    assert!(forced["warnings"][0].as_str().unwrap().contains("non-existent symlink target"));
    let refused = stage.run("file", json!({"path": "t", "state": "link", "src": "l", "force": false}));
    assert_eq!(refused["failed"], true);
    let hard = settle(&mut stage, json!({"path": "h", "state": "hard", "src": "t"}));
    assert_eq!((&hard["state"], &hard["changed"]), (&json!("hard"), &json!(true)));
    assert_eq!(stage.run("file", json!({"path": "x", "state": "hard", "src": "none"}))["msg"], "src does not exist");
}

#[test]
fn touch_makes_and_keeps() {
    let mut stage = Rehearsal::new();
    let args = json!({"path": "t", "state": "touch", "modification_time": "preserve", "access_time": "preserve"});
    assert_eq!(settle(&mut stage, args)["changed"], true);
    let old = json!({"path": "t", "state": "touch", "modification_time": "200001010000.00", "access_time": "preserve"});
    assert_eq!(settle(&mut stage, old)["changed"], true);
    let before = fs::metadata(stage.home().join("t")).unwrap().mtime();
    assert_eq!(stage.run("file", json!({"path": "t", "state": "touch"}))["changed"], true);
    assert!(fs::metadata(stage.home().join("t")).unwrap().mtime() > before);
    let failed = stage.run("file", json!({"path": "new", "state": "touch", "owner": "no-such-user"}));
    assert_eq!(failed["msg"], "chown failed: failed to look up user no-such-user");
    assert!(!stage.home().join("new").exists(), "what was made for nothing stays");
}

#[test]
fn absent_takes_whole_trees_but_only_the_link() {
    let mut stage = Rehearsal::new();
    fs::create_dir_all(stage.home().join("a/b")).unwrap();
    symlink("a", stage.home().join("l")).unwrap();
    settle(&mut stage, json!({"path": "l", "state": "absent"}));
    assert!(stage.home().join("a/b").exists());
    stage.diff = true;
    let gone = settle(&mut stage, json!({"path": "a", "state": "absent"}));
    assert_eq!((&gone["state"], gone.get("mode")), (&json!("absent"), None));
    assert_eq!(gone["diff"]["before"]["state"], "directory");
    assert!(!stage.home().join("a").exists());
}

#[test]
fn a_file_is_never_made_by_state_file() {
    let mut stage = Rehearsal::new();
    let missing = stage.run("file", json!({"path": "none", "mode": "0600"}));
    assert_eq!(missing["msg"], "file (none) is absent, cannot continue");
    assert_eq!(missing["state"], "absent");
    fs::write(stage.home().join("f"), "").unwrap();
    fs::set_permissions(stage.home().join("f"), fs::Permissions::from_mode(0o644)).unwrap();
    stage.diff = true;
    let changed = settle(&mut stage, json!({"path": "f", "mode": "go="}));
    assert_eq!(changed["diff"]["after"], json!({"path": "f", "mode": "0600"}));
    assert_eq!(stage.run("file", json!({"path": "f", "state": "directory"}))["msg"], "f already exists as a file");
    let refused = stage.run("file", json!({"path": "f", "recurse": true}));
    assert_eq!(refused["msg"], "recurse option requires state to be 'directory'");
    assert_eq!(stage.run("file", json!({"path": "f", "nonsense": 1}))["failed"], true);
}
