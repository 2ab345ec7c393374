//! Which files of a folder belong to its bundle, in the order in which they are packed.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::links::is_inward;
use super::{BundleError, IGNORE_FILE, Rules};

/// So many files are looked at to name the largest ones of a folder that is far too large (somebody's HOME).
const LOOK_AT_MOST: usize = 100_000;
const NAME_LARGEST: usize = 5;

/// One member of a bundle.
pub struct Member {
    /// Relative to the folder.
    pub path: PathBuf,
    pub kind: Kind,
}

/// What it is.
pub enum Kind {
    Folder,
    File { size: u64, executable: bool },
    Link { target: PathBuf },
}

/// Lists the members of a folder's bundle by path.
pub fn select(folder: &Path, rules: &Rules) -> Result<Vec<Member>, BundleError> {
    let left_out: Vec<PathBuf> = rules.leave_out.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let root = fs::canonicalize(folder).map_err(|error| file_error(folder, &error))?;
    let mut walk = WalkBuilder::new(&root);
    walk.standard_filters(false).add_custom_ignore_filename(IGNORE_FILE).follow_links(false);
    walk.sort_by_file_path(Path::cmp);
    walk.filter_entry(move |entry| entry.file_name() != ".git" && !left_out.iter().any(|path| path == entry.path()));
    let mut members = Vec::new();
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    let mut sum = 0;
    for entry in walk.build() {
        let entry = entry.map_err(|error| file_error(&root, &error))?;
        let Ok(path) = entry.path().strip_prefix(&root) else { continue };
        if path.as_os_str().is_empty() {
            continue;
        }
        let meta = entry.path().symlink_metadata().map_err(|error| file_error(entry.path(), &error))?;
        let Some(kind) = kind_of(&root, path, &meta)? else { continue };
        if let Kind::File { size, .. } = kind {
            sum += size;
            files.push((size, path.to_owned()));
        }
        if sum <= rules.largest {
            members.push(Member { path: path.to_owned(), kind });
        }
        if sum > rules.largest && files.len() > LOOK_AT_MOST {
            break;
        }
    }
    if sum > rules.largest {
        return Err(too_large(&root, rules.largest, files));
    }
    Ok(members)
}

/// None for what has no content: sockets, pipes, devices.
fn kind_of(root: &Path, path: &Path, meta: &Metadata) -> Result<Option<Kind>, BundleError> {
    use std::os::unix::fs::PermissionsExt;
    if meta.is_dir() {
        return Ok(Some(Kind::Folder));
    }
    if meta.is_file() {
        return Ok(Some(Kind::File { size: meta.len(), executable: meta.permissions().mode() & 0o100 != 0 }));
    }
    if !meta.is_symlink() {
        return Ok(None);
    }
    let full = root.join(path);
    let target = fs::read_link(&full).map_err(|error| file_error(&full, &error))?;
    // A link through another link may lead out although its name does not; where the end exists it decides, too.
    let ends_inside = fs::canonicalize(&full).map_or(true, |end| end.starts_with(root));
    if is_inward(path, &target) && ends_inside {
        return Ok(Some(Kind::Link { target }));
    }
    Err(BundleError::OutwardLink { link: path.display().to_string(), target: target.display().to_string() })
}

fn too_large(folder: &Path, limit: u64, mut files: Vec<(u64, PathBuf)>) -> BundleError {
    files.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    files.truncate(NAME_LARGEST);
    let largest: Vec<String> =
        files.iter().map(|(size, path)| format!("{} ({})", path.display(), readable(*size))).collect();
    let folder = folder.display().to_string();
    BundleError::TooLarge { folder, limit: readable(limit), largest: largest.join(", ") }
}

fn readable(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

pub fn file_error(path: &Path, error: &dyn std::fmt::Display) -> BundleError {
    BundleError::File { path: path.display().to_string(), why: error.to_string() }
}
