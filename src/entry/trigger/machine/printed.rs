//! What the processes of a master's machine printed, carried to the store while they live: the machine's disk goes with it.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::core::ids::{Epoch, RunId};
use crate::platform::store::{Store, layout};

/// Where the unit of a master's machine lets it print.
const FILE: &str = "/var/lib/dayfly-master/master.log";
/// So much of its end is kept.
const KEPT: u64 = 4 << 20;
/// Between two looks for something new.
const PAUSE: Duration = Duration::from_secs(5);

/// Carries until it is told to finish.
pub struct Printed {
    end: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Printed {
    /// Carries what this machine's master printed, and prints.
    pub fn carry(store: Arc<dyn Store>, run: &RunId, epoch: Epoch) -> Self {
        Self::carry_file(store, layout::master_log_key(run, epoch), PathBuf::from(FILE))
    }

    fn carry_file(store: Arc<dyn Store>, key: String, path: PathBuf) -> Self {
        let end = Arc::new(Notify::new());
        let ended = end.clone();
        let task = tokio::spawn(async move {
            let mut carried = 0;
            loop {
                let last = tokio::select! {
                    () = ended.notified() => true,
                    () = tokio::time::sleep(PAUSE) => false,
                };
                // A store that does not answer is nothing that printing more about would help.
                if let Ok((length, bytes)) = tail(&path)
                    && length != carried
                    && store.put(&key, bytes.into()).await.is_ok()
                {
                    carried = length;
                }
                if last {
                    return;
                }
            }
        });
        Self { end, task }
    }

    /// Carries the last lines and ends.
    pub async fn finish(self) {
        self.end.notify_one();
        let _ = tokio::time::timeout(PAUSE * 4, self.task).await;
    }
}

/// A file's length and its last part.
fn tail(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
    let mut bytes = Vec::new();
    file.take(KEPT).read_to_end(&mut bytes)?;
    Ok((length, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::store::MemoryStore;

    #[tokio::test]
    async fn what_was_printed_last_is_in_the_store_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.log");
        let store = Arc::new(MemoryStore::new(Arc::new(crate::entry::trigger::SystemWorld)));
        let printed = Printed::carry_file(store.clone(), "k".to_owned(), path.clone());
        std::fs::write(&path, vec![b'x'; KEPT as usize + 10]).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| io::Write::write_all(&mut file, b"end"))
            .unwrap();
        printed.finish().await;
        let bytes = store.get("k").await.unwrap().unwrap();
        assert_eq!(bytes.len(), KEPT as usize);
        assert!(bytes.ends_with(b"xxend"));
    }
}
