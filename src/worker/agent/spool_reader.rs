//! Reads a step's spool while it is written, from any offset that a reader was given before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes, BytesMut};

use super::frame::{HEAD, Head, Kind};
use super::spool::{ATTEMPT, FILE_HEAD, MAGIC, file_path, numbers};

const READ: usize = 128 << 10;

/// What stands at an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Output.
    Frame {
        /// Where its frame begins.
        offset: u64,
        /// Which stream.
        kind: Kind,
        /// UNIX milliseconds.
        time_ms: i64,
        /// What the step wrote.
        data: Bytes,
        /// Where the next frame begins.
        next: u64,
    },
    /// Output that is gone.
    Gap {
        /// Where it began.
        offset: u64,
        /// How much.
        bytes: u64,
        /// Where the next frame begins.
        next: u64,
    },
}

/// A place in a spool.
pub struct SpoolReader {
    folder: PathBuf,
    offset: u64,
    open: Option<Open>,
    buffer: BytesMut,
}

struct Open {
    number: u32,
    start: u64,
    file: File,
}

impl SpoolReader {
    /// Reads from an offset on.
    pub fn new(folder: &Path, offset: u64) -> Self {
        Self { folder: folder.to_owned(), offset, open: None, buffer: BytesMut::new() }
    }

    /// What comes next; none where nothing has been written yet.
    pub fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.parse()? {
                return Ok(Some(piece));
            }
            let Some(open) = self.open.as_ref() else {
                if let Some(gap) = self.find()? {
                    return Ok(Some(gap));
                }
                if self.open.is_none() {
                    return Ok(None);
                }
                continue;
            };
            // Looked for before the read: a file that has a successor does not grow.
            let successor = self.successor(open.number)?;
            let whole = self.fill()?;
            if whole {
                continue;
            }
            if successor.is_none() {
                return Ok(None);
            }
            self.buffer.clear();
            self.open = None;
            if let Some(gap) = self.step_to(successor)? {
                return Ok(Some(gap));
            }
        }
    }

    /// Reads on from the offset; says whether there is at least one whole frame.
    fn fill(&mut self) -> io::Result<bool> {
        let Some(open) = &self.open else { return Ok(false) };
        // A part of a frame is read again: its writer may have taken it back.
        self.buffer.clear();
        let position = FILE_HEAD + (self.offset - open.start);
        let mut want = READ;
        loop {
            self.buffer.resize(want, 0);
            let got = open.file.read_at(&mut self.buffer, position)?;
            self.buffer.truncate(got);
            match frame_length(&self.buffer) {
                Some(length) if length > want => want = length,
                Some(length) => return Ok(length <= got),
                None => return Ok(false),
            }
        }
    }

    fn parse(&mut self) -> io::Result<Option<Piece>> {
        let Some(head) = head(&self.buffer)? else { return Ok(None) };
        if self.buffer.len() < HEAD + head.length {
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        let data = self.buffer.split_to(head.length).freeze();
        let offset = self.offset;
        self.offset += (HEAD + head.length) as u64;
        let next = self.offset;
        Ok(Some(match head.kind {
            Kind::Gap => {
                let bytes = data.as_ref().try_into().map(u64::from_le_bytes).unwrap_or_default();
                Piece::Gap { offset, bytes, next }
            }
            kind => Piece::Frame { offset, kind, time_ms: head.time_ms, data, next },
        }))
    }

    /// Opens the file that holds the offset, or the first one behind it.
    fn find(&mut self) -> io::Result<Option<Piece>> {
        let mut best = None;
        for number in numbers(&self.folder)? {
            let Some(start) = self.start(number)? else { continue };
            if start > self.offset && best.is_some() {
                break;
            }
            best = Some(number);
            if start > self.offset {
                break;
            }
        }
        self.step_to(best)
    }

    /// Goes to a file; where it begins behind the offset, something is gone.
    fn step_to(&mut self, number: Option<u32>) -> io::Result<Option<Piece>> {
        let Some(number) = number else { return Ok(None) };
        let Some(start) = self.start(number)? else { return Ok(None) };
        let Some(file) = absent(File::open(file_path(&self.folder, number)))? else { return Ok(None) };
        self.open = Some(Open { number, start, file });
        if start <= self.offset {
            // Where the offset lies behind this file's end, its end is a gap of nothing: go on from the offset.
            return Ok(None);
        }
        let offset = std::mem::replace(&mut self.offset, start);
        // Between two attempts nothing is missing.
        let bytes = if offset / ATTEMPT == start / ATTEMPT { start - offset } else { start % ATTEMPT };
        Ok((bytes > 0).then_some(Piece::Gap { offset, bytes, next: start }))
    }

    fn start(&self, number: u32) -> io::Result<Option<u64>> {
        let Some(file) = absent(File::open(file_path(&self.folder, number)))? else { return Ok(None) };
        let mut bytes = [0; FILE_HEAD as usize];
        if file.read_at(&mut bytes, 0)? < bytes.len() {
            return Ok(None);
        }
        let (magic, start) = bytes.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(corrupt());
        }
        Ok(Some(start.try_into().map(u64::from_le_bytes).unwrap_or_default()))
    }

    fn successor(&self, of: u32) -> io::Result<Option<u32>> {
        // The usual answer costs one look; the folder is read only where files are gone.
        if file_path(&self.folder, of + 1).exists() {
            return Ok(Some(of + 1));
        }
        Ok(numbers(&self.folder)?.into_iter().find(|number| *number > of))
    }
}

/// Removes every file of a spool that lies before an offset.
pub fn forget(folder: &Path, offset: u64) -> io::Result<()> {
    let reader = SpoolReader::new(folder, offset);
    let numbers = numbers(folder)?;
    for pair in numbers.windows(2) {
        // The next one's start is this one's end.
        if reader.start(pair[1])?.is_some_and(|end| end <= offset) {
            absent(std::fs::remove_file(file_path(folder, pair[0])))?;
        }
    }
    Ok(())
}

fn head(buffer: &BytesMut) -> io::Result<Option<Head>> {
    let Some(bytes) = buffer.first_chunk::<HEAD>() else { return Ok(None) };
    Head::read(bytes).map(Some).ok_or_else(corrupt)
}

fn frame_length(buffer: &BytesMut) -> Option<usize> {
    head(buffer).ok().flatten().map(|head| HEAD + head.length)
}

fn corrupt() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the spool does not hold a frame at this offset")
}

fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
