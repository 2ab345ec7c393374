//! Another user: the module runs in `dayfly-agent exec`, started by root itself or through sudo. The order comes by its
//! stdin, output and return values go by its stdout in frames, and the end of its stdin means that it is to end.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::folders::WorkerFolder;
use super::frame::{HEAD, Head, Kind, LONGEST};
use super::guard::Guard;
use super::runner::{Sink, listen};
use super::step_folder::StepFolder;
use super::supervise::{Ran, run_here};
use super::user::Account;
use super::{clock, environment, signals};
use crate::core::records::{End, StepOrder};

/// What `exec` reads first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExecOrder {
    order: StepOrder,
    user: String,
    home: PathBuf,
    files: PathBuf,
    step: PathBuf,
    login: BTreeMap<String, String>,
}

/// Runs a step as another user.
pub fn run_as(
    order: &StepOrder,
    user: &str,
    home: &Path,
    step: &StepFolder,
    sink: &mut dyn Sink,
    guard: &Arc<Guard>,
) -> io::Result<Ran> {
    let login = environment::of_login(&BTreeMap::new(), step);
    let said = serde_json::to_vec(&ExecOrder {
        order: order.clone(),
        user: user.to_owned(),
        home: home.to_owned(),
        files: WorkerFolder(step.worker().to_owned()).files(),
        step: step.path.clone(),
        login: login.clone(),
    })?;
    let agent = std::env::current_exe()?;
    let ways: &[&[&str]] = if nix::unistd::geteuid().is_root() {
        &[&[]]
    } else {
        &[&["sudo", "-n", "--"], &["sudo", "-n", "-u", user, "--"]]
    };
    let mut refused = String::new();
    for way in ways {
        let mut words = way.iter().map(Path::new).chain([agent.as_path(), Path::new("exec")]);
        let Some(program) = words.next() else { continue };
        let mut command = Command::new(program);
        command.args(words).env_clear().envs(&login);
        match talk(command, &said, sink, guard) {
            Ok(Answer::Returned(ran)) => return Ok(ran),
            Ok(Answer::Refused(why)) => refused = why,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                "there is no sudo on this machine".clone_into(&mut refused);
            }
            Err(error) => return Err(error),
        }
        if guard.is_ending() {
            break;
        }
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("cannot become {user:?}: {}", refused.trim())))
}

enum Answer {
    Returned(Ran),
    Refused(String),
}

fn talk(mut command: Command, said: &[u8], sink: &mut dyn Sink, guard: &Arc<Guard>) -> io::Result<Answer> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    guard.adopt(child.id());
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("no pipes to the other user's agent"));
    };
    // Where sudo refuses it does not read; its words on stderr say more than the broken pipe.
    let length = u32::try_from(said.len()).map_err(io::Error::other)?;
    let _ = stdin.write_all(&length.to_le_bytes()).and_then(|()| stdin.write_all(said));
    let words = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
        let mut words = Vec::new();
        let _ = stderr.by_ref().take(64 << 10).read_to_end(&mut words);
        let _ = io::copy(&mut stderr, &mut io::sink());
        String::from_utf8_lossy(&words).into_owned()
    })?;
    // A process of root's cannot be signalled from here; closing its stdin asks it to end its own tree.
    let line = Arc::new(Mutex::new(Some(stdin)));
    let close = {
        let line = Arc::clone(&line);
        move || drop(line.lock().unwrap_or_else(PoisonError::into_inner).take())
    };
    guard.on_end(Box::new(close));
    let mut returned = Vec::new();
    let (mut began, mut heard) = (false, false);
    while let Some((head, data)) = read_frame(&mut stdout)? {
        began = true;
        if head.kind == Kind::Result {
            heard = true;
            returned.extend_from_slice(&data);
            if head.length < LONGEST {
                break;
            }
        } else if head.length > 0 {
            sink.push(head.kind, head.time_ms, &data);
        }
    }
    drop(line.lock().unwrap_or_else(PoisonError::into_inner).take());
    if !heard {
        child.wait()?;
        if began {
            return Err(io::Error::other("the other user's agent died"));
        }
        return Ok(Answer::Refused(words.join().unwrap_or_default()));
    }
    let returned: Returned = serde_json::from_slice(&returned)?;
    Ok(Answer::Returned(Ran { result: returned.result, held: Vec::new(), killed: returned.killed }))
}

#[derive(Serialize, Deserialize)]
struct Returned {
    result: Map<String, Value>,
    killed: bool,
}

fn read_frame(from: &mut impl Read) -> io::Result<Option<(Head, Vec<u8>)>> {
    let mut head = [0; HEAD];
    match from.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let head = Head::read(&head).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an agent's answer"))?;
    let mut data = vec![0; head.length];
    from.read_exact(&mut data)?;
    Ok(Some((head, data)))
}

/// The other end: becomes the user, runs the module, answers.
pub fn exec() -> io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    signals::install()?;
    let mut stdin = io::stdin().lock();
    let mut length = [0; 4];
    stdin.read_exact(&mut length)?;
    let mut said = vec![0; u32::from_le_bytes(length) as usize];
    stdin.read_exact(&mut said)?;
    drop(stdin);
    let ExecOrder { mut order, user, home, files, step, login } = serde_json::from_slice(&said)?;
    let step = StepFolder { path: step };
    let account = Account::named(&user)?;
    // Before the privileges go: afterwards this may be a folder that the user cannot enter, which is no error.
    let _ = std::env::set_current_dir(&home);
    let mut lent = None;
    if nix::unistd::geteuid().is_root() {
        if !account.uid.is_root() {
            lent = lend(&mut order, &files, &account, &step.mark())?;
        }
        // For root too: its groups, and the real user beside the effective one.
        account.become_it()?;
    }
    if nix::unistd::geteuid() != account.uid {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("this is not {user:?}")));
    }
    let environment = environment::of_other(&login, &account, &order.environment, &step);
    let guard = Guard::new(Duration::from_millis(order.kill_grace_ms), None);
    wait_for_end(Arc::clone(&guard))?;
    let mut frames = Frames(io::stdout());
    // An empty frame says that the other user was become: from here on nothing is tried a second time.
    frames.write(Kind::Stdout, clock::unix_ms(), &[])?;
    let ran = run_here(&order, home, &environment, &mut frames, &guard);
    if let Some(lent) = lent {
        let _ = std::fs::remove_dir_all(lent);
    }
    let ran = ran?;
    guard.finish();
    let returned = serde_json::to_vec(&Returned { result: ran.result, killed: ran.killed })?;
    // The last one is shorter than the longest, so that its reader knows the end.
    let mut rest = returned.as_slice();
    loop {
        let (now, later) = rest.split_at(rest.len().min(LONGEST));
        frames.write(Kind::Result, clock::unix_ms(), now)?;
        rest = later;
        if now.len() < LONGEST {
            break;
        }
    }
    listen(ran.held)
}

/// Files that the master brought lie where only root looks: the user gets copies of those that the order names.
fn lend(order: &mut StepOrder, files: &Path, account: &Account, mark: &str) -> io::Result<Option<PathBuf>> {
    let folder = std::env::temp_dir().join(format!("dayfly-{mark}-{}", std::process::id()));
    let mut lent = None;
    for value in order.args.values_mut() {
        let Some(path) = value.as_str().map(Path::new).filter(|path| path.starts_with(files)) else { continue };
        let Some(name) = path.file_name() else { continue };
        if lent.is_none() {
            std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
            chown(&folder, Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
            lent = Some(folder.clone());
        }
        let copy = folder.join(name);
        std::fs::copy(path, &copy)?;
        chown(&copy, Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
        *value = Value::String(copy.to_string_lossy().into_owned());
    }
    Ok(lent)
}

fn wait_for_end(guard: Arc<Guard>) -> io::Result<()> {
    let wait = move || {
        let mut byte = [0];
        while matches!(io::stdin().read(&mut byte), Ok(count) if count > 0) {}
        guard.end(End::Cancelled { reason: String::new() });
    };
    std::thread::Builder::new().name("guard".into()).stack_size(256 << 10).spawn(wait)?;
    Ok(())
}

struct Frames(io::Stdout);

impl Frames {
    fn write(&mut self, kind: Kind, time_ms: i64, data: &[u8]) -> io::Result<()> {
        let mut out = self.0.lock();
        out.write_all(&Head { kind, time_ms, length: data.len() }.bytes())?;
        out.write_all(data)?;
        out.flush()
    }
}

impl Sink for Frames {
    fn push(&mut self, kind: Kind, time_ms: i64, data: &[u8]) {
        // A reader that is gone closes stdin too: the guard ends the step.
        let _ = self.write(kind, time_ms, data);
    }
}
