//! Files that come and go: into the agent's own area by their SHA-256, and out of the worker from any path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::folders::WorkerFolder;
use super::follow::refusal;
use super::user::Account;
use crate::core::ids::hex;
use crate::core::wire::{GetChunk, PutChunk, PutReply};

const PIECE: usize = 128 << 10;

/// Whether a file is in the worker's area.
pub fn have(worker: &WorkerFolder, sha256: &str) -> Result<PutReply, Status> {
    let path = place(worker, sha256)?;
    let found = fs::metadata(&path).ok();
    let path = path.to_string_lossy().into_owned();
    Ok(PutReply { existed: found.is_some(), size: found.map_or(0, |file| file.len()), path })
}

/// Takes a file into the worker's area. It gets its name only when its contents are what the name says.
pub async fn put(worker: &WorkerFolder, first: PutChunk, mut rest: Streaming<PutChunk>) -> Result<PutReply, Status> {
    let path = place(worker, &first.sha256)?;
    // The same file may be on its way twice.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_file_name(format!(".{}-{}-{count}", first.sha256, std::process::id()));
    let received = async {
        let opened = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary);
        let mut file = opened.map_err(|error| refusal(&error))?;
        let mut hasher = Sha256::new();
        let mut next = Some(first.data);
        let mut size = 0;
        while let Some(data) = next {
            file.write_all(&data).map_err(|error| refusal(&error))?;
            hasher.update(&data);
            size += data.len() as u64;
            next = rest.message().await?.map(|chunk| chunk.data);
        }
        let found = hex(&hasher.finalize());
        if found != first.sha256 {
            return Err(Status::failed_precondition(format!("the file arrived with SHA-256 {found}")));
        }
        fs::rename(&temporary, &path).map_err(|error| refusal(&error))?;
        Ok(PutReply { existed: false, size, path: path.to_string_lossy().into_owned() })
    };
    let received = received.await;
    if received.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    received
}

fn place(worker: &WorkerFolder, sha256: &str) -> Result<PathBuf, Status> {
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(worker.files().join(sha256)) } else { Err(Status::invalid_argument("not a SHA-256")) }
}

/// A path as the playbook writes it: `~` and relative ones start at HOME.
pub fn resolve(home: &Path, path: &str) -> PathBuf {
    if let Some(rest) = path.strip_prefix('~') {
        let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
        if name.is_empty() {
            return home.join(below);
        }
        if let Ok(account) = Account::named(name) {
            return account.home.join(below);
        }
    }
    home.join(path)
}

/// Sends a file from an offset on; one piece is in memory at a time.
pub async fn get(path: PathBuf, offset: u64, becomes: Option<String>, to: mpsc::Sender<Result<GetChunk, Status>>) {
    let sent = async {
        let (mut source, size) = open(&path, offset, becomes).map_err(|error| refusal(&error))?;
        let mut hasher = Sha256::new();
        let mut said = size;
        let mut buffer = vec![0; PIECE];
        loop {
            let count = source.read(&mut buffer).map_err(|error| refusal(&error))?;
            hasher.update(&buffer[..count]);
            let sha256 = if count == 0 { hex(&hasher.clone().finalize()) } else { String::new() };
            let data = Bytes::copy_from_slice(&buffer[..count]);
            if to.send(Ok(GetChunk { data, size: std::mem::take(&mut said), sha256 })).await.is_err() || count == 0 {
                break;
            }
        }
        source.finish(&path)
    };
    if let Err(status) = sent.await {
        let _ = to.send(Err(status)).await;
    }
}

enum Source {
    File(File),
    Other(std::process::Child),
}

impl Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Other(child) => child.stdout.as_mut().map_or(Ok(0), |out| out.read(buffer)),
        }
    }
    fn finish(self, path: &Path) -> Result<(), Status> {
        let Self::Other(child) = self else { return Ok(()) };
        let ended = child.wait_with_output().map_err(|error| refusal(&error))?;
        if ended.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        Err(Status::permission_denied(format!("{}: {words}", path.display())))
    }
}

fn open(path: &Path, offset: u64, becomes: Option<String>) -> io::Result<(Source, u64)> {
    let name = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    // A pipe without a writer must not hold this process.
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    if let (Err(error), Some(user)) = (&open, &becomes)
        && error.kind() == io::ErrorKind::PermissionDenied
        && !nix::unistd::geteuid().is_root()
    {
        let from = format!("+{}", offset + 1);
        let mut command = Command::new("sudo");
        command.args(["-n", "-u", user, "--", "tail", "-c", &from, "--"]).arg(path);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        return Ok((Source::Other(child), 0));
    }
    let mut file = open.map_err(name)?;
    let found = file.metadata().map_err(name)?;
    if !found.is_file() {
        let what = if found.is_dir() { "is a directory" } else { "is not a regular file" };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} {what}", path.display())));
    }
    if offset > 0 {
        file.seek(io::SeekFrom::Start(offset)).map_err(name)?;
    }
    Ok((Source::File(file), found.len()))
}
