//! `find`: paths below folders that fit.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::moment::Moment;
use super::place::Place;
use super::python_regex::Pattern;
use super::{Context, Returned, arguments, attributes, digest, inode, mode, pattern};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    paths: Vec<String>,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    excludes: Vec<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    contains: Option<String>,
    #[serde(default)]
    read_whole_file: bool,
    #[serde(default = "file")]
    file_type: String,
    age: Option<Value>,
    #[serde(default = "mtime")]
    age_stamp: String,
    size: Option<Value>,
    #[serde(default)]
    recurse: bool,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    get_checksum: bool,
    #[serde(default = "sha1")]
    checksum_algorithm: String,
    #[serde(default)]
    use_regex: bool,
    depth: Option<usize>,
    mode: Option<Value>,
    #[serde(default = "arguments::yes")]
    exact_mode: bool,
    #[serde(default, deserialize_with = "arguments::filled")]
    encoding: Option<String>,
    limit: Option<i64>,
}

fn file() -> String {
    "file".to_owned()
}
fn mtime() -> String {
    "mtime".to_owned()
}
fn sha1() -> String {
    "sha1".to_owned()
}

/// Returns `files`, `matched`, `examined` and `skipped_paths`.
pub fn run(args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    if args.limit.is_some_and(|limit| limit <= 0) {
        let limit = args.limit.unwrap_or_default();
        return Err(Failure::new(format!("limit cannot be {limit} (use None for unlimited)")));
    }
    if let Some(encoding) = &args.encoding
        && !["utf-8", "utf8", "ascii", "us-ascii"].contains(&encoding.to_lowercase().as_str())
    {
        return Err(Failure::new(format!("files in the encoding {encoding} cannot be searched, only utf-8")));
    }
    let mut search = Search::new(&args)?;
    let mut has_warnings = false;
    let mut warnings = Vec::new();
    for written in &args.paths {
        let place = Place::new(written, context);
        if !place.path.is_dir() {
            let why = format!("'{}' is not a directory", place.shown);
            warnings.push(json!(format!("Skipped '{}' path due to this access issue: {why}\n", place.shown)));
            search.skipped.insert(place.shown, why.into());
            has_warnings = true;
            continue;
        }
        search.walk(&Place { shown: normal(&place.shown), path: place.path.clone() }, 1, &mut Vec::new())?;
    }
    let msg = if has_warnings {
        "Not all paths examined, check warnings for details"
    } else if search.is_full() {
        "Limit of matches reached"
    } else {
        "All paths examined"
    };
    let mut returned = Returned::from_iter([
        ("matched".to_owned(), json!(search.files.len())),
        ("files".to_owned(), json!(search.files)),
        ("changed".to_owned(), json!(false)),
        ("msg".to_owned(), json!(msg)),
        ("examined".to_owned(), json!(search.examined)),
        ("skipped_paths".to_owned(), json!(search.skipped)),
    ]);
    if !warnings.is_empty() {
        returned.insert("warnings".into(), warnings.into());
    }
    Ok(returned)
}

enum Names {
    Globs(Vec<String>),
    Regexes(Vec<Pattern>),
}

impl Names {
    fn read(written: &[String], use_regex: bool) -> Result<Self, Failure> {
        if use_regex {
            Ok(Self::Regexes(written.iter().map(|text| Pattern::for_text(text)).collect::<Result<_, _>>()?))
        } else {
            Ok(Self::Globs(written.to_vec()))
        }
    }
    fn is_empty(&self) -> bool {
        match self {
            Self::Globs(globs) => globs.is_empty(),
            Self::Regexes(regexes) => regexes.is_empty(),
        }
    }
    fn fit(&self, name: &str) -> bool {
        match self {
            Self::Globs(globs) => globs.iter().any(|glob| pattern::fits(name, glob)),
            Self::Regexes(regexes) => regexes.iter().any(|regex| regex.is_match_at_start(name)),
        }
    }
}

/// A search under way.
struct Search<'a> {
    args: &'a Args,
    patterns: Names,
    excludes: Names,
    contains: Option<Pattern>,
    age: Option<i64>,
    size: Option<i64>,
    mode: Option<u32>,
    now: Moment,
    files: Vec<Map<String, Value>>,
    examined: usize,
    skipped: Map<String, Value>,
}

impl<'a> Search<'a> {
    fn new(args: &'a Args) -> Result<Self, Failure> {
        let no_bits = mode::Current { bits: 0, is_directory: false, umask: mode::umask() };
        Ok(Self {
            args,
            patterns: Names::read(&args.patterns, args.use_regex)?,
            excludes: Names::read(&args.excludes, args.use_regex)?,
            contains: args.contains.as_deref().map(Pattern::for_text).transpose()?,
            age: quantity(
                "age",
                args.age.as_ref(),
                &[('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)],
            )?,
            size: quantity(
                "size",
                args.size.as_ref(),
                &[('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)],
            )?,
            mode: args.mode.as_ref().map(|mode| mode::resolve(mode, no_bits)).transpose()?,
            now: Moment::now(),
            files: Vec::new(),
            examined: 0,
            skipped: Map::new(),
        })
    }
    fn is_full(&self) -> bool {
        self.args.limit.is_some_and(|limit| self.files.len() as i64 >= limit)
    }
    /// Looks at a folder's files, then its folders, then into these. `above` holds the folders that lead here, so that
    /// links cannot lead round.
    fn walk(&mut self, folder: &Place, depth: usize, above: &mut Vec<(u64, u64)>) -> Result<(), Failure> {
        let entries = match fs::read_dir(&folder.path) {
            Ok(entries) => entries,
            Err(error) => {
                let told = format!("{}: '{}'", failure::errno(&error), folder.shown);
                self.skipped.insert(folder.shown.clone(), told.into());
                return Ok(());
            }
        };
        let identity = fs::metadata(&folder.path).map(|found| (found.dev(), found.ino())).unwrap_or_default();
        if above.contains(&identity) {
            return Ok(());
        }
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            let place = folder.join(entry.file_name());
            if place.path.is_dir() { folders.push(place) } else { files.push(place) }
        }
        self.examined += files.len() + folders.len();
        let is_too_deep = self.args.depth.is_some_and(|most| most > 0 && depth > most);
        if is_too_deep {
            return Ok(());
        }
        for place in files.iter().chain(&folders) {
            self.look_at(place)?;
            if self.is_full() {
                return Ok(());
            }
        }
        if !self.args.recurse {
            return Ok(());
        }
        above.push(identity);
        for place in &folders {
            if self.args.follow || !place.path.is_symlink() {
                self.walk(place, depth + 1, above)?;
                if self.is_full() {
                    break;
                }
            }
        }
        above.pop();
        Ok(())
    }
    fn look_at(&mut self, place: &Place) -> Result<(), Failure> {
        let name = place.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') && !self.args.hidden {
            return Ok(());
        }
        let metadata = match fs::symlink_metadata(&place.path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.skipped.insert(place.shown.clone(), failure::errno_at(&error, &place.shown).into());
                return Ok(());
            }
        };
        let is_kind = match self.args.file_type.as_str() {
            "any" => true,
            "directory" => metadata.is_dir(),
            "link" => metadata.is_symlink(),
            _ => metadata.is_file(),
        };
        if !is_kind || !self.fits(&name, &metadata) {
            return Ok(());
        }
        // Only regular files have a size and content that count.
        if metadata.is_file() {
            let size = metadata.len() as i64;
            if self.size.is_some_and(|wanted| if wanted >= 0 { size < wanted } else { size > wanted.abs() }) {
                return Ok(());
            }
            if self.args.file_type == "file" && !self.holds(&place.path) {
                return Ok(());
            }
        }
        let mut found = Map::from_iter([("path".to_owned(), json!(place.shown))]);
        found.append(&mut inode::values(&metadata));
        found.insert("gr_name".into(), attributes::group_name(metadata.gid()).unwrap_or_default().into());
        found.insert("pw_name".into(), attributes::user_name(metadata.uid()).unwrap_or_default().into());
        if metadata.is_file() && self.args.get_checksum {
            let hasher = digest::hasher(&self.args.checksum_algorithm)
                .ok_or_else(|| Failure::new(format!("unknown checksum algorithm {}", self.args.checksum_algorithm)))?;
            found.insert("checksum".into(), json!(digest::of_file(&place.path, hasher).ok()));
        }
        self.files.push(found);
        Ok(())
    }
    fn fits(&self, name: &str, metadata: &Metadata) -> bool {
        if !(self.patterns.is_empty() || self.patterns.fit(name)) || self.excludes.fit(name) {
            return false;
        }
        if let Some(age) = self.age {
            let stamp = match self.args.age_stamp.as_str() {
                "atime" => metadata.atime(),
                "ctime" => metadata.ctime(),
                _ => metadata.mtime(),
            };
            let old = self.now.epoch - stamp;
            if if age >= 0 { old < age } else { old > age.abs() } {
                return false;
            }
        }
        let bits = metadata.mode() & 0o7777;
        self.mode.is_none_or(|wanted| if self.args.exact_mode { bits == wanted } else { bits & wanted != 0 })
    }
    fn holds(&self, path: &Path) -> bool {
        let Some(contains) = &self.contains else { return true };
        let Ok(bytes) = fs::read(path) else { return false };
        let text = String::from_utf8_lossy(&bytes);
        if self.args.read_whole_file {
            contains.search(&text).is_some()
        } else {
            text.split_inclusive('\n').any(|line| contains.is_match_at_start(line))
        }
    }
}

/// Reads `-2d` or `10k`.
fn quantity(what: &str, written: Option<&Value>, units: &[(char, i64)]) -> Result<Option<i64>, Failure> {
    let text = match written {
        None => return Ok(None),
        Some(Value::String(text)) => text.to_lowercase(),
        Some(other) => other.to_string(),
    };
    let unit = units.iter().find(|(letter, _)| text.ends_with(*letter));
    let (number, factor) =
        unit.map_or((text.as_str(), 1), |(letter, factor)| (text.strip_suffix(*letter).unwrap_or(&text), *factor));
    match number.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)) {
        Some(amount) if !number.starts_with('+') => Ok(Some(amount)),
        _ => Err(Failure::new(format!("failed to process {what}")).with(what, text)),
    }
}

/// A path without `.` and doubled slashes, as `os.path.normpath` leaves it.
fn normal(path: &str) -> String {
    let mut parts = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some_and(|last| last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::rehearsal::Rehearsal;
    use super::*;

    fn stage() -> Rehearsal {
        let stage = Rehearsal::new();
        fs::create_dir_all(stage.home().join("d/e/f")).unwrap();
        for (name, content) in
            [("d/a.txt", "one\ntwo\n"), ("d/b.log", ""), ("d/.c.txt", ""), ("d/e/d.txt", "2"), ("d/e/f/g.txt", "")]
        {
            fs::write(stage.home().join(name), content).unwrap();
        }
        std::os::unix::fs::symlink("..", stage.home().join("d/e/up")).unwrap();
        stage
    }

    fn names(result: &Returned) -> Vec<String> {
        let files = result["files"].as_array().unwrap();
        let mut names: Vec<_> = files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn filters_by_name_type_and_depth() {
        let mut stage = stage();
        let mut find = |args: Value| names(&stage.run("find", args));
        assert_eq!(find(json!({"paths": ["d"]})), ["d/a.txt", "d/b.log"]);
        assert_eq!(find(json!({"paths": ["d"], "patterns": ["*.txt"], "hidden": true})), ["d/.c.txt", "d/a.txt"]);
        assert_eq!(find(json!({"paths": ["d"], "excludes": ["a*"]})), ["d/b.log"]);
        let args = json!({"paths": ["./d/"], "recurse": true, "use_regex": true, "patterns": ["[a-d]\\.txt$"]});
        assert_eq!(find(args), ["d/a.txt", "d/e/d.txt"]);
        assert_eq!(
            find(json!({"paths": ["d"], "recurse": true, "depth": 2, "patterns": ["*.txt"]})),
            ["d/a.txt", "d/e/d.txt"]
        );
        assert_eq!(find(json!({"paths": ["d"], "recurse": true, "file_type": "directory"})), ["d/e", "d/e/f"]);
        assert_eq!(find(json!({"paths": ["d"], "recurse": true, "file_type": "link"})), ["d/e/up"]);
        let args = json!({"paths": ["d"], "recurse": true, "follow": true, "patterns": ["g.txt"]});
        assert_eq!(find(args), ["d/e/f/g.txt"]);
    }

    #[test]
    fn filters_by_content_size_and_age() {
        let mut stage = stage();
        let mut find = |args: Value| names(&stage.run("find", args));
        assert_eq!(find(json!({"paths": ["d"], "contains": "tw"})), ["d/a.txt"]);
        assert!(find(json!({"paths": ["d"], "contains": "wo"})).is_empty());
        assert_eq!(find(json!({"paths": ["d"], "contains": "e\nt", "read_whole_file": true})), ["d/a.txt"]);
        assert_eq!(find(json!({"paths": ["d"], "size": "1"})), ["d/a.txt"]);
        assert_eq!(find(json!({"paths": ["d"], "size": "-1b"})), ["d/b.log"]);
        assert!(find(json!({"paths": ["d"], "age": "1h"})).is_empty());
        assert_eq!(find(json!({"paths": ["d"], "age": "-1h"})).len(), 2);
        assert_eq!(find(json!({"paths": ["d"], "limit": 1})).len(), 1);
    }

    #[test]
    fn says_what_it_could_not_look_at() {
        let mut stage = stage();
        let result = stage.run("find", json!({"paths": ["none"]}));
        assert_eq!(result["skipped_paths"], json!({"none": "'none' is not a directory"}));
        assert_eq!(result["msg"], "Not all paths examined, check warnings for details");
        assert_eq!(stage.run("find", json!({"paths": ["d"], "age": "1x"}))["msg"], "failed to process age");
        let result = stage.run("find", json!({"paths": ["d"], "limit": 0}));
        assert_eq!(result["msg"], "limit cannot be 0 (use None for unlimited)");
    }
}
