//! Arithmetic: `abs`, `round`, `log`, `pow`, `root`, sizes for people.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::arithmetic::negate;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("abs", &["value"], abs),
    filter("round", &["value", "precision", "method"], round),
    filter("log", &["value", "base"], log),
    filter("pow", &["value", "exponent"], |_, args| {
        let (base, exponent) = (number(args.value(), "pow()")?, number(args.needed(1, "y")?, "pow()")?);
        Ok(Val::Float(base.powf(exponent)))
    }),
    filter("root", &["value", "base"], |_, args| {
        let (value, base) =
            (number(args.value(), "root()")?, args.get(1).map_or(Ok(2.0), |base| number(base, "root()"))?);
        Ok(Val::Float(if (base - 2.0).abs() < f64::EPSILON { value.sqrt() } else { value.powf(1.0 / base) }))
    }),
    filter("human_readable", &["value", "isbits", "unit"], human_readable),
    filter("human_to_bytes", &["value", "default_unit", "isbits"], human_to_bytes),
    filter("filesizeformat", &["value", "binary"], file_size),
];

fn number(value: &Val, what: &str) -> Outcome<f64> {
    match value.as_float() {
        Some(number) => Ok(number),
        None => fail!("{what} can only be used on numbers: must be real number, not {}", value.type_name()),
    }
}

fn abs(_: &Machine, args: &Args) -> Outcome<Val> {
    let negative = match args.value() {
        Val::Float(number) => *number < 0.0,
        other => match other.as_int() {
            Some(number) => number < 0,
            None => fail!("bad operand type for abs(): '{}'", other.type_name()),
        },
    };
    if negative { negate(args.value()) } else { Ok(args.value().clone()) }
}

/// Python's `round` takes the even neighbour; the result is a number with a point unless it was whole.
fn round(_: &Machine, args: &Args) -> Outcome<Val> {
    let precision = i32::try_from(args.int(1)?.unwrap_or(0)).unwrap_or_default().clamp(-30, 30);
    let method = args.text(2, "common");
    if let (Val::Int(number), "common") = (args.value(), method.as_str())
        && precision >= 0
    {
        return Ok(Val::Int(*number));
    }
    let Some(value) = args.value().as_float() else {
        fail!("type {} doesn't define __round__ method", args.value().type_name())
    };
    let scale = 10f64.powi(precision);
    Ok(match (method.as_str(), args.value()) {
        ("common", Val::Int(_)) => Val::Int(((value * scale).round_ties_even() / scale) as i128),
        // The decimal text rounds as the exact value does, which scaling would not.
        ("common", _) if precision > 0 => {
            Val::Float(format!("{value:.*}", precision as usize).parse().unwrap_or(value))
        }
        ("common", _) => Val::Float((value * scale).round_ties_even() / scale),
        ("ceil", _) => Val::Float((value * scale).ceil() / scale),
        ("floor", _) => Val::Float((value * scale).floor() / scale),
        _ => fail!("method must be common, ceil or floor"),
    })
}

fn log(_: &Machine, args: &Args) -> Outcome<Val> {
    let value = number(args.value(), "log()")?;
    if value <= 0.0 {
        fail!("log() can only be used on numbers: math domain error");
    }
    Ok(Val::Float(match args.get(1) {
        None => value.ln(),
        Some(Val::Int(10)) => value.log10(),
        Some(base) => value.ln() / number(base, "log()")?.ln(),
    }))
}

const UNITS: [(char, f64); 9] = [
    ('Y', 1_208_925_819_614_629_174_706_176.0),
    ('Z', 1_180_591_620_717_411_303_424.0),
    ('E', 1_152_921_504_606_846_976.0),
    ('P', 1_125_899_906_842_624.0),
    ('T', 1_099_511_627_776.0),
    ('G', 1_073_741_824.0),
    ('M', 1_048_576.0),
    ('K', 1024.0),
    ('B', 1.0),
];

fn human_readable(_: &Machine, args: &Args) -> Outcome<Val> {
    let size = match args.value() {
        Val::Str(text) => match text.trim().parse() {
            Ok(size) => size,
            Err(_) => fail!("human_readable() can't interpret following string: {text}"),
        },
        other => number(other, "human_readable()")?,
    };
    let base = if args.flag(1, false)? { "bits" } else { "Bytes" };
    let wanted = args.some_text(2).and_then(|unit| unit.to_uppercase().chars().next());
    let (unit, limit) = UNITS
        .iter()
        .find(|(unit, limit)| wanted.map_or(size >= *limit, |wanted| wanted == *unit))
        .unwrap_or(&('B', 1.0));
    let suffix = if *unit == 'B' { base.to_owned() } else { format!("{unit}{}", &base[..1]) };
    Ok(Val::text(format!("{:.2} {suffix}", size / limit)))
}

fn human_to_bytes(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = text[end..].trim();
    let Ok(size) = text[..end].parse::<f64>() else {
        fail!("human_to_bytes() can't interpret following string: {text}")
    };
    let unit = if unit.is_empty() { args.text(1, "B") } else { unit.to_owned() };
    let letter = unit.to_uppercase().chars().next().unwrap_or('B');
    match UNITS.iter().find(|(known, _)| *known == letter) {
        Some((_, limit)) => Ok(Val::Int((size * limit).round_ties_even() as i128)),
        None => fail!("human_to_bytes() failed to convert {text} (unit = {unit})"),
    }
}

fn file_size(_: &Machine, args: &Args) -> Outcome<Val> {
    let binary = args.flag(1, false)?;
    let Ok(size) = args.value().to_string().trim().parse::<f64>() else { fail!("could not convert string to float") };
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if (size - 1.0).abs() < f64::EPSILON {
        return Ok(Val::text("1 Byte"));
    }
    if size < base {
        return Ok(Val::text(format!("{} Bytes", size as i64)));
    }
    let names = if binary { ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] } else { ["kB", "MB", "GB", "TB", "PB", "EB"] };
    let power = ((size.ln() / base.ln()).floor() as i32).clamp(1, 6);
    Ok(Val::text(format!("{:.1} {}", size / base.powi(power), names[power as usize - 1])))
}
