//! `raw`: a line for the login shell, nothing asked of the worker.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::{Context, Program, Returned, arguments, command};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    #[serde(alias = "_raw_params")]
    cmd: String,
    #[serde(default, deserialize_with = "arguments::filled")]
    executable: Option<String>,
}

/// Runs the line.
pub fn run(args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    if context.check {
        return Ok(Returned::from_iter([("skipped".to_owned(), json!(true)), ("changed".to_owned(), json!(false))]));
    }
    let shell = args.executable.unwrap_or_else(|| "/bin/sh".to_owned());
    run_line(shell, args.cmd, None, context)
}

/// Runs a line in a shell and returns what an action of Ansible's returns: no times, ends not stripped.
pub fn run_line(
    shell: String,
    line: String,
    chdir: Option<std::path::PathBuf>,
    context: &mut Context,
) -> Result<Returned, Failure> {
    let name = shell.clone();
    let program = Program { argv: vec![shell, "-c".to_owned(), line], chdir, is_main: true, ..Program::default() };
    let end = context.programs.run(program).map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::PermissionDenied { 126 } else { 127 };
        Failure::new(format!("cannot run {name}: {}", failure::reason(&error))).with("rc", code)
    })?;
    let mut returned = Returned::from_iter([
        ("rc".to_owned(), json!(end.rc)),
        ("stdout".to_owned(), end.stdout.into()),
        ("stderr".to_owned(), end.stderr.into()),
        ("changed".to_owned(), json!(true)),
    ]);
    command::note_cut(&mut returned, end.cut);
    command::with_lines(&mut returned);
    if end.rc == 0 { Ok(returned) } else { Err(Failure::returning(returned, "non-zero return code")) }
}

#[cfg(test)]
mod tests {
    use super::super::rehearsal::Rehearsal;
    use super::*;

    #[test]
    fn output_is_left_as_it_is() {
        let mut stage = Rehearsal::new();
        let result = stage.run("raw", json!({"_raw_params": "echo hi; exit 3"}));
        assert_eq!((&result["stdout"], &result["rc"]), (&json!("hi\n"), &json!(3)));
        assert_eq!((&result["failed"], &result["changed"]), (&json!(true), &json!(true)));
        let result = stage.run("raw", json!({"_raw_params": "x", "executable": "/bin/echo"}));
        assert_eq!(result["stdout"], "-c x\n");
        assert_eq!(result.get("output_cut"), None);
        let result = stage.run("raw", json!({"cmd": "head -c 2000000 /dev/zero"}));
        assert_eq!(result["output_cut"], true);
        stage.check = true;
        let result = stage.run("raw", json!({"_raw_params": "echo hi"}));
        assert_eq!((&result["skipped"], result.get("stdout")), (&json!(true), None));
    }
}
