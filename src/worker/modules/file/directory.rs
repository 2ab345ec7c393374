//! `state: directory`: the folder, the folders above it, and with `recurse` everything in it.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::Returned;
use super::super::attributes::{self, Change};
use super::super::failure::{self, Failure};
use super::request::{Request, real, returned, state_change};

pub(super) fn ensure(request: &Request) -> Result<Returned, Failure> {
    let mut place = request.place.clone();
    let mut before = attributes::state(&place.path);
    if before == "link" && request.follow {
        place = real(&place.path);
        before = attributes::state(&place.path);
    }
    let mut change = state_change(&place, "directory", before);
    match before {
        "absent" if request.check => Ok(returned("path", &place, true, change)),
        "absent" => {
            make(request, &place.path, &mut change)?;
            Ok(returned("path", &place, true, change))
        }
        "directory" => {
            let mut changed = request.settle(&place.path, &mut change)?;
            if request.recurse {
                changed |= settle_content(request, &place.path, &mut Vec::new())?;
            }
            Ok(returned("path", &place, changed, change))
        }
        other => Err(Failure::new(format!("{} already exists as a {other}", place.shown)).with("path", place.shown)),
    }
}

/// Makes a folder and those above it that are missing; each new one gets the attributes.
fn make(request: &Request, path: &Path, change: &mut Change) -> Result<(), Failure> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        let shown = folder.to_string_lossy();
        let failed =
            |told: String| request.failure(format!("There was an issue creating {shown} as requested: {told}"));
        if let Err(error) = fs::create_dir(folder)
            && !folder.is_dir()
        {
            return Err(failed(failure::errno_at(&error, &shown)));
        }
        request.settle(folder, change).map_err(|failure| failed(failure.msg().to_owned()))?;
    }
    Ok(())
}

/// Applies the attributes to everything in a folder. `entered` keeps links that lead back from going round.
fn settle_content(request: &Request, folder: &Path, entered: &mut Vec<PathBuf>) -> Result<bool, Failure> {
    let shown = folder.to_string_lossy().into_owned();
    let real_folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    if entered.contains(&real_folder) {
        return Ok(false);
    }
    entered.push(real_folder);
    let entries = fs::read_dir(folder).map_err(|error| {
        let told = failure::errno_at(&error, &shown);
        Failure::new(format!("Could not recursively set attributes on {shown}. Original error was: '{told}'"))
    })?;
    let mut changed = false;
    for entry in entries.flatten() {
        let path = entry.path();
        changed |= request.settle(&path, &mut Change::default())?;
        if path.is_symlink() {
            if request.follow && path.exists() {
                let target = real(&path).path;
                if target.is_dir() {
                    changed |= settle_content(request, &target, entered)?;
                }
                changed |= request.settle(&target, &mut Change::default())?;
            }
        } else if path.is_dir() {
            changed |= settle_content(request, &path, entered)?;
        }
    }
    Ok(changed)
}
