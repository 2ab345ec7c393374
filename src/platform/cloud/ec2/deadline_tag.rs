//! `dayfly:deadline`: the hard end of a machine where anybody can read it, in UTC and whole seconds
//! (`2026-11-25T03:00:00Z`). The tag alone is enough to know that a machine has outlived its run.

use jiff::Timestamp;

/// The tag's value, rounded up: nothing is ended before its time.
pub(super) fn write(deadline_ms: i64) -> String {
    Timestamp::from_second(seconds(deadline_ms)).unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// UNIX milliseconds; none where the value was not written by us.
pub(super) fn read(value: &str) -> Option<i64> {
    value.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Whole seconds, rounded up.
pub(super) fn seconds(deadline_ms: i64) -> i64 {
    deadline_ms.div_euclid(1000) + i64::from(deadline_ms.rem_euclid(1000) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_back_in_whole_seconds_and_never_earlier() {
        assert_eq!(write(1_795_575_600_001), "2026-11-25T03:00:01Z");
        assert_eq!(read("2026-11-25T03:00:00Z"), Some(1_795_575_600_000));
        assert_eq!(read(&write(1_795_575_600_000)), Some(1_795_575_600_000));
        assert_eq!(read("tomorrow"), None);
    }
}
