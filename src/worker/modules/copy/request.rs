//! What a playbook asks `copy` and `template` for, and the order in which it is done.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::attributes::{Attributes, Change};
use super::super::failure::{self, Failure};
use super::super::place::Place;
use super::super::{Context, Returned, arguments};
use super::destination;
use super::placing::{Placing, Source};
use super::tree;

/// Arguments that the master has already followed.
const DONE_BY_MASTER: &[&str] = &[
    "content",
    "decrypt",
    "checksum",
    "newline_sequence",
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "trim_blocks",
    "lstrip_blocks",
    "output_encoding",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    dest: String,
    #[serde(default, deserialize_with = "arguments::filled")]
    src: Option<String>,
    #[serde(default)]
    backup: bool,
    #[serde(default = "arguments::yes")]
    force: bool,
    #[serde(default)]
    follow: bool,
    #[serde(default = "arguments::yes")]
    local_follow: bool,
    #[serde(default)]
    remote_src: bool,
    #[serde(default, deserialize_with = "arguments::filled")]
    validate: Option<String>,
    directory_mode: Option<Value>,
    #[serde(default, rename = "_files")]
    files: Vec<Sent>,
    #[serde(default, rename = "_directories")]
    directories: Vec<String>,
    #[serde(rename = "_source_name")]
    source_name: Option<String>,
    /// The content stands in the playbook and has no name.
    #[serde(default, rename = "_content")]
    is_inline: bool,
    #[serde(default, rename = "_from_directory")]
    from_directory: bool,
}

/// A file that the master has put on this worker.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    source: String,
    /// Its path below the folder that is copied; empty for a single file.
    #[serde(default)]
    relative: String,
    mode: Option<Value>,
}

/// Puts content where it belongs.
pub fn run(mut args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let expected = args.get("checksum").and_then(Value::as_str).map(str::to_owned);
    for name in DONE_BY_MASTER {
        args.remove(*name);
    }
    let attributes = Attributes::take(&mut args)?;
    let args: Args = arguments::read(args)?;
    let mut dest = Place::new(&args.dest, context);
    let placing = Placing {
        attributes,
        directory_mode: args.directory_mode,
        backup: args.backup,
        force: args.force,
        // Ansible follows links at the destination only where it copies a single file.
        follow: args.follow && args.directories.is_empty(),
        validate: args.validate,
        is_remote: args.remote_src,
        expected,
    };
    if args.remote_src {
        let written = args.src.ok_or_else(|| Failure::new("src (or content) is required"))?;
        let source = Place::new(&written, context);
        return from_worker(&placing, &source, &dest, args.local_follow, context);
    }
    if args.from_directory && !dest.shown.ends_with('/') {
        dest.shown.push('/');
    }
    if args.is_inline && (dest.shown.ends_with('/') || dest.path.is_dir()) {
        return Err(Failure::new("can not use content with a dir as dest"));
    }
    let source_name = args.source_name.clone().filter(|_| !args.is_inline);
    let mut changed = false;
    let mut diffs = Vec::new();
    let mut only = None;
    for sent in &args.files {
        let source = Source {
            path: Place::absolute(sent.source.clone().into()),
            relative: if sent.relative.is_empty() { base_name(source_name.as_deref()) } else { sent.relative.clone() },
            name: source_name.clone(),
            mode: sent.mode.clone(),
        };
        let returned = placing.place(&source, &dest, context)?;
        changed |= returned.get("changed").and_then(Value::as_bool).unwrap_or(false);
        if let Some(Value::Array(content)) = returned.get("diff") {
            diffs.extend(content.iter().cloned());
        }
        only = Some(returned);
    }
    for directory in &args.directories {
        let place = dest.join(directory);
        changed |= destination::ensure_directory(&place, &placing.directory_attributes(), context.check)?;
    }
    let mut returned = match only {
        Some(returned) if args.files.len() == 1 => returned,
        _ => Returned::from_iter([
            ("dest".to_owned(), json!(dest.shown)),
            ("src".to_owned(), json!(source_name.or(args.src))),
        ]),
    };
    returned.insert("changed".into(), changed.into());
    if args.files.len() != 1 && !diffs.is_empty() {
        returned.insert("diff".into(), diffs.into());
    }
    Ok(returned)
}

/// The last part of a name.
fn base_name(name: Option<&str>) -> String {
    let name = name.and_then(|name| std::path::Path::new(name).file_name());
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `remote_src`: a file or a folder of this machine.
fn from_worker(
    placing: &Placing,
    source: &Place,
    dest: &Place,
    local_follow: bool,
    context: &mut Context,
) -> Result<Returned, Failure> {
    if !source.path.exists() {
        return Err(Failure::new(format!("Source {} not found", source.shown)));
    }
    if source.path.is_dir() {
        let mut base = dest.clone();
        if !source.shown.ends_with('/')
            && let Some(name) = source.path.file_name()
        {
            base = base.join(name);
        }
        let shown = if dest.path.is_dir() { base.clone() } else { dest.clone() };
        let mut returned = Returned::from_iter([
            ("dest".to_owned(), json!(shown.shown)),
            ("src".to_owned(), json!(source.shown)),
            ("checksum".to_owned(), Value::Null),
            ("md5sum".to_owned(), Value::Null),
        ]);
        if dest.path.exists() && !dest.path.is_dir() {
            return Err(Failure::new(format!(
                "cannot copy the directory {} over the file {}",
                source.shown, dest.shown
            )));
        }
        let mut changed = tree::copy(&source.path, &base.path, local_follow, context.check).map_err(|error| {
            Failure::uncaught(format!(
                "Failed to copy '{}' to '{}': {}",
                source.shown,
                base.shown,
                failure::errno(&error)
            ))
        })?;
        let root = if base.path.is_dir() { &base.path } else { &dest.path };
        if context.check {
            changed |= root.is_dir() && placing.attributes.apply(&shown.path, true, &mut Change::default())?;
        } else {
            changed |= tree::give(root, &placing.attributes.with_mode(None))?;
            if shown.path.exists() {
                changed |= placing.attributes.apply(&shown.path, false, &mut Change::default())?;
            }
        }
        returned.insert("changed".into(), changed.into());
        super::super::attributes::describe(&mut returned, &shown.path);
        return Ok(returned);
    }
    if !source.path.is_file() {
        return Err(Failure::new(format!("Cannot copy invalid source '{}': not a file", source.shown)));
    }
    let relative = source.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sent = Source { path: source.clone(), relative, name: Some(source.shown.clone()), mode: None };
    placing.place(&sent, dest, context)
}
