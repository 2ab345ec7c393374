//! What a playbook asks `file` for, and which state answers it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::attributes::{self, Attributes, Change};
use super::super::failure::{self, Failure};
use super::super::place::Place;
use super::super::{Context, Returned, arguments};
use super::times::{Stamp, Times};
use super::{absent, directory, link};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    path: String,
    #[serde(default, deserialize_with = "arguments::filled")]
    state: Option<String>,
    #[serde(default)]
    recurse: bool,
    #[serde(default)]
    force: bool,
    #[serde(default = "arguments::yes")]
    follow: bool,
    #[serde(default, deserialize_with = "arguments::filled")]
    src: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    modification_time: Option<String>,
    #[serde(default = "default_format")]
    modification_time_format: String,
    #[serde(default, deserialize_with = "arguments::filled")]
    access_time: Option<String>,
    #[serde(default = "default_format")]
    access_time_format: String,
}

fn default_format() -> String {
    "%Y%m%d%H%M.%S".to_owned()
}

/// A request, read and expanded.
pub(super) struct Request {
    pub(super) place: Place,
    /// The source as written after expansion: a link's target may be relative.
    pub(super) src: Option<String>,
    pub(super) recurse: bool,
    pub(super) force: bool,
    pub(super) follow: bool,
    pub(super) attributes: Attributes,
    pub(super) times: Times,
    pub(super) check: bool,
    /// Where relative sources of hard links start.
    pub(super) home: PathBuf,
}

impl Request {
    /// The failure of an operation at this request's path.
    pub(super) fn failure(&self, msg: impl Into<String>) -> Failure {
        Failure::new(msg).with("path", self.place.shown.clone())
    }
    /// What the request's `follow` makes of a path: itself, or what the link stands for.
    pub(super) fn followed(&self) -> Place {
        if self.follow && self.place.path.is_symlink() { real(&self.place.path) } else { self.place.clone() }
    }
    /// Applies owner, group, mode and times to a path.
    pub(super) fn settle(&self, path: &Path, change: &mut Change) -> Result<bool, Failure> {
        let attributes = self.attributes.apply(path, self.check, change)?;
        Ok(self.times.apply(path, self.check, change)? || attributes)
    }
}

/// Where a link leads in the end, even where nothing is there.
pub(super) fn real(path: &Path) -> Place {
    if let Ok(real) = path.canonicalize() {
        return Place::absolute(real);
    }
    match (path.parent(), path.read_link()) {
        (Some(folder), Ok(target)) => Place::absolute(folder.join(target)),
        _ => Place::absolute(path.to_owned()),
    }
}

/// Brings a path into the state that is asked for.
pub fn run(mut args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let attributes = Attributes::take(&mut args)?;
    for alias in ["dest", "name"] {
        if let Some(path) = args.remove(alias) {
            args.entry("path").or_insert(path);
        }
    }
    let args: Args = arguments::read(args)?;
    let mut place = Place::new(&args.path, context);
    let src = args.src.as_ref().map(|src| super::super::place::expand(src, context));
    let mut state = args.state.clone().unwrap_or_default();
    if state != "link"
        && state != "absent"
        && place.path.is_dir()
        && let Some(name) = src.as_ref().and_then(|src| Path::new(src).file_name())
    {
        place = place.join(name);
    }
    if state.is_empty() {
        let default = match attributes::state(&place.path) {
            "absent" if args.recurse => "directory",
            "absent" => "file",
            now => now,
        };
        default.clone_into(&mut state);
    }
    let refused = |msg: &str| described(Failure::new(msg).with("path", place.shown.clone()), context);
    if args.recurse && state != "directory" {
        return Err(refused("recurse option requires state to be 'directory'"));
    }
    if src.as_ref().is_some_and(|src| !src.is_empty()) && state != "link" && state != "hard" {
        return Err(refused("src option requires state to be 'link' or 'hard'"));
    }
    let otherwise = if state == "touch" { Stamp::Now } else { Stamp::Preserve };
    let stamp =
        |text: &Option<String>, format: &str| text.as_ref().map_or(Ok(otherwise), |text| Stamp::read(text, format));
    let times = Times {
        modified: stamp(&args.modification_time, &args.modification_time_format)?,
        accessed: stamp(&args.access_time, &args.access_time_format)?,
    };
    let request = Request {
        place: place.clone(),
        src,
        recurse: args.recurse,
        force: args.force,
        follow: args.follow,
        attributes,
        times,
        check: context.check,
        home: context.home.clone(),
    };
    let outcome = match state.as_str() {
        "file" => settle_file(&request),
        "directory" => directory::ensure(&request),
        "link" => link::ensure_symbolic(&request),
        "hard" => link::ensure_hard(&request),
        "touch" => touch(&request),
        "absent" => absent::ensure(&request),
        other => Err(Failure::new(format!(
            "value of state must be one of: absent, directory, file, hard, link, touch, got: {other}"
        ))),
    };
    let mut returned = outcome.map_err(|failure| described(failure, context))?;
    if !context.diff {
        returned.remove("diff");
    }
    describe_named(&mut returned, context);
    Ok(returned)
}

/// A failure that names a path tells about it too, as Ansible's do.
fn described(failure: Failure, context: &Context) -> Failure {
    let mut returned = failure.into_returned();
    describe_named(&mut returned, context);
    let msg = returned.get("msg").and_then(Value::as_str).unwrap_or_default().to_owned();
    Failure::returning(returned, msg)
}

/// Tells about the path that is returned, if there is one.
fn describe_named(returned: &mut Returned, context: &Context) {
    let named = returned.get("path").or_else(|| returned.get("dest")).and_then(Value::as_str);
    if let Some(path) = named.map(|shown| context.home.join(shown)) {
        attributes::describe(returned, &path);
    }
}

/// What a state returns.
pub(super) fn returned(key: &str, place: &Place, changed: bool, change: Change) -> Returned {
    Returned::from_iter([
        (key.to_owned(), json!(place.shown)),
        ("changed".to_owned(), json!(changed)),
        ("diff".to_owned(), change.into_value()),
    ])
}

/// The difference in state that a request makes.
pub(super) fn state_change(place: &Place, state: &str, before: &str) -> Change {
    let mut change = Change::at(&place.shown);
    if before != state {
        change.set("state", before, state);
    }
    change
}

/// `state: file`: what is there gets its attributes; nothing is made.
fn settle_file(request: &Request) -> Result<Returned, Failure> {
    let mut place = request.place.clone();
    let mut before = attributes::state(&place.path);
    if before == "link" && request.follow {
        place = real(&place.path);
        before = attributes::state(&place.path);
    }
    if before != "file" && before != "hard" {
        return Err(Failure::new(format!("file ({}) is {before}, cannot continue", place.shown))
            .with("path", place.shown)
            .with("state", before));
    }
    let mut change = state_change(&place, "file", before);
    let changed = request.settle(&place.path, &mut change)?;
    Ok(returned("path", &place, changed, change))
}

/// `state: touch`: an empty file where there is none, and its times.
fn touch(request: &Request) -> Result<Returned, Failure> {
    let place = &request.place;
    let before = attributes::state(&place.path);
    let mut change = state_change(place, "touch", before);
    if before == "absent" {
        if request.check {
            return Ok(Returned::from_iter([
                ("dest".to_owned(), json!(place.shown)),
                ("changed".to_owned(), json!(true)),
            ]));
        }
        std::fs::File::create(&place.path).map_err(|error| {
            request.failure("Error, could not touch target.").because(failure::errno_at(&error, &place.shown))
        })?;
    }
    let settled = request.settle(&request.followed().path, &mut change);
    if settled.is_err() && before == "absent" {
        // What was made only now goes again, so that a failure leaves nothing.
        let _ = std::fs::remove_file(&place.path);
    }
    let changed = settled? || before == "absent";
    Ok(returned("dest", place, changed, change))
}
