//! The command line from outside: what it prints, where, and its exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - debug: {msg: hello}\n";
const BAD: &str = "- hosts: localhost\n  tasks:\n    - comand: ls\n      tagz: x\n";

/// A folder of its own for playbooks, store and HOME; gone at the end, however the test ends.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
    fn dayfly(&self, arguments: &[&str]) -> Output {
        self.dayfly_with(arguments, &[])
    }
    fn dayfly_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dayfly"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .envs(environment.iter().copied())
            .current_dir(self.path())
            .output()
            .unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_good_playbook_passes_check() {
    let folder = Folder::new();
    let playbook = folder.file("good.yml", GOOD);
    let output = folder.dayfly(&["check", &playbook]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(stdout(&output).contains("good.yml: ok, 1 play"), "{}", stdout(&output));
    assert!(!folder.path().join(".local").exists(), "check writes nothing");
}

#[test]
fn a_bad_playbook_is_refused_with_every_problem_and_nothing_is_made() {
    let folder = Folder::new();
    folder.file("bad.yml", BAD);
    for command in ["check", "run", "launch"] {
        let output = folder.dayfly(&[command, "bad.yml"]);
        let errors = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (3, ""), "{command}: {errors}");
        assert!(errors.contains("bad.yml:3") && errors.contains("did you mean `command`"), "{errors}");
        assert!(errors.contains("tagz"), "all problems at once: {errors}");
        assert!(errors.contains("nothing was launched"), "{errors}");
    }
    assert!(!folder.path().join(".local/state/dayfly/runs").exists());
}

#[test]
fn what_is_no_playbook_is_refused_with_its_place() {
    let folder = Folder::new();
    for (name, bytes) in [
        ("binary.yml", b"\x00\x01\xff\xfe".as_slice()),
        ("open.yml", b"- hosts: [a\n  tasks".as_slice()),
        ("scalar.yml", b"hello\n".as_slice()),
        ("empty.yml", b"".as_slice()),
        ("list.yml", b"- 1\n- 2\n".as_slice()),
    ] {
        folder.file(name, bytes);
        let output = folder.dayfly(&["check", name]);
        assert_eq!(code(&output), 3, "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(name), "{name}: {}", stderr(&output));
    }
}

#[test]
fn a_wrong_command_line_is_told_apart() {
    let folder = Folder::new();
    folder.file("good.yml", GOOD);
    folder.file("hosts.ini", "a\n");
    for arguments in [
        ["frobnicate"].as_slice(),
        &["run"],
        &["run", "no-such.yml"],
        &["check", "."],
        &["run", "good.yml", "--local", "--inventory", "hosts.ini"],
        &["run", "good.yml", "-i", "no-such.ini"],
        &["run", "good.yml", "-e", "novalue"],
        &["run", "good.yml", "-e", "@no-such.yml"],
        &["run", "good.yml", "--forks", "0"],
        &["run", "good.yml", "--env", "NO_SUCH_VARIABLE"],
        &["runs", "--store", ""],
        &["resume"],
    ] {
        let output = folder.dayfly(arguments);
        assert_eq!(code(&output), 5, "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty() && stdout(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_data() {
    let folder = Folder::new();
    let help = folder.dayfly(&["--help"]);
    assert_eq!(code(&help), 0);
    let text = stdout(&help);
    for word in ["check", "launch", "resume", "Exit codes: 0 success"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!text.contains("local-worker"), "hidden commands stay hidden: {text}");
    let version = folder.dayfly(&["version"]);
    assert_eq!(stdout(&version), format!("dayfly {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_run_is_an_error_that_says_where_it_looked() {
    let folder = Folder::new();
    for command in ["attach", "logs", "show", "cancel", "resume", "results", "receipt"] {
        let output = folder.dayfly(&[command, "01jnothing", "--store", "elsewhere"]);
        assert_eq!((code(&output), stdout(&output).as_str()), (1, ""), "{command}");
        assert!(stderr(&output).contains("elsewhere"), "{command}: {}", stderr(&output));
    }
    let output = folder.dayfly(&["runs"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, ""));
    assert!(stderr(&output).contains("no run yet"), "{}", stderr(&output));
}

#[test]
fn a_store_that_cannot_be_written_is_an_error_that_names_it() {
    let folder = Folder::new();
    folder.file("good.yml", GOOD);
    // A file where the folder should be stops even root.
    folder.file("store", "in the way");
    for command in ["run", "launch"] {
        let output = folder.dayfly(&[command, "good.yml", "--store", "store/below"]);
        assert_eq!((code(&output), stdout(&output).as_str()), (1, ""), "{command}");
        assert!(stderr(&output).contains("store"), "{command}: {}", stderr(&output));
    }
    let output = folder.dayfly_with(&["run", "good.yml"], &[("DAYFLY_STORE", "gopher://x")]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("gopher"), "{}", stderr(&output));
}

#[test]
fn without_a_home_the_state_folder_is_asked_for() {
    let folder = Folder::new();
    let output = Command::new(env!("CARGO_BIN_EXE_dayfly")).arg("runs").env_clear().current_dir(folder.path()).output();
    let output = output.unwrap();
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("HOME"), "{}", stderr(&output));
}

#[test]
fn no_colour_goes_where_no_terminal_is() {
    let folder = Folder::new();
    folder.file("bad.yml", BAD);
    for environment in [&[][..], &[("NO_COLOR", "1")], &[("CLICOLOR_FORCE", "1")]] {
        for arguments in [["check", "bad.yml"], ["resume", "nothing"]] {
            let output = folder.dayfly_with(&arguments, environment);
            assert!(!output.stderr.contains(&0x1b) && !output.stdout.contains(&0x1b), "{environment:?}");
        }
    }
}

#[test]
fn reap_and_db_of_an_empty_store_are_fine() {
    let folder = Folder::new();
    let output = folder.dayfly(&["reap"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = folder.dayfly(&["db", "sync", "--store", "there"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("runs.db: 0 runs"), "{}", stdout(&output));
}

#[test]
fn a_closed_stdout_is_no_crash() {
    let folder = Folder::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dayfly"))
        .arg("--help")
        .env("HOME", folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}
