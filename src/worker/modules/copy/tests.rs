//! `copy` and `template`: content from the master and from this machine.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::{Value, json};

use super::super::Returned;
use super::super::rehearsal::Rehearsal;

/// Puts content where a master would put it and copies it.
fn copy(stage: &mut Rehearsal, content: &str, args: Value) -> Returned {
    let source = stage.home().join(".sent");
    fs::write(&source, content).unwrap();
    let mut all =
        json!({"_files": [{"source": source, "relative": "name.txt", "mode": "0640"}], "_source_name": "name.txt"});
    all.as_object_mut().unwrap().extend(args.as_object().cloned().unwrap());
    stage.run("copy", all)
}

fn read(stage: &Rehearsal, name: &str) -> String {
    fs::read_to_string(stage.home().join(name)).unwrap()
}

#[test]
fn changes_once_and_says_what() {
    let mut stage = Rehearsal::new();
    stage.check = true;
    assert_eq!(copy(&mut stage, "abc", json!({"dest": "f"}))["changed"], true);
    assert!(!stage.home().join("f").exists());
    stage.check = false;
    let made = copy(&mut stage, "abc", json!({"dest": "f", "mode": "0600"}));
    assert_eq!((&made["changed"], &made["dest"], &made["mode"]), (&json!(true), &json!("f"), &json!("0600")));
    assert_eq!(made["checksum"], "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(made["md5sum"], "900150983cd24fb0d6963f7d28e17f72");
    let again = copy(&mut stage, "abc", json!({"dest": "f", "mode": "0600"}));
    assert_eq!((&again["changed"], &again["path"], again.get("md5sum")), (&json!(false), &json!("f"), None));
    stage.diff = true;
    let mode_only = copy(&mut stage, "abc", json!({"dest": "f", "mode": "preserve"}));
    assert_eq!(mode_only["diff"]["after"]["mode"], "0640");
    let changed = copy(&mut stage, "abd", json!({"dest": "f", "backup": true}));
    assert_eq!(changed["diff"][0]["before"], "abc");
    assert_eq!(fs::read_to_string(changed["backup_file"].as_str().unwrap()).unwrap(), "abc");
    assert_eq!(copy(&mut stage, "x", json!({"dest": "f", "force": false}))["changed"], false);
    assert_eq!(read(&stage, "f"), "abd");
}

#[test]
fn destinations_are_folders_links_or_missing() {
    let mut stage = Rehearsal::new();
    fs::create_dir(stage.home().join("d")).unwrap();
    assert_eq!(copy(&mut stage, "a", json!({"dest": "d"}))["dest"], "d/name.txt");
    let made = copy(&mut stage, "a", json!({"dest": "new/deep/", "directory_mode": "0700"}));
    assert_eq!(made["dest"], "new/deep/name.txt");
    assert_eq!(fs::metadata(stage.home().join("new")).unwrap().mode() & 0o777, 0o700);
    let refused = copy(&mut stage, "a", json!({"dest": "none/f"}));
    assert_eq!(refused["msg"], "Destination directory none does not exist");
    stage.check = true;
    assert_eq!(copy(&mut stage, "a", json!({"dest": "none/f"}))["changed"], true);
    stage.check = false;
    symlink("d/name.txt", stage.home().join("l")).unwrap();
    copy(&mut stage, "b", json!({"dest": "l", "follow": true}));
    assert_eq!(read(&stage, "d/name.txt"), "b");
    assert_eq!(copy(&mut stage, "b", json!({"dest": "l"}))["changed"], true);
    assert!(!stage.home().join("l").is_symlink());
}

#[test]
fn validation_guards_what_is_there() {
    let mut stage = Rehearsal::new();
    fs::write(stage.home().join("f"), "good").unwrap();
    let refused = copy(&mut stage, "bad", json!({"dest": "f", "validate": "grep -q good %s"}));
    assert_eq!((&refused["msg"], &refused["exit_status"]), (&json!("failed to validate"), &json!(1)));
    assert_eq!(read(&stage, "f"), "good");
    let refused = copy(&mut stage, "bad", json!({"dest": "f", "validate": "true"}));
    assert_eq!(refused["msg"], "validate must contain %s: true");
    let passed = copy(&mut stage, "good2", json!({"dest": "f", "validate": "grep -q good %s"}));
    assert_eq!(passed["changed"], true);
    let left: Vec<_> = fs::read_dir(stage.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_folder_arrives_whole() {
    let mut stage = Rehearsal::new();
    let files: Vec<Value> = ["s/a", "s/sub/b"]
        .iter()
        .map(|relative| {
            let source = stage.home().join(relative.replace('/', "-"));
            fs::write(&source, relative).unwrap();
            json!({"source": source, "relative": relative})
        })
        .collect();
    let args = json!({
        "dest": "to", "_files": files, "_directories": ["s", "s/sub", "s/empty"], "_source_name": "s", "_from_directory": true,
    });
    let made = stage.run("copy", args.clone());
    assert_eq!((&made["changed"], &made["dest"], &made["src"]), (&json!(true), &json!("to/"), &json!("s")));
    assert_eq!(read(&stage, "to/s/sub/b"), "s/sub/b");
    assert!(stage.home().join("to/s/empty").is_dir());
    assert_eq!(stage.run("copy", args)["changed"], false);
}

#[test]
fn copies_within_the_machine() {
    let mut stage = Rehearsal::new();
    fs::create_dir_all(stage.home().join("d/sub")).unwrap();
    fs::write(stage.home().join("d/sub/f"), "1").unwrap();
    fs::set_permissions(stage.home().join("d/sub/f"), fs::Permissions::from_mode(0o755)).unwrap();
    let file = json!({"src": "d/sub/f", "dest": "f", "remote_src": true, "mode": "preserve"});
    let made = stage.run("copy", file.clone());
    assert_eq!((&made["changed"], &made["mode"], &made["src"]), (&json!(true), &json!("0755"), &json!("d/sub/f")));
    assert_eq!(stage.run("copy", file)["changed"], false);
    let tree = json!({"src": "d", "dest": "e", "remote_src": true});
    stage.check = true;
    assert_eq!(stage.run("copy", tree.clone())["changed"], true);
    stage.check = false;
    assert_eq!(stage.run("copy", tree.clone())["changed"], true);
    assert_eq!(read(&stage, "e/d/sub/f"), "1");
    assert_eq!(stage.run("copy", tree)["changed"], false);
    let missing = stage.run("copy", json!({"src": "none", "dest": "f", "remote_src": true}));
    assert_eq!(missing["msg"], "Source none not found");
}

#[test]
fn content_has_no_name_and_goes_into_no_folder() {
    let mut stage = Rehearsal::new();
    stage.diff = true;
    let sent = stage.home().join("sent");
    fs::write(&sent, "a").unwrap();
    let mut args = json!({
        "dest": "f", "_content": true, "_source_name": "content",
        "_files": [{"source": sent, "relative": "", "mode": 420}],
    });
    let made = stage.run("copy", args.clone());
    assert_eq!((&made["changed"], &made["diff"][0]["after_header"]), (&json!(true), &json!("f")));
    args["dest"] = json!(".");
    assert_eq!(stage.run("copy", args.clone())["msg"], "can not use content with a dir as dest");
    args["dest"] = json!("g");
    args["checksum"] = json!("0");
    let refused = stage.run("copy", args);
    assert_eq!(refused["msg"], "Copied file does not match the expected checksum. Transfer failed.");
    assert!(!stage.home().join("g").exists());
    let single = json!({"dest": ".", "_source_name": "files/named", "_files": [{"source": sent, "mode": "0600"}], "mode": "preserve"});
    let made = stage.run("template", single);
    assert_eq!((&made["dest"], &made["mode"]), (&json!("./named"), &json!("0600")));
}
