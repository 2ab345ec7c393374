//! One pocket cloud: started for a test, asked by HTTP, gone with it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A running cloud. It ends when its standard input does, so nothing can outlive the test.
pub struct Cloud {
    world: Child,
    _alive: ChildStdin,
    /// What the cloud said of itself when it was ready.
    pub facts: Value,
    pid: String,
}

/// The folder of the pocket cloud's programs.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud")
}

impl Cloud {
    /// Starts one and waits until it is ready.
    pub fn start() -> Self {
        let mut world = Command::new(folder().join("start"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/cloud/start can be started");
        let alive = world.stdin.take().expect("its standard input");
        let mut lines = BufReader::new(world.stdout.take().expect("its standard output"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line from the pocket cloud");
        let facts: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the pocket cloud did not become ready ({error}): {line:?}"));
        // What it says later must not fill the pipe.
        std::thread::spawn(move || {
            let mut rest = String::new();
            while lines.read_line(&mut rest).is_ok_and(|count| count > 0) {
                rest.clear();
            }
        });
        let pid = facts["pid"].to_string();
        Self { world, _alive: alive, facts, pid }
    }

    /// A fact by its JSON pointer, as text.
    pub fn fact(&self, pointer: &str) -> String {
        let value = self.facts.pointer(pointer).unwrap_or_else(|| panic!("no fact {pointer} in {}", self.facts));
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    /// A program in the cloud's network.
    pub fn inside(&self, program: &str) -> Command {
        let mut command = Command::new(folder().join("in"));
        command.arg(&self.pid).arg(program);
        command
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut command = self.inside("curl");
        command.args(["-sS", "--max-time", "20", "-X", method, &format!("{}{path}", self.fact("/control"))]);
        if let Some(body) = body {
            command.args(["-H", "content-type: application/json", "--data", &body.to_string()]);
        }
        let output = command.output().expect("curl can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{method} {path}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).unwrap_or_else(|_| json!({"text": text}))
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.ask("GET", path, None);
        answer.as_array().cloned().unwrap_or_else(|| panic!("a list at {path}: {answer}"))
    }
    /// Every call so far.
    pub fn calls(&self) -> Vec<Value> {
        self.list("/ledger")
    }
    /// Every machine's life so far.
    pub fn lives(&self) -> Vec<Value> {
        self.list("/lives")
    }
    /// What exists now: instances, volumes, interfaces, groups, keys, uploads.
    pub fn alive(&self) -> Vec<Value> {
        self.list("/alive")
    }
    /// What steps said to the outside, in the order of its coming.
    pub fn marks(&self) -> Vec<String> {
        self.list("/marks").iter().filter_map(|mark| mark.as_str().map(str::to_owned)).collect()
    }
    /// The cloud as its machines see it, for messages of failed tests.
    pub fn state(&self) -> Value {
        self.ask("GET", "/state", None)
    }
    /// Something goes wrong from now on.
    pub fn fault(&self, fault: &Value) -> Value {
        self.ask("POST", "/faults", Some(fault))
    }
    /// Something happens to a machine.
    pub fn host(&self, instance: &str, what: &str, arguments: &Value) -> Value {
        self.ask("POST", &format!("/hosts/{instance}/{what}"), Some(arguments))
    }
    /// Other hardware for the next launches: `{"count": 1, "boots": false}`.
    pub fn next_hosts(&self, plan: &Value) -> Value {
        self.ask("POST", "/hosts/next", Some(plan))
    }

    /// Runs a command as root on a machine, from outside.
    pub fn run_on(&self, instance: &str, command: &str) -> Value {
        self.host(instance, "command", &json!({"line": command}))
    }

    /// Looks again and again until a question is answered.
    pub fn until<T>(&self, what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(started.elapsed() < limit, "not within {limit:?}: {what}; state: {}", self.state());
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // Its own end of input ends it as well; this is only faster.
        let _ = self.world.kill();
        let _ = self.world.wait();
    }
}
