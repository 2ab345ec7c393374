//! `state: absent`: nothing is there, neither file nor folder nor link.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::Returned;
use super::super::attributes::{self, Change};
use super::super::failure::{self, Failure};
use super::request::Request;

pub(super) fn ensure(request: &Request) -> Result<Returned, Failure> {
    let place = &request.place;
    let before = attributes::state(&place.path);
    let mut returned = Returned::from_iter([
        ("path".to_owned(), json!(place.shown)),
        ("changed".to_owned(), json!(before != "absent")),
        ("state".to_owned(), json!("absent")),
    ]);
    if before == "absent" {
        return Ok(returned);
    }
    let mut change = Change::at(&place.shown);
    change.set("state", before, "absent");
    if before == "directory" {
        let mut content = Content::default();
        content.walk(&place.path);
        change
            .before
            .insert("path_content".into(), json!({"directories": content.directories, "files": content.files}));
    }
    returned.insert("diff".into(), change.into_value());
    if request.check {
        return Ok(returned);
    }
    if before == "directory" {
        fs::remove_dir_all(&place.path)
            .map_err(|error| Failure::new(format!("rmtree failed: {}", failure::errno(&error))))?;
    } else if let Err(error) = fs::remove_file(&place.path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(request.failure("Unlinking failed.").because(failure::errno_at(&error, &place.shown)));
    }
    Ok(returned)
}

#[derive(Default)]
struct Content {
    directories: Vec<Value>,
    files: Vec<Value>,
}

impl Content {
    fn walk(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let text = path.to_string_lossy().into_owned().into();
            if path.is_dir() {
                self.directories.push(text);
                if !path.is_symlink() {
                    self.walk(&path);
                }
            } else {
                self.files.push(text);
            }
        }
    }
}
