//! Result files of a worker, pulled by the master and put into the store: a worker needs no permission in the cloud.

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::core::ids::{HostName, RunId, hex};
use crate::core::records::ManifestFile;
use crate::platform::remote::{Link, LinkError};
use crate::platform::store::{Store, layout};

/// What came, and what did not.
#[derive(Debug, Default)]
pub struct Brought {
    /// Files in the store.
    pub files: Vec<ManifestFile>,
    /// What is missing, in plain words.
    pub gaps: Vec<String>,
}

/// One worker whose results are wanted.
pub struct Wanted<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The worker.
    pub host: &'a HostName,
    /// The way to it.
    pub link: &'a dyn Link,
    /// A folder for temporary copies.
    pub scratch: &'a Path,
    /// A broken connection is opened again for this long.
    pub patience: Duration,
    /// First pause between tries.
    pub pause: Duration,
}

/// Brings every file that matches the patterns. An error means that a newer master has taken over.
pub async fn collect_results(
    store: &dyn Store,
    wanted: &Wanted<'_>,
    patterns: &[String],
) -> Result<Brought, LinkError> {
    let mut brought = Brought::default();
    if patterns.is_empty() {
        return Ok(brought);
    }
    let host = wanted.host;
    let files = match wanted.patiently(|| wanted.link.glob(patterns)).await {
        Ok(files) => files,
        Err(error @ LinkError::Fenced(_)) => return Err(error),
        Err(error) => {
            brought.gaps.push(format!("results of {host} could not be listed: {error}"));
            return Ok(brought);
        }
    };
    for file in files {
        match wanted.bring(store, &file.absolute, &file.path).await {
            Ok(entry) => brought.files.push(entry),
            Err(Failure::Link(error @ LinkError::Fenced(_))) => return Err(error),
            Err(Failure::Link(error)) => brought.gaps.push(format!("{} of {host}: {error}", file.path)),
            Err(Failure::Here(why)) => brought.gaps.push(format!("{} of {host}: {why}", file.path)),
        }
    }
    Ok(brought)
}

enum Failure {
    Link(LinkError),
    Here(String),
}

impl Wanted<'_> {
    /// Calls again over new connections as long as patience lasts: a lost connection means unknown, never gone.
    async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T, LinkError>
    where
        F: Future<Output = Result<T, LinkError>>,
    {
        let since = Instant::now();
        let mut pause = self.pause;
        loop {
            match call().await {
                Err(LinkError::Unknown(_)) if since.elapsed() < self.patience => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.pause * 16);
                }
                answer => return answer,
            }
        }
    }

    async fn bring(&self, store: &dyn Store, absolute: &str, relative: &str) -> Result<ManifestFile, Failure> {
        let here = |error: &dyn std::fmt::Display| Failure::Here(error.to_string());
        let copy = tempfile::NamedTempFile::new_in(self.scratch).map_err(|error| here(&error))?.into_temp_path();
        let got = self.patiently(|| self.link.get(absolute, &copy, None)).await;
        let (size, sha256) = got.map_err(Failure::Link)?;
        let key = layout::results_key(self.run, self.host, relative).map_err(|error| here(&error))?;
        store.put_file(&key, &copy).await.map_err(|error| here(&error))?;
        Ok(ManifestFile { path: relative.to_owned(), size, sha256 })
    }
}

/// Size and SHA-256 of a file on this machine.
pub fn sha256_of(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let size = std::io::copy(&mut file, &mut hash)?;
    Ok((size, hex(&hash.finalize())))
}
