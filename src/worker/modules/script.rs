//! `script`: a script that the master has brought here.

use std::os::unix::fs::PermissionsExt;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::place::Place;
use super::{Context, Returned, arguments, raw, words};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    /// Where the master has put the script, absolute.
    #[serde(rename = "_script")]
    script: String,
    /// The arguments as the author wrote them, quotes and all.
    #[serde(default)]
    cmd: String,
    #[serde(default, deserialize_with = "arguments::filled")]
    chdir: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    creates: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    removes: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    executable: Option<String>,
    #[serde(default = "arguments::yes", rename = "decrypt")]
    _decrypt: bool,
}

/// Runs the script, or says why it did not have to be.
pub fn run(args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    let skipped = |msg: String| {
        Ok(Returned::from_iter([
            ("msg".to_owned(), msg.into()),
            ("skipped".to_owned(), json!(true)),
            ("changed".to_owned(), json!(false)),
        ]))
    };
    if let Some(path) = &args.creates
        && Place::new(path, context).path.exists()
    {
        return skipped(format!("{path} exists, matching creates option"));
    }
    if let Some(path) = &args.removes
        && !Place::new(path, context).path.exists()
    {
        return skipped(format!("{path} does not exist, matching removes option"));
    }
    if let Some(chdir) = &args.chdir
        && !chdir.starts_with('/')
    {
        return Err(Failure::new(format!("chdir {chdir} must be an absolute path for a Unix-aware remote node")));
    }
    if context.check {
        if args.creates.is_some() || args.removes.is_some() {
            return Ok(Returned::from_iter([("changed".to_owned(), json!(true))]));
        }
        return skipped("Check mode is not supported for this task.".to_owned());
    }
    let script = std::path::Path::new(&args.script);
    if args.executable.is_none() {
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o700))
            .map_err(|error| Failure::new(format!("cannot make the script executable: {}", failure::reason(&error))))?;
    }
    let line = format!("{} {}", words::quote(&args.script), args.cmd).trim_end().to_owned();
    let line = match &args.executable {
        Some(executable) => format!("{executable} {line}"),
        None => line,
    };
    let chdir = args.chdir.map(std::path::PathBuf::from);
    raw::run_line("/bin/sh".to_owned(), line, chdir, context)
}

#[cfg(test)]
mod tests {
    use super::super::rehearsal::Rehearsal;
    use super::*;

    #[test]
    fn runs_with_its_arguments_quoted_as_written() {
        let mut stage = Rehearsal::new();
        let script = stage.home().join("put here.sh");
        std::fs::write(&script, "#!/bin/sh\necho \"$1-$2\"; exit 4\n").unwrap();
        let mut args = json!({"_script": script, "cmd": "'a b' c"});
        let result = stage.run("script", args.clone());
        assert_eq!((&result["stdout"], &result["rc"]), (&json!("a b-c\n"), &json!(4)));
        assert_eq!((&result["msg"], &result["changed"]), (&json!("non-zero return code"), &json!(true)));
        args["creates"] = json!(stage.home());
        assert_eq!(stage.run("script", args.clone())["skipped"], true);
        args["creates"] = json!("/no/such");
        stage.check = true;
        assert_eq!(stage.run("script", args)["changed"], true);
    }

    #[test]
    fn an_executable_reads_it() {
        let mut stage = Rehearsal::new();
        let script = stage.home().join("s");
        std::fs::write(&script, "echo $1").unwrap();
        let result = stage.run("script", json!({"_script": script, "cmd": "x", "executable": "/bin/sh -e"}));
        assert_eq!(result["stdout"], "x\n");
    }
}
