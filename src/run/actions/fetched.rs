//! `fetch`: where a worker's file lands on the master, and what is returned.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use sha1::Sha1;

use super::finder::tidy;
use super::{Answer, Call, failed, flag, text};

/// A file to be brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// On the worker.
    pub src: String,
    /// Where it lands, below the folder that `fetch` writes to, or absolute.
    pub dest: PathBuf,
    /// A missing file is a failure.
    pub fail_on_missing: bool,
    /// `flat: true` with a `dest` that must not be a folder.
    pub flat: bool,
}

/// Permission bits of a fetched file.
pub const FETCHED_MODE: u32 = 0o644;

/// `fetch`
pub(super) fn fetch(call: Call<'_>) -> Result<Answer, String> {
    if call.check {
        let mut returned = Map::new();
        returned.insert("skipped".to_owned(), json!(true));
        returned.insert("msg".to_owned(), json!("check mode not (yet) supported for this module"));
        return Ok(Answer::Returned(returned));
    }
    let src = text(&call.args, "src").ok_or("src is required")?.to_owned();
    let dest = text(&call.args, "dest").ok_or("dest is required")?.to_owned();
    let flat = flag(&call.args, "flat");
    let base = Path::new(&src).file_name().unwrap_or_default().to_owned();
    let path = if flat {
        if dest.ends_with('/') { Path::new(&dest).join(base) } else { PathBuf::from(&dest) }
    } else {
        let host = call.scope.get("inventory_hostname").map(|var| var.value);
        let host = host.as_ref().and_then(Value::as_str).unwrap_or("localhost").to_owned();
        Path::new(&dest).join(host).join(src.trim_start_matches('/'))
    };
    let fail_on_missing = !call.args.contains_key("fail_on_missing") || flag(&call.args, "fail_on_missing");
    Ok(Answer::Fetch(Fetch { src, dest: tidy(&path), fail_on_missing, flat }))
}

/// What became of a fetch.
#[derive(Debug)]
pub enum Landed {
    /// The file came and stands at `dest`.
    New,
    /// An equal file stood there.
    Same,
}

impl Fetch {
    /// Moves a file that was brought to where it belongs, if it differs from what stands there, and says so as Ansible
    /// does. `root` is the folder that `fetch` writes to.
    pub fn land(&self, root: &Path, brought: &Path) -> std::io::Result<(Landed, Map<String, Value>)> {
        let dest = root.join(&self.dest);
        if dest.is_dir() {
            let message =
                "dest is an existing directory, use a trailing slash if you want to fetch src into that directory";
            return Ok((Landed::Same, failed(message)));
        }
        let (sha1, md5) = sums(brought)?;
        let same = dest.is_file() && sums(&dest)?.0 == sha1;
        let mut returned = Map::new();
        returned.insert("changed".to_owned(), json!(!same));
        returned.insert("checksum".to_owned(), json!(sha1));
        returned.insert("md5sum".to_owned(), json!(md5));
        returned.insert("dest".to_owned(), json!(dest.display().to_string()));
        if same {
            returned.insert("file".to_owned(), json!(self.src));
            return Ok((Landed::Same, returned));
        }
        returned.insert("remote_checksum".to_owned(), json!(sha1));
        returned.insert("remote_md5sum".to_owned(), Value::Null);
        let parent = dest.parent().unwrap_or(root);
        std::fs::create_dir_all(parent)?;
        let partial = tempfile::NamedTempFile::new_in(parent)?.into_temp_path();
        std::fs::copy(brought, &partial)?;
        // Always the same, so that a later copy of it is the same step for every master.
        std::fs::set_permissions(&partial, Permissions::from_mode(FETCHED_MODE))?;
        partial.persist(&dest)?;
        Ok((Landed::New, returned))
    }

    /// What Ansible returns for a file that is not there.
    pub fn missing(&self, why: &str) -> Map<String, Value> {
        let directory = why.contains("directory");
        let mut returned = Map::new();
        returned.insert("changed".to_owned(), json!(false));
        returned.insert("file".to_owned(), json!(self.src));
        let message = if directory {
            "remote file is a directory, fetch cannot work on directories"
        } else {
            "the remote file does not exist, not transferring, ignored"
        };
        returned.insert("msg".to_owned(), json!(message));
        if self.fail_on_missing {
            returned.insert("failed".to_owned(), json!(true));
        }
        returned
    }
}

fn sums(path: &Path) -> std::io::Result<(String, String)> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path)?;
    let (mut sha1, mut md5) = (Sha1::new(), Md5::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((crate::core::ids::hex(&sha1.finalize()), crate::core::ids::hex(&md5.finalize())));
        }
        sha1.update(&buffer[..count]);
        md5.update(&buffer[..count]);
    }
}
