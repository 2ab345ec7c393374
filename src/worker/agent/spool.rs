//! A step's output on disk: frames in files of at most 16 MiB, each named by its number, each beginning with the
//! offset of its first frame. Writing never blocks the step and never fails: what finds no room is counted.
//!
//! Offsets count the bytes of frames over all files, so they stay true when files go.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::frame::{Head, Kind};
use super::sample;

/// First bytes of every spool file.
pub const MAGIC: [u8; 8] = *b"DFSPOOL1";
/// Magic and offset.
pub const FILE_HEAD: u64 = 16;

/// A step's attempts are this far apart: whatever a reader was given of an earlier attempt, and whatever a reboot left of
/// it, lies before the next one's output.
pub const ATTEMPT: u64 = 1 << 40;

const MIB: u64 = 1 << 20;
/// After the disk was full, it is tried again this often.
const RETRY: Duration = Duration::from_millis(200);

/// The path of a spool file.
pub fn file_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("out.{number:06}"))
}

/// The numbers of the spool files of a folder, in order.
pub fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let found = match std::fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = found.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<u32> =
        names.filter_map(|name| name.strip_prefix("out.").and_then(|number| number.parse().ok())).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// How much output may wait on this disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A file is closed when it has this many bytes.
    pub file: u64,
    /// All files together.
    pub total: u64,
    /// The oldest bytes, which stay when there is too much.
    pub head: u64,
}

impl Limits {
    /// min(4 GiB, 10 % of what is free), the first 64 MiB kept; smaller on a small disk.
    pub fn of_disk(folder: &Path) -> Self {
        let (_, free) = sample::room(folder);
        let total = (free / 10).clamp(MIB / 4, 4096 * MIB);
        Self { file: (total / 8).min(16 * MIB), total, head: (total / 4).min(64 * MIB) }
    }
}

struct Spooled {
    number: u32,
    bytes: u64,
    data: u64,
}

/// Writes the output of one step.
pub struct Spool {
    folder: PathBuf,
    limits: Limits,
    file: Option<File>,
    files: VecDeque<Spooled>,
    next: u64,
    written: u64,
    lost: u64,
    gap: u64,
    full_since: Option<Instant>,
}

impl Spool {
    /// A spool in a step's folder; nothing is written before there is output. What earlier attempts wrote stays before
    /// it.
    pub fn new(folder: &Path, limits: Limits, attempt: u32) -> Self {
        let earlier = |number| {
            let bytes = std::fs::metadata(file_path(folder, number)).map_or(0, |file| file.len());
            Spooled { number, bytes: bytes.saturating_sub(FILE_HEAD), data: 0 }
        };
        Self {
            folder: folder.to_owned(),
            limits,
            file: None,
            files: numbers(folder).unwrap_or_default().into_iter().map(earlier).collect(),
            next: u64::from(attempt) * ATTEMPT,
            written: 0,
            lost: 0,
            gap: 0,
            full_since: None,
        }
    }

    /// Bytes that the step wrote.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that could not be kept.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes a piece of output.
    pub fn push(&mut self, kind: Kind, time_ms: i64, data: &[u8]) {
        self.written += data.len() as u64;
        if self.full_since.is_some_and(|since| since.elapsed() < RETRY) {
            self.miss(data);
            return;
        }
        if self.gap > 0 {
            let gap = self.gap.to_le_bytes();
            if self.write(Head { kind: Kind::Gap, time_ms, length: gap.len() }, &gap).is_err() {
                self.full_since = Some(Instant::now());
                self.miss(data);
                return;
            }
            self.gap = 0;
        }
        if self.write(Head { kind, time_ms, length: data.len() }, data).is_ok() {
            self.full_since = None;
        } else {
            self.full_since = Some(Instant::now());
            self.miss(data);
        }
    }

    fn miss(&mut self, data: &[u8]) {
        self.lost += data.len() as u64;
        self.gap += data.len() as u64;
    }

    fn write(&mut self, head: Head, data: &[u8]) -> io::Result<()> {
        if self.file.is_none() || self.files.back().is_some_and(|file| file.bytes >= self.limits.file) {
            self.roll()?;
        }
        let (Some(file), Some(spooled)) = (self.file.as_mut(), self.files.back_mut()) else { return Ok(()) };
        let bytes = [head.bytes().as_slice(), data].concat();
        if let Err(error) = file.write_all(&bytes) {
            // Half a frame must not stay: what comes next begins where this one began.
            file.set_len(FILE_HEAD + spooled.bytes)?;
            return Err(error);
        }
        spooled.bytes += bytes.len() as u64;
        spooled.data += data.len() as u64;
        self.next += bytes.len() as u64;
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        let number = self.files.back().map_or(1, |file| file.number + 1);
        let path = file_path(&self.folder, number);
        let mut file = OpenOptions::new().create_new(true).append(true).open(&path)?;
        if let Err(error) = file.write_all(&[MAGIC, self.next.to_le_bytes()].concat()) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        self.file = Some(file);
        self.files.push_back(Spooled { number, bytes: 0, data: 0 });
        self.make_room();
        Ok(())
    }

    /// Above the limit, the oldest files behind the head go; those that the master acknowledged are gone already.
    fn make_room(&mut self) {
        let total = |files: &VecDeque<Spooled>| files.iter().map(|file| file.bytes).sum::<u64>();
        if total(&self.files) <= self.limits.total {
            return;
        }
        let folder = self.folder.clone();
        let last = self.files.len() - 1;
        let mut index = 0;
        self.files.retain(|file| {
            index += 1;
            index > last || file_path(&folder, file.number).exists()
        });
        while total(&self.files) > self.limits.total {
            let mut kept = 0;
            let Some(index) = self.files.iter().position(|file| {
                kept += file.bytes;
                kept > self.limits.head
            }) else {
                return;
            };
            if index + 1 >= self.files.len() {
                return;
            }
            if let Some(file) = self.files.remove(index) {
                let _ = std::fs::remove_file(file_path(&self.folder, file.number));
                self.lost += file.data;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spool_reader::{Piece, SpoolReader};
    use super::*;

    const SMALL: Limits = Limits { file: 100, total: 1000, head: 200 };

    fn pieces(folder: &Path, from: u64) -> Vec<Piece> {
        let mut reader = SpoolReader::new(folder, from);
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_from_any_frame() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path(), SMALL, 0);
        for index in 0..20_i64 {
            spool.push(Kind::Stdout, index, format!("line {index}\n").as_bytes());
        }
        let all = pieces(folder.path(), 0);
        assert_eq!(all.len(), 20);
        let Piece::Frame { next, .. } = &all[11] else { panic!("{:?}", all[11]) };
        let rest = pieces(folder.path(), *next);
        assert_eq!(rest.as_slice(), &all[12..]);
    }

    #[test]
    fn too_much_keeps_head_and_tail_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path(), SMALL, 0);
        for index in 0..200_i64 {
            spool.push(Kind::Stdout, index, &[b'x'; 40]);
        }
        let all = pieces(folder.path(), 0);
        let times = |piece: &Piece| if let Piece::Frame { time_ms, .. } = piece { Some(*time_ms) } else { None };
        assert_eq!(all.first().and_then(times), Some(0));
        assert_eq!(all.last().and_then(times), Some(199));
        let kept = all.iter().filter_map(times).count() as u64;
        assert_eq!(spool.lost(), (200 - kept) * 40);
        assert!(all.iter().any(|piece| matches!(piece, Piece::Gap { .. })), "{all:?}");
    }

    #[test]
    fn another_attempt_goes_on_behind_whatever_was_read_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Spool::new(folder.path(), SMALL, 0);
        first.push(Kind::Stdout, 1, b"one");
        first.push(Kind::Stdout, 2, b"never whole");
        let torn = file_path(folder.path(), 1);
        let length = std::fs::metadata(&torn).unwrap().len();
        OpenOptions::new().write(true).open(&torn).unwrap().set_len(length - 3).unwrap();
        let mut reader = SpoolReader::new(folder.path(), 0);
        assert!(matches!(reader.next().unwrap(), Some(Piece::Frame { time_ms: 1, .. })));
        assert_eq!(reader.next().unwrap(), None);

        let mut second = Spool::new(folder.path(), SMALL, 1);
        second.push(Kind::Stdout, 3, b"again");
        assert!(matches!(reader.next().unwrap(), Some(Piece::Frame { time_ms: 3, .. })));
        assert_eq!(reader.next().unwrap(), None);
        // A reader that knows more than a reboot left, and one that begins.
        for (from, count) in [(5000, 1), (0, 2)] {
            let all = pieces(folder.path(), from);
            assert_eq!(all.len(), count, "{all:?}");
            assert!(matches!(all.last(), Some(Piece::Frame { time_ms: 3, .. })), "{all:?}");
        }
    }

    #[test]
    fn files_that_were_acknowledged_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path(), SMALL, 0);
        for index in 0..200_i64 {
            spool.push(Kind::Stdout, index, &[b'x'; 40]);
            let _ = std::fs::remove_file(file_path(folder.path(), u32::try_from(index / 2).unwrap()));
        }
        assert_eq!(spool.lost(), 0);
    }
}
