//! The agent's command line. Nothing secret ever stands in it: every user of the machine can read it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// What this process is.
#[derive(Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves one channel on stdin and stdout.
    Connect(Connect),
    /// Owns one step.
    Supervise {
        /// The step's folder.
        folder: PathBuf,
    },
    /// Runs a module as another user; the order comes by stdin.
    Exec,
    /// Prints its version.
    Version,
}

/// Which worker a channel speaks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Connect {
    /// The run.
    pub run: String,
    /// The worker's name.
    pub host: String,
    /// Which machine carries the name.
    pub incarnation: u32,
    /// The agent's own folder, where it is not the usual one.
    pub base: Option<PathBuf>,
    /// The login HOME, where `$HOME` is not it.
    pub home: Option<PathBuf>,
}

/// Why the command line was not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No such role.
    #[error("usage: dayfly-agent connect|supervise|exec|--version")]
    Role,
    /// An option that the role needs.
    #[error("missing or malformed --{0}")]
    Option(&'static str),
    /// Something else.
    #[error("unexpected argument {0}")]
    Unexpected(String),
}

/// Reads the arguments after the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Role, UsageError> {
    let mut arguments = arguments.into_iter();
    let role = arguments.next().ok_or(UsageError::Role)?;
    let mut options: BTreeMap<String, OsString> = BTreeMap::new();
    let mut folder = None;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        if let Some(name) = text.strip_prefix("--") {
            let value = arguments.next().ok_or_else(|| UsageError::Unexpected(text.clone()))?;
            options.insert(name.to_owned(), value);
        } else if folder.is_none() {
            folder = Some(PathBuf::from(argument));
        } else {
            return Err(UsageError::Unexpected(text));
        }
    }
    let mut text = |name: &'static str| {
        options.remove(name).and_then(|value| value.into_string().ok()).ok_or(UsageError::Option(name))
    };
    match role.to_str() {
        Some("connect") => Ok(Role::Connect(Connect {
            run: text("run")?,
            host: text("host")?,
            incarnation: text("incarnation")?.parse().map_err(|_| UsageError::Option("incarnation"))?,
            base: options.remove("base").map(PathBuf::from),
            home: options.remove("home").map(PathBuf::from),
        })),
        Some("supervise") => Ok(Role::Supervise { folder: folder.ok_or(UsageError::Role)? }),
        Some("exec") => Ok(Role::Exec),
        Some("--version") => Ok(Role::Version),
        _ => Err(UsageError::Role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Role, UsageError> {
        parse(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn connect_names_its_worker() {
        let role = read("connect --run r --host work-0 --incarnation 2 --base /b").unwrap();
        let Role::Connect(connect) = role else { panic!("{role:?}") };
        assert_eq!((connect.host.as_str(), connect.incarnation), ("work-0", 2));
        assert_eq!(connect.base, Some(PathBuf::from("/b")));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read("connect --run r --host h"), Err(UsageError::Option("incarnation")));
        assert_eq!(read("connect --run r --host h --incarnation x"), Err(UsageError::Option("incarnation")));
        assert_eq!(read("fly"), Err(UsageError::Role));
    }
}
