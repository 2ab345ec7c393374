//! Create-once on S3: a write with `If-None-Match: *`, and what its answers mean (S3 User Guide, conditional writes).
//!
//! - 200: the object is ours. 412: it exists.
//! - 409: another conditional write was under way, nothing was written: again.
//! - no answer, or 5xx: the write may have been carried out: the same bytes again. If that meets an object with just these
//!   bytes, it is our own earlier attempt that won.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::failure::Trouble;
use crate::platform::store::Created;

/// Attempts of one call, whatever the answers; whoever has more patience calls again.
const ATTEMPTS: u32 = 5;
/// No attempt begins after this long: hung connections must not eat the time that a master may live without its store.
const LONGEST: Duration = Duration::from_secs(15);
/// Before the second attempt; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Writes an object that must not exist yet.
pub async fn create(bucket: &Bucket, full: &str, bytes: Bytes) -> Result<Created, Trouble> {
    let mut lost = false;
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    let give_up = Instant::now() + LONGEST;
    loop {
        let trouble = match bucket.put(full, bytes.clone(), true).await {
            Ok(()) => return Ok(Created::New),
            Err(Trouble::NotMet) if !lost => return Ok(Created::Exists),
            Err(Trouble::NotMet) => match bucket.get(full).await? {
                Some(found) if found == bytes => return Ok(Created::New),
                Some(_) => return Ok(Created::Exists),
                // Deleted since: the key is free again.
                None => Trouble::Conflict,
            },
            Err(Trouble::Passing(why)) => {
                lost = true;
                Trouble::Passing(why)
            }
            Err(Trouble::Conflict) => Trouble::Conflict,
            Err(other) => return Err(other),
        };
        if attempt == ATTEMPTS || Instant::now() > give_up {
            return Err(trouble);
        }
        attempt += 1;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}
