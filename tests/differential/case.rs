//! One case: a folder, two programs that run the playbook in it, and what must be equal afterwards.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::outcome::{self, Outcome};
use crate::tree;

/// Runs a case by both programs, one after the other in a folder of the same path, and compares.
pub fn compare(name: &str) {
    let top = tempfile::Builder::new().prefix("dayfly-diff-").tempdir().expect("a temporary folder");
    let case = Case { name, top: top.path().to_owned(), arguments: arguments(name) };
    let expected = case.by_ansible();
    let actual = case.by_dayfly();

    let mut problems = Vec::new();
    if expected.exit != actual.exit {
        problems.push(format!("exit code: ansible {}, dayfly {}", expected.exit, actual.exit));
    }
    problems.extend(outcome::differences(&expected.counters, &actual.counters));
    problems.extend(tree::differences(&expected.files, &actual.files));
    assert!(
        problems.is_empty(),
        "{name}: dayfly differs from ansible-core\n\n{}\n\n--- ansible said\n{}\n--- dayfly said\n{}",
        problems.join("\n"),
        expected.said,
        actual.said
    );
}

/// The names of all cases on disk.
pub fn names() -> BTreeSet<String> {
    std::fs::read_dir(folder().join("cases"))
        .expect("the folder of the cases")
        .filter_map(|entry| entry.expect("an entry").file_name().to_str()?.strip_suffix(".yml").map(str::to_owned))
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential")
}

/// The words after `# args:` in the first line, split at blanks and nothing else.
fn arguments(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder().join("cases").join(format!("{name}.yml"))).expect("the case");
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("# args:").unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

struct Case<'a> {
    name: &'a str,
    top: PathBuf,
    arguments: Vec<String>,
}

impl Case<'_> {
    fn by_ansible(&self) -> Outcome {
        let program = ansible();
        let here = self.fresh();
        // A configuration of its own, so that the user's is not read.
        let configuration = self.top.join("ansible.cfg");
        std::fs::write(&configuration, "[defaults]\n").expect("a file");
        let output = self
            .command(&program)
            .args(["-i", "hosts.yml", &self.playbook()])
            .args(&self.arguments)
            .env("ANSIBLE_CONFIG", configuration)
            .env("ANSIBLE_HOME", self.top.join("ansible-home"))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("ANSIBLE_LOCALHOST_WARNING", "0")
            .env("ANSIBLE_RETRY_FILES_ENABLED", "0")
            .env("ANSIBLE_HOST_KEY_CHECKING", "0")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&here)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Outcome::new(&output, outcome::counters_of_recap(&output.stdout), tree::read(&here))
    }

    fn by_dayfly(&self) -> Outcome {
        let here = self.fresh();
        let output = self
            .command(Path::new(env!("CARGO_BIN_EXE_dayfly")))
            .args(["run", "--output", "json", "-i", "hosts.yml", &self.playbook()])
            .args(&self.arguments)
            .env("DAYFLY_STORE", self.top.join("store"))
            .env("DAYFLY_TIME_SCALE", "0.2")
            .current_dir(&here)
            .output()
            .expect("dayfly");
        Outcome::new(&output, outcome::counters_of_events(&output.stdout), tree::read(&here))
    }

    /// The same small environment for both.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let home = self.top.join("home");
        std::fs::create_dir_all(&home).expect("a home");
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", home)
            .env("USER", std::env::var("USER").unwrap_or_else(|_| "root".to_owned()))
            .stdin(Stdio::null());
        command
    }

    fn playbook(&self) -> String {
        format!("{}.yml", self.name)
    }

    /// A new copy of the case, always at the same path, so that paths in registered values are equal.
    fn fresh(&self) -> PathBuf {
        let here = self.top.join("here");
        if here.exists() {
            std::fs::remove_dir_all(&here).expect("the old folder goes");
        }
        let cases = folder().join("cases");
        std::fs::create_dir_all(&here).expect("a folder");
        std::fs::copy(cases.join(self.playbook()), here.join(self.playbook())).expect("the playbook");
        let extra = cases.join(self.name);
        if extra.is_dir() {
            tree::copy(&extra, &here.join(self.name));
        }
        let own = extra.join("hosts.yml");
        let inventory = if own.exists() { own } else { folder().join("hosts.yml") };
        std::fs::copy(inventory, here.join("hosts.yml")).expect("the inventory");
        for host in ["h1", "h2", "h3", "gone"] {
            std::fs::create_dir_all(here.join("work").join(host)).expect("a host's folder");
        }
        here
    }
}

/// The oracle: `$DAYFLY_ANSIBLE`, or what the gate installed. That it is missing is a failure, never a skip.
fn ansible() -> PathBuf {
    if let Some(path) = std::env::var_os("DAYFLY_ANSIBLE") {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .expect("HOME or XDG_CACHE_HOME");
    let version = include_str!("../../.ci/ansible-core.version").trim();
    let path = cache.join("dayfly").join(format!("ansible-core-{version}")).join("bin/ansible-playbook");
    assert!(path.exists(), "no ansible-playbook at {}: run .ci/install ansible, or set DAYFLY_ANSIBLE", path.display());
    path
}
