//! `state: link` and `state: hard`: names for what is somewhere else.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use serde_json::json;

use super::super::Returned;
use super::super::attributes::{self, Change};
use super::super::failure::{self, Failure};
use super::request::{Request, returned, state_change};

pub(super) fn ensure_symbolic(request: &Request) -> Result<Returned, Failure> {
    let place = &request.place;
    let before = attributes::state(&place.path);
    let src = match &request.src {
        Some(src) => Some(src.clone()),
        // Without a source the link keeps leading where it leads.
        None if request.follow && place.path.exists() => {
            let target =
                place.path.read_link().map_err(|error| Failure::uncaught(failure::errno_at(&error, &place.shown)))?;
            Some(target.to_string_lossy().into_owned())
        }
        None => None,
    };
    let base = if before == "directory" { place.clone() } else { place.parent().unwrap_or_else(|| place.clone()) };
    if let Some(src) = &src
        && !request.force
        && !base.path.join(src).exists()
    {
        let shown = base.join(src).shown;
        let msg = format!("src file does not exist, use 'force=yes' if you really want to create the link: {shown}");
        return Err(request.failure(msg).with("src", src.clone()));
    }
    match before {
        "directory" if !request.force => {
            return Err(request.failure(format!("refusing to convert from directory to symlink for {}", place.shown)));
        }
        "directory" if fs::read_dir(&place.path).is_ok_and(|mut entries| entries.next().is_some()) => {
            let msg = format!("the directory {} is not empty, refusing to convert it", place.shown);
            return Err(request.failure(msg));
        }
        "file" | "hard" if !request.force => {
            let msg = format!("refusing to convert from {before} to symlink for {}", place.shown);
            return Err(request.failure(msg));
        }
        _ => {}
    }
    let mut change = state_change(place, "link", before);
    let mut changed = match (before, &src) {
        ("link", None) => false,
        ("link", Some(src)) => differs(place.path.as_path(), src, &mut change),
        (_, None) => return Err(Failure::new("src is required for creating new symlinks")),
        _ => true,
    };
    let answer = |changed: bool, change: Change| {
        let mut answer = returned("dest", place, changed, change);
        answer.insert("src".into(), json!(src));
        answer
    };
    if changed && !request.check {
        let target = src.clone().unwrap_or_default();
        put(request, before, |path| symlink(&target, path))?;
    }
    if request.check && !place.path.exists() {
        return Ok(answer(changed, change));
    }
    let followed = request.followed();
    if request.follow && place.path.is_symlink() && !followed.path.exists() {
        let mut answer = answer(changed, change);
        let warning =
            "Cannot set fs attributes on a non-existent symlink target. follow should be set to False to avoid this.";
        answer.insert("warnings".into(), json!([warning]));
        return Ok(answer);
    }
    changed |= request.settle(&followed.path, &mut change)?;
    Ok(answer(changed, change))
}

pub(super) fn ensure_hard(request: &Request) -> Result<Returned, Failure> {
    let place = &request.place;
    let before = attributes::state(&place.path);
    let src_path = request.src.as_ref().map(|src| request.home.join(src));
    let Some((src, src_path)) = request.src.as_ref().zip(src_path) else {
        if before != "hard" {
            return Err(Failure::new("src is required for creating new hardlinks"));
        }
        let mut change = state_change(place, "hard", before);
        let changed = request.settle(&request.followed().path, &mut change)?;
        return Ok(returned("dest", place, changed, change));
    };
    let failed = |msg: &str| Failure::new(msg).with("dest", place.shown.clone()).with("src", src.clone());
    let source = fs::metadata(&src_path).map_err(|_| failed("src does not exist"))?;
    let is_same = fs::metadata(&place.path).is_ok_and(|now| now.ino() == source.ino() && now.dev() == source.dev());
    let mut change = state_change(place, "hard", before);
    let changed = match before {
        "link" => differs(&place.path, src, &mut change),
        "hard" | "directory" if is_same => false,
        "hard" if !request.force => return Err(failed("Cannot link, different hard link exists at destination")),
        "file" if !request.force => return Err(failed("Cannot link, file exists at destination")),
        "directory" if !request.force => {
            return Err(failed("Cannot link: different hard link exists at destination"));
        }
        _ => true,
    };
    if changed && !request.check {
        let source =
            if request.follow && before == "absent" { src_path.canonicalize().unwrap_or(src_path) } else { src_path };
        put(request, before, |path| fs::hard_link(&source, path))?;
    }
    let settled = if request.check && !place.path.exists() {
        false
    } else {
        request.settle(&request.followed().path, &mut change)?
    };
    let mut answer = returned("dest", place, changed || settled, change);
    answer.insert("src".into(), json!(src));
    Ok(answer)
}

/// Whether a link leads elsewhere than it should.
fn differs(path: &Path, src: &str, change: &mut Change) -> bool {
    let Ok(old) = path.read_link() else { return true };
    if old == Path::new(src) {
        return false;
    }
    change.set("src", old.to_string_lossy().into_owned(), src);
    true
}

/// Makes a link where nothing was, or beside what was and then over it.
fn put(request: &Request, before: &str, make: impl Fn(&Path) -> io::Result<()>) -> Result<(), Failure> {
    let path = &request.place.path;
    if before == "absent" {
        return make(path).map_err(|error| {
            request.failure(format!("Error while linking: {}", failure::errno_at(&error, &request.place.shown)))
        });
    }
    let beside = path.with_file_name(format!(".dayfly-{}.link", std::process::id()));
    let replace = || {
        if before == "directory" {
            fs::remove_dir(path)?;
        }
        make(&beside)?;
        fs::rename(&beside, path)
    };
    replace().map_err(|error| {
        // It may never have been made.
        let _ = fs::remove_file(&beside);
        request.failure(format!("Error while replacing: {}", failure::errno_at(&error, &request.place.shown)))
    })
}
