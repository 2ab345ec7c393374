//! `lineinfile`: one line is there, or no such line is.

use std::fs;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::attributes::{Attributes, Change};
use super::failure::{self, Failure};
use super::line_edit::{Edit, Lines, Target, Where};
use super::place::Place;
use super::python_regex::Pattern;
use super::staged::{self, Rejection, Staged};
use super::{Context, Returned, arguments};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    path: String,
    #[serde(default = "present")]
    state: String,
    regexp: Option<String>,
    search_string: Option<String>,
    line: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    insertafter: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    insertbefore: Option<String>,
    #[serde(default)]
    backrefs: bool,
    #[serde(default)]
    create: bool,
    #[serde(default)]
    backup: bool,
    #[serde(default)]
    firstmatch: bool,
    #[serde(default, deserialize_with = "arguments::filled")]
    validate: Option<String>,
}

fn present() -> String {
    "present".to_owned()
}

/// Brings the line in or takes lines out.
pub fn run(mut args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let attributes = Attributes::take(&mut args)?;
    let args: Args = arguments::read(args)?;
    let place = Place::new(&args.path, context);
    let mut warnings = Vec::new();
    for (text, what, advice) in [
        (
            &args.regexp,
            "regular expression",
            " If this is desired, use '^' to match every line in the file and avoid this warning.",
        ),
        (&args.search_string, "search string", ""),
    ] {
        if text.as_deref() == Some("") {
            warnings.push(json!(format!(
                "The {what} is an empty string, which will match every line in the file. This may have unintended \
                 consequences, such as replacing the last line in the file rather than appending.{advice}"
            )));
        }
    }
    if place.path.is_dir() {
        return Err(Failure::new(format!("Path {} is a directory !", place.shown)).with("rc", 256));
    }
    let is_present = args.state != "absent";
    let target = match (&args.regexp, &args.search_string, &args.line) {
        (Some(regexp), _, _) => Target::Regexp(Pattern::for_bytes(regexp)?),
        (None, Some(text), _) => Target::Text(text.clone().into_bytes()),
        (None, None, Some(_)) => Target::WholeLine,
        (None, None, None) if is_present => Target::WholeLine,
        (None, None, None) => {
            return Err(Failure::new("one of line, search_string, or regexp is required with state=absent"));
        }
    };
    if is_present && args.backrefs && args.regexp.is_none() {
        return Err(Failure::new("regexp is required with backrefs=true"));
    }
    if is_present && args.line.is_none() {
        return Err(Failure::new("line is required with state=present"));
    }
    let exists = place.path.exists();
    if !exists {
        if !is_present {
            return Ok(Returned::from_iter([
                ("changed".to_owned(), json!(false)),
                ("msg".to_owned(), json!("file not present")),
            ]));
        }
        if !args.create {
            return Err(Failure::new(format!("Destination {} does not exist !", place.shown)).with("rc", 257));
        }
        if let Some(folder) = place.path.parent()
            && !context.check
        {
            fs::create_dir_all(folder).map_err(|error| {
                let shown = folder.to_string_lossy();
                Failure::new(format!("Error creating {shown} ({})", failure::errno(&error)))
            })?;
        }
    }
    let before = if exists {
        fs::read(&place.path).map_err(|error| Failure::uncaught(failure::errno_at(&error, &place.shown)))?
    } else {
        Vec::new()
    };
    let mut lines = Lines::read(&before);
    let line = args.line.clone().unwrap_or_default().into_bytes();
    let mut returned = Returned::new();
    let (mut msg, mut changed) = if is_present {
        let edit = Edit {
            target,
            line,
            place: Where::read(args.insertafter.as_deref(), args.insertbefore.as_deref())?,
            backrefs: args.backrefs,
            first_match: args.firstmatch,
        };
        let told = lines.make_present(&edit)?;
        (told.to_owned(), !told.is_empty())
    } else {
        let found = lines.remove(&target, &line);
        returned.insert("found".into(), found.into());
        (if found > 0 { format!("{found} line(s) removed") } else { String::new() }, found > 0)
    };
    let after = lines.into_bytes();
    let mut backup = String::new();
    if changed && !context.check {
        backup = write(&args, &place, &after, context)?;
    }
    let side = |bytes: &[u8]| if context.diff { String::from_utf8_lossy(bytes).into_owned() } else { String::new() };
    let content_header = format!("{} (content)", place.shown);
    let content = json!({
        "before": side(&before), "after": side(&after),
        "before_header": content_header, "after_header": content_header,
    });
    let mut change = Change::default();
    if context.check && !place.path.exists() {
        returned.insert("diff".into(), content);
    } else {
        let path = if place.path.is_symlink() { place.path.canonicalize().ok() } else { None };
        let path = path.unwrap_or_else(|| place.path.clone());
        if attributes.apply(&path, context.check, &mut change)? {
            if changed {
                msg.push_str(" and ");
            }
            changed = true;
            msg.push_str("ownership, perms or SE linux context changed");
        }
        let header = format!("{} (file attributes)", place.shown);
        let mut attribute_diff = Map::new();
        if !change.before.is_empty() {
            attribute_diff.insert("before".into(), change.before.into());
            attribute_diff.insert("after".into(), change.after.into());
        }
        attribute_diff.insert("before_header".into(), header.clone().into());
        attribute_diff.insert("after_header".into(), header.into());
        returned.insert("diff".into(), json!([content, attribute_diff]));
    }
    returned.insert("changed".into(), changed.into());
    returned.insert("msg".into(), msg.into());
    returned.insert("backup".into(), backup.into());
    if !warnings.is_empty() {
        returned.insert("warnings".into(), warnings.into());
    }
    Ok(returned)
}

/// Writes the new content over the file, or over what a link leads to; returns the backup's name, empty without one.
fn write(args: &Args, place: &Place, content: &[u8], context: &mut Context) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        let told = failure::errno(&error);
        Failure::uncaught(format!("Could not write data to file '{}': {told}", place.shown))
    };
    let real = place.path.canonicalize().unwrap_or_else(|_| place.path.clone());
    let staged = Staged::write(content, &real).map_err(failed)?;
    if let Some(validate) = &args.validate {
        staged.validate(validate, context).map_err(|rejection| match rejection {
            Rejection::Refused(failure) => failure,
            Rejection::Failed { rc, stderr, .. } => Failure::new(format!("failed to validate: rc:{rc} error:{stderr}")),
        })?;
    }
    let backup = if args.backup { staged::back_up(&place.path).map_err(failed)? } else { None };
    staged.put_in_place(&real).map_err(failed)?;
    Ok(backup.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::rehearsal::Rehearsal;
    use super::*;

    #[test]
    fn check_promises_what_happens() {
        let mut stage = Rehearsal::new();
        let path = stage.home().join("f");
        fs::write(&path, "a=1\n").unwrap();
        let args = json!({"path": "f", "regexp": "^a=", "line": "a=2", "backup": true});
        stage.check = true;
        let promised = stage.run("lineinfile", args.clone());
        assert_eq!((&promised["changed"], &promised["msg"]), (&json!(true), &json!("line replaced")));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a=1\n");
        stage.check = false;
        stage.diff = true;
        let done = stage.run("lineinfile", args.clone());
        assert_eq!((&done["changed"], &done["diff"][0]["after"]), (&json!(true), &json!("a=2\n")));
        assert_eq!(fs::read_to_string(done["backup"].as_str().unwrap()).unwrap(), "a=1\n");
        let again = stage.run("lineinfile", args);
        assert_eq!((&again["changed"], &again["msg"], &again["backup"]), (&json!(false), &json!(""), &json!("")));
    }

    #[test]
    fn creates_removes_and_sets_the_mode() {
        let mut stage = Rehearsal::new();
        assert_eq!(stage.run("lineinfile", json!({"path": "d/f", "line": "x"}))["rc"], 257);
        let made = stage.run("lineinfile", json!({"path": "d/f", "line": "x", "create": true, "mode": "0600"}));
        assert_eq!(made["msg"], "line added and ownership, perms or SE linux context changed");
        let gone = stage.run("lineinfile", json!({"path": "d/f", "regexp": "^x", "state": "absent"}));
        assert_eq!((&gone["found"], &gone["msg"]), (&json!(1), &json!("1 line(s) removed")));
        let none = stage.run("lineinfile", json!({"path": "none", "line": "x", "state": "absent"}));
        assert_eq!((&none["changed"], &none["msg"]), (&json!(false), &json!("file not present")));
    }

    #[test]
    fn refuses_what_it_cannot_do() {
        let mut stage = Rehearsal::new();
        fs::write(stage.home().join("f"), "a\n").unwrap();
        let mut msg = |args: Value| stage.run("lineinfile", args)["msg"].as_str().unwrap().to_owned();
        assert_eq!(msg(json!({"path": ".", "line": "x"})), "Path . is a directory !");
        assert_eq!(msg(json!({"path": "f"})), "line is required with state=present");
        assert_eq!(msg(json!({"path": "f", "line": "x", "backrefs": true})), "regexp is required with backrefs=true");
        let needs = "one of line, search_string, or regexp is required with state=absent";
        assert_eq!(msg(json!({"path": "f", "state": "absent"})), needs);
        assert_eq!(msg(json!({"path": "f", "line": "x", "validate": "false %s"})), "failed to validate: rc:1 error:");
        assert_eq!(fs::read_to_string(stage.home().join("f")).unwrap(), "a\n");
    }
}
