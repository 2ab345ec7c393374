//! Why a module failed, in Ansible's words, with the values that it returns beside `msg`.

use std::io;

use serde_json::Value;

use super::Returned;

/// A module's failure: what it returns beside `failed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure(Returned);

impl Failure {
    /// A failure with a message.
    pub fn new(msg: impl Into<String>) -> Self {
        Self(Returned::new()).with("msg", msg.into())
    }
    /// A failure that Ansible reports as an exception that no module caught.
    pub fn uncaught(reason: impl std::fmt::Display) -> Self {
        Self::new(format!("Task failed: Module failed: {reason}"))
    }
    /// A failure beside everything else that the module has to say.
    pub fn returning(returned: Returned, msg: impl Into<String>) -> Self {
        Self(returned).with("msg", msg.into())
    }
    /// Adds or replaces a return value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }
    /// Adds the reason that Ansible shows people but keeps out of `msg`.
    #[must_use]
    pub fn because(self, reason: impl std::fmt::Display) -> Self {
        let told = format!("{}: {reason}", self.msg().trim_end_matches('.'));
        self.with("exception", told)
    }
    /// Its message.
    pub fn msg(&self) -> &str {
        self.0.get("msg").and_then(Value::as_str).unwrap_or_default()
    }
    /// As Ansible returns it.
    pub fn into_returned(self) -> Returned {
        let mut returned = self.0;
        returned.entry("changed").or_insert(Value::Bool(false));
        returned.insert("failed".into(), Value::Bool(true));
        returned
    }
}

/// What the operating system says, without Rust's `(os error 2)`.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    }
}

/// An error as Python prints it: `[Errno 2] No such file or directory`.
pub fn errno(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => format!("[Errno {code}] {}", reason(error)),
        None => error.to_string(),
    }
}

/// An error at a path as Python prints it: `[Errno 2] No such file or directory: b'/x'`.
pub fn errno_at(error: &io::Error, path: &str) -> String {
    format!("{}: b'{path}'", errno(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_pythons_do() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(errno_at(&error, "/x"), "[Errno 2] No such file or directory: b'/x'");
        assert_eq!(reason(&error), "No such file or directory");
    }

    #[test]
    fn a_failure_keeps_what_it_was_given() {
        let returned = Failure::new("Error executing command.").with("rc", 2).because("gone").into_returned();
        assert_eq!(returned["rc"], 2);
        assert_eq!(returned["failed"], true);
        assert_eq!(returned["changed"], false);
        assert_eq!(returned["exception"], "Error executing command: gone");
    }
}
