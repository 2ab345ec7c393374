//! Who runs the steps, with which environment and which Python.

use nix::unistd::{Uid, User, getegid, geteuid, getgid, getuid};
use serde_json::{Value, json};

use super::super::{Context, Program, search_path};
use super::{Facts, facts};

pub(super) fn gather() -> Facts {
    let mut told = facts([
        ("real_user_id", json!(getuid().as_raw())),
        ("effective_user_id", json!(geteuid().as_raw())),
        ("real_group_id", json!(getgid().as_raw())),
        ("effective_group_id", json!(getegid().as_raw())),
        ("user_uid", json!(geteuid().as_raw())),
        ("user_gid", json!(getegid().as_raw())),
    ]);
    if let Ok(Some(user)) = User::from_uid(Uid::effective()) {
        told.extend(facts([
            ("user_id", json!(user.name)),
            ("user_gid", json!(user.gid.as_raw())),
            ("user_gecos", json!(user.gecos.to_string_lossy())),
            ("user_dir", json!(user.dir.to_string_lossy())),
            ("user_shell", json!(user.shell.to_string_lossy())),
        ]));
    }
    told
}

pub(super) fn environment(context: &Context) -> Facts {
    facts([("env", json!(context.environment))])
}

/// Asks the Python that is found first; tells nothing where there is none.
pub(super) fn python(context: &mut Context) -> Facts {
    const QUESTION: &str = "import sys; v = sys.version_info; \
        print(v[0], v[1], v[2], v[3], v[4], sys.implementation.name, sys.executable)";
    let mut ask = || {
        let names = ["python3", "python"];
        let program = names.iter().find_map(|name| search_path::find(name, context.environment))?;
        let program = program.to_string_lossy().into_owned();
        let argv = [program.as_str(), "-I", "-S", "-c", QUESTION].map(str::to_owned).to_vec();
        let end = context.programs.run(Program { argv, ..Program::default() }).ok()?;
        (end.rc == 0).then_some(end.stdout)
    };
    ask().and_then(|answer| describe(&answer)).unwrap_or_default()
}

fn describe(answer: &str) -> Option<Facts> {
    let fields: Vec<&str> = answer.trim().splitn(7, ' ').collect();
    let [major, minor, micro, level, serial, kind, executable] = fields.as_slice() else { return None };
    let number = |text: &str| text.parse::<u64>().ok();
    let (major, minor, micro, serial) = (number(major)?, number(minor)?, number(micro)?, number(serial)?);
    let python: Value = json!({
        "executable": executable,
        "has_sslcontext": true,
        "type": kind,
        "version": {"major": major, "minor": minor, "micro": micro, "releaselevel": level, "serial": serial},
        "version_info": [major, minor, micro, level, serial],
    });
    Some(facts([("python", python), ("python_version", json!(format!("{major}.{minor}.{micro}")))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pythons_answer() {
        let told = describe("3 11 2 final 0 cpython /usr/bin/my python3\n").unwrap();
        assert_eq!(told["python_version"], "3.11.2");
        assert_eq!(told["python"]["version_info"], json!([3, 11, 2, "final", 0]));
        assert_eq!(told["python"]["executable"], "/usr/bin/my python3");
        assert!(describe("").is_none());
    }
}
