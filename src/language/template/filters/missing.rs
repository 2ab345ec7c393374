//! What to do about missing values: `default`, `mandatory`, `ternary`.

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::filters::{Args, Filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::repr::repr;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    Filter { name: "default", params: &["value", "default_value", "boolean"], takes_missing: true, run: default },
    Filter { name: "d", params: &["value", "default_value", "boolean"], takes_missing: true, run: default },
    Filter { name: "mandatory", params: &["value", "msg"], takes_missing: true, run: mandatory },
    Filter {
        name: "ternary",
        params: &["value", "true_val", "false_val", "none_val"],
        takes_missing: true,
        run: ternary,
    },
    Filter { name: "type_debug", params: &["value"], takes_missing: true, run: type_debug },
];

fn default(_: &Machine, args: &Args) -> Outcome<Val> {
    let other = || args.get(1).cloned().unwrap_or_else(|| Val::text(""));
    let boolean = match args.get(2) {
        None => false,
        Some(Val::Bool(boolean)) => *boolean,
        Some(other) => fail!("The 'boolean' argument must be of type 'bool', not '{}'.", other.type_name()),
    };
    Ok(match args.value() {
        Val::Undef(undef) if undef.captured => return Err(Fault::missing(undef)),
        Val::Undef(_) => other(),
        value if boolean && !value.truthy()? => other(),
        value => value.clone(),
    })
}

fn mandatory(_: &Machine, args: &Args) -> Outcome<Val> {
    match args.value() {
        Val::Undef(undef) if !undef.captured => match (args.some_text(1), &undef.name) {
            (Some(message), _) => fail!("{message}"),
            (None, Some(name)) => fail!("Mandatory variable {} not defined.", repr(&Val::text(name))),
            (None, None) => fail!("Mandatory variable not defined."),
        },
        value => Ok(value.clone()),
    }
}

fn ternary(_: &Machine, args: &Args) -> Outcome<Val> {
    let (yes, no) = (args.needed(1, "true_val")?, args.needed(2, "false_val")?);
    Ok(match (args.value(), args.get(3)) {
        (Val::None, Some(none)) if !matches!(none, Val::None) => none.clone(),
        (value, _) if value.truthy()? => yes.clone(),
        _ => no.clone(),
    })
}

fn type_debug(_: &Machine, args: &Args) -> Outcome<Val> {
    Ok(Val::text(args.value().type_name()))
}
