//! What goes wrong inside a template, before it becomes the [`TemplateError`] that callers see.

use std::ops::Range;
use std::rc::Rc;

use crate::language::template::TemplateError;

/// A value that is not there, and why. It travels through attributes and filters until something needs its value.
#[derive(Debug, PartialEq)]
pub(super) struct Undef {
    /// As Ansible would say it.
    pub message: String,
    /// The name of the variable or attribute.
    pub name: Option<String>,
    /// True where it stands for another failure while a variable was rendered: `default` does not help then.
    pub captured: bool,
    /// True for an inline `if` without `else`: in text it is nothing, in a condition it is false.
    pub soft: bool,
}

/// A failure with the place in the template where it came up.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// What is wrong.
    pub message: String,
    /// The value that was missing, where that is the cause.
    pub undef: Option<Rc<Undef>>,
    /// Byte range in the template text.
    pub range: Option<Range<usize>>,
}

impl Fault {
    /// A failure that is not about a missing value.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), undef: None, range: None }
    }
    /// Something needed the value that is missing.
    pub fn missing(undef: &Rc<Undef>) -> Self {
        Self { message: undef.message.clone(), undef: Some(undef.clone()), range: None }
    }
    /// Adds the place unless a closer one is known.
    pub fn at(mut self, range: Range<usize>) -> Self {
        self.range.get_or_insert(range);
        self
    }
    /// The marker that stands for this failure in the value of a variable.
    pub fn marker(&self) -> Rc<Undef> {
        match &self.undef {
            Some(undef) => undef.clone(),
            None => Rc::new(Undef { message: self.message.clone(), name: None, captured: true, soft: false }),
        }
    }
}

impl From<Fault> for TemplateError {
    fn from(fault: Fault) -> Self {
        Self { undefined: fault.undef.is_some_and(|undef| !undef.captured), message: fault.message, range: fault.range }
    }
}

/// The result of everything that evaluates.
pub(super) type Outcome<T> = Result<T, Fault>;

/// Leaves with a formatted [`Fault`].
macro_rules! fail {
    ($($part:tt)*) => { return Err($crate::language::template::error::Fault::new(format!($($part)*))) };
}
pub(super) use fail;
