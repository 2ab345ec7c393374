//! Checksums of files, read in pieces.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use md5::Md5;
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

const PIECE: usize = 256 * 1024;

/// A checksum by Ansible's name for it; none where the name is unknown.
pub fn hasher(algorithm: &str) -> Option<Box<dyn DynDigest>> {
    Some(match algorithm {
        "md5" => Box::new(Md5::default()),
        "sha1" => Box::new(Sha1::default()),
        "sha224" => Box::new(Sha224::default()),
        "sha256" => Box::new(Sha256::default()),
        "sha384" => Box::new(Sha384::default()),
        "sha512" => Box::new(Sha512::default()),
        _ => return None,
    })
}

/// The checksum of a file, in hex.
pub fn of_file(path: &Path, mut hasher: Box<dyn DynDigest>) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(length) => hasher.update(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The SHA-1 of a file: what Ansible calls its checksum.
pub fn sha1(path: &Path) -> io::Result<String> {
    of_file(path, Box::new(Sha1::default()))
}

/// The two checksums that `copy` returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// What Ansible calls the checksum.
    pub sha1: String,
    /// The MD5.
    pub md5: String,
}

/// Both checksums of a file; a large one is read by two threads at once, since MD5 is slower than a disk.
pub fn sha1_and_md5(path: &Path) -> io::Result<Sums> {
    const LARGE: u64 = 4 << 20;
    let md5 = || of_file(path, Box::new(Md5::default()));
    if std::fs::metadata(path)?.len() < LARGE {
        return Ok(Sums { sha1: sha1(path)?, md5: md5()? });
    }
    std::thread::scope(|scope| {
        let beside = scope.spawn(md5);
        let sha1 = sha1(path)?;
        let md5 = beside.join().map_err(|_| io::Error::other("a checksum could not be computed"))??;
        Ok(Sums { sha1, md5 })
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_have_the_same_sums() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, vec![0; 5 << 20]).unwrap();
        let sums = sha1_and_md5(&path).unwrap();
        assert_eq!(sums.sha1, sha1(&path).unwrap());
        assert_eq!(sums.md5, of_file(&path, hasher("md5").unwrap()).unwrap());
    }

    #[test]
    fn known_sums() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(sha1(&path).unwrap(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha1_and_md5(&path).unwrap().md5, "900150983cd24fb0d6963f7d28e17f72");
        let sum = of_file(&path, hasher("sha224").unwrap()).unwrap();
        assert_eq!(sum, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
        assert!(hasher("crc").is_none());
    }
}
