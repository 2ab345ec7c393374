//! Arguments of filters and tests, bound to the names of their parameters.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::val::Val;

/// Bound arguments.
pub(in crate::language::template) struct Args {
    values: Vec<Option<Val>>,
    /// What `*` collected.
    pub rest: Vec<Val>,
    /// What `**` collected.
    pub named: Vec<(String, Val)>,
}

/// Binds arguments as a Python function does.
pub(in crate::language::template) fn bind(name: &str, params: &[&str], given: Given) -> Outcome<Args> {
    let fixed: Vec<&str> = params.iter().filter(|param| !param.starts_with('*')).copied().collect();
    let (takes_rest, takes_named) = (params.contains(&"*"), params.contains(&"**"));
    let mut args = Args { values: vec![None; fixed.len()], rest: Vec::new(), named: Vec::new() };
    let count = given.positional.len();
    for (index, value) in given.positional.into_iter().enumerate() {
        match args.values.get_mut(index) {
            Some(slot) => *slot = Some(value),
            None if takes_rest => args.rest.push(value),
            None => fail!("{name}() takes {} positional arguments but {count} were given", fixed.len()),
        }
    }
    for (key, value) in given.named {
        match fixed.iter().position(|param| *param == key) {
            Some(index) if args.values[index].is_some() => fail!("{name}() got multiple values for argument '{key}'"),
            Some(index) => args.values[index] = Some(value),
            None if takes_named => args.named.push((key, value)),
            None => fail!("{name}() got an unexpected keyword argument '{key}'"),
        }
    }
    Ok(args)
}

impl Args {
    /// The value that is filtered or tested.
    pub fn value(&self) -> &Val {
        const NOTHING: &Val = &Val::None;
        self.values.first().and_then(Option::as_ref).unwrap_or(NOTHING)
    }
    /// An argument, if it was given.
    pub fn get(&self, index: usize) -> Option<&Val> {
        self.values.get(index).and_then(Option::as_ref)
    }
    /// An argument that must be there.
    pub fn needed(&self, index: usize, name: &str) -> Outcome<&Val> {
        match self.get(index) {
            Some(value) => Ok(value),
            None => fail!("missing 1 required positional argument: '{name}'"),
        }
    }
    /// `str()` of an argument, or the default.
    pub fn text(&self, index: usize, default: &str) -> String {
        self.get(index).map_or_else(|| default.to_owned(), ToString::to_string)
    }
    /// Text of an argument that is neither absent nor none.
    pub fn some_text(&self, index: usize) -> Option<String> {
        self.get(index).filter(|value| !matches!(value, Val::None)).map(ToString::to_string)
    }
    /// `bool()` of an argument, or the default.
    pub fn flag(&self, index: usize, default: bool) -> Outcome<bool> {
        self.get(index).map_or(Ok(default), Val::truthy)
    }
    /// A whole number; none counts as not given.
    pub fn int(&self, index: usize) -> Outcome<Option<i128>> {
        match self.get(index) {
            None | Some(Val::None) => Ok(None),
            Some(value) => match (value.as_int(), value) {
                (Some(number), _) => Ok(Some(number)),
                (None, Val::Float(number)) => Ok(Some(*number as i128)),
                (None, Val::Str(text)) if text.trim().parse::<i128>().is_ok() => Ok(text.trim().parse().ok()),
                _ => fail!("'{}' object cannot be interpreted as an integer", value.type_name()),
            },
        }
    }
    /// A count that fits memory.
    pub fn size(&self, index: usize, default: usize) -> Outcome<usize> {
        match self.int(index)? {
            None => Ok(default),
            Some(number) => match usize::try_from(number.max(0)) {
                Ok(size) if size <= 10_000_000 => Ok(size),
                _ => fail!("{number} is too large here"),
            },
        }
    }
    /// A named argument that `**` collected.
    pub fn named(&self, name: &str) -> Option<&Val> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
    /// A named flag that `**` collected.
    pub fn named_flag(&self, name: &str, default: bool) -> Outcome<bool> {
        self.named(name).map_or(Ok(default), Val::truthy)
    }
}
