//! The values that a template computes with: Python's, as far as playbooks can see them. Lists and dictionaries are
//! shared and mutable, because `list.append` is what playbooks use.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use crate::language::template::OMIT;
use crate::language::template::error::{Fault, Outcome, Undef, fail};
use crate::language::template::python::compare::equal;
use crate::language::template::things::Thing;

/// A shared list.
pub(super) type List = Rc<RefCell<Vec<Val>>>;
/// A shared dictionary.
pub(super) type Dict = Rc<RefCell<IndexMap<Val, Val>>>;

/// How deep containers may stand in each other; a list that contains itself ends here.
const MAX_DEPTH: usize = 128;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Val {
    /// Not there.
    Undef(Rc<Undef>),
    /// `none`.
    None,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a point.
    Float(f64),
    /// Text.
    Str(Rc<str>),
    /// A list.
    List(List),
    /// A tuple.
    Tuple(Rc<Vec<Val>>),
    /// A dictionary.
    Dict(Dict),
    /// `omit`.
    Omit,
    /// What is no data: functions, loops, `hostvars`, dates.
    Thing(Rc<Thing>),
}

impl Val {
    /// Text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Str(Rc::from(text.as_ref()))
    }
    /// A new list.
    pub fn list(items: impl IntoIterator<Item = Val>) -> Self {
        Self::List(Rc::new(RefCell::new(items.into_iter().collect())))
    }
    /// A new tuple.
    pub fn tuple(items: impl IntoIterator<Item = Val>) -> Self {
        Self::Tuple(Rc::new(items.into_iter().collect()))
    }
    /// A new dictionary.
    pub fn dict(pairs: impl IntoIterator<Item = (Val, Val)>) -> Self {
        Self::Dict(Rc::new(RefCell::new(pairs.into_iter().collect())))
    }
    /// A value that is no data.
    pub fn thing(thing: Thing) -> Self {
        Self::Thing(Rc::new(thing))
    }
    /// A variable that is not defined.
    pub fn undefined(name: &str) -> Self {
        Self::Undef(Rc::new(Undef {
            message: format!("'{name}' is undefined"),
            name: Some(name.to_owned()),
            captured: false,
            soft: false,
        }))
    }
    /// What an inline `if` without `else` gives.
    pub fn nothing(message: &str) -> Self {
        Self::Undef(Rc::new(Undef { message: message.to_owned(), name: None, captured: false, soft: true }))
    }
    /// Something missing, with the words for it.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::Undef(Rc::new(Undef { message: message.into(), name: None, captured: false, soft: false }))
    }

    /// Data as it is, never a template.
    pub fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::from_number(number),
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::list(items.iter().map(Self::from_json)),
            Value::Object(pairs) => {
                Self::dict(pairs.iter().map(|(key, value)| (Self::text(key), Self::from_json(value))))
            }
        }
    }
    /// A JSON number.
    pub fn from_number(number: &Number) -> Self {
        match (number.as_i128(), number.as_f64()) {
            (Some(value), _) => Self::Int(value),
            (None, Some(value)) => Self::Float(value),
            (None, None) => Self::None,
        }
    }
    /// The final result: `omit` leaves its containers, missing values fail, iterators become lists.
    pub fn to_json(&self) -> Outcome<Value> {
        self.finalize(0)
    }

    fn finalize(&self, depth: usize) -> Outcome<Value> {
        if depth > MAX_DEPTH {
            fail!("a value contains itself, or is nested deeper than {MAX_DEPTH} levels");
        }
        Ok(match self {
            Self::Undef(undef) => return Err(Fault::missing(undef)),
            Self::None => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => match i64::try_from(*value) {
                Ok(value) => Value::from(value),
                Err(_) => u64::try_from(*value).map_or_else(|_| float(*value as f64), Value::from),
            },
            Self::Float(value) => float(*value),
            Self::Str(text) => Value::String(text.to_string()),
            Self::List(items) => finalize_all(&items.borrow(), depth)?,
            Self::Tuple(items) => finalize_all(items, depth)?,
            Self::Dict(pairs) => {
                let mut map = Map::new();
                for (key, value) in pairs.borrow().iter() {
                    if !matches!(value, Self::Omit) {
                        map.insert(key.key_text(), value.finalize(depth + 1)?);
                    }
                }
                Value::Object(map)
            }
            Self::Omit => Value::String(OMIT.to_owned()),
            Self::Thing(thing) => return thing.to_json(),
        })
    }

    /// A dictionary key as text, as JSON wants it.
    pub fn key_text(&self) -> String {
        match self {
            Self::Str(text) => text.to_string(),
            other => other.to_string(),
        }
    }
    /// Fails where this is a missing value.
    pub fn present(&self) -> Outcome<&Self> {
        match self {
            Self::Undef(undef) => Err(Fault::missing(undef)),
            other => Ok(other),
        }
    }
    /// Python's `bool()`; a missing value fails.
    pub fn truthy(&self) -> Outcome<bool> {
        Ok(match self {
            Self::Undef(undef) if undef.soft => false,
            Self::Undef(undef) => return Err(Fault::missing(undef)),
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) => !items.borrow().is_empty(),
            Self::Tuple(items) => !items.is_empty(),
            Self::Dict(pairs) => !pairs.borrow().is_empty(),
            Self::Omit => true,
            Self::Thing(thing) => thing.truthy(),
        })
    }
    /// The text, where it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }
    /// Whether it can be a key.
    pub fn hashable(&self) -> bool {
        match self {
            Self::List(_) | Self::Dict(_) | Self::Undef(_) => false,
            Self::Tuple(items) => items.iter().all(Self::hashable),
            _ => true,
        }
    }
    /// Python's name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Undef(_) => "UndefinedMarker",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Omit => "Omit",
            Self::Thing(thing) => thing.type_name(),
        }
    }
    /// Python's iteration: items, keys or characters.
    pub fn iterate(&self) -> Outcome<Vec<Val>> {
        Ok(match self {
            Self::Undef(undef) => return Err(Fault::missing(undef)),
            Self::List(items) => items.borrow().clone(),
            Self::Tuple(items) => items.to_vec(),
            Self::Dict(pairs) => pairs.borrow().keys().cloned().collect(),
            Self::Str(text) => text.chars().map(|c| Self::text(c.encode_utf8(&mut [0; 4]))).collect(),
            Self::Thing(thing) => match thing.iterate() {
                Some(items) => items,
                None => fail!("'{}' object is not iterable", self.type_name()),
            },
            other => fail!("'{}' object is not iterable", other.type_name()),
        })
    }
    /// A list, tuple or iterator; not text and not a dictionary.
    pub fn is_sequence(&self) -> bool {
        match self {
            Self::List(_) | Self::Tuple(_) => true,
            Self::Thing(thing) => matches!(**thing, Thing::Range(..)),
            _ => false,
        }
    }
    /// A number, where it is one (booleans count, as in Python).
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }
    /// A number as a float.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            other => other.as_int().map(|value| value as f64),
        }
    }
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| Value::String(Val::Float(value).to_string()), Value::Number)
}

fn finalize_all(items: &[Val], depth: usize) -> Outcome<Value> {
    let kept = items.iter().filter(|item| !matches!(item, Val::Omit));
    kept.map(|item| item.finalize(depth + 1)).collect::<Outcome<Vec<_>>>().map(Value::Array)
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        equal(self, other)
    }
}
impl Eq for Val {}

impl Hash for Val {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Str(text) => text.hash(state),
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 1e30 => (*value as i128).hash(state),
            Self::Float(value) => value.to_bits().hash(state),
            Self::Tuple(items) => items.iter().for_each(|item| item.hash(state)),
            other => other.as_int().unwrap_or_default().hash(state),
        }
    }
}
