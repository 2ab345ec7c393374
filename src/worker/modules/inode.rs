//! What the kernel knows of a path, under Ansible's names: shared by `stat` and `find`.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use serde_json::{Map, Value, json};

/// Everything that `stat` and `find` both return.
pub fn values(metadata: &Metadata) -> Map<String, Value> {
    let mode = metadata.mode();
    let kind = metadata.file_type();
    let bit = |bit: u32| json!(mode & bit != 0);
    let seconds = |whole: i64, nanos: i64| json!(whole as f64 + nanos as f64 * 1e-9);
    [
        ("mode", json!(format!("{:04o}", mode & 0o7777))),
        ("isdir", json!(kind.is_dir())),
        ("ischr", json!(kind.is_char_device())),
        ("isblk", json!(kind.is_block_device())),
        ("isreg", json!(kind.is_file())),
        ("isfifo", json!(kind.is_fifo())),
        ("islnk", json!(kind.is_symlink())),
        ("issock", json!(kind.is_socket())),
        ("uid", json!(metadata.uid())),
        ("gid", json!(metadata.gid())),
        ("size", json!(metadata.size())),
        ("inode", json!(metadata.ino())),
        ("dev", json!(metadata.dev())),
        ("nlink", json!(metadata.nlink())),
        ("atime", seconds(metadata.atime(), metadata.atime_nsec())),
        ("mtime", seconds(metadata.mtime(), metadata.mtime_nsec())),
        ("ctime", seconds(metadata.ctime(), metadata.ctime_nsec())),
        ("wusr", bit(0o200)),
        ("rusr", bit(0o400)),
        ("xusr", bit(0o100)),
        ("wgrp", bit(0o020)),
        ("rgrp", bit(0o040)),
        ("xgrp", bit(0o010)),
        ("woth", bit(0o002)),
        ("roth", bit(0o004)),
        ("xoth", bit(0o001)),
        ("isuid", bit(0o4000)),
        ("isgid", bit(0o2000)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
