//! Methods of dates and differences of dates.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::Given;
use crate::language::template::methods::argument;
use crate::language::template::python::text::strftime;
use crate::language::template::things::{Thing, date_text};
use crate::language::template::val::Val;

pub(super) const NAMES: &[&str] =
    &["date", "isocalendar", "isoformat", "isoweekday", "strftime", "time", "timestamp", "total_seconds", "weekday"];

/// A method of a date or a difference.
pub(super) fn call(thing: &Thing, name: &str, given: &Given) -> Outcome<Val> {
    match (thing, name) {
        (Thing::Date(date), "strftime") => match argument(given, 0, "format") {
            Some(format) => strftime(&format.to_string(), *date).map(Val::text),
            None => fail!("strftime() takes exactly 1 argument (0 given)"),
        },
        (Thing::Date(date), "isoformat") => {
            let separator = argument(given, 0, "sep").map_or_else(|| "T".to_owned(), ToString::to_string);
            Ok(Val::text(date_text(*date, &separator)))
        }
        (Thing::Date(date), "timestamp") => match date.to_zoned(jiff::tz::TimeZone::UTC) {
            Ok(zoned) => Ok(Val::Float(zoned.timestamp().as_microsecond() as f64 / 1e6)),
            Err(_) => fail!("the date is out of range"),
        },
        (Thing::Date(date), "weekday") => Ok(Val::Int(i128::from(date.weekday().to_monday_zero_offset()))),
        (Thing::Date(date), "isoweekday") => Ok(Val::Int(i128::from(date.weekday().to_monday_one_offset()))),
        (Thing::Date(date), "date") => Ok(Val::text(date_text(*date, " ").chars().take(10).collect::<String>())),
        (Thing::Date(date), "time") => Ok(Val::text(date_text(*date, " ").chars().skip(11).collect::<String>())),
        (Thing::Date(date), "isocalendar") => {
            let week = date.date().iso_week_date();
            let day = week.weekday().to_monday_one_offset();
            Ok(Val::tuple([i128::from(week.year()), i128::from(week.week()), i128::from(day)].map(Val::Int)))
        }
        (Thing::Delta(micros), "total_seconds") => Ok(Val::Float(*micros as f64 / 1e6)),
        (other, _) => fail!("'{}' object has no attribute '{name}'", other.type_name()),
    }
}
