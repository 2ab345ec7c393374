//! The folder of one step: its states, told by what stands in it, and the writes that lead from one to the next.
//!
//! Absent → Accepted (folder with `spec.json`, by rename) → Started (`started`, then exec) → Done (`result.json`, by
//! rename) → Acked. Whoever starts a step holds `lock` while it lives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{FallocateFlags, Flock, FlockArg, fallocate};
use nix::sys::statfs::fstatfs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cgroup::Cgroup;
use super::folders::{Durability, replace};
use super::{clock, spool, tree};
use crate::core::ids::sha256_hex;
use crate::core::records::{End, FORMAT_VERSION, StepOrder, StepOutcome};

/// Bytes that are set aside for the outcome before the step starts.
pub const OUTCOME_ROOM: usize = 16 << 10;
/// A step that may run again after an interruption is tried this often.
const ATTEMPTS: u32 = 3;

/// `started`: this step began.
#[derive(Debug, Serialize, Deserialize)]
pub struct Started {
    /// Format version.
    pub v: u32,
    /// In which boot.
    pub boot_id: String,
    /// Its supervisor.
    pub pid: u32,
    /// Its programs' control group, where they have one.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
}

/// Where a step stands.
#[derive(Debug)]
pub enum State {
    /// Nobody ordered it.
    Absent,
    /// May be started.
    Accepted,
    /// Its supervisor lives.
    Running,
    /// It began, and nobody knows how far it came.
    Dead {
        /// `reboot` or `supervisor`.
        why: &'static str,
    },
    /// It has an outcome, the JSON of a [`StepOutcome`].
    Done(Vec<u8>),
    /// Its outcome is safe with the master; only the folder's name is left, so that it never runs again.
    Acked,
}

/// How an order met what stands on the disk.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted {
    /// New here.
    New,
    /// The same order stands here.
    Known,
    /// Another order stands here.
    Diverged,
}

/// The folder of one step.
#[derive(Clone, Debug)]
pub struct StepFolder {
    /// Its path.
    pub path: PathBuf,
}

impl StepFolder {
    /// The step's mark on this machine: the name of its folder, and which worker's folder it is in.
    pub fn mark(&self) -> String {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let place = sha256_hex(self.path.as_os_str().as_bytes());
        format!("{name}-{}", &place[..8])
    }

    /// The folder of its worker.
    pub fn worker(&self) -> &Path {
        self.path.parent().and_then(Path::parent).unwrap_or(&self.path)
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Looks, in the order in which the answers exclude each other.
    pub fn state(&self) -> io::Result<State> {
        if let Some(outcome) = read(&self.file("result.json"))? {
            return Ok(State::Done(outcome));
        }
        if self.is_locked()? {
            return Ok(State::Running);
        }
        // Between the two looks above it may have ended.
        if let Some(outcome) = read(&self.file("result.json"))? {
            return Ok(State::Done(outcome));
        }
        if self.file("acked").exists() {
            return Ok(State::Acked);
        }
        if !self.file("spec.json").exists() {
            return Ok(State::Absent);
        }
        Ok(match self.started()? {
            None => State::Accepted,
            Some(started) if started.boot_id == clock::boot_id() => State::Dead { why: "supervisor" },
            Some(_) => State::Dead { why: "reboot" },
        })
    }

    /// Writes down that it is to end, so that a supervisor that is about to start sees it too, also where its order is
    /// still on its way.
    pub fn cancel(&self, reason: &str) -> io::Result<()> {
        if let Err(error) = fs::DirBuilder::new().mode(0o700).create(&self.path)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        // The first reason counts.
        if !self.file("cancel").exists() {
            replace(&self.file("cancel"), reason.as_bytes(), Durability::Relaxed)?;
        }
        Ok(())
    }

    /// The state of a step whose supervisor was alive a moment ago, without touching its lock.
    pub fn glance(&self) -> io::Result<State> {
        if let Some(outcome) = read(&self.file("result.json"))? {
            return Ok(State::Done(outcome));
        }
        Ok(State::Running)
    }

    /// Puts an order there, unless one stands there.
    pub fn accept(&self, spec: &[u8], digest: &str) -> io::Result<Accepted> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !self.path.exists() {
            let name = format!(".new-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let new = self.path.with_file_name(name);
            let made = (|| {
                fs::DirBuilder::new().mode(0o700).create(&new)?;
                fs::write(new.join("spec.json"), spec)?;
                fs::rename(&new, &self.path)
            })();
            match made {
                Ok(()) => return Ok(Accepted::New),
                Err(error) => {
                    let _ = fs::remove_dir_all(&new);
                    if !self.path.exists() {
                        return Err(error);
                    }
                }
            }
        }
        if !self.file("spec.json").exists() && !self.file("acked").exists() {
            // It was cancelled before it came; whoever starts it finds that.
            replace(&self.file("spec.json"), spec, Durability::Relaxed)?;
            return Ok(Accepted::New);
        }
        let known = match self.order() {
            Ok(order) => order.digest(),
            Err(_) => fs::read_to_string(self.file("acked"))?,
        };
        Ok(if known == digest { Accepted::Known } else { Accepted::Diverged })
    }

    /// How many attempts were interrupted.
    pub fn attempts(&self) -> u32 {
        fs::metadata(self.file("attempts")).map_or(0, |file| u32::try_from(file.len()).unwrap_or(u32::MAX))
    }

    /// The order.
    pub fn order(&self) -> io::Result<StepOrder> {
        Ok(serde_json::from_slice(&fs::read(self.file("spec.json"))?)?)
    }

    /// The mark of its beginning; a torn one is one too.
    pub fn started(&self) -> io::Result<Option<Started>> {
        Ok(read(&self.file("started"))?.map(|bytes| {
            serde_json::from_slice(&bytes).unwrap_or(Started {
                v: FORMAT_VERSION,
                boot_id: String::new(),
                pid: 0,
                cgroup: None,
            })
        }))
    }

    /// Takes the lock that a living supervisor holds; none where one does.
    pub fn lock(&self) -> io::Result<Option<Flock<File>>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.file("lock"))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Whether a supervisor lives.
    pub fn is_locked(&self) -> io::Result<bool> {
        let file = match File::open(self.file("lock")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(Flock::lock(file, FlockArg::LockSharedNonblock).is_err())
    }

    /// Writes the mark of the beginning and sets room aside for the outcome. For a step that must not run twice it is
    /// durable before this returns: one barrier makes folder, order and mark durable together, and the master hears of
    /// nothing before it.
    pub fn start(&self, durable: bool, cgroup: Option<&Cgroup>) -> io::Result<()> {
        let room =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(self.file("result.new"))?;
        if fallocate(&room, FallocateFlags::empty(), 0, OUTCOME_ROOM as i64).is_err() {
            (&room).write_all(&[b' '; OUTCOME_ROOM])?;
        }
        let started = Started {
            v: FORMAT_VERSION,
            boot_id: clock::boot_id(),
            pid: std::process::id(),
            cgroup: cgroup.map(|group| group.0.clone()),
        };
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(self.file("started"))?;
        if let Err(error) = file.write_all(&serde_json::to_vec(&started)?) {
            // A torn mark would count as one, and nothing began.
            fs::remove_file(self.file("started"))?;
            return Err(error);
        }
        if durable {
            self.sync(&file)?;
        }
        Ok(())
    }

    /// On the usual file systems the sync of a new file commits the names that lead to it; elsewhere each is synced.
    fn sync(&self, file: &File) -> io::Result<()> {
        // ext4, XFS, Btrfs.
        const JOURNALS: [u64; 3] = [0xEF53, 0x5846_5342, 0x9123_683E];
        const TMPFS: u64 = 0x0102_1994;
        let kind = fstatfs(file)?.filesystem_type().0 as u64;
        if kind == TMPFS {
            return Ok(());
        }
        file.sync_all()?;
        if !JOURNALS.contains(&kind) {
            File::open(self.file("spec.json"))?.sync_all()?;
            File::open(&self.path)?.sync_all()?;
            if let Some(steps) = self.path.parent() {
                File::open(steps)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Writes the outcome at once. On a full disk it is shortened until it fits the room that was set aside.
    pub fn finish(&self, outcome: &StepOutcome) -> io::Result<()> {
        let new = self.file("result.new");
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&new)?;
        let whole = serde_json::to_vec(outcome)?;
        let mut length = whole.len();
        if file.write_all(&whole).is_err() {
            let short = shortened(outcome)?;
            length = short.len();
            std::os::unix::fs::FileExt::write_all_at(&file, &short, 0)?;
        }
        file.set_len(length as u64)?;
        fs::rename(&new, self.file("result.json"))
    }

    /// Settles a step whose supervisor is gone: what is left of its tree is ended, then it may start again or has its
    /// outcome. Says whether it may start again.
    pub fn settle(&self, why: &str) -> io::Result<bool> {
        let Some(_lock) = self.lock()? else { return Ok(false) };
        if self.file("result.json").exists() {
            return Ok(false);
        }
        let mark = self.mark();
        if let Some(group) = self.started()?.and_then(|started| started.cgroup).map(Cgroup) {
            group.kill();
            tree::end(|| tree::marked(&mark), std::time::Duration::ZERO);
            group.remove();
        } else {
            tree::end(|| tree::marked(&mark), std::time::Duration::ZERO);
        }
        let order = self.order()?;
        if !order.once && self.attempts() + 1 < ATTEMPTS && !self.file("cancel").exists() {
            let mut attempts = OpenOptions::new().create(true).append(true).open(self.file("attempts"))?;
            attempts.write_all(b".")?;
            attempts.sync_all()?;
            if why == "reboot" {
                // What was not written in time may be anything.
                for number in spool::numbers(&self.path)? {
                    fs::remove_file(spool::file_path(&self.path, number))?;
                }
            }
            // Last: without it the step counts as not begun.
            fs::remove_file(self.file("started"))?;
            return Ok(true);
        }
        let told = match why {
            "reboot" => "the worker was rebooted while the step ran; nobody knows how far it came",
            _ => "the step's supervisor was killed while it ran; nobody knows how far it came",
        };
        let mut result = Map::new();
        result.insert("failed".into(), Value::Bool(true));
        result.insert("msg".into(), Value::String(told.into()));
        let end = End::Interrupted { why: why.into() };
        self.finish(&StepOutcome { end, ..StepOutcome::completed(result) })?;
        Ok(false)
    }

    /// The outcome is safe: everything goes but the name and the digest, so that the step never runs again.
    pub fn acknowledge(&self) -> io::Result<()> {
        if !self.file("result.json").exists() {
            return Ok(());
        }
        fs::write(self.file("acked"), self.order()?.digest())?;
        for entry in fs::read_dir(&self.path)?.flatten() {
            if entry.file_name() != "acked" {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// An outcome that fits the room set aside: texts are cut, other big values are left out.
fn shortened(outcome: &StepOutcome) -> io::Result<Vec<u8>> {
    let mut room = 2048;
    loop {
        let mut short = outcome.clone();
        short.result = std::mem::take(&mut short.result)
            .into_iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) if text.len() > room => {
                    let end = text.floor_char_boundary(room);
                    Some((name, Value::String(format!("{}[dayfly: cut, the disk is full]", &text[..end]))))
                }
                Value::Array(_) | Value::Object(_) if value.to_string().len() > room => None,
                value => Some((name, value)),
            })
            .collect();
        let bytes = serde_json::to_vec(&short)?;
        if bytes.len() <= OUTCOME_ROOM || room == 0 {
            return Ok(bytes);
        }
        room /= 2;
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes).map(|_| Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
