//! Runs the programs of a module: their output goes to a sink as it comes, and their end is seen even where children
//! hold the pipes open.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::capture::Capture;
use super::frame::Kind;
use super::guard::Guard;
use super::{clock, signals};
use crate::worker::modules::{Program, ProgramEnd, Programs};

const PIECE: usize = 64 << 10;
/// After a program's end, what its children left in the pipe is read up to this much.
const LEFT_IN_PIPE: usize = 1 << 20;
/// The kernel prefers a step to its supervisor when memory runs out.
const OOM_SCORE: &str = "500";

/// Takes the output of a step.
pub trait Sink {
    /// A piece of it, never longer than a frame may be.
    fn push(&mut self, kind: Kind, time_ms: i64, data: &[u8]);
}

/// A pipe that children of a program still hold open.
pub enum Held {
    /// Of standard output.
    Stdout(ChildStdout),
    /// Of standard error.
    Stderr(ChildStderr),
}

/// Runs programs for one step.
pub struct Runner<'a> {
    sink: &'a mut dyn Sink,
    environment: BTreeMap<String, String>,
    guard: Arc<Guard>,
    children: BorrowedFd<'static>,
    /// Pipes that were open when their program had ended.
    pub held: Vec<Held>,
    /// Whether the last program of this step was ended by a KILL that the guard did not send.
    pub killed: bool,
}

impl<'a> Runner<'a> {
    /// Signals must be listened to: [`signals::install`].
    pub fn new(sink: &'a mut dyn Sink, environment: BTreeMap<String, String>, guard: Arc<Guard>) -> io::Result<Self> {
        let children = children()?;
        Ok(Self { sink, environment, guard, children, held: Vec::new(), killed: false })
    }

    fn spawn(&self, program: &Program) -> io::Result<Child> {
        let name = program.argv.first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program"))?;
        let mut environment = self.environment.clone();
        environment.extend(program.environment.clone());
        let path = find(name, environment.get("PATH").map_or("", String::as_str), program.chdir.as_deref())?;
        let mut command = Command::new(path);
        command.arg0(name).args(&program.argv[1..]).env_clear().envs(environment).process_group(0);
        command.stdin(if program.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &program.chdir {
            command.current_dir(folder);
        }
        let child = command.spawn()?;
        self.guard.adopt(child.id());
        let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), OOM_SCORE);
        Ok(child)
    }
}

impl Programs for Runner<'_> {
    fn run(&mut self, program: Program) -> io::Result<ProgramEnd> {
        if self.guard.is_ending() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the step is being ended"));
        }
        let started_ms = clock::unix_ms();
        let mut child = self.spawn(&program)?;
        let mut pipes = Pipes::new(&mut child, program.stdin.unwrap_or_default())?;
        let main = Pid::from_raw(child.id().cast_signed());
        let mut buffer = vec![0; PIECE];
        let (mut stdout, mut stderr) = (Capture::default(), Capture::default());
        let mut take = |kind: Kind, data: &[u8]| {
            if kind == Kind::Stdout {
                stdout.push(data);
            } else {
                stderr.push(data);
            }
            if program.is_main {
                self.sink.push(kind, clock::unix_ms(), data);
            }
        };
        let status = loop {
            pipes.wait(self.children)?;
            let ended = reap(main, self.children)?;
            pipes.read(&mut buffer, &mut take, PIECE);
            if let Some(status) = ended {
                break status;
            }
            pipes.write();
        };
        pipes.read(&mut buffer, &mut take, LEFT_IN_PIPE);
        self.held.extend(pipes.held());
        self.killed = status == -(Signal::SIGKILL as i32) && !self.guard.is_ending();
        let cut = stdout.is_cut() || stderr.is_cut();
        Ok(ProgramEnd {
            rc: status,
            stdout: stdout.text(),
            stderr: stderr.text(),
            cut,
            started_ms,
            ended_ms: clock::unix_ms(),
        })
    }
}

fn children() -> io::Result<BorrowedFd<'static>> {
    signals::child().ok_or_else(|| io::Error::other("signals are not listened to"))
}

/// Reaps whoever has ended, orphans too; the exit code of `main` where it is among them, or minus its signal.
fn reap(main: Pid, children: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    signals::take(children);
    let mut ended = None;
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == main => ended = Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == main => ended = Some(-(signal as i32)),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(ended),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Makes reads and writes return at once.
pub fn nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Finds a program as a shell does, so that the error names it.
fn find(name: &str, search: &str, chdir: Option<&Path>) -> io::Result<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        // Relative to where it will run.
        return Ok(chdir.filter(|_| path.is_relative()).map_or(path.clone(), |folder| folder.join(&path)));
    }
    let runs = |path: &PathBuf| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    search
        .split(':')
        .map(|folder| Path::new(folder).join(name))
        .find(runs)
        .ok_or_else(|| io::Error::from_raw_os_error(Errno::ENOENT as i32))
}

struct Pipes {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    stdin: Option<ChildStdin>,
    input: Vec<u8>,
    given: usize,
}

impl Pipes {
    fn new(child: &mut Child, input: Vec<u8>) -> io::Result<Self> {
        let (stdout, stderr, stdin) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
        for descriptor in [
            stdout.as_ref().map(std::os::fd::AsFd::as_fd),
            stderr.as_ref().map(std::os::fd::AsFd::as_fd),
            stdin.as_ref().map(std::os::fd::AsFd::as_fd),
        ]
        .into_iter()
        .flatten()
        {
            nonblocking(descriptor)?;
        }
        Ok(Self { stdout, stderr, stdin, input, given: 0 })
    }

    fn wait(&self, children: BorrowedFd<'_>) -> io::Result<()> {
        let mut waited = vec![PollFd::new(children, PollFlags::POLLIN)];
        waited.extend(self.stdout.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        waited.extend(self.stderr.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        waited.extend(self.stdin.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
        match poll(&mut waited, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn read(&mut self, buffer: &mut [u8], take: &mut impl FnMut(Kind, &[u8]), most: usize) {
        drain(&mut self.stdout, buffer, most, |data| take(Kind::Stdout, data));
        drain(&mut self.stderr, buffer, most, |data| take(Kind::Stderr, data));
    }

    fn write(&mut self) {
        let Some(pipe) = self.stdin.as_mut() else { return };
        match pipe.write(&self.input[self.given..]) {
            Ok(count) => self.given += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // It does not want to read: its own affair.
            Err(_) => self.given = self.input.len(),
        }
        if self.given == self.input.len() {
            self.stdin = None;
        }
    }

    fn held(self) -> impl Iterator<Item = Held> {
        self.stdout.map(Held::Stdout).into_iter().chain(self.stderr.map(Held::Stderr))
    }
}

/// Reads what is there, at most so much; closes the pipe at its end.
fn drain<R: io::Read>(pipe: &mut Option<R>, buffer: &mut [u8], most: usize, mut take: impl FnMut(&[u8])) {
    let mut got = 0;
    while got < most {
        let Some(open) = pipe.as_mut() else { return };
        match open.read(buffer) {
            Ok(0) => *pipe = None,
            Ok(count) => {
                got += count;
                take(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => *pipe = None,
        }
    }
}

/// Reads on for children that a step left behind, so that they do not die of a closed pipe; returns when they are gone.
pub fn listen(held: Vec<Held>) -> io::Result<()> {
    let children = children()?;
    let mut buffer = vec![0; PIECE];
    let mut pipes: Vec<Option<Held>> = held.into_iter().map(Some).collect();
    while pipes.iter().any(Option::is_some) {
        {
            let mut waited = vec![PollFd::new(children, PollFlags::POLLIN)];
            waited.extend(pipes.iter().flatten().map(|pipe| PollFd::new(pipe.descriptor(), PollFlags::POLLIN)));
            let _ = poll(&mut waited, PollTimeout::NONE);
        }
        reap(Pid::from_raw(0), children)?;
        for pipe in &mut pipes {
            drain(pipe, &mut buffer, LEFT_IN_PIPE, |_| {});
        }
    }
    Ok(())
}

impl Held {
    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdout(pipe) => pipe.as_fd(),
            Self::Stderr(pipe) => pipe.as_fd(),
        }
    }
}

impl io::Read for Held {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(pipe) => pipe.read(buffer),
            Self::Stderr(pipe) => pipe.read(buffer),
        }
    }
}
