//! One file into its place: compared first, then replaced in one step.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::super::attributes::{self, Attributes, Change};
use super::super::failure::{self, Failure};
use super::super::place::Place;
use super::super::staged::{self, Staged};
use super::super::{Context, Returned, content_diff, digest, mode};
use super::destination;

/// How files are placed.
pub(super) struct Placing {
    pub(super) attributes: Attributes,
    pub(super) directory_mode: Option<Value>,
    pub(super) backup: bool,
    pub(super) force: bool,
    pub(super) follow: bool,
    pub(super) validate: Option<String>,
    /// The source is a file of this machine (`remote_src`).
    pub(super) is_remote: bool,
    /// The checksum that the author knows the content to have.
    pub(super) expected: Option<String>,
}

/// A file to place.
pub(super) struct Source {
    pub(super) path: Place,
    /// Its name below a destination that is a folder.
    pub(super) relative: String,
    /// What people call it, where it has a name.
    pub(super) name: Option<String>,
    /// Its permissions where it came from.
    pub(super) mode: Option<Value>,
}

impl Placing {
    /// What new folders get.
    pub(super) fn directory_attributes(&self) -> Attributes {
        self.attributes.with_mode(self.directory_mode.clone())
    }
    /// What the file gets: `preserve` is the source's own mode.
    fn file_attributes(&self, source: &Source) -> Attributes {
        if self.attributes.mode.as_ref().is_none_or(|mode| mode != "preserve") {
            return self.attributes.clone();
        }
        let own = || {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(&source.path.path).ok().map(|metadata| mode::shown(metadata.mode()).into())
        };
        self.attributes.with_mode(source.mode.clone().or_else(own))
    }
    /// Places one file and returns what Ansible's copy returns for it: `diff` is a list for content, a mapping for
    /// attributes alone.
    pub(super) fn place(&self, source: &Source, dest: &Place, context: &mut Context) -> Result<Returned, Failure> {
        let src_name = source.name.clone().unwrap_or_else(|| source.path.shown.clone());
        let attributes = self.file_attributes(source);
        let sums = digest::sha1_and_md5(&source.path.path)
            .map_err(|error| Failure::new(format!("Source {src_name} not readable")).because(failure::errno(&error)))?;
        let checksum = sums.sha1;
        if let Some(expected) = &self.expected
            && *expected != checksum
        {
            let msg = "Copied file does not match the expected checksum. Transfer failed.";
            return Err(Failure::new(msg).with("checksum", checksum).with("expected_checksum", expected.clone()));
        }
        let mut place = dest.clone();
        if dest.shown.ends_with('/') {
            place = dest.join(&source.relative);
        }
        if place.path.is_dir() {
            let name = Path::new(&source.relative);
            place = place.join(if dest.shown.ends_with('/') { name.file_name().map_or(name, Path::new) } else { name });
        }
        let before_following = place.shown.clone();
        if place.path.exists() {
            if self.follow
                && place.path.is_symlink()
                && let Ok(real) = place.path.canonicalize()
            {
                place = Place::absolute(real);
            }
            if !self.force {
                return Ok(self.left_alone(&src_name, &place));
            }
        }
        if place.path.is_dir() {
            return Err(Failure::new(format!("Destination {} is a directory", place.shown)));
        }

        // A link that is not followed is replaced by a file, even by an equal one.
        let differs = place.path.is_symlink() || !same_content(&source.path.path, &place.path, &checksum);
        let mut returned = Returned::from_iter([
            ("dest".to_owned(), json!(place.shown)),
            ("src".to_owned(), json!(src_name)),
            ("checksum".to_owned(), json!(checksum)),
        ]);
        let mut change = Change::at(&place.shown);
        let mut diff = None;
        if differs {
            if context.diff {
                let after = source.name.as_deref().unwrap_or(&before_following);
                let content = content_diff::of_files(&place.path, &before_following, &source.path.path, after);
                diff = Some(json!([content]));
            }
            if !context.check {
                let told = |failure: Failure| {
                    let failure = failure.with("checksum", checksum.clone());
                    if let Some(diff) = &diff { failure.with("diff", diff.clone()) } else { failure }
                };
                self.prepare_folder(&place, dest).map_err(told)?;
                if let Some(backup) = self.replace(source, &place, &attributes, context).map_err(told)? {
                    returned.insert("backup_file".into(), backup.into());
                }
            }
        }
        if differs || self.is_remote {
            returned.insert("md5sum".into(), json!(sums.md5));
        }
        let settled =
            if context.check && differs { false } else { attributes.apply(&place.path, context.check, &mut change)? };
        if !differs && !self.is_remote {
            returned.insert("path".into(), json!(place.shown));
        }
        if let Some(diff) = diff {
            returned.insert("diff".into(), diff);
        } else if context.diff && (settled || !self.is_remote) {
            returned.insert("diff".into(), change.into_value());
        }
        returned.insert("changed".into(), (differs || settled).into());
        attributes::describe(&mut returned, &place.path);
        Ok(returned)
    }
    /// What is returned where a file is there and `force` is off.
    fn left_alone(&self, src_name: &str, place: &Place) -> Returned {
        let mut returned = Returned::from_iter([
            ("src".to_owned(), json!(src_name)),
            ("dest".to_owned(), json!(place.shown)),
            ("changed".to_owned(), json!(false)),
        ]);
        if self.is_remote {
            returned.insert("msg".into(), json!("file already exists"));
            attributes::describe(&mut returned, &place.path);
        }
        returned
    }
    /// Makes the folders above a place where the destination's slash asks for it. Under `check` a missing folder is no
    /// failure, since an earlier task may be the one that makes it.
    fn prepare_folder(&self, place: &Place, dest: &Place) -> Result<(), Failure> {
        let folder = place.parent().unwrap_or_else(|| place.clone());
        if folder.path.exists() {
            return Ok(());
        }
        if !dest.shown.ends_with('/') {
            return Err(Failure::new(format!("Destination directory {} does not exist", folder.shown)));
        }
        destination::make_missing(&folder.path, &self.directory_attributes()).map(|_| ())
    }
    /// Replaces what is at a place; returns the name of the backup.
    fn replace(
        &self,
        source: &Source,
        place: &Place,
        attributes: &Attributes,
        context: &mut Context,
    ) -> Result<Option<String>, Failure> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let folder = place.parent().map(|folder| folder.shown).unwrap_or_default();
                Failure::new(format!("Destination {folder} not writable")).because(failure::errno(&error))
            }
            _ => Failure::uncaught(format!(
                "Failed to copy '{}' to '{}': {}",
                source.path.shown,
                place.shown,
                failure::errno(&error)
            )),
        };
        let staged = Staged::copy(&source.path.path, &place.path).map_err(failed)?;
        if let Some(validate) = &self.validate {
            attributes.apply(staged.path(), false, &mut Change::default())?;
            staged.validate(validate, context).map_err(staged::Rejection::into_failure)?;
        }
        let backup = if self.backup { staged::back_up(&place.path).map_err(failed)? } else { None };
        if place.path.is_symlink() {
            // The link is replaced, not what it leads to, and the new file is new.
            std::fs::remove_file(&place.path).map_err(failed)?;
        }
        if self.is_remote {
            staged.put_in_place_like(&source.path.path, &place.path)
        } else {
            staged.put_in_place(&place.path)
        }
        .map_err(failed)?;
        Ok(backup)
    }
}

/// Whether a file holds the source's content; sizes are compared before anything is read.
fn same_content(source: &Path, destination: &Path, checksum: &str) -> bool {
    let size = |path: &Path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|found| found.len());
    match (size(source), size(destination)) {
        (Some(new), Some(old)) if new == old => digest::sha1(destination).is_ok_and(|old| old == checksum),
        _ => false,
    }
}
