//! Moments in the worker's local time, as Python prints them.

/// A moment in local time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970, UTC.
    pub epoch: i64,
    /// Microseconds of the second.
    pub micros: u32,
    /// The year, with century.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
    /// 0 to 23.
    pub hour: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 60.
    pub second: i32,
    /// Days since Sunday.
    pub weekday: i32,
    /// Days since the first of January.
    pub yearday: i32,
    /// Seconds east of UTC.
    pub offset: i64,
    /// The time zone's name: `CET`.
    pub zone: String,
    /// Whether summer time is in force.
    pub is_summer: bool,
}

impl Moment {
    /// A moment by its UNIX time, in the zone of this machine.
    pub fn local(epoch: i64, micros: u32) -> Self {
        Self::read(epoch, micros, true)
    }
    /// A moment by its UNIX time, in UTC.
    pub fn utc(epoch: i64, micros: u32) -> Self {
        Self::read(epoch, micros, false)
    }
    /// A moment by UNIX milliseconds, in the zone of this machine.
    pub fn from_millis(millis: i64) -> Self {
        Self::local(millis.div_euclid(1000), millis.rem_euclid(1000) as u32 * 1000)
    }
    /// Now, in the zone of this machine.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::local(since.as_secs() as i64, since.subsec_micros())
    }

    #[expect(unsafe_code, reason = "the C library alone knows the machine's time zone")]
    fn read(epoch: i64, micros: u32, is_local: bool) -> Self {
        let time: libc::time_t = epoch;
        // SAFETY: `tm` is plain data for which zeroes are valid; both functions write only to the `tm` that they are given,
        // and its zone points to a text of the C library that outlives this block.
        let (tm, zone) = unsafe {
            let mut tm: libc::tm = std::mem::zeroed();
            if is_local {
                libc::localtime_r(&raw const time, &raw mut tm);
            } else {
                libc::gmtime_r(&raw const time, &raw mut tm);
            }
            let zone = if tm.tm_zone.is_null() {
                String::new()
            } else {
                std::ffi::CStr::from_ptr(tm.tm_zone).to_string_lossy().into_owned()
            };
            (tm, zone)
        };
        Self {
            epoch,
            micros,
            year: tm.tm_year + 1900,
            month: tm.tm_mon + 1,
            day: tm.tm_mday,
            hour: tm.tm_hour,
            minute: tm.tm_min,
            second: tm.tm_sec,
            weekday: tm.tm_wday,
            yearday: tm.tm_yday,
            offset: tm.tm_gmtoff,
            zone,
            is_summer: tm.tm_isdst > 0,
        }
    }
    /// The UNIX time of a local date and time (year, month, day, hour, minute, second).
    #[expect(unsafe_code, reason = "the C library alone knows the machine's time zone")]
    pub fn epoch_of_local(fields: [i32; 6]) -> i64 {
        let [year, month, day, hour, minute, second] = fields;
        // SAFETY: `tm` is plain data for which zeroes are valid; `mktime` reads and writes only it.
        unsafe {
            let mut tm: libc::tm = std::mem::zeroed();
            tm.tm_year = year - 1900;
            tm.tm_mon = month - 1;
            tm.tm_mday = day;
            tm.tm_hour = hour;
            tm.tm_min = minute;
            tm.tm_sec = second;
            tm.tm_isdst = -1;
            libc::mktime(&raw mut tm)
        }
    }
    /// `2026-11-24`
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
    /// `22:16:15`
    pub fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

/// As Python prints a `datetime`: `2026-11-24 22:16:15.151062`, without a fraction where it is zero.
impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.date(), self.time())?;
        if self.micros > 0 { write!(f, ".{:06}", self.micros) } else { Ok(()) }
    }
}

/// As Python prints a `timedelta`: `0:00:00.003040`, `1 day, 2:03:04`.
pub fn delta(millis: i64) -> String {
    let millis = millis.max(0);
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    let seconds = rest / 1000;
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        n => format!("{n} days, "),
    };
    let fraction = if rest % 1000 > 0 { format!(".{:03}000", rest % 1000) } else { String::new() };
    format!("{days}{}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_python() {
        assert_eq!(Moment::utc(1_000_000_000, 5).to_string(), "2001-09-09 01:46:40.000005");
        assert_eq!(Moment::utc(1_000_000_000, 0).to_string(), "2001-09-09 01:46:40");
        assert_eq!(delta(3), "0:00:00.003000");
        assert_eq!(delta(3_723_000), "1:02:03");
        assert_eq!(delta(86_400_000), "1 day, 0:00:00");
        assert_eq!(delta(2 * 86_400_000 + 1), "2 days, 0:00:00.001000");
        assert_eq!(delta(-5), "0:00:00");
    }

    #[test]
    fn milliseconds_before_1970_stay_in_order() {
        let moment = Moment::from_millis(-1);
        assert_eq!((moment.epoch, moment.micros), (-1, 999_000));
    }
}
