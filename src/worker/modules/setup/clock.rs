//! `ansible_date_time`.

use serde_json::json;

use super::super::moment::Moment;
use super::{Facts, facts};

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) fn gather() -> Facts {
    let now = Moment::now();
    facts([("date_time", at(&now).into())])
}

fn at(now: &Moment) -> Facts {
    let utc = Moment::utc(now.epoch, now.micros);
    let compact = format!("{}T{}", now.date().replace('-', ""), now.time().replace(':', ""));
    let sign = if now.offset < 0 { '-' } else { '+' };
    let minutes = now.offset.abs() / 60;
    // Weeks begin on Monday; the days before the first Monday are week 0.
    let week = (now.yearday + 7 - (now.weekday + 6) % 7) / 7;
    facts([
        ("year", json!(now.year.to_string())),
        ("month", json!(format!("{:02}", now.month))),
        ("weekday", json!(WEEKDAYS[now.weekday.rem_euclid(7) as usize])),
        ("weekday_number", json!(now.weekday.to_string())),
        ("weeknumber", json!(format!("{week:02}"))),
        ("day", json!(format!("{:02}", now.day))),
        ("hour", json!(format!("{:02}", now.hour))),
        ("minute", json!(format!("{:02}", now.minute))),
        ("second", json!(format!("{:02}", now.second))),
        ("epoch", json!(now.epoch.to_string())),
        ("epoch_int", json!(now.epoch.to_string())),
        ("date", json!(now.date())),
        ("time", json!(now.time())),
        ("iso8601_micro", json!(format!("{}T{}.{:06}Z", utc.date(), utc.time(), utc.micros))),
        ("iso8601", json!(format!("{}T{}Z", utc.date(), utc.time()))),
        ("iso8601_basic", json!(format!("{compact}{:06}", now.micros))),
        ("iso8601_basic_short", json!(compact)),
        ("tz", json!(now.zone)),
        ("tz_dst", json!(summer_zone(now))),
        ("tz_offset", json!(format!("{sign}{:02}{:02}", minutes / 60, minutes % 60))),
    ])
}

/// What the zone is called in summer; its plain name where it has no summer time.
fn summer_zone(now: &Moment) -> String {
    const MONTH: i64 = 30 * 86_400;
    (0..12)
        .map(|month| Moment::local(now.epoch + month * MONTH, 0))
        .find(|moment| moment.is_summer)
        .map_or_else(|| now.zone.clone(), |moment| moment.zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_weeks_and_formats() {
        let told = at(&Moment::utc(1_795_559_867, 468_436));
        for (name, value) in [
            ("date", "2026-11-24"),
            ("weekday", "Tuesday"),
            ("weekday_number", "2"),
            ("weeknumber", "47"),
            ("iso8601_micro", "2026-11-24T22:37:47.468436Z"),
            ("iso8601_basic", "20261124T223747468436"),
            ("tz_offset", "+0000"),
        ] {
            assert_eq!(told[name], value, "{name}");
        }
        assert_eq!(told.len(), 20);
    }
}
