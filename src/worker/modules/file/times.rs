//! When a file was changed and read: kept, now, or a given moment.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use super::super::attributes::Change;
use super::super::failure::Failure;
use super::super::moment::Moment;

/// One time that a playbook asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// As it is.
    Preserve,
    /// This moment.
    Now,
    /// UNIX seconds.
    At(i64),
}

impl Stamp {
    /// Reads `preserve`, `now` or a local time by its format.
    pub(super) fn read(text: &str, format: &str) -> Result<Self, Failure> {
        match text {
            "preserve" => Ok(Self::Preserve),
            "now" => Ok(Self::Now),
            _ => parse(text, format).map(Self::At).map_err(|why| {
                Failure::new(format!("Error while obtaining timestamp for time {text} using format {format}: {why}"))
            }),
        }
    }
    fn spec(self, now: TimeSpec, old: TimeSpec) -> TimeSpec {
        match self {
            Self::Preserve => old,
            Self::Now => now,
            Self::At(seconds) => TimeSpec::new(seconds, 0),
        }
    }
}

/// Both times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) modified: Stamp,
    pub(super) accessed: Stamp,
}

impl Times {
    /// Makes a path have them. Returns whether anything changed, or would under `check`.
    pub(super) fn apply(self, path: &Path, check: bool, change: &mut Change) -> Result<bool, Failure> {
        if self.modified == Stamp::Preserve && self.accessed == Stamp::Preserve {
            return Ok(false);
        }
        if check && !path.exists() {
            return Ok(true);
        }
        let failed = |told: String| {
            Failure::new(format!("Error while updating modification or access time: {told}"))
                .with("path", path.to_string_lossy().into_owned())
        };
        let metadata = fs::metadata(path).map_err(|error| failed(super::super::failure::errno(&error)))?;
        let old_modified = TimeSpec::new(metadata.mtime(), metadata.mtime_nsec());
        let old_accessed = TimeSpec::new(metadata.atime(), metadata.atime_nsec());
        let moment = Moment::now();
        let now = TimeSpec::new(moment.epoch, i64::from(moment.micros) * 1000);
        let modified = self.modified.spec(now, old_modified);
        let accessed = self.accessed.spec(now, old_accessed);
        if modified == old_modified && accessed == old_accessed {
            return Ok(false);
        }
        if modified != old_modified {
            change.set("mtime", seconds(old_modified), seconds(modified));
        }
        if accessed != old_accessed {
            change.set("atime", seconds(old_accessed), seconds(accessed));
        }
        if !check {
            // The kernel's own "now" needs no ownership, only the right to write.
            let is_now = self.modified == Stamp::Now && self.accessed == Stamp::Now;
            let (accessed, modified) =
                if is_now { (TimeSpec::UTIME_NOW, TimeSpec::UTIME_NOW) } else { (accessed, modified) };
            utimensat(nix::fcntl::AT_FDCWD, path, &accessed, &modified, UtimensatFlags::FollowSymlink)
                .map_err(|errno| failed(format!("[Errno {}] {}", errno as i32, errno.desc())))?;
        }
        Ok(true)
    }
}

fn seconds(time: TimeSpec) -> f64 {
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}

/// Reads a local time as `strptime` and `mktime` do.
fn parse(text: &str, format: &str) -> Result<i64, String> {
    let mismatch = || format!("time data '{text}' does not match format '{format}'");
    let mut fields = [1900, 1, 1, 0, 0, 0];
    let mut rest = text;
    let mut directives = format.chars();
    while let Some(c) = directives.next() {
        if c.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        if c != '%' {
            rest = rest.strip_prefix(c).ok_or_else(mismatch)?;
            continue;
        }
        let directive = directives.next().ok_or_else(|| format!("stray % in format '{format}'"))?;
        let (slot, width, range) = match directive {
            'Y' => (0, 4, 1..=9999),
            'y' => (0, 2, 0..=99),
            'm' => (1, 2, 1..=12),
            'd' => (2, 2, 1..=31),
            'H' => (3, 2, 0..=23),
            'M' => (4, 2, 0..=59),
            'S' => (5, 2, 0..=61),
            '%' => {
                rest = rest.strip_prefix('%').ok_or_else(mismatch)?;
                continue;
            }
            other => return Err(format!("'{other}' is a bad directive in format '{format}'")),
        };
        let length = rest.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let number: i32 = rest[..length].parse().map_err(|_| mismatch())?;
        if !range.contains(&number) || (directive == 'Y' && length < 4) {
            return Err(mismatch());
        }
        fields[slot] = match directive {
            'y' if number < 69 => 2000 + number,
            'y' => 1900 + number,
            _ => number,
        };
        rest = &rest[length..];
    }
    if rest.is_empty() { Ok(Moment::epoch_of_local(fields)) } else { Err(format!("unconverted data remains: {rest}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_formats() {
        let epoch = parse("202401020304.05", "%Y%m%d%H%M.%S").unwrap();
        let moment = Moment::local(epoch, 0);
        assert_eq!(moment.to_string(), "2024-01-02 03:04:05");
        assert_eq!(parse("24-1-2 03:04:05", "%y-%m-%d %H:%M:%S").unwrap(), epoch);
        assert!(parse("20240102", "%Y%m%d%H").unwrap_err().contains("does not match"));
        assert!(parse("2024x", "%Y").unwrap_err().contains("unconverted data remains: x"));
        assert!(parse("2024", "%Q").unwrap_err().contains("bad directive"));
    }
}
