//! From bytes to a folder. The bytes come from the store: nothing in them may write outside of the folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, EntryType};

use super::links::is_inward;
use super::selection::file_error;
use super::{BundleError, LARGEST};

/// Unpacks a bundle into a folder, which is made; files that stand there are overwritten.
pub fn unpack(bytes: &[u8], to: &Path) -> Result<(), BundleError> {
    let corrupt = |error: io::Error| BundleError::Corrupt(error.to_string());
    let decoder = zstd::Decoder::new(bytes).map_err(corrupt)?;
    // Room for names and headers beside what a bundle may hold at most.
    let mut archive = Archive::new(decoder.take(LARGEST * 2));
    fs::create_dir_all(to).map_err(|error| file_error(to, &error))?;
    // Links come last: then no later member can be written through one.
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    for entry in archive.entries().map_err(corrupt)? {
        let mut entry = entry.map_err(corrupt)?;
        let path = entry.path().map_err(corrupt)?.into_owned();
        if !path.components().all(|component| matches!(component, Component::Normal(_))) {
            return Err(BundleError::Corrupt(format!("{} leaves the folder", path.display())));
        }
        let full = to.join(&path);
        match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(&full).map_err(|error| file_error(&full, &error))?,
            EntryType::Regular => {
                let mode = entry.header().mode().map_err(corrupt)? & 0o777;
                write_file(&full, mode, &mut entry).map_err(|error| file_error(&full, &error))?;
            }
            EntryType::Symlink => {
                let target = entry.link_name().map_err(corrupt)?.unwrap_or_default().into_owned();
                if !is_inward(&path, &target) {
                    return Err(BundleError::Corrupt(format!("the link {} leaves the folder", path.display())));
                }
                links.push((full, target));
            }
            other => return Err(BundleError::Corrupt(format!("{} is a {other:?}", path.display()))),
        }
    }
    for (full, target) in links {
        make_link(&full, &target).map_err(|error| file_error(&full, &error))?;
    }
    Ok(())
}

fn write_file(full: &Path, mode: u32, content: &mut dyn Read) -> io::Result<()> {
    make_parent(full)?;
    remove(full)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(full)?;
    io::copy(content, &mut file).map(drop)
}

fn make_link(full: &Path, target: &Path) -> io::Result<()> {
    make_parent(full)?;
    remove(full)?;
    symlink(target, full)
}

fn make_parent(full: &Path) -> io::Result<()> {
    full.parent().map_or(Ok(()), fs::create_dir_all)
}

fn remove(full: &Path) -> io::Result<()> {
    match fs::remove_file(full) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
