//! Tests of types, of numbers and of comparisons.

use std::cmp::Ordering;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters;
use crate::language::template::machine::Machine;
use crate::language::template::predicates::{self, Args, Predicate, predicate};
use crate::language::template::python::compare::{contains, equal, order};
use crate::language::template::val::Val;

pub(super) const TABLE: &[Predicate] = &[
    predicate("none", &["value"], |_, args| Ok(matches!(args.value(), Val::None))),
    predicate("boolean", &["value"], |_, args| Ok(matches!(args.value(), Val::Bool(_)))),
    predicate("true", &["value"], |_, args| Ok(matches!(args.value(), Val::Bool(true)))),
    predicate("false", &["value"], |_, args| Ok(matches!(args.value(), Val::Bool(false)))),
    predicate("integer", &["value"], |_, args| Ok(matches!(args.value(), Val::Int(_)))),
    predicate("float", &["value"], |_, args| Ok(matches!(args.value(), Val::Float(_)))),
    predicate("number", &["value"], |_, args| Ok(args.value().as_float().is_some())),
    predicate("string", &["value"], |_, args| Ok(matches!(args.value(), Val::Str(_)))),
    predicate("mapping", &["value"], |_, args| Ok(args.value().type_name() == "dict")),
    predicate("sequence", &["value"], |_, args| {
        Ok(matches!(args.value(), Val::Str(_) | Val::Dict(_)) || args.value().is_sequence())
    }),
    predicate("iterable", &["value"], |_, args| Ok(args.value().iterate().is_ok())),
    predicate("callable", &["value"], |_, args| {
        Ok(matches!(args.value().type_name(), "function" | "builtin_function_or_method" | "Macro"))
    }),
    predicate("escaped", &["value"], |_, _| Ok(false)),
    predicate("sameas", &["value", "other"], same),
    predicate("in", &["value", "seq"], |_, args| contains(args.needed(1, "seq")?, args.value())),
    predicate("eq", &["value", "other"], is_equal),
    predicate("equalto", &["value", "other"], is_equal),
    predicate("==", &["value", "other"], is_equal),
    predicate("ne", &["value", "other"], |machine, args| Ok(!is_equal(machine, args)?)),
    predicate("!=", &["value", "other"], |machine, args| Ok(!is_equal(machine, args)?)),
    predicate("lt", &["value", "other"], |_, args| ordered(args, "<", &[Ordering::Less])),
    predicate("lessthan", &["value", "other"], |_, args| ordered(args, "<", &[Ordering::Less])),
    predicate("<", &["value", "other"], |_, args| ordered(args, "<", &[Ordering::Less])),
    predicate("le", &["value", "other"], |_, args| ordered(args, "<=", &[Ordering::Less, Ordering::Equal])),
    predicate("<=", &["value", "other"], |_, args| ordered(args, "<=", &[Ordering::Less, Ordering::Equal])),
    predicate("gt", &["value", "other"], |_, args| ordered(args, ">", &[Ordering::Greater])),
    predicate("greaterthan", &["value", "other"], |_, args| ordered(args, ">", &[Ordering::Greater])),
    predicate(">", &["value", "other"], |_, args| ordered(args, ">", &[Ordering::Greater])),
    predicate("ge", &["value", "other"], |_, args| ordered(args, ">=", &[Ordering::Greater, Ordering::Equal])),
    predicate(">=", &["value", "other"], |_, args| ordered(args, ">=", &[Ordering::Greater, Ordering::Equal])),
    predicate("even", &["value"], |_, args| Ok(whole(args.value())? % 2 == 0)),
    predicate("odd", &["value"], |_, args| Ok(whole(args.value())? % 2 != 0)),
    predicate("divisibleby", &["value", "num"], |_, args| match whole(args.needed(1, "num")?)? {
        0 => fail!("integer modulo by zero"),
        divisor => Ok(whole(args.value())? % divisor == 0),
    }),
    predicate("lower", &["value"], |_, args| {
        let text = args.value().to_string();
        Ok(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase))
    }),
    predicate("upper", &["value"], |_, args| {
        let text = args.value().to_string();
        Ok(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase))
    }),
    predicate("filter", &["value"], |_, args| Ok(filters::known(&args.value().to_string()))),
    predicate("test", &["value"], |_, args| Ok(predicates::known(&args.value().to_string()))),
    predicate("nan", &["value"], |_, args| Ok(args.value().as_float().is_some_and(f64::is_nan))),
    predicate("isnan", &["value"], |_, args| Ok(args.value().as_float().is_some_and(f64::is_nan))),
    predicate("vault_encrypted", &["value"], |_, args| Ok(args.value().to_string().starts_with("$ANSIBLE_VAULT;"))),
    predicate("url", &["value"], |_, args| {
        let text = args.value().to_string();
        Ok(text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()))
    }),
    predicate("truthy", &["value", "convert_bool"], truthy),
    predicate("falsy", &["value", "convert_bool"], |machine, args| Ok(!truthy(machine, args)?)),
];

fn is_equal(_: &Machine, args: &Args) -> Outcome<bool> {
    Ok(equal(args.value(), args.needed(1, "b")?))
}

fn ordered(args: &Args, sign: &str, wanted: &[Ordering]) -> Outcome<bool> {
    Ok(order(args.value(), args.needed(1, "b")?, sign)?.is_some_and(|found| wanted.contains(&found)))
}

fn whole(value: &Val) -> Outcome<i128> {
    match (value.as_int(), value) {
        (Some(number), _) => Ok(number),
        (None, Val::Float(number)) => Ok(*number as i128),
        _ => fail!("unsupported operand type(s) for %: '{}' and 'int'", value.type_name()),
    }
}

fn same(_: &Machine, args: &Args) -> Outcome<bool> {
    let other = args.needed(1, "other")?;
    Ok(match (args.value(), other) {
        (Val::List(a), Val::List(b)) => std::rc::Rc::ptr_eq(a, b),
        (Val::Dict(a), Val::Dict(b)) => std::rc::Rc::ptr_eq(a, b),
        (a, b) => a.type_name() == b.type_name() && equal(a, b),
    })
}

fn truthy(_: &Machine, args: &Args) -> Outcome<bool> {
    if args.flag(1, false)? {
        match args.value().to_string().to_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => return Ok(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => return Ok(false),
            _ => {}
        }
    }
    args.value().truthy()
}
