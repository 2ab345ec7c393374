//! `stat`: what a path is.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{AccessFlags, access};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::place::Place;
use super::{Context, Program, Returned, arguments, attributes, digest, inode, search_path};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    path: String,
    #[serde(default)]
    follow: bool,
    #[serde(default = "arguments::yes")]
    get_checksum: bool,
    #[serde(default = "arguments::yes")]
    get_mime: bool,
    #[serde(default = "arguments::yes")]
    get_attributes: bool,
    #[serde(default = "sha1")]
    checksum_algorithm: String,
}

fn sha1() -> String {
    "sha1".to_owned()
}

/// Returns `stat`, which says only `exists: false` where nothing is.
pub fn run(args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    let place = Place::new(&args.path, context);
    let answer = |stat: Map<String, Value>| {
        Ok(Returned::from_iter([("changed".to_owned(), json!(false)), ("stat".to_owned(), stat.into())]))
    };
    let found = if args.follow { fs::metadata(&place.path) } else { fs::symlink_metadata(&place.path) };
    let metadata = match found {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return answer(Map::from_iter([("exists".to_owned(), json!(false))]));
        }
        Err(error) => {
            let told = failure::errno_at(&error, &place.shown);
            return Err(Failure::new(failure::reason(&error)).because(told));
        }
    };
    let mut stat = Map::from_iter([("exists".to_owned(), json!(true)), ("path".to_owned(), json!(place.shown))]);
    stat.append(&mut inode::values(&metadata));
    let may = |flag: AccessFlags| access(&place.path, flag).is_ok();
    let is_readable = may(AccessFlags::R_OK);
    for (name, value) in [
        ("blocks", json!(metadata.blocks())),
        ("block_size", json!(metadata.blksize())),
        ("device_type", json!(metadata.rdev())),
        ("readable", json!(is_readable)),
        ("writeable", json!(may(AccessFlags::W_OK))),
        ("executable", json!(may(AccessFlags::X_OK))),
    ] {
        stat.insert(name.to_owned(), value);
    }
    if metadata.is_symlink() {
        let target = fs::read_link(&place.path).unwrap_or_default();
        let folder = place.path.parent().unwrap_or(Path::new("/"));
        let source = place.path.canonicalize().unwrap_or_else(|_| folder.join(&target));
        stat.insert("lnk_source".into(), json!(source.to_string_lossy()));
        stat.insert("lnk_target".into(), json!(target.to_string_lossy()));
    }
    if let Some(name) = attributes::user_name(metadata.uid()) {
        stat.insert("pw_name".into(), name.into());
    }
    if let Some(name) = attributes::group_name(metadata.gid()) {
        stat.insert("gr_name".into(), name.into());
    }
    if metadata.is_file() && is_readable && args.get_checksum {
        let hasher = digest::hasher(&args.checksum_algorithm).ok_or_else(|| {
            Failure::new(format!("Could not hash file '{}' with algorithm '{}'.", place.shown, args.checksum_algorithm))
        })?;
        let sum = digest::of_file(&place.path, hasher)
            .map_err(|error| Failure::uncaught(failure::errno_at(&error, &place.shown)))?;
        stat.insert("checksum".into(), sum.into());
    }
    if args.get_mime {
        let (kind, charset) = mime(&place, context).unwrap_or_else(|| ("unknown".into(), "unknown".into()));
        stat.insert("mimetype".into(), kind.into());
        stat.insert("charset".into(), charset.into());
    }
    if args.get_attributes {
        let (version, flags) =
            flags(&place, context).map_or((None, String::new()), |(version, flags)| (Some(version), flags));
        let names: Vec<&str> = flags.chars().filter_map(flag_name).collect();
        stat.insert("version".into(), json!(version));
        stat.insert("attributes".into(), json!(names));
        stat.insert("attr_flags".into(), json!(flags));
    }
    answer(stat)
}

/// Runs a program that tells about a path, where it is installed.
fn ask(name: &str, options: &[&str], place: &Place, context: &mut Context) -> Option<String> {
    let program = search_path::find(name, context.environment)?;
    let mut argv = vec![program.to_string_lossy().into_owned()];
    argv.extend(options.iter().map(|option| (*option).to_owned()));
    argv.push(place.path.to_string_lossy().into_owned());
    let end = context.programs.run(Program { argv, ..Program::default() }).ok()?;
    (end.rc == 0).then_some(end.stdout)
}

fn mime(place: &Place, context: &mut Context) -> Option<(String, String)> {
    let told = ask("file", &["--mime-type", "--mime-encoding"], place, context)?;
    let (kind, charset) = told.rsplit_once(':')?.1.split_once(';')?;
    Some((kind.trim().to_owned(), charset.split_once('=')?.1.trim().to_owned()))
}

fn flags(place: &Place, context: &mut Context) -> Option<(String, String)> {
    let told = ask("lsattr", &["-vd"], place, context)?;
    let mut words = told.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.replace('-', "")))
}

fn flag_name(flag: char) -> Option<&'static str> {
    Some(match flag {
        'A' => "noatime",
        'a' => "append",
        'c' => "compressed",
        'C' => "nocow",
        'd' => "nodump",
        'D' => "dirsync",
        'e' => "extents",
        'E' => "encrypted",
        'h' => "blocksize",
        'i' => "immutable",
        'I' => "indexed",
        'j' => "journalled",
        'N' => "inline",
        's' => "zero",
        'S' => "synchronous",
        't' => "notail",
        'T' => "blockroot",
        'u' => "undelete",
        'X' => "compressedraw",
        'Z' => "compresseddirty",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rehearsal::Rehearsal;
    use super::*;

    #[test]
    fn tells_files_links_and_nothing_apart() {
        let mut stage = Rehearsal::new();
        fs::write(stage.home().join("f"), "abc").unwrap();
        std::os::unix::fs::symlink("f", stage.home().join("l")).unwrap();
        let stat = stage.run("stat", json!({"path": "f"}))["stat"].clone();
        assert_eq!((&stat["isreg"], &stat["size"], &stat["path"]), (&json!(true), &json!(3), &json!("f")));
        assert_eq!(stat["checksum"], "a9993e364706816aba3e25717850c26c9cd0d89d");
        let stat = stage.run("stat", json!({"path": "l"}))["stat"].clone();
        assert_eq!((&stat["islnk"], &stat["lnk_target"], stat.get("checksum")), (&json!(true), &json!("f"), None));
        assert!(stat["lnk_source"].as_str().unwrap().ends_with("/f"));
        let stat = stage.run("stat", json!({"path": "l", "follow": true, "checksum_algorithm": "md5"}))["stat"].clone();
        assert_eq!((&stat["islnk"], &stat["checksum"]), (&json!(false), &json!("900150983cd24fb0d6963f7d28e17f72")));
        let args = json!({"path": "f", "get_checksum": false, "get_mime": false, "get_attributes": false});
        let stat = stage.run("stat", args)["stat"].clone();
        assert!(["checksum", "mimetype", "attributes"].iter().all(|name| stat.get(name).is_none()));
        assert_eq!(stage.run("stat", json!({"path": "none"}))["stat"], json!({"exists": false}));
        assert_eq!(stage.run("stat", json!({"path": "f/x"}))["msg"], "Not a directory");
    }
}
