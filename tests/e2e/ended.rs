//! A command that came to its end, and what is asserted of it.

use std::process::Output;

/// What it said and how it ended.
pub struct Ended {
    words: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code; -1 where a signal ended it.
    pub code: i32,
}

impl Ended {
    /// From what the system says.
    pub fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            words: arguments.join(" "),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Asserts the exit code.
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit {code}\n{}", self.whole());
        self
    }
    /// Asserts that standard output holds a text.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "standard output lacks {text:?}\n{}", self.whole());
        self
    }
    /// Asserts that standard error holds a text.
    pub fn remarks(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "standard error lacks {text:?}\n{}", self.whole());
        self
    }
    /// Asserts that one of the streams holds a text.
    pub fn tells(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "nothing says {text:?}\n{}", self.whole());
        self
    }
    /// Asserts that no stream holds a text.
    pub fn never_says(self, text: &str) -> Self {
        assert!(
            !self.stdout.contains(text) && !self.stderr.contains(text),
            "something says {text:?}\n{}",
            self.whole()
        );
        self
    }
    /// The events of `--output json`.
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
    /// The last event of a kind.
    pub fn event(&self, kind: &str) -> serde_json::Value {
        let found = self.events().into_iter().rev().find(|event| event["event"] == kind);
        found.unwrap_or_else(|| panic!("no event {kind}\n{}", self.whole()))
    }
    /// A counter of the recap that `run_ended` carries.
    pub fn count(&self, host: &str, counter: &str) -> u64 {
        let ended = self.event("run_ended");
        let stats = ended["stats"].as_array().expect("stats");
        stats.iter().find(|pair| pair[0] == host).map_or(0, |pair| pair[1][counter].as_u64().expect("a counter"))
    }
    /// Everything, for people.
    pub fn whole(&self) -> String {
        format!(
            "$ dayfly {}\n--- stdout\n{}\n--- stderr\n{}\n--- exit {}",
            self.words,
            shortened(&self.stdout),
            shortened(&self.stderr),
            self.code
        )
    }
}

/// Enough to see what happened, never a megabyte.
fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= 24_000 {
        return text.to_owned();
    }
    let head: String = text.chars().take(8_000).collect();
    let tail: String = text.chars().skip(count - 16_000).collect();
    format!("{head}\n[… {} characters …]\n{tail}", count - 24_000)
}
