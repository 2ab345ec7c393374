//! One segment as bytes: zstd of JSON lines, the header first.

use std::io::Read;

use bytes::Bytes;
use serde::Deserialize;

use super::JournalError;
use crate::core::ids::{RunId, sha256_hex};
use crate::core::records::{Entry, FORMAT_VERSION, SegmentHeader};
use crate::platform::store::layout::journal_key;

/// No segment is larger once unpacked: what a master writes in one piece is far below.
const LARGEST: u64 = 1 << 30;

/// A segment that was read and found whole.
pub struct Segment {
    pub header: SegmentHeader,
    pub entries: Vec<Entry>,
    /// SHA-256 of its bytes in the store.
    pub sha256: String,
}

/// What the next segment must continue.
#[derive(Clone, Debug)]
pub struct Position {
    /// Its number.
    pub segment: u64,
    /// The sequence number of its first entry.
    pub seq: u64,
    /// SHA-256 of the segment before it; empty for the first.
    pub prev_sha256: String,
}

impl Position {
    /// Where a run's first segment stands.
    pub fn first() -> Self {
        Self { segment: 1, seq: 1, prev_sha256: String::new() }
    }

    /// Where the segment after this one stands.
    pub fn after(segment: &Segment) -> Self {
        Self {
            segment: segment.header.seg + 1,
            seq: segment.header.first_seq + segment.entries.len() as u64,
            prev_sha256: segment.sha256.clone(),
        }
    }
}

/// One line of JSON.
pub fn line<T: serde::Serialize>(what: &T, segment: &str) -> Result<Vec<u8>, JournalError> {
    let mut line = serde_json::to_vec(what).map_err(|error| corrupt(segment, &error))?;
    line.push(b'\n');
    Ok(line)
}

/// Packs a header and the lines of its entries.
pub fn pack(header: &SegmentHeader, lines: &[u8]) -> Result<Bytes, JournalError> {
    let key = journal_key(&header.run, header.seg);
    let mut plain = line(header, &key)?;
    plain.extend_from_slice(lines);
    let mut encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL).map_err(|e| corrupt(&key, &e))?;
    // A flipped bit is seen even where it would still unpack.
    encoder.include_checksum(true).map_err(|error| corrupt(&key, &error))?;
    std::io::Write::write_all(&mut encoder, &plain).map_err(|error| corrupt(&key, &error))?;
    Ok(encoder.finish().map_err(|error| corrupt(&key, &error))?.into())
}

/// Unpacks a segment and refuses everything that does not continue the journal at this position.
pub fn unpack(run: &RunId, at: &Position, bytes: &[u8]) -> Result<Segment, JournalError> {
    let key = journal_key(run, at.segment);
    let bad = |why: &str| JournalError::Corrupt { segment: key.clone(), why: why.to_owned() };
    let mut plain = Vec::new();
    let decoder = zstd::Decoder::new(bytes).map_err(|error| corrupt(&key, &error))?;
    decoder.take(LARGEST).read_to_end(&mut plain).map_err(|error| corrupt(&key, &error))?;
    if plain.len() as u64 == LARGEST {
        return Err(bad("it is too large"));
    }
    if plain.pop() != Some(b'\n') {
        return Err(bad("it ends in the middle of a line"));
    }
    let mut lines = plain.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    check_version(first, &key)?;
    let header: SegmentHeader = serde_json::from_slice(first).map_err(|error| corrupt(&key, &error))?;
    if header.run != *run {
        return Err(bad(&format!("it belongs to run {}", header.run)));
    }
    if header.seg != at.segment || header.first_seq != at.seq {
        return Err(bad("its numbers do not follow the segment before"));
    }
    if header.prev_sha256 != at.prev_sha256 {
        return Err(bad("it does not follow the segment before: that one has another digest"));
    }
    let mut entries = Vec::new();
    for (seq, line) in (at.seq..).zip(lines) {
        let entry: Entry = serde_json::from_slice(line).map_err(|error| corrupt(&key, &error))?;
        if entry.seq != seq {
            return Err(bad(&format!("entry {} stands where entry {seq} belongs", entry.seq)));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(bad("it holds no entry"));
    }
    Ok(Segment { header, entries, sha256: sha256_hex(bytes) })
}

/// A newer format may name other fields: its version is looked at before anything else.
fn check_version(header: &[u8], key: &str) -> Result<(), JournalError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let Version { v } = serde_json::from_slice(header).map_err(|error| corrupt(key, &error))?;
    if v == FORMAT_VERSION {
        return Ok(());
    }
    let why = format!("it has format version {v}, and this dayfly knows version {FORMAT_VERSION}");
    Err(JournalError::Corrupt { segment: key.to_owned(), why })
}

fn corrupt(segment: &str, error: &dyn std::fmt::Display) -> JournalError {
    JournalError::Corrupt { segment: segment.to_owned(), why: error.to_string() }
}
