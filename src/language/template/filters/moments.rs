//! Time: `strftime`, `to_datetime`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::text;
use crate::language::template::things::Thing;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("strftime", &["value", "second", "utc"], strftime),
    filter("to_datetime", &["value", "format"], |_, args| {
        let date = text::strptime(&args.value().to_string(), &args.text(1, "%Y-%m-%d %H:%M:%S"))?;
        Ok(Val::thing(Thing::Date(date)))
    }),
];

/// The format is the value; without seconds the door's clock is asked. Time is UTC, so that a run that moves to another
/// machine goes on alike.
fn strftime(machine: &Machine, args: &Args) -> Outcome<Val> {
    let millis = match args.get(1) {
        None | Some(Val::None) => machine.doors.now_ms().map_err(Fault::new)?,
        Some(second) => match second.to_string().trim().parse::<f64>() {
            Ok(second) => (second * 1000.0) as i64,
            Err(_) => fail!("Invalid value for epoch value ({second})"),
        },
    };
    let Ok(moment) = Timestamp::from_millisecond(millis) else { fail!("the time is out of range") };
    text::strftime(&args.value().to_string(), moment.to_zoned(TimeZone::UTC).datetime()).map(Val::text)
}
