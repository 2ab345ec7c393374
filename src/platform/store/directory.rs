//! A directory as a store. Create-once is a hard link of a finished, synced file: it exists whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;

use super::layout::check_key;
use super::{Created, Listed, Store, StoreError};

/// Where unfinished files stand, inside the store so that they are on its file system; no key begins with it.
const UNFINISHED: &str = ".unfinished";
/// An unfinished file that nobody wrote to for this long was left by a process that died.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);
/// A folder may be removed by `delete` between being made and being used.
const TRIES: u32 = 100;

/// A store in a folder of this machine; cheap to clone. The folder is made by the first write.
#[derive(Clone, Debug)]
pub struct DirectoryStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    cleaned: Once,
}

impl DirectoryStore {
    /// A store in this folder. Does no I/O.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let root = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { inner: Arc::new(Inner { root, cleaned: Once::new() }) }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.inner.root
    }

    /// Runs file system work off the async threads and turns its error into the store's.
    async fn blocking<T, F>(&self, operation: &'static str, key: &str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Inner, &str) -> io::Result<T> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let owned = key.to_owned();
        let joined = tokio::task::spawn_blocking(move || work(&inner, &owned)).await;
        let result = joined.unwrap_or_else(|error| Err(io::Error::other(error)));
        result.map_err(|error| failed(operation, key, &self.inner.root, &error))
    }
}

#[async_trait]
impl Store for DirectoryStore {
    fn location(&self) -> String {
        self.inner.root.display().to_string()
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        check(key)?;
        self.blocking("create", key, move |inner, key| {
            let unfinished = inner.unfinished(&mut bytes.as_ref())?;
            inner.finish(key, |target| match fs::hard_link(&unfinished.path, target) {
                Ok(()) => Ok(Created::New),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::Exists),
                Err(error) => Err(error),
            })
        })
        .await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        check(key)?;
        self.blocking("put", key, move |inner, key| {
            let unfinished = inner.unfinished(&mut bytes.as_ref())?;
            inner.finish(key, |target| fs::rename(&unfinished.path, target))
        })
        .await
    }

    async fn put_file(&self, key: &str, path: &Path) -> Result<(), StoreError> {
        check(key)?;
        let path = path.to_owned();
        self.blocking("put", key, move |inner, key| {
            let unfinished = inner.unfinished(&mut File::open(&path)?)?;
            inner.finish(key, |target| fs::rename(&unfinished.path, target))
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        check(key)?;
        self.blocking("get", key, |inner, key| match fs::read(inner.root.join(key)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn get_file(&self, key: &str, path: &Path) -> Result<bool, StoreError> {
        check(key)?;
        let path = path.to_owned();
        self.blocking("get", key, move |inner, key| {
            let mut source = match File::open(inner.root.join(key)) {
                Ok(source) => source,
                Err(error) if is_absent(&error) => return Ok(false),
                Err(error) => return Err(error),
            };
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut target = tempfile::NamedTempFile::new_in(folder)?;
            io::copy(&mut source, target.as_file_mut())?;
            target.persist(&path).map_err(|error| error.error)?;
            Ok(true)
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        if !prefix.is_empty() {
            check(prefix.strip_suffix('/').unwrap_or(prefix))?;
        }
        let after = after.map(str::to_owned);
        self.blocking("list", prefix, move |inner, prefix| {
            let mut found = Vec::new();
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            inner.collect(folder, prefix, &mut found)?;
            if let Some(after) = after {
                found.retain(|listed| listed.key > after);
            }
            found.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(found)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        check(key)?;
        self.blocking("delete", key, |inner, key| {
            let path = inner.root.join(key);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if is_absent(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
            let mut folder = path.parent();
            while let Some(parent) = folder.filter(|parent| *parent != inner.root) {
                if fs::remove_dir(parent).is_err() {
                    sync_folder(parent)?;
                    return Ok(());
                }
                folder = parent.parent();
            }
            sync_folder(&inner.root)
        })
        .await
    }
}

impl Inner {
    /// A synced file with these bytes that is not part of the store yet.
    fn unfinished(&self, source: &mut dyn io::Read) -> io::Result<Unfinished> {
        let folder = self.root.join(UNFINISHED);
        make_folders(&folder)?;
        self.cleaned.call_once(|| remove_abandoned(&folder));
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}.{nanos}.{count}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let unfinished = Unfinished { path };
        io::copy(source, &mut file)?;
        file.flush()?;
        file.sync_all()?;
        Ok(unfinished)
    }

    /// Gives a finished file its key and makes that durable.
    fn finish<T>(&self, key: &str, place: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        let target = self.root.join(key);
        let folder = target.parent().unwrap_or(&self.root);
        let mut tries = 0;
        let done = loop {
            match make_folders(folder).and_then(|()| place(&target)) {
                Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => tries += 1,
                other => break other?,
            }
        };
        sync_folder(folder)?;
        Ok(done)
    }

    /// Adds the objects below a folder whose keys begin with the prefix.
    fn collect(&self, folder: &str, prefix: &str, found: &mut Vec<Listed>) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if folder.is_empty() && name == UNFINISHED {
                continue;
            }
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(error),
            };
            if meta.is_dir() {
                let below = format!("{key}/");
                if below.starts_with(prefix) || prefix.starts_with(&below) {
                    self.collect(&key, prefix, found)?;
                }
            } else if meta.is_file() && key.starts_with(prefix) {
                let since = meta.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                found.push(Listed { key, size: meta.len(), modified_ms: since.as_millis() as i64 });
            }
        }
        Ok(())
    }
}

/// A file without a key yet; removed when dropped (after a rename there is nothing left to remove).
struct Unfinished {
    path: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn check(key: &str) -> Result<(), StoreError> {
    check_key(key)?;
    if key.split('/').next() == Some(UNFINISHED) { Err(StoreError::BadKey(key.to_owned())) } else { Ok(()) }
}

/// Whether there is no such object; `NotADirectory` means that a shorter key stands in its way.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

/// Makes a folder and those above it, for the owner alone; each new name is synced into the folder that holds it.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent();
    if let Some(parent) = parent {
        make_folders(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => parent.map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder, and one that another `delete` removed needs it no more.
        Err(error)
            if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::NotFound) =>
        {
            Ok(())
        }
        other => other,
    }
}

fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED_AFTER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn failed(operation: &'static str, key: &str, root: &Path, error: &io::Error) -> StoreError {
    let root = root.display();
    let why = match error.kind() {
        ErrorKind::StorageFull => format!("no space is left on the disk that holds {root}"),
        ErrorKind::QuotaExceeded => format!("the disk quota is used up on the disk that holds {root}"),
        ErrorKind::ReadOnlyFilesystem => format!("{root} is on a read-only file system; choose another with --store"),
        ErrorKind::PermissionDenied => format!("no permission in {root}; choose another with --store"),
        _ => format!("{error} ({root})"),
    };
    let passing = matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::Interrupted
            | ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::StaleNetworkFileHandle
    );
    let out_of_files = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::EIO));
    StoreError::Failed { operation, key: key.to_owned(), why, retry: passing || out_of_files }
}
