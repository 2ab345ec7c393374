//! Files between this machine and a worker, as streams.

use std::io;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{LinkError, failure};
use crate::core::ids::hex;
use crate::core::wire::agent_client::AgentClient;
use crate::core::wire::{GetRequest, HaveRequest, PutChunk};

const PIECE: usize = 128 << 10;

/// Brings a file to the agent's own area, unless it is there; its path there.
pub async fn put(
    client: &mut AgentClient<Channel>,
    epoch: u32,
    file: &Path,
    sha256: &str,
) -> Result<String, LinkError> {
    let have = client.have(HaveRequest { sha256: sha256.to_owned() }).await;
    let have = have.map_err(|status| failure::of_status(&status))?.into_inner();
    if have.existed {
        return Ok(have.path);
    }
    let local = |error: io::Error| LinkError::Refused(format!("{}: {error}", file.display()));
    let mut source = File::open(file).await.map_err(local)?;
    let (chunks, stream) = mpsc::channel(4);
    let first = PutChunk { epoch, sha256: sha256.to_owned(), data: bytes::Bytes::new() };
    let read = async move {
        // A receiver that is gone has its reason: the reply tells it.
        if chunks.send(first).await.is_err() {
            return Ok(());
        }
        loop {
            let mut buffer = BytesMut::with_capacity(PIECE);
            if source.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            let chunk = PutChunk { epoch, sha256: String::new(), data: buffer.freeze() };
            if chunks.send(chunk).await.is_err() {
                return Ok(());
            }
        }
    };
    let (read, reply) = tokio::join!(read, client.put(ReceiverStream::new(stream)));
    read.map_err(local)?;
    Ok(reply.map_err(|status| failure::of_status(&status))?.into_inner().path)
}

/// Brings a file of the worker here: its size and SHA-256.
pub async fn get(
    client: &mut AgentClient<Channel>,
    path: &str,
    to: &Path,
    becomes: Option<&str>,
) -> Result<(u64, String), LinkError> {
    let request = GetRequest { path: path.to_owned(), offset: 0, become_user: becomes.unwrap_or_default().to_owned() };
    let mut chunks = client.get(request).await.map_err(|status| failure::of_status(&status))?.into_inner();
    let local = |error: io::Error| LinkError::Refused(format!("{}: {error}", to.display()));
    let temporary = Temporary::beside(to);
    let mut file = File::options().write(true).create_new(true).open(&temporary.0).await.map_err(local)?;
    let mut hasher = Sha256::new();
    let mut size = 0;
    let said = loop {
        let Some(chunk) = chunks.message().await.map_err(|status| failure::of_status(&status))? else {
            return Err(LinkError::Unknown(format!("{path} did not arrive whole")));
        };
        hasher.update(&chunk.data);
        size += chunk.data.len() as u64;
        file.write_all(&chunk.data).await.map_err(local)?;
        if !chunk.sha256.is_empty() {
            break chunk.sha256;
        }
    };
    // What went wrong after the last byte (a refused `sudo`) is an error too.
    while chunks.message().await.map_err(|status| failure::of_status(&status))?.is_some() {}
    file.flush().await.map_err(local)?;
    let sha256 = hex(&hasher.finalize());
    if sha256 != said {
        return Err(LinkError::Unknown(format!("{path} arrived with SHA-256 {sha256} instead of {said}")));
    }
    tokio::fs::rename(&temporary.0, to).await.map_err(local)?;
    Ok((size, sha256))
}

/// Removed unless it was renamed.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(to: &Path) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.chars().take(60).collect();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(to.with_file_name(format!(".{name}.dayfly-{}-{count}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
