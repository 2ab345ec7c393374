//! Objects of any size to files: pieces side by side, each asked for again from where its stream broke, as long as the
//! object is the same. Nothing is seen at the target before all of it is there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::BytesMut;
use futures::{StreamExt, TryStreamExt, stream};

use super::bucket::Bucket;
use super::failure::{Trouble, cause};
use super::upload::blocking;

const MIB: u64 = 1024 * 1024;
/// One request brings this much.
const PIECE: u64 = 16 * MIB;
/// Pieces that travel at a time.
const IN_FLIGHT: usize = 6;
/// Bytes are written to the file in blocks of this size.
const BLOCK: usize = MIB as usize;
/// A piece is asked for this often without a byte of progress.
const FRUITLESS: u32 = 4;
/// An object that is replaced while it is read is read again this often.
const CHANGES: u32 = 3;

/// Writes an object to a file; false where there is none.
pub async fn get_file(bucket: &Bucket, full: &str, path: &Path) -> Result<bool, Trouble> {
    let mut changes = 1;
    loop {
        match attempt(bucket, full, path).await {
            // Replaced by another, or cut: what was read belongs to no object.
            Err(Trouble::NotMet | Trouble::BadRange) if changes < CHANGES => changes += 1,
            other => return other,
        }
    }
}

async fn attempt(bucket: &Bucket, full: &str, path: &Path) -> Result<bool, Trouble> {
    let Some(first) = open(bucket, full).await? else { return Ok(false) };
    let size = total(&first);
    let target = path.to_owned();
    let temporary = blocking(path, move || {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
    })
    .await?;
    let file = Arc::new(temporary.as_file().try_clone().map_err(|error| Trouble::Refused(error.to_string()))?);
    let source = Source { bucket, full, path, etag: first.e_tag().map(str::to_owned), file };
    source.piece(0, PIECE.min(size), Some(first)).await?;
    let rest = (1..size.div_ceil(PIECE)).map(|number| {
        let at = number * PIECE;
        source.piece(at, (at + PIECE).min(size), None)
    });
    stream::iter(rest).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    let target = path.to_owned();
    blocking(path, move || temporary.persist(&target).map(drop).map_err(|error| error.error)).await?;
    Ok(true)
}

/// The answer with the first piece, or with all of an object that has no bytes, whose range cannot be asked for.
async fn open(bucket: &Bucket, full: &str) -> Result<Option<GetObjectOutput>, Trouble> {
    let request = bucket.client.get_object().bucket(&bucket.address.bucket).key(full);
    let trouble = |error| bucket.target.trouble(&error, "s3:GetObject");
    match request.clone().range(format!("bytes=0-{}", PIECE - 1)).send().await.map_err(trouble) {
        Ok(answer) => return Ok(Some(answer)),
        Err(Trouble::BadRange) => {}
        Err(Trouble::NoSuchKey) => return Ok(None),
        Err(other) => return Err(other),
    }
    match request.send().await.map_err(trouble) {
        Ok(answer) => Ok(Some(answer)),
        Err(Trouble::NoSuchKey) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Bytes of the whole object: what stands behind the slash of `bytes 0-9/10`, or all where no range was answered.
fn total(answer: &GetObjectOutput) -> u64 {
    let ranged = answer.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
    ranged.unwrap_or_else(|| answer.content_length().unwrap_or_default().try_into().unwrap_or(0))
}

/// An object that is being read into a file.
struct Source<'a> {
    bucket: &'a Bucket,
    full: &'a str,
    path: &'a Path,
    etag: Option<String>,
    file: Arc<File>,
}

impl Source<'_> {
    /// Brings the bytes from `at` to before `end`.
    async fn piece(&self, mut at: u64, end: u64, mut answer: Option<GetObjectOutput>) -> Result<(), Trouble> {
        let mut fruitless = 0;
        while at < end {
            let from = at;
            let open = match answer.take() {
                Some(open) => open,
                None => self.ask(at, end).await?,
            };
            let broken = self.write(open, &mut at, end).await?;
            if at >= end {
                break;
            }
            fruitless = if at > from { 0 } else { fruitless + 1 };
            if fruitless == FRUITLESS {
                return Err(Trouble::Passing(broken));
            }
        }
        Ok(())
    }

    async fn ask(&self, at: u64, end: u64) -> Result<GetObjectOutput, Trouble> {
        let request = self
            .bucket
            .client
            .get_object()
            .bucket(&self.bucket.address.bucket)
            .key(self.full)
            .range(format!("bytes={at}-{}", end - 1))
            .set_if_match(self.etag.clone());
        match request.send().await.map_err(|error| self.bucket.target.trouble(&error, "s3:GetObject")) {
            // Deleted while it was read: the next attempt finds nothing, or another.
            Err(Trouble::NoSuchKey) => Err(Trouble::NotMet),
            other => other,
        }
    }

    /// Writes what a stream brings and moves `at`; returns why it ended.
    async fn write(&self, mut answer: GetObjectOutput, at: &mut u64, end: u64) -> Result<String, Trouble> {
        let mut block = BytesMut::with_capacity(BLOCK);
        let why = loop {
            match answer.body.next().await {
                Some(Ok(bytes)) => block.extend_from_slice(&bytes),
                Some(Err(error)) => break format!("the answer broke off: {}", cause(&error)),
                None => break "the answer ended too early".to_owned(),
            }
            if block.len() >= BLOCK {
                self.keep(&mut block, at, end).await?;
            }
        };
        self.keep(&mut block, at, end).await?;
        Ok(why)
    }

    async fn keep(&self, block: &mut BytesMut, at: &mut u64, end: u64) -> Result<(), Trouble> {
        // A service that ignores ranges sends more than was asked for.
        let bytes = block.split().freeze();
        let bytes = bytes.slice(..bytes.len().min(end.saturating_sub(*at) as usize));
        if bytes.is_empty() {
            return Ok(());
        }
        let (file, from) = (Arc::clone(&self.file), *at);
        *at += bytes.len() as u64;
        blocking(self.path, move || file.write_all_at(&bytes, from)).await
    }
}
