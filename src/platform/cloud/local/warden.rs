//! The process that looks after one worker, from its sshd's first word to its last process's end.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal as stream};

use super::ending::finish;
use super::machine::{ADDRESS, Machine, Order, State};
use super::processes::{AGENT_FOLDER, Marks, Process, boot_id, boottime_ms, descendants, end_all, reap_one, unix_ms};
use super::sshd::configure;
use crate::core::records::FORMAT_VERSION;
use crate::platform::cloud::InstanceState;

/// Another process may take a free port before sshd does.
const PORTS_TRIED: u32 = 20;
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// Lease, deadline and the file `terminate` are looked at this often; TERM is heard at once.
const LOOK: Duration = Duration::from_millis(250);
const LOCK_TRIES: u32 = 100;
/// One try to end all processes; between tries the state says what is left.
const PATIENCE: Duration = Duration::from_secs(10);

/// `dayfly local-worker DIR`: lives as long as the worker does. What it has to say it writes to the folder.
pub fn main(dir: &Path) -> ExitCode {
    // It may lead a session already; then nothing is to be done.
    let _ = nix::unistd::setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(look_after(&Machine { folder: dir.to_owned() })));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = io::Write::write_all(
                &mut io::stderr(),
                format!("the warden of {}: {error}\n", dir.display()).as_bytes(),
            );
            ExitCode::FAILURE
        }
    }
}

struct Signals {
    terminate: Stream,
    child: Stream,
}

async fn look_after(machine: &Machine) -> io::Result<()> {
    let mut signals = Signals { terminate: stream(SignalKind::terminate())?, child: stream(SignalKind::child())? };
    // A terminal that goes away, or Ctrl-C in it, is not meant for workers.
    let _hangup = (stream(SignalKind::hangup())?, stream(SignalKind::interrupt())?);
    // Orphans of the worker come to the warden, so that none escapes by losing its parent.
    nix::sys::prctl::set_child_subreaper(true)?;
    let Some(_lock) = lock(machine).await? else { return Ok(()) };
    if machine.state()?.is_some() {
        return Ok(());
    }
    let order = machine.order()?.ok_or_else(|| io::Error::other("there is no order"))?;
    let first_lease = boottime_ms().saturating_add_unsigned(order.lease_ms);
    let mut state = State { warden: Process::find(std::process::id()), ..State::new(InstanceState::Pending, "") };
    machine.say(&state)?;
    state.why = match boot(machine, &order, &mut state).await {
        Ok(()) => live(machine, &order, &state, first_lease, &mut signals).await,
        Err(error) => error.to_string(),
    };
    end(machine, &mut state).await
}

/// The lock, or none where another warden has it. Whoever looks at a worker holds it for a moment.
async fn lock(machine: &Machine) -> io::Result<Option<super::machine::Lock>> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = machine.try_lock()? {
            return Ok(Some(lock));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(None)
}

/// Starts sshd on a free port and waits for it to listen.
async fn boot(machine: &Machine, order: &Order, state: &mut State) -> io::Result<()> {
    let mut said = String::new();
    for _ in 0..PORTS_TRIED {
        let port = TcpListener::bind((ADDRESS, 0))?.local_addr()?.port();
        configure(machine, order, port)?;
        let log = machine.path("sshd.log");
        let mut command = Command::new(&order.sshd);
        command.args(["-D", "-e", "-f"]).arg(machine.path("sshd_config"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
        let pid = child.id();
        state.sshd = Process::find(pid);
        machine.say(state)?;
        said = match listening(pid, &log).await? {
            Listening::Yes => {
                state.port = Some(port);
                state.phase = InstanceState::Running;
                return machine.say(state);
            }
            Listening::Ended(said) => said,
        };
        if let Some(folder) = missing_folder(&said) {
            std::fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        } else if !said.contains("Address already in use") && !said.contains("Cannot bind any address") {
            break;
        }
    }
    Err(io::Error::other(format!("{} did not start: {}", order.sshd.display(), said.trim())))
}

enum Listening {
    Yes,
    Ended(String),
}

async fn listening(pid: u32, log: &Path) -> io::Result<Listening> {
    let give_up = Instant::now() + ANSWERS_WITHIN;
    loop {
        let ended = std::iter::from_fn(reap_one).any(|(ended, _)| ended == pid);
        let said = std::fs::read_to_string(log)?;
        if ended {
            return Ok(Listening::Ended(said));
        }
        if said.contains("Server listening on") {
            return Ok(Listening::Yes);
        }
        if Instant::now() >= give_up {
            return Err(io::Error::other(format!("sshd does not listen after {ANSWERS_WITHIN:?}: {}", said.trim())));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// sshd of root wants an empty folder that not every system makes at boot; only its message tells which.
fn missing_folder(said: &str) -> Option<PathBuf> {
    let (_, rest) = said.split_once("Missing privilege separation directory: ")?;
    let folder = PathBuf::from(rest.lines().next()?.trim());
    folder.is_absolute().then_some(folder)
}

/// Waits for the reason to end.
async fn live(machine: &Machine, order: &Order, state: &State, first_lease: i64, signals: &mut Signals) -> String {
    let agent = machine.home().join(AGENT_FOLDER).join(order.run.as_str()).join(order.slot.to_string());
    let sshd = state.sshd.as_ref().map(|sshd| sshd.pid);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return "terminated".to_owned(),
            _ = signals.child.recv() => {}
            _ = look.tick() => {}
        }
        while let Some((pid, how)) = reap_one() {
            if Some(pid) == sshd {
                return format!("its sshd ended ({how})");
            }
        }
        if machine.path("terminate").exists() {
            return "terminated".to_owned();
        }
        if boottime_ms() >= lease(&agent).unwrap_or(first_lease) {
            return "its lease ran out".to_owned();
        }
        if unix_ms() >= deadline(&agent).unwrap_or(order.deadline_ms) {
            return "its deadline is over".to_owned();
        }
    }
}

/// What the agent wrote when the master renewed the lease; of this boot only.
fn lease(agent: &Path) -> Option<i64> {
    #[derive(Deserialize)]
    struct Until {
        boot_id: String,
        boottime_ms: i64,
    }
    let until: Until = serde_json::from_slice(&std::fs::read(agent.join("until")).ok()?).ok()?;
    (until.boot_id == boot_id()).then_some(until.boottime_ms)
}

/// What the agent wrote when the master moved the deadline.
fn deadline(agent: &Path) -> Option<i64> {
    #[derive(Deserialize)]
    struct Deadline {
        v: u32,
        unix_ms: i64,
    }
    let deadline: Deadline = serde_json::from_slice(&std::fs::read(agent.join("deadline")).ok()?).ok()?;
    (deadline.v == FORMAT_VERSION).then_some(deadline.unix_ms)
}

/// Ends every process of the worker and removes its HOME; stays as long as anything is left.
async fn end(machine: &Machine, state: &mut State) -> io::Result<()> {
    state.phase = InstanceState::ShuttingDown;
    // Whether or not the disk takes the word: the worker ends.
    drop(machine.say(state));
    let (marks, this) = (Marks::of(&machine.home()), std::process::id());
    let why = state.why.clone();
    loop {
        let left = end_all(
            || {
                while reap_one().is_some() {}
                let mut found = descendants([this]);
                found.append(&mut marks.find());
                found
            },
            PATIENCE,
        );
        state.why.clone_from(&why);
        match finish(machine, state, &left) {
            Ok(()) if left.is_empty() => return Ok(()),
            Ok(()) => {}
            // Something is mounted there, or the disk fails: said, and tried again.
            Err(error) => {
                state.why = format!("{why}; {error}");
                drop(machine.say(state));
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
