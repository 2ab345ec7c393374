//! Result files of a worker, pulled by the master and put into the store: a worker needs no permission in the cloud.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::core::ids::{HostName, RunId, hex};
use crate::core::records::ManifestFile;
use crate::platform::remote::Link;
use crate::platform::store::{Store, layout};

/// What came, and what did not.
#[derive(Debug, Default)]
pub struct Brought {
    /// Files in the store.
    pub files: Vec<ManifestFile>,
    /// What is missing, in plain words.
    pub gaps: Vec<String>,
}

/// Brings every file that matches the patterns.
pub async fn collect_results(
    store: &dyn Store,
    run: &RunId,
    host: &HostName,
    link: &dyn Link,
    patterns: &[String],
    scratch: &Path,
) -> Brought {
    let mut brought = Brought::default();
    if patterns.is_empty() {
        return brought;
    }
    let files = match link.glob(patterns).await {
        Ok(files) => files,
        Err(error) => {
            brought.gaps.push(format!("results of {host} could not be listed: {error}"));
            return brought;
        }
    };
    for file in files {
        let outcome = match tempfile::NamedTempFile::new_in(scratch) {
            Ok(copy) => bring(store, run, host, link, &file.absolute, &file.path, &copy.into_temp_path()).await,
            Err(error) => Err(format!("{}: {error}", scratch.display())),
        };
        match outcome {
            Ok(entry) => brought.files.push(entry),
            Err(why) => brought.gaps.push(format!("{} of {host}: {why}", file.path)),
        }
    }
    brought
}

async fn bring(
    store: &dyn Store,
    run: &RunId,
    host: &HostName,
    link: &dyn Link,
    absolute: &str,
    relative: &str,
    scratch: &Path,
) -> Result<ManifestFile, String> {
    let (size, sha256) = link.get(absolute, scratch, None).await.map_err(|error| error.to_string())?;
    let key = layout::results_key(run, host, relative).map_err(|error| error.to_string())?;
    store.put_file(&key, scratch).await.map_err(|error| error.to_string())?;
    Ok(ManifestFile { path: relative.to_owned(), size, sha256 })
}

/// Size and SHA-256 of a file on this machine.
pub fn sha256_of(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let size = std::io::copy(&mut file, &mut hash)?;
    Ok((size, hex(&hash.finalize())))
}
