//! Folders that a copy needs.

use std::fs;
use std::path::Path;

use super::super::attributes::{Attributes, Change};
use super::super::failure::{self, Failure};
use super::super::place::Place;

/// Makes a folder and those above it that are missing; each new one gets the attributes. Returns whether it did.
pub(super) fn make_missing(path: &Path, attributes: &Attributes) -> Result<bool, Failure> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.iter().rev() {
        if let Err(error) = fs::create_dir(folder)
            && !folder.is_dir()
        {
            let shown = folder.to_string_lossy();
            let told = failure::errno_at(&error, &shown);
            return Err(Failure::new(format!("There was an issue creating {shown} as requested: {told}")));
        }
        attributes.apply(folder, false, &mut Change::default())?;
    }
    Ok(!missing.is_empty())
}

/// Makes a folder be there with its attributes.
pub(super) fn ensure_directory(place: &Place, attributes: &Attributes, check: bool) -> Result<bool, Failure> {
    if place.path.is_dir() {
        return attributes.apply(&place.path, check, &mut Change::default());
    }
    if place.path.exists() {
        return Err(Failure::new(format!("{} already exists as a file", place.shown)).with("path", place.shown.clone()));
    }
    if check { Ok(true) } else { make_missing(&place.path, attributes) }
}
