//! `+ - * / // % **` and unary minus.

use std::rc::Rc;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::python::percent;
use crate::language::template::things::Thing;
use crate::language::template::val::Val;

/// The longest text or list that `*` may make.
const MAX_REPEATED: usize = 10_000_000;

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::language::template) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
}

impl Operator {
    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Rem => "%",
            Self::Pow => "** or pow()",
        }
    }
}

/// Applies an operator.
pub(in crate::language::template) fn apply(operator: Operator, left: &Val, right: &Val) -> Outcome<Val> {
    left.present()?;
    if operator == Operator::Rem
        && let Val::Str(template) = left
    {
        return percent::format(template, right).map(Val::text);
    }
    right.present()?;
    if let Some(found) = on_containers(operator, left, right)? {
        return Ok(found);
    }
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        return on_integers(operator, a, b);
    }
    if let (Some(a), Some(b)) = (left.as_float(), right.as_float()) {
        return on_floats(operator, a, b);
    }
    if operator == Operator::Add
        && let Val::Str(_) = left
    {
        fail!("can only concatenate str (not \"{}\") to str", right.type_name());
    }
    if operator == Operator::Add
        && let Val::List(_) = left
    {
        fail!("can only concatenate list (not \"{}\") to list", right.type_name());
    }
    fail!("unsupported operand type(s) for {}: '{}' and '{}'", operator.sign(), left.type_name(), right.type_name())
}

fn on_containers(operator: Operator, left: &Val, right: &Val) -> Outcome<Option<Val>> {
    Ok(match (operator, left, right) {
        (Operator::Add, Val::Str(a), Val::Str(b)) => Some(Val::text(format!("{a}{b}"))),
        (Operator::Add, Val::List(a), Val::List(b)) => {
            Some(Val::list(a.borrow().iter().chain(b.borrow().iter()).cloned()))
        }
        (Operator::Add, Val::Tuple(a), Val::Tuple(b)) => Some(Val::tuple(a.iter().chain(b.iter()).cloned())),
        (Operator::Mul, Val::Str(_) | Val::List(_) | Val::Tuple(_), count) if count.as_int().is_some() => {
            Some(repeat(left, count.as_int().unwrap_or_default())?)
        }
        (Operator::Mul, count, Val::Str(_) | Val::List(_) | Val::Tuple(_)) if count.as_int().is_some() => {
            Some(repeat(right, count.as_int().unwrap_or_default())?)
        }
        (_, Val::Thing(a), Val::Thing(b)) => on_dates(operator, a, b),
        _ => None,
    })
}

fn on_dates(operator: Operator, left: &Rc<Thing>, right: &Rc<Thing>) -> Option<Val> {
    let thing = match (operator, &**left, &**right) {
        (Operator::Sub, Thing::Date(a), Thing::Date(b)) => Thing::Delta(b.until(*a).ok()?.total_micros()?),
        (Operator::Add, Thing::Delta(a), Thing::Delta(b)) => Thing::Delta(a.checked_add(*b)?),
        (Operator::Sub, Thing::Delta(a), Thing::Delta(b)) => Thing::Delta(a.checked_sub(*b)?),
        (Operator::Add, Thing::Date(date), Thing::Delta(delta)) => {
            Thing::Date(date.checked_add(jiff::SignedDuration::from_micros(*delta)).ok()?)
        }
        (Operator::Sub, Thing::Date(date), Thing::Delta(delta)) => {
            Thing::Date(date.checked_sub(jiff::SignedDuration::from_micros(*delta)).ok()?)
        }
        _ => return None,
    };
    Some(Val::thing(thing))
}

/// The whole length of a span between two civil times.
trait TotalMicros {
    fn total_micros(self) -> Option<i64>;
}
impl TotalMicros for jiff::Span {
    fn total_micros(self) -> Option<i64> {
        let days = jiff::SpanRelativeTo::days_are_24_hours();
        i64::try_from(self.to_duration(days).ok()?.as_micros()).ok()
    }
}

fn repeat(value: &Val, count: i128) -> Outcome<Val> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    let length = match value {
        Val::Str(text) => text.len(),
        Val::List(items) => items.borrow().len(),
        Val::Tuple(items) => items.len(),
        _ => 0,
    };
    if length.saturating_mul(count) > MAX_REPEATED {
        fail!("repeating this {count} times makes it too long");
    }
    Ok(match value {
        Val::Str(text) => Val::text(text.repeat(count)),
        Val::List(items) => Val::list(std::iter::repeat_n(items.borrow().clone(), count).flatten()),
        Val::Tuple(items) => Val::tuple(std::iter::repeat_n(items.to_vec(), count).flatten()),
        other => other.clone(),
    })
}

fn on_integers(operator: Operator, a: i128, b: i128) -> Outcome<Val> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Sub => a.checked_sub(b),
        Operator::Mul => a.checked_mul(b),
        Operator::Div => return on_floats(operator, a as f64, b as f64),
        Operator::FloorDiv | Operator::Rem if b == 0 => fail!("integer division or modulo by zero"),
        Operator::FloorDiv => Some(floor_div(a, b)),
        Operator::Rem => Some(a - floor_div(a, b) * b),
        Operator::Pow if b < 0 => return on_floats(operator, a as f64, b as f64),
        Operator::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
    };
    match result {
        Some(value) => Ok(Val::Int(value)),
        None => fail!("the number is too large"),
    }
}

fn floor_div(a: i128, b: i128) -> i128 {
    let quotient = a / b;
    if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
}

fn on_floats(operator: Operator, a: f64, b: f64) -> Outcome<Val> {
    Ok(Val::Float(match operator {
        Operator::Add => a + b,
        Operator::Sub => a - b,
        Operator::Mul => a * b,
        Operator::Div if b == 0.0 => fail!("division by zero"),
        Operator::FloorDiv | Operator::Rem if b == 0.0 => fail!("float floor division by zero"),
        Operator::Div => a / b,
        Operator::FloorDiv => (a / b).floor(),
        Operator::Rem => a - (a / b).floor() * b,
        Operator::Pow => a.powf(b),
    }))
}

/// `-value`.
pub(in crate::language::template) fn negate(value: &Val) -> Outcome<Val> {
    Ok(match value.present()? {
        Val::Float(value) => Val::Float(-value),
        other => match other.as_int() {
            Some(value) => Val::Int(-value),
            None => fail!("bad operand type for unary -: '{}'", other.type_name()),
        },
    })
}
