//! A folder of this machine, copied over another: what is missing or differs.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::attributes::{Attributes, Change};
use super::super::digest;
use super::super::failure::Failure;
use super::super::staged;

/// Copies what is missing or differs; returns whether there was any. Links are kept as links unless `follow`.
pub(super) fn copy(source: &Path, destination: &Path, follow: bool, check: bool) -> io::Result<bool> {
    let mut changed = false;
    if !destination.exists() {
        changed = true;
        if !check {
            fs::create_dir_all(destination)?;
            fs::set_permissions(destination, fs::metadata(source)?.permissions())?;
        }
    }
    let mut entries: Vec<_> = fs::read_dir(source)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (from, to) = (entry.path(), destination.join(entry.file_name()));
        if from.is_symlink() && !follow {
            if !to.is_symlink() && !to.exists() {
                changed = true;
                if !check {
                    symlink(fs::read_link(&from)?, &to)?;
                }
            }
        } else if from.is_dir() {
            changed |= copy(&from, &to, follow, check)?;
        } else if from.is_file() && !same(&from, &to) {
            changed = true;
            if !check {
                fs::copy(&from, &to)?;
                if !to.is_symlink() {
                    staged::copy_times(&fs::metadata(&from)?, &to)?;
                }
            }
        }
    }
    Ok(changed)
}

fn same(source: &Path, destination: &Path) -> bool {
    let (Ok(new), Ok(old)) = (fs::metadata(source), fs::metadata(destination)) else { return false };
    new.len() == old.len()
        && digest::sha1(source).ok().zip(digest::sha1(destination).ok()).is_some_and(|(new, old)| new == old)
}

/// Gives a folder and everything in it an owner and a group.
pub(super) fn give(path: &Path, attributes: &Attributes) -> Result<bool, Failure> {
    if attributes.is_empty() || !path.exists() {
        return Ok(false);
    }
    let mut changed = attributes.apply(path, false, &mut Change::default())?;
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            changed |= give(&entry.path(), attributes)?;
        }
    }
    Ok(changed)
}
