//! A command that is going on: its events as they come, signals, its end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::ended::Ended;
use crate::processes;

/// How long a scenario waits for something before it says that it does not come.
const PATIENCE: Duration = Duration::from_secs(100);

/// A started command.
pub struct Going {
    words: Vec<String>,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Going {
    /// Starts it with its streams read.
    pub fn start(arguments: &[&str], mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("dayfly can be started");
        let stdout = child.stdout.take().expect("standard output");
        let mut stderr = child.stderr.take().expect("standard error");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let words = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self { words, child, lines, seen: Vec::new(), stderr: Some(stderr) }
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: i32) {
        processes::kill(self.child.id(), signal);
    }
    /// Reads lines until one holds a text, and returns that line; none where the stream ends before.
    pub fn line_with(&mut self, text: &str) -> Option<String> {
        self.find(|line| line.contains(text))
    }
    /// Reads events until one fits; none where the command ends before.
    pub fn event(&mut self, fits: impl Fn(&serde_json::Value) -> bool) -> Option<serde_json::Value> {
        let line = self.find(|line| serde_json::from_str(line).is_ok_and(|event: serde_json::Value| fits(&event)))?;
        serde_json::from_str(&line).ok()
    }
    fn find(&mut self, fits: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if fits(&line) {
                        return Some(line);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("it does not come; seen so far:\n{}", self.seen.join("\n")),
            }
        }
    }
    /// Waits for its end.
    pub fn ends(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            while let Ok(line) = self.lines.try_recv() {
                self.seen.push(line);
            }
            assert!(Instant::now() < until, "it does not end; seen so far:\n{}", self.seen.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        };
        // A process that it left behind may hold the streams: do not wait for their end for ever.
        let patience = Instant::now() + Duration::from_secs(3);
        while let Ok(line) = self.lines.recv_timeout(patience.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        let stderr = self.stderr.take().expect("not taken yet");
        while !stderr.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        let stderr = if stderr.is_finished() { stderr.join().expect("the reader") } else { String::new() };
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let output =
            std::process::Output { status, stdout: self.seen.join("\n").into_bytes(), stderr: stderr.into_bytes() };
        Ended::new(&words, output)
    }
    /// kill -9, at once.
    pub fn dies(self) -> Ended {
        self.signal(libc::SIGKILL);
        self.ends()
    }
}
