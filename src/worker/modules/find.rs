//! `find`: paths below folders that fit.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::moment::Moment;
use super::pattern::Glob;
use super::place::Place;
use super::python_regex::Pattern;
use super::{Context, Returned, arguments, attributes, digest, inode, mode};

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
    Globs(Vec<Glob>),
    Regexes(Vec<Pattern>),
}

impl Names {
    fn read(written: &[String], use_regex: bool) -> Result<Self, Failure> {
        if use_regex {
            Ok(Self::Regexes(written.iter().map(|text| Pattern::for_text(text)).collect::<Result<_, _>>()?))
        } else {
            Ok(Self::Globs(written.iter().map(|text| Glob::new(text)).collect()))
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
            Self::Globs(globs) => globs.iter().any(|glob| glob.fits(name)),
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
    /// Names that were looked up once.
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
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
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
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
        found.insert(
            "gr_name".into(),
            self.groups
                .entry(metadata.gid())
                .or_insert_with_key(|gid| attributes::group_name(*gid).unwrap_or_default())
                .clone()
                .into(),
        );
        found.insert(
            "pw_name".into(),
            self.users
                .entry(metadata.uid())
                .or_insert_with_key(|uid| attributes::user_name(*uid).unwrap_or_default())
                .clone()
                .into(),
        );
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
mod tests;
