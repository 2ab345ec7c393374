//! `command` and `shell`: a program of the author's, run only where `creates` and `removes` ask for it.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::moment::{self, Moment};
use super::place::Place;
use super::{Context, Program, Returned, arguments, pattern, words};

/// Which of the two modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Words, no shell.
    Command,
    /// A text for a shell.
    Shell,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    #[serde(alias = "_raw_params")]
    cmd: Option<String>,
    argv: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "arguments::filled")]
    chdir: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    executable: Option<String>,
    #[serde(default = "arguments::yes")]
    expand_argument_vars: bool,
    #[serde(default, deserialize_with = "arguments::filled")]
    creates: Option<String>,
    #[serde(default, deserialize_with = "arguments::filled")]
    removes: Option<String>,
    stdin: Option<Value>,
    #[serde(default = "arguments::yes")]
    stdin_add_newline: bool,
    #[serde(default = "arguments::yes")]
    strip_empty_ends: bool,
}

/// Runs the program, or says why it did not have to be.
pub fn run(args: Map<String, Value>, context: &mut Context, flavour: Flavour) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    let text = args.cmd.as_ref().filter(|text| !text.is_empty());
    let argv: Option<Vec<String>> = args.argv.as_ref().map(|argv| argv.iter().map(as_text).collect());
    // What `cmd` returns: the text for a shell, words otherwise.
    let (cmd, command_words) = match (flavour, text, argv) {
        (Flavour::Shell, Some(text), _) => (json!(text), vec![text.clone()]),
        (Flavour::Shell, None, Some(argv)) => {
            let line = argv.iter().map(|word| words::quote(word)).collect::<Vec<_>>().join(" ");
            (json!(argv), vec![line])
        }
        (Flavour::Command, Some(text), _) => {
            let split = words::split(text).map_err(Failure::uncaught)?;
            (json!(split), split)
        }
        (Flavour::Command, None, Some(argv)) => (json!(argv), argv),
        (_, None, None) => (Value::Null, Vec::new()),
    };
    if command_words.is_empty() {
        return Err(Failure::new("no command given").with("rc", 256));
    }

    let mut returned = Returned::from_iter([
        ("changed".to_owned(), json!(false)),
        ("stdout".to_owned(), json!("")),
        ("stderr".to_owned(), json!("")),
        ("rc".to_owned(), Value::Null),
        ("cmd".to_owned(), cmd),
        ("start".to_owned(), Value::Null),
        ("end".to_owned(), Value::Null),
        ("delta".to_owned(), Value::Null),
        ("msg".to_owned(), json!("")),
    ]);
    if flavour == Flavour::Command
        && let Some(executable) = &args.executable
    {
        let warning = format!(
            "As of Ansible 2.4, the parameter 'executable' is no longer supported with the 'command' module. Not using '{executable}'."
        );
        returned.insert("warnings".into(), json!([warning]));
    }
    let chdir = args.chdir.as_ref().map(|chdir| Place::new(chdir, context));
    if let Some(chdir) = &chdir
        && let Err(error) = can_enter(&chdir.path)
    {
        with_lines(&mut returned);
        return Err(Failure::returning(returned, "Unable to change directory before execution.")
            .because(failure::errno_at(&error, &chdir.shown)));
    }
    let base = chdir.as_ref().map_or_else(|| context.home.clone(), |chdir| chdir.path.clone());
    let exists = |path: &str| !pattern::glob(&base.join(path)).is_empty();
    let creates = args.creates.as_ref().map(|path| Place::new(path, context).shown);
    let removes = args.removes.as_ref().map(|path| Place::new(path, context).shown);
    let verb = if context.check { "Would" } else { "Did" };
    let skip = match (&creates, &removes) {
        (Some(path), _) if exists(path) => {
            Some((format!("{verb} not run command since '{path}' exists"), format!("skipped, since {path} exists")))
        }
        (_, Some(path)) if !exists(path) => Some((
            format!("{verb} not run command since '{path}' does not exist"),
            format!("skipped, since {path} does not exist"),
        )),
        _ => None,
    };
    if let Some((msg, stdout)) = skip {
        returned.insert("msg".into(), msg.into());
        returned.insert("stdout".into(), stdout.into());
        returned.insert("rc".into(), 0.into());
        with_lines(&mut returned);
        return Ok(returned);
    }

    returned.insert("changed".into(), true.into());
    if context.check {
        returned.insert("rc".into(), 0.into());
        returned.insert("msg".into(), "Command would have run if not in check mode".into());
        if creates.is_none() && removes.is_none() {
            returned.insert("skipped".into(), true.into());
            returned.insert("changed".into(), false.into());
        }
        with_lines(&mut returned);
        return Ok(returned);
    }

    let program_words = match flavour {
        Flavour::Shell => {
            let shell = args.executable.clone().unwrap_or_else(|| "/bin/sh".to_owned());
            std::iter::once(shell).chain(["-c".to_owned()]).chain(command_words).collect()
        }
        Flavour::Command if args.expand_argument_vars => {
            command_words.iter().map(|word| super::place::expand(word, context)).collect()
        }
        Flavour::Command => command_words,
    };
    let shown_line = program_words.iter().map(|word| words::quote(word)).collect::<Vec<_>>().join(" ");
    let name = program_words.first().cloned().unwrap_or_default();
    let stdin = args.stdin.as_ref().map(as_text).filter(|text| !text.is_empty()).map(|mut text| {
        if args.stdin_add_newline {
            text.push('\n');
        }
        text.into_bytes()
    });
    let program = Program { argv: program_words, chdir: Some(base), stdin, is_main: true, ..Program::default() };
    let end = context.programs.run(program).map_err(|error| {
        Failure::new("Error executing command.")
            .with("rc", error.raw_os_error().unwrap_or(257))
            .with("cmd", shown_line.clone())
            .with("stdout", "")
            .with("stderr", "")
            .with("stdout_lines", json!([]))
            .with("stderr_lines", json!([]))
            .because(failure::errno_at(&error, &name))
    })?;
    let strip = |text: String| {
        if args.strip_empty_ends { text.trim_end_matches(['\r', '\n']).to_owned() } else { text }
    };
    note_cut(&mut returned, end.cut);
    returned.insert("stdout".into(), strip(end.stdout).into());
    returned.insert("stderr".into(), strip(end.stderr).into());
    returned.insert("rc".into(), end.rc.into());
    returned.insert("start".into(), Moment::from_millis(end.started_ms).to_string().into());
    returned.insert("end".into(), Moment::from_millis(end.ended_ms).to_string().into());
    returned.insert("delta".into(), moment::delta(end.ended_ms - end.started_ms).into());
    with_lines(&mut returned);
    if end.rc == 0 { Ok(returned) } else { Err(Failure::returning(returned, "non-zero return code")) }
}

/// Whether a program could be started in a folder.
fn can_enter(folder: &Path) -> io::Result<()> {
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::ENOTDIR));
    }
    Ok(nix::unistd::access(folder, nix::unistd::AccessFlags::X_OK)?)
}

/// Says that the middle of the output was not kept; the step's log has all of it.
pub fn note_cut(returned: &mut Returned, is_cut: bool) {
    if is_cut {
        returned.insert("output_cut".into(), true.into());
    }
}

/// Adds `stdout_lines` and `stderr_lines` beside `stdout` and `stderr`.
pub fn with_lines(returned: &mut Returned) {
    for name in ["stdout", "stderr"] {
        if let Some(text) = returned.get(name).and_then(Value::as_str) {
            let split = words::lines(text).into_iter().map(Value::from).collect::<Vec<_>>();
            returned.insert(format!("{name}_lines"), split.into());
        }
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rehearsal::Rehearsal;
    use super::*;

    #[test]
    fn runs_words_with_variables_expanded() {
        let mut stage = Rehearsal::new();
        stage.environment.insert("WHO".into(), "me".into());
        let result = stage.run("command", json!({"_raw_params": "echo $WHO '$WHO' $NOBODY ~/x"}));
        assert_eq!(result["stdout"], format!("me me $NOBODY {}/x", stage.home().display()));
        assert_eq!(result["cmd"], json!(["echo", "$WHO", "$WHO", "$NOBODY", "~/x"]));
        assert_eq!((&result["rc"], &result["changed"]), (&json!(0), &json!(true)));
        assert!(result["start"].as_str().unwrap().starts_with("20"));
        let result = stage.run("command", json!({"argv": ["echo", "$WHO", 5], "expand_argument_vars": false}));
        assert_eq!(result["stdout"], "$WHO 5");
    }

    #[test]
    fn shell_fails_by_its_code_and_keeps_output() {
        let mut stage = Rehearsal::new();
        let result = stage.run("shell", json!({"_raw_params": "echo a; echo b >&2; exit 3"}));
        assert_eq!(result["msg"], "non-zero return code");
        assert_eq!((&result["rc"], &result["failed"], &result["changed"]), (&json!(3), &json!(true), &json!(true)));
        assert_eq!((&result["stdout"], &result["stderr_lines"]), (&json!("a"), &json!(["b"])));
    }

    #[test]
    fn creates_and_removes_decide() {
        let mut stage = Rehearsal::new();
        std::fs::write(stage.home().join("there.txt"), "").unwrap();
        let result = stage.run("shell", json!({"_raw_params": "exit 1", "creates": "there.*"}));
        assert_eq!(result["msg"], "Did not run command since 'there.*' exists");
        assert_eq!((&result["rc"], &result["changed"]), (&json!(0), &json!(false)));
        let result = stage.run("shell", json!({"_raw_params": "exit 1", "removes": "gone"}));
        assert_eq!(result["stdout"], "skipped, since gone does not exist");
        stage.check = true;
        let result = stage.run("shell", json!({"_raw_params": "exit 1", "creates": "gone"}));
        assert_eq!((&result["changed"], result.get("skipped")), (&json!(true), None));
        let result = stage.run("shell", json!({"_raw_params": "exit 1"}));
        assert_eq!((&result["changed"], &result["skipped"]), (&json!(false), &json!(true)));
        assert_eq!(result["msg"], "Command would have run if not in check mode");
    }

    #[test]
    fn stdin_gets_its_newline() {
        let mut stage = Rehearsal::new();
        let result = stage.run("command", json!({"cmd": "cat", "stdin": "a", "strip_empty_ends": false}));
        assert_eq!(result["stdout"], "a\n");
        let args = json!({"cmd": "cat", "stdin": "a", "stdin_add_newline": false, "strip_empty_ends": false});
        assert_eq!(stage.run("command", args)["stdout"], "a");
    }

    #[test]
    fn what_cannot_start_is_told() {
        let mut stage = Rehearsal::new();
        let result = stage.run("command", json!({"cmd": "no-such-program a"}));
        assert_eq!((&result["rc"], &result["cmd"]), (&json!(2), &json!("no-such-program a")));
        assert_eq!(result["msg"], "Error executing command.");
        let result = stage.run("command", json!({"cmd": "true", "chdir": "/no/such"}));
        assert_eq!(result["msg"], "Unable to change directory before execution.");
        let result = stage.run("command", json!({"cmd": "true", "chdir": "/dev/null"}));
        assert_eq!(
            result["exception"],
            "Unable to change directory before execution: [Errno 20] Not a directory: b'/dev/null'"
        );
        let result = stage.run("command", json!({"cmd": "echo 'a"}));
        assert_eq!(result["msg"], "Task failed: Module failed: No closing quotation");
    }

    #[test]
    fn chdir_is_where_creates_is_sought() {
        let mut stage = Rehearsal::new();
        std::fs::create_dir(stage.home().join("d")).unwrap();
        std::fs::write(stage.home().join("d/f"), "").unwrap();
        let result = stage.run("command", json!({"cmd": "ls", "chdir": "d"}));
        assert_eq!(result["stdout"], "f");
        let result = stage.run("command", json!({"cmd": "ls", "chdir": "d", "creates": "f"}));
        assert_eq!(result["changed"], false);
    }
}
