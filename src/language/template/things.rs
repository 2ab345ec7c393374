//! Values that are no data: functions, macros, loops, namespaces, `hostvars`, dates.

use std::cell::{Cell, RefCell};

use indexmap::IndexMap;
use jiff::civil::DateTime;
use serde_json::Value;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::python::repr::repr;
use crate::language::template::val::Val;

/// The state of a `{% for %}` loop.
#[derive(Debug)]
pub(super) struct Loop {
    /// All items.
    pub items: Vec<Val>,
    /// Index of the present one.
    pub at: Cell<usize>,
    /// Nesting of a recursive loop, from 0.
    pub depth: usize,
    /// What `changed()` saw last.
    pub last: RefCell<Option<Vec<Val>>>,
}

/// A value that is no data.
#[derive(Debug)]
pub(super) enum Thing {
    /// A global function, by name.
    Function(&'static str),
    /// A method of a value, not called yet.
    Method(Val, String),
    /// A macro, by its number in the interpreter.
    Macro(usize),
    /// `loop`
    Loop(Loop),
    /// `namespace()`
    Namespace(RefCell<IndexMap<String, Val>>),
    /// `range()`: start, stop, step.
    Range(i128, i128, i128),
    /// `hostvars`, with its hosts.
    HostVars(Vec<String>),
    /// One host of `hostvars`, with the names of its variables.
    Host(String, Vec<String>),
    /// `vars`, with its names.
    Vars(Vec<String>),
    /// `cycler()`
    Cycler(Vec<Val>, Cell<usize>),
    /// `joiner()`
    Joiner(String, Cell<bool>),
    /// A `datetime`.
    Date(DateTime),
    /// A `timedelta`, microseconds.
    Delta(i64),
    /// What `groupby` gives: grouper and list.
    Group(Val, Val),
}

impl Thing {
    /// Python's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Function(_) => "function",
            Self::Method(..) => "builtin_function_or_method",
            Self::Macro(_) => "Macro",
            Self::Loop(_) => "LoopContext",
            Self::Namespace(_) => "Namespace",
            Self::Range(..) => "range",
            Self::HostVars(_) => "HostVars",
            Self::Host(..) | Self::Vars(_) => "dict",
            Self::Cycler(..) => "Cycler",
            Self::Joiner(..) => "Joiner",
            Self::Date(_) => "datetime",
            Self::Delta(_) => "timedelta",
            Self::Group(..) => "GroupTuple",
        }
    }
    /// `bool()`
    pub fn truthy(&self) -> bool {
        match self {
            Self::Range(start, stop, step) => range_len(*start, *stop, *step) > 0,
            Self::HostVars(names) | Self::Host(_, names) | Self::Vars(names) => !names.is_empty(),
            Self::Delta(micros) => *micros != 0,
            _ => true,
        }
    }
    /// Items, where it can be iterated.
    pub fn iterate(&self) -> Option<Vec<Val>> {
        Some(match self {
            Self::Range(start, stop, step) => {
                let count = range_len(*start, *stop, *step);
                (0..count).map(|index| Val::Int(start + step * index)).collect()
            }
            Self::HostVars(names) | Self::Host(_, names) | Self::Vars(names) => names.iter().map(Val::text).collect(),
            Self::Group(grouper, list) => vec![grouper.clone(), list.clone()],
            Self::Loop(state) => state.items.clone(),
            _ => return None,
        })
    }
    /// `key in thing`, where it is quicker than iterating.
    pub fn contains(&self, key: &Val) -> Option<bool> {
        match (self, key) {
            (Self::HostVars(names) | Self::Host(_, names) | Self::Vars(names), Val::Str(name)) => {
                Some(names.iter().any(|known| known.as_str() == &**name))
            }
            (Self::Range(start, stop, step), Val::Int(value)) => {
                let count = range_len(*start, *stop, *step);
                let offset = value - start;
                Some(offset % step == 0 && (0..count).contains(&(offset / step)))
            }
            _ => None,
        }
    }
    /// As a final value.
    pub fn to_json(&self) -> Outcome<Value> {
        match self {
            Self::Range(..) => fail!("a range is no value; make a list of it: `range(…) | list`"),
            Self::HostVars(_) | Self::Host(..) | Self::Vars(_) => {
                fail!("`hostvars` and `vars` are no values as a whole; name the variable")
            }
            Self::Date(_) | Self::Delta(_) => Ok(Value::String(self.text())),
            Self::Group(grouper, list) => Ok(Value::Array(vec![grouper.to_json()?, list.to_json()?])),
            Self::Namespace(names) => names
                .borrow()
                .iter()
                .map(|(name, value)| Ok((name.clone(), value.to_json()?)))
                .collect::<Outcome<serde_json::Map<_, _>>>()
                .map(Value::Object),
            other => fail!("a {} is no value that can be stored", other.type_name()),
        }
    }
    /// `str()`
    pub fn text(&self) -> String {
        match self {
            Self::Range(start, stop, 1) => format!("range({start}, {stop})"),
            Self::Range(start, stop, step) => format!("range({start}, {stop}, {step})"),
            Self::Date(date) => date_text(*date, " "),
            Self::Delta(micros) => delta_text(*micros),
            Self::Group(grouper, list) => format!("({}, {})", repr(grouper), repr(list)),
            Self::Namespace(names) => {
                let parts: Vec<_> =
                    names.borrow().iter().map(|(name, value)| format!("'{name}': {}", repr(value))).collect();
                format!("<Namespace {{{}}}>", parts.join(", "))
            }
            other => format!("<{}>", other.type_name()),
        }
    }
}

/// How many numbers a range has.
pub(super) fn range_len(start: i128, stop: i128, step: i128) -> i128 {
    if step > 0 && start < stop {
        (stop - start - 1) / step + 1
    } else if step < 0 && start > stop {
        (start - stop - 1) / -step + 1
    } else {
        0
    }
}

/// `isoformat()` with the given separator; microseconds only where there are some.
pub(super) fn date_text(date: DateTime, separator: &str) -> String {
    let micros = date.subsec_nanosecond() / 1000;
    let base = format!(
        "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        date.hour(),
        date.minute(),
        date.second()
    );
    if micros == 0 { base } else { format!("{base}.{micros:06}") }
}

/// Days, seconds and microseconds as Python normalises them.
pub(super) fn delta_parts(micros: i64) -> (i64, i64, i64) {
    let days = micros.div_euclid(86_400_000_000);
    let rest = micros.rem_euclid(86_400_000_000);
    (days, rest / 1_000_000, rest % 1_000_000)
}

fn delta_text(micros: i64) -> String {
    let (days, seconds, rest) = delta_parts(micros);
    let clock = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let clock = if rest == 0 { clock } else { format!("{clock}.{rest:06}") };
    match days {
        0 => clock,
        1 | -1 => format!("{days} day, {clock}"),
        _ => format!("{days} days, {clock}"),
    }
}
