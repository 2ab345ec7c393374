//! From a folder to bytes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::selection::{Kind, Member, file_error, select};
use super::{Bundle, BundleError, Rules};
use crate::core::ids::sha256_hex;

/// Packs a folder. `entry` is the playbook's path inside. Reads many files: call it where blocking is allowed.
pub fn pack(folder: &Path, entry: &str, rules: &Rules) -> Result<Bundle, BundleError> {
    let members = select(folder, rules)?;
    let wanted: PathBuf = Path::new(entry).components().filter(|part| *part != Component::CurDir).collect();
    if !members.iter().any(|member| member.path == wanted) {
        return Err(BundleError::NoEntry { entry: entry.to_owned(), folder: folder.display().to_string() });
    }
    let failed = |error: std::io::Error| file_error(folder, &error);
    let encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL).map_err(failed)?;
    let mut archive = Builder::new(encoder);
    for member in &members {
        append(&mut archive, folder, member)?;
    }
    let bytes = archive.into_inner().and_then(zstd::Encoder::finish).map_err(failed)?;
    Ok(Bundle { sha256: sha256_hex(&bytes), bytes: bytes.into(), entry: wanted.display().to_string() })
}

fn append<W: Write>(archive: &mut Builder<W>, folder: &Path, member: &Member) -> Result<(), BundleError> {
    let full = folder.join(&member.path);
    let failed = |error: std::io::Error| file_error(&full, &error);
    let mut header = Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header.set_mode(0o755);
    match &member.kind {
        Kind::Folder => {
            header.set_entry_type(EntryType::Directory);
            archive.append_data(&mut header, &member.path, std::io::empty()).map_err(failed)
        }
        Kind::Link { target } => {
            header.set_entry_type(EntryType::Symlink);
            archive.append_link(&mut header, &member.path, target).map_err(failed)
        }
        Kind::File { size, executable } => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(*size);
            header.set_mode(if *executable { 0o755 } else { 0o644 });
            // A file that grows or shrinks meanwhile must not shift what follows it in the archive.
            let mut content = File::open(&full).map_err(failed)?.take(*size);
            let mut counted = Counted { inner: &mut content, read: 0 };
            archive.append_data(&mut header, &member.path, &mut counted).map_err(failed)?;
            if counted.read == *size {
                return Ok(());
            }
            Err(file_error(&full, &"it became shorter while it was packed"))
        }
    }
}

struct Counted<'a, R> {
    inner: &'a mut R,
    read: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}
