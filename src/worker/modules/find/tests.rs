//! `find`, filter by filter.

use super::*;
use crate::worker::modules::rehearsal::Rehearsal;

fn stage() -> Rehearsal {
    let stage = Rehearsal::new();
    fs::create_dir_all(stage.home().join("d/e/f")).unwrap();
    for (name, content) in
        [("d/a.txt", "one\ntwo\n"), ("d/b.log", ""), ("d/.c.txt", ""), ("d/e/d.txt", "2"), ("d/e/f/g.txt", "")]
    {
        fs::write(stage.home().join(name), content).unwrap();
    }
    std::os::unix::fs::symlink("..", stage.home().join("d/e/up")).unwrap();
    stage
}

fn names(result: &Returned) -> Vec<String> {
    let files = result["files"].as_array().unwrap();
    let mut names: Vec<_> = files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn filters_by_name_type_and_depth() {
    let mut stage = stage();
    let mut find = |args: Value| names(&stage.run("find", args));
    assert_eq!(find(json!({"paths": ["d"]})), ["d/a.txt", "d/b.log"]);
    assert_eq!(find(json!({"paths": ["d"], "patterns": ["*.txt"], "hidden": true})), ["d/.c.txt", "d/a.txt"]);
    assert_eq!(find(json!({"paths": ["d"], "excludes": ["a*"]})), ["d/b.log"]);
    let args = json!({"paths": ["./d/"], "recurse": true, "use_regex": true, "patterns": ["[a-d]\\.txt$"]});
    assert_eq!(find(args), ["d/a.txt", "d/e/d.txt"]);
    assert_eq!(
        find(json!({"paths": ["d"], "recurse": true, "depth": 2, "patterns": ["*.txt"]})),
        ["d/a.txt", "d/e/d.txt"]
    );
    assert_eq!(find(json!({"paths": ["d"], "recurse": true, "file_type": "directory"})), ["d/e", "d/e/f"]);
    assert_eq!(find(json!({"paths": ["d"], "recurse": true, "file_type": "link"})), ["d/e/up"]);
    let args = json!({"paths": ["d"], "recurse": true, "follow": true, "patterns": ["g.txt"]});
    assert_eq!(find(args), ["d/e/f/g.txt"]);
}

#[test]
fn filters_by_content_size_and_age() {
    let mut stage = stage();
    let mut find = |args: Value| names(&stage.run("find", args));
    assert_eq!(find(json!({"paths": ["d"], "contains": "tw"})), ["d/a.txt"]);
    assert!(find(json!({"paths": ["d"], "contains": "wo"})).is_empty());
    assert_eq!(find(json!({"paths": ["d"], "contains": "e\nt", "read_whole_file": true})), ["d/a.txt"]);
    assert_eq!(find(json!({"paths": ["d"], "size": "1"})), ["d/a.txt"]);
    assert_eq!(find(json!({"paths": ["d"], "size": "-1b"})), ["d/b.log"]);
    assert!(find(json!({"paths": ["d"], "age": "1h"})).is_empty());
    assert_eq!(find(json!({"paths": ["d"], "age": "-1h"})).len(), 2);
    assert_eq!(find(json!({"paths": ["d"], "limit": 1})).len(), 1);
}

#[test]
fn says_what_it_could_not_look_at() {
    let mut stage = stage();
    let result = stage.run("find", json!({"paths": ["none"]}));
    assert_eq!(result["skipped_paths"], json!({"none": "'none' is not a directory"}));
    assert_eq!(result["msg"], "Not all paths examined, check warnings for details");
    assert_eq!(stage.run("find", json!({"paths": ["d"], "age": "1x"}))["msg"], "failed to process age");
    let result = stage.run("find", json!({"paths": ["d"], "limit": 0}));
    assert_eq!(result["msg"], "limit cannot be 0 (use None for unlimited)");
}
