//! A stage for the modules' tests: a folder as HOME that vanishes, and programs run plainly.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Context, Program, ProgramEnd, Programs, Returned};
use crate::core::ids::StepKey;
use crate::core::records::StepOrder;

/// What a test sets before it runs a module.
pub(super) struct Rehearsal {
    folder: tempfile::TempDir,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) check: bool,
    pub(super) diff: bool,
}

impl Rehearsal {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment =
            BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned())]);
        Self { folder, environment, check: false, diff: false }
    }
    pub(super) fn home(&self) -> &Path {
        self.folder.path()
    }
    /// Runs a module as an agent would.
    pub(super) fn run(&mut self, module: &str, args: Value) -> Returned {
        let order = StepOrder {
            v: 1,
            key: StepKey::new("run/play/task"),
            module: module.to_owned(),
            args: args.as_object().cloned().unwrap(),
            environment: self.environment.clone(),
            becomes: None,
            timeout_ms: 0,
            kill_grace_ms: 0,
            check: self.check,
            diff: self.diff,
            no_log: false,
            once: false,
        };
        let mut programs = Plain { environment: self.environment.clone(), home: self.home().to_owned() };
        let mut context = Context {
            check: self.check,
            diff: self.diff,
            environment: &self.environment,
            home: self.home().to_owned(),
            programs: &mut programs,
        };
        super::run(&order, &mut context)
    }
}

struct Plain {
    environment: BTreeMap<String, String>,
    home: std::path::PathBuf,
}

impl Programs for Plain {
    fn run(&mut self, program: Program) -> io::Result<ProgramEnd> {
        let mut child = Command::new(&program.argv[0])
            .args(&program.argv[1..])
            .env_clear()
            .envs(&self.environment)
            .envs(&program.environment)
            .current_dir(program.chdir.as_ref().unwrap_or(&self.home))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its stdin is no failure.
            let _ = stdin.write_all(program.stdin.as_deref().unwrap_or_default());
        }
        let output = child.wait_with_output()?;
        Ok(ProgramEnd {
            rc: output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(1)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            cut: output.stdout.len() > 1 << 20,
            started_ms: 1_700_000_000_000,
            ended_ms: 1_700_000_000_005,
        })
    }
}
