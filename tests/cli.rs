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

/// A run whose master was killed in the middle of a pause; nothing else of it lives.
fn with_dead_master(folder: &Folder) -> String {
    folder.file("pause.yml", "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - pause: {seconds: 60}\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_dayfly"))
        .args(["run", "pause.yml"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let runs = folder.path().join(".local/state/dayfly/runs");
    let beat = || std::fs::read_dir(&runs).ok()?.flatten().find(|run| run.path().join("beat/000001.json").exists());
    let run = (0..600).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        beat()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    run.unwrap().file_name().into_string().unwrap()
}

#[test]
fn a_dead_master_is_said_by_all_who_follow_and_reaped_for_good() {
    let folder = Folder::new();
    let run = with_dead_master(&folder);
    for arguments in [["attach", "last"].as_slice(), &["logs", "-f", "last"]] {
        let output = folder.dayfly(arguments);
        assert_eq!(code(&output), 1, "{arguments:?}");
        let said = format!("no master works on run {run}; dayfly resume {run} takes it over");
        assert!(stderr(&output).contains(&said), "{arguments:?}: {}", stderr(&output));
    }
    assert!(stdout(&folder.dayfly(&["show", "last"])).contains("is dead; dayfly resume"));
    assert!(stdout(&folder.dayfly(&["runs"])).contains("master dead"));
    assert!(stderr(&folder.dayfly(&["results", "last"])).contains("is not over"));
    let output = folder.dayfly(&["reap"]);
    assert!(code(&output) == 0 && stdout(&output).contains("ended and closed"), "{}", stdout(&output));
    // A master that comes too late finds the proof.
    let output = folder.dayfly(&["master", "--run", &run]);
    assert!(code(&output) == 1 && stderr(&output).contains("dayfly reap"), "{}", stderr(&output));
    assert_eq!(code(&folder.dayfly(&["attach", "last"])), 1);
    assert!(stdout(&folder.dayfly(&["runs"])).contains("reaped"));
}

#[test]
fn a_run_whose_master_has_not_begun_is_left_alone() {
    let folder = Folder::new();
    let run = with_dead_master(&folder);
    let state = folder.path().join(".local/state/dayfly");
    // What a trigger leaves between the spec and its master.
    std::fs::remove_file(state.join("locks").join(&run)).unwrap();
    std::fs::remove_dir_all(state.join("runs").join(&run).join("beat")).unwrap();
    let output = folder.dayfly(&["reap"]);
    assert!(stdout(&output).contains("left alone"), "{}", stdout(&output));
    assert!(!state.join("locks").join(&run).exists(), "looking leaves nothing");
}

#[test]
fn what_failed_is_named_afterwards_and_what_is_not_there_is_said() {
    let folder = Folder::new();
    let tasks = "    - {name: Say nothing, command: 'true'}\n    - {name: Break, shell: 'echo why >&2; exit 3'}\n";
    folder.file("bad.yml", format!("- hosts: localhost\n  gather_facts: false\n  tasks:\n{tasks}"));
    assert_eq!(code(&folder.dayfly(&["run", "bad.yml"])), 2);
    let shown = stdout(&folder.dayfly(&["show", "last"]));
    assert!(shown.contains("localhost failed: Break") && shown.contains("why"), "{shown}");
    let command = shown.lines().find_map(|line| line.trim().strip_prefix("log: dayfly ")).unwrap();
    let output = folder.dayfly(&command.split(' ').collect::<Vec<_>>());
    assert!(code(&output) == 0 && stdout(&output).contains("why"), "{command}: {}", stderr(&output));
    let receipt = folder.dayfly(&["receipt", "last"]);
    assert!(stderr(&receipt).contains("localhost failed: Break"), "{}", stderr(&receipt));
    for (arguments, expected, said) in [
        (["--task", "Say nothing"], 0, "wrote nothing"),
        (["--task", "Dance"], 1, "no task \"Dance\"; there are: Break, Say nothing"),
        (["--host", "work-9"], 1, "no host \"work-9\"; there are: localhost"),
        (["--step", "9.9"], 1, "no step \"9.9\""),
    ] {
        let output = folder.dayfly(&["logs", "last", arguments[0], arguments[1]]);
        assert_eq!(code(&output), expected, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
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
