//! A path as a playbook wrote it and as the worker opens it.

use std::path::{Path, PathBuf};

use super::Context;
use super::words;

/// A path in its two forms: what the return values show, and what is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `~` and `$NAME` expanded; relative where the playbook wrote it so.
    pub shown: String,
    /// Absolute: relative paths start at the login HOME.
    pub path: PathBuf,
}

impl Place {
    /// Expands a path argument.
    pub fn new(written: &str, context: &Context) -> Self {
        let shown = expand(written, context);
        let path = context.home.join(&shown);
        Self { shown, path }
    }
    /// A path below this one.
    #[must_use]
    pub fn join(&self, tail: impl AsRef<Path>) -> Self {
        let tail = tail.as_ref();
        Self { shown: Path::new(&self.shown).join(tail).to_string_lossy().into_owned(), path: self.path.join(tail) }
    }
    /// Another path, opened and shown alike.
    pub fn absolute(path: PathBuf) -> Self {
        Self { shown: path.to_string_lossy().into_owned(), path }
    }
    /// The folder that it is in, in both forms.
    pub fn parent(&self) -> Option<Self> {
        let path = self.path.parent()?.to_owned();
        let shown = Path::new(&self.shown).parent().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        Some(Self { shown, path })
    }
}

/// Expands `~` and `$NAME` as Ansible does for arguments of type `path`.
pub fn expand(written: &str, context: &Context) -> String {
    let variables = words::expand_variables(written, context.environment);
    words::expand_user(&variables, &context.home, context.environment)
}
