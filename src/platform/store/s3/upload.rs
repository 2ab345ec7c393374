//! Files of any size to S3: one request for small ones, parts side by side for others, never more than a few parts in
//! memory. What is not finished is aborted, also when the caller loses patience in the middle.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::bucket::{Bucket, patience};
use super::failure::Trouble;
use super::listing::abort;
use crate::core::ids::hex;

const MIB: u64 = 1024 * 1024;
/// Files below this size are one request.
const SINGLE: u64 = 16 * MIB;
/// S3 takes parts 1 to 10000 (S3 User Guide, multipart upload limits).
const MOST_PARTS: u64 = 10_000;
const SMALLEST_PART: u64 = 8 * MIB;
/// Parts that travel at a time, where they are small.
const IN_FLIGHT: u64 = 4;
/// Bytes of parts that are in memory at a time; files beyond 2.5 TiB have parts that are bigger.
const MEMORY: u64 = 256 * MIB;
/// Putting the parts of a big object together takes S3 minutes (S3 API Reference, CompleteMultipartUpload): the wait for it, as
/// if so many bytes travelled.
const COMPLETION: u64 = 150 * MIB;
/// The metadata by which an upload knows its own object.
const NONCE: &str = "dayfly-upload";

/// Writes a file under a key.
pub async fn put_file(bucket: &Bucket, full: &str, path: &Path) -> Result<(), Trouble> {
    let owned = path.to_owned();
    let (file, size) = blocking(path, move || {
        let file = File::open(owned)?;
        let size = file.metadata()?.len();
        Ok((Arc::new(file), size))
    })
    .await?;
    if size < SINGLE {
        let bytes = read(path, &file, 0, size).await?;
        return bucket.put(full, bytes, false).await;
    }
    let mut upload = Upload::begin(bucket, full).await?;
    let sent = upload.send(path, &file, size).await;
    match sent {
        Ok(()) => {
            upload.over = true;
            Ok(())
        }
        Err(error) => {
            upload.over = true;
            // Whatever is left of it is found and aborted by the reaper.
            drop(abort(bucket, full, &upload.id).await);
            Err(error)
        }
    }
}

/// Bytes of each part, so that the number of parts stays within the limits.
fn part_size(size: u64) -> u64 {
    size.div_ceil(MOST_PARTS).next_multiple_of(MIB).max(SMALLEST_PART)
}

/// How many parts travel at a time.
fn parts_in_flight(part: u64) -> usize {
    (MEMORY / part).clamp(1, IN_FLIGHT) as usize
}

/// A multipart upload under way. Dropped before it is over, it is aborted.
struct Upload {
    bucket: Bucket,
    full: String,
    id: String,
    nonce: String,
    over: bool,
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (bucket, full, id) = (self.bucket.clone(), std::mem::take(&mut self.full), std::mem::take(&mut self.id));
        runtime.spawn(async move { abort(&bucket, &full, &id).await });
    }
}

impl Upload {
    async fn begin(bucket: &Bucket, full: &str) -> Result<Self, Trouble> {
        let mut nonce = [0_u8; 16];
        getrandom::fill(&mut nonce).map_err(|error| Trouble::Refused(format!("no randomness: {error}")))?;
        let nonce = hex(&nonce);
        let request = bucket
            .client
            .create_multipart_upload()
            .bucket(&bucket.address.bucket)
            .key(full)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata(NONCE, &nonce);
        let begun = request.send().await;
        let begun = begun.map_err(|error| bucket.target.trouble(&error, "s3:PutObject").of_bucket(&bucket.target))?;
        let id = begun.upload_id().ok_or_else(|| Trouble::Passing("an upload without an id".to_owned()))?.to_owned();
        Ok(Self { bucket: bucket.clone(), full: full.to_owned(), id, nonce, over: false })
    }

    async fn send(&self, path: &Path, file: &Arc<File>, size: u64) -> Result<(), Trouble> {
        let part = part_size(size);
        let numbers = 0..size.div_ceil(part);
        let sends = numbers.map(|number| {
            let at = number * part;
            self.part(path, file, number as i32 + 1, at, part.min(size - at))
        });
        let parts: Vec<CompletedPart> = stream::iter(sends).buffered(parts_in_flight(part)).try_collect().await?;
        self.complete(parts).await
    }

    async fn part(
        &self,
        path: &Path,
        file: &Arc<File>,
        number: i32,
        at: u64,
        size: u64,
    ) -> Result<CompletedPart, Trouble> {
        let bytes = read(path, file, at, size).await?;
        let request = self
            .bucket
            .client
            .upload_part()
            .bucket(&self.bucket.address.bucket)
            .key(&self.full)
            .upload_id(&self.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(ByteStream::from(bytes));
        let sent = request.customize().config_override(patience(size)).send().await;
        let sent = sent.map_err(|error| self.bucket.target.trouble(&error, "s3:PutObject"))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag().map(str::to_owned))
            .set_checksum_sha256(sent.checksum_sha256().map(str::to_owned))
            .build())
    }

    async fn complete(&self, parts: Vec<CompletedPart>) -> Result<(), Trouble> {
        let request = self
            .bucket
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket.address.bucket)
            .key(&self.full)
            .upload_id(&self.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        match request.customize().config_override(patience(COMPLETION)).send().await {
            Ok(_) => Ok(()),
            Err(error) => match self.bucket.target.trouble(&error, "s3:PutObject") {
                // An earlier attempt, whose answer was lost, completed it, or somebody aborted it.
                Trouble::NoSuchUpload if self.is_there().await? => Ok(()),
                other => Err(other),
            },
        }
    }

    /// Whether the object under the key is the one that this upload made.
    async fn is_there(&self) -> Result<bool, Trouble> {
        let request = self.bucket.client.head_object().bucket(&self.bucket.address.bucket).key(&self.full);
        match request.send().await {
            Ok(found) => {
                Ok(found.metadata().and_then(|metadata| metadata.get(NONCE)).is_some_and(|nonce| *nonce == self.nonce))
            }
            Err(error) => match self.bucket.target.trouble(&error, "s3:GetObject") {
                Trouble::NoSuchKey => Ok(false),
                other => Err(other),
            },
        }
    }
}

async fn read(path: &Path, file: &Arc<File>, at: u64, size: u64) -> Result<Bytes, Trouble> {
    let file = Arc::clone(file);
    blocking(path, move || {
        let mut bytes = vec![0; size as usize];
        file.read_exact_at(&mut bytes, at)?;
        Ok(bytes.into())
    })
    .await
}

/// File system work off the async threads.
pub async fn blocking<T, F>(path: &Path, work: F) -> Result<T, Trouble>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| {
        let path = path.display();
        Trouble::Refused(match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the file {path} became shorter while it was read"),
            io::ErrorKind::StorageFull => format!("no space is left on the disk that holds {path}"),
            _ => format!("{error} ({path}, on this machine)"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_the_limits_and_the_memory() {
        let tib = MIB * MIB;
        for size in [SINGLE, 40 * MIB, MOST_PARTS * SMALLEST_PART, MOST_PARTS * SMALLEST_PART + 1, tib, 48 * tib] {
            let part = part_size(size);
            assert!(size.div_ceil(part) <= 10_000, "{size}");
            assert!((5 * MIB..=5 * 1024 * MIB).contains(&part), "{size}");
            assert!(part > MEMORY || part * parts_in_flight(part) as u64 <= MEMORY, "{size}");
        }
        assert_eq!((part_size(40 * MIB), parts_in_flight(part_size(40 * MIB))), (8 * MIB, 4));
    }
}
