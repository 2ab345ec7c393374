//! Jinja2 as Ansible uses it: native values, Ansible's filters and tests, undefined exactly as there, variables rendered
//! when they are read.

#![expect(clippy::mutable_key_type, reason = "only values that cannot change become keys, as in Python")]

mod access;
mod calls;
mod error;
mod expr;
mod filters;
mod functions;
mod inspect;
mod interp;
mod loops;
mod machine;
mod methods;
mod predicates;
mod python;
mod source;
mod templar;
#[cfg(test)]
mod tests;
mod things;
mod val;

use serde_json::Value;

use crate::core::values::Var;

pub use filters::{SeededRandom, hash_password};
pub use inspect::{Inspection, Kind, Sort, Unknown, Variable, inspect};
pub use source::{FileOptions, Includes, is_template};
pub use templar::Templar;

/// What `omit` renders to where nothing can leave it out: the whole value.
pub const OMIT: &str = "__omit_place_holder__dayfly__";

/// Where a template finds variables. Asked by name when a name is read; the answer is rendered if it is a template.
pub trait Scope: Send + Sync {
    /// The variable of a name, if there is one.
    fn get(&self, name: &str) -> Option<Var>;
    /// All names, for `vars` and for "did you mean".
    fn names(&self) -> Vec<String>;
    /// The scope of another host, for `hostvars`; none where there is no such host.
    fn host(&self, name: &str) -> Option<std::sync::Arc<dyn Scope>>;
    /// The hosts that `hostvars` has, in order.
    fn hosts(&self) -> Vec<String>;
}

/// The one door to what is not a function of the variables: time, chance, lookups. The engine pins each answer in the
/// journal under the step's key and the ordinal of the question, so that a replay gets the same one.
pub trait Doors: Send + Sync {
    /// A lookup plugin: `file`, `env`, `password`, `pipe`, `template`, … with its terms and options, wanting a list.
    /// `scope` is there for lookups that render (`template`).
    fn lookup(
        &self,
        name: &str,
        terms: &[Value],
        options: &serde_json::Map<String, Value>,
        scope: &std::sync::Arc<dyn Scope>,
    ) -> Result<Vec<Value>, String>;
    /// What a path is on the machine of the playbook: `directory`, `file`, `link`, `exists`, `link_exists`, `mount`, or
    /// `same_file` as `other`.
    fn path_is(&self, test: &str, path: &str, other: Option<&str>) -> Result<bool, String>;
    /// The present time, UNIX milliseconds (`now()`).
    fn now_ms(&self) -> Result<i64, String>;
    /// A random 64-bit number (`random`, `shuffle`, salts), when there is no seed.
    fn random(&self) -> Result<u64, String>;
}

/// Why a template could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// As Ansible would say it: `'foo' is undefined`.
    pub message: String,
    /// True where the cause is a variable that is not defined.
    pub undefined: bool,
    /// The byte range inside the template text, where known.
    pub range: Option<std::ops::Range<usize>>,
}
