//! The playbook's folder as one archive: sorted, without times and owners, so that equal folders are equal bytes.

mod links;
mod packing;
mod selection;
mod unpacking;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use bytes::Bytes;

pub use packing::pack;
pub use unpacking::unpack;

/// Names what stays out of a bundle, in the syntax of `.gitignore`.
pub const IGNORE_FILE: &str = ".dayflyignore";
/// More than this is refused: a playbook's folder, not a data set.
pub const LARGEST: u64 = 200 << 20;

/// A packed folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// tar.zst.
    pub bytes: Bytes,
    /// Of the bytes, in hex.
    pub sha256: String,
    /// The playbook's path inside.
    pub entry: String,
}

/// What stays out, and how much is too much.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Folders and files that are left out wherever they are, such as the store.
    pub leave_out: Vec<PathBuf>,
    /// Largest sum of file sizes, in bytes.
    pub largest: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { leave_out: Vec::new(), largest: LARGEST }
    }
}

/// Why a folder cannot be a bundle, or bytes cannot be a folder.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file system said no.
    #[error("{path}: {why}")]
    File {
        /// Which file or folder.
        path: String,
        /// What it said.
        why: String,
    },
    /// Too much.
    #[error(
        "the playbook's folder {folder} holds more than {limit}; its largest files are {largest}. Move the playbook to a \
         folder of its own, or name what workers do not need in {IGNORE_FILE}"
    )]
    TooLarge {
        /// The folder.
        folder: String,
        /// The limit, as people write sizes.
        limit: String,
        /// The largest files with their sizes.
        largest: String,
    },
    /// A symbolic link that would point to something else on another machine.
    #[error(
        "{link} is a symbolic link to {target}, which is outside of the playbook's folder; name it in {IGNORE_FILE}"
    )]
    OutwardLink {
        /// The link.
        link: String,
        /// Where it points to.
        target: String,
    },
    /// The playbook itself is not in the bundle.
    #[error("the playbook {entry} is not in the bundle of {folder}: is it named in {IGNORE_FILE}?")]
    NoEntry {
        /// Its path.
        entry: String,
        /// The folder.
        folder: String,
    },
    /// Bytes that are not a bundle of ours.
    #[error("the bundle cannot be unpacked: {0}")]
    Corrupt(String),
}
