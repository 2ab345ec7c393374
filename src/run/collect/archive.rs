//! A worker's logs as one zip: a text file for each step, in the order of running, and an index.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use zip::write::SimpleFileOptions;

use super::log_book::read_segment;
use crate::core::ids::{HostName, HostSlot, RunId, StepKey};
use crate::core::records::ManifestFile;
use crate::platform::store::{Store, layout};

/// Makes the zip of a worker's log segments, puts it into the store and returns its entry for the manifest. A worker that
/// said nothing has one too: its index says so.
pub async fn archive_logs(
    store: &dyn Store,
    run: &RunId,
    slot: &HostSlot,
    scratch: &Path,
) -> anyhow::Result<ManifestFile> {
    let folder = scratch.join(format!("zip-{slot}"));
    std::fs::create_dir_all(&folder)?;
    let made = make(store, run, slot, &folder).await;
    let put = match made {
        Ok((path, file)) => store.put_file(&file.path, &path).await.map(|()| file).map_err(Into::into),
        Err(error) => Err(error),
    };
    // Temporary copies: the store has what counts.
    drop(std::fs::remove_dir_all(&folder));
    put
}

struct Part {
    key: StepKey,
    task: String,
    name: String,
    /// What is not in its file yet: files are opened only to append, so that a run of many steps needs few of them.
    waiting: Vec<u8>,
    next: u64,
    bytes: u64,
    lost: u64,
}

/// A step's output is written to its file in pieces of this size.
const WAITING_BYTES: usize = 256 * 1024;

impl Part {
    fn append(&mut self, folder: &Path) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(&self.name))?;
        file.write_all(&std::mem::take(&mut self.waiting))
    }
}

async fn make(
    store: &dyn Store,
    run: &RunId,
    slot: &HostSlot,
    folder: &Path,
) -> anyhow::Result<(PathBuf, ManifestFile)> {
    let mut parts: Vec<Part> = Vec::new();
    let mut by_key: HashMap<StepKey, usize> = HashMap::new();
    for listed in store.list(&layout::log_segments_prefix(run, slot), None).await? {
        for line in read_segment(store, &listed.key).await? {
            let index = match by_key.get(&line.key) {
                Some(index) => *index,
                None => {
                    let name = format!("{:04}-{}.log", parts.len() + 1, slug(&line.task));
                    parts.push(Part {
                        key: line.key.clone(),
                        task: line.task.clone(),
                        name,
                        waiting: Vec::new(),
                        next: 0,
                        bytes: 0,
                        lost: 0,
                    });
                    by_key.insert(line.key.clone(), parts.len() - 1);
                    parts.len() - 1
                }
            };
            let part = &mut parts[index];
            if line.next <= part.next {
                // A later master read it again before it knew that it stands here.
                continue;
            }
            part.next = line.next;
            if line.lost > 0 {
                part.lost += line.lost;
                writeln!(part.waiting, "[{} bytes of output were not kept]", line.lost)?;
            }
            let bytes = line.bytes();
            part.bytes += bytes.len() as u64;
            part.waiting.extend(bytes);
            if part.waiting.len() >= WAITING_BYTES {
                part.append(folder)?;
            }
        }
    }
    let (folder, of, host) = (folder.to_owned(), run.clone(), slot.host.clone());
    let packed = tokio::task::spawn_blocking(move || pack(parts, &folder, &of, &host));
    let (path, size, sha256) = packed.await??;
    Ok((path, ManifestFile { path: layout::log_zip_key(run, slot), size, sha256 }))
}

/// The zip with its size and digest. It takes as long as the logs are large: nobody who must beat waits for it.
fn pack(parts: Vec<Part>, folder: &Path, run: &RunId, host: &HostName) -> anyhow::Result<(PathBuf, u64, String)> {
    let path = folder.join("logs.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path)?);
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(3))
        .large_file(true);
    let mut index = Vec::new();
    for mut part in parts {
        part.append(folder)?;
        zip.start_file(&part.name, options)?;
        std::io::copy(&mut std::fs::File::open(folder.join(&part.name))?, &mut zip)?;
        index.push(json!({
            "file": part.name, "step": part.key, "task": part.task, "bytes": part.bytes, "lost": part.lost,
        }));
    }
    zip.start_file("index.json", options)?;
    serde_json::to_writer_pretty(&mut zip, &json!({"v": 1, "run": run, "host": host, "steps": index}))?;
    // A temporary copy: it need not outlive a power cut.
    drop(zip.finish()?);
    let (size, sha256) = crate::run::collect::sha256_of(&path)?;
    Ok((path, size, sha256))
}

/// A file name of a task's name: letters, digits and dashes.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().take(60) {
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "step".to_owned() } else { slug.to_owned() }
}
