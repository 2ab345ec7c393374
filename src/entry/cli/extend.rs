//! `dayfly extend`: moves a run's hard end. The way is the store's, so it works from anywhere; the master makes it true.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::place::{Place, RunArguments};
use super::{Ended, screen};
use crate::core::records::Spec;
use crate::core::timing::ms;
use crate::core::world::World as _;
use crate::entry::exit::{self, Problem};
use crate::entry::reap::present_deadline;
use crate::entry::trigger::{SystemWorld, has_master, load_receipt, load_spec, refuse_reaped, store_failed};
use crate::language::playbook::parse_duration;
use crate::platform::store::layout;
use crate::views::report::duration_text;

/// Flags of `extend`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// So much longer, such as 90m or 2h
    #[arg(value_name = "DURATION", required_unless_present = "until", conflicts_with = "until")]
    duration: Option<String>,
    /// Until this moment, such as 2026-01-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// The longest life of a run, extended or not.
const LONGEST_MS: i64 = 30 * 24 * 3_600_000;

/// Writes the wish, and says whether the master made it true.
pub async fn run(arguments: Arguments) -> Ended {
    let wish = Wish::read(arguments.duration.as_deref(), arguments.until.as_deref())?;
    let (place, run) = arguments.run.open().await?;
    if load_receipt(place.store.as_ref(), &run).await?.is_some() {
        return Err(Problem::failed(format!("run {run} is over already; dayfly receipt {run} says how")));
    }
    refuse_reaped(place.store.as_ref(), &run).await?;
    let spec = load_spec(place.store.as_ref(), &run).await?;
    let present_ms = present_deadline(place.store.as_ref(), &spec).await?;
    let deadline_ms = wish.deadline(present_ms, spec.created_ms, SystemWorld.unix_ms())?;
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    let by = format!("dayfly extend by {}", user.as_deref().unwrap_or("somebody"));
    let asked = serde_json::json!({"v": 1, "what": "extend", "by": by, "deadline_ms": deadline_ms});
    let key = layout::control_key(&run, &ulid::Ulid::new().to_string().to_lowercase());
    place.store.create(&key, asked.to_string().into()).await.map_err(store_failed)?;
    let until = moment(deadline_ms);
    if !has_master(place.store.as_ref(), &place.state, &spec).await? {
        screen::remark(&format!(
            "asked run {run} to go on until {until}, but its master gives no sign of life: the next one will hear of it, \
             if it comes before {}",
            moment(present_ms)
        ));
        return Ok(exit::SUCCESS);
    }
    if confirmed(&place, &spec, deadline_ms).await? {
        screen::say(&format!("{run} ends at {until} at the latest\n"));
        return Ok(exit::SUCCESS);
    }
    screen::remark(&format!(
        "asked run {run} to go on until {until}; its master has not confirmed it yet: until it does, the end stays {}",
        moment(present_ms)
    ));
    Ok(exit::SUCCESS)
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// So much more, milliseconds.
    Longer(i64),
    /// A moment, UNIX milliseconds.
    Until(i64),
}

impl Wish {
    fn read(duration: Option<&str>, until: Option<&str>) -> Result<Self, Problem> {
        if let Some(text) = until {
            let moment: jiff::Timestamp = text.parse().map_err(|_| {
                Problem::Usage(format!(
                    "--until {text:?} is no moment: write it as 2026-01-31T18:00:00Z or with +01:00"
                ))
            })?;
            return Ok(Self::Until(moment.as_millisecond()));
        }
        let text = duration.unwrap_or_default();
        match parse_duration(text).and_then(|ms| i64::try_from(ms).ok()) {
            Some(longer_ms) if longer_ms > 0 => Ok(Self::Longer(longer_ms)),
            _ => Err(Problem::Usage(format!("{text:?} is no duration: write how much longer, such as 90m, 2h or 1d"))),
        }
    }

    /// The new hard end, or why there is none.
    fn deadline(self, present_ms: i64, created_ms: i64, now_ms: i64) -> Result<i64, Problem> {
        let deadline_ms = match self {
            Self::Longer(longer_ms) => present_ms.saturating_add(longer_ms),
            Self::Until(at_ms) => at_ms,
        };
        if deadline_ms <= now_ms {
            return Err(Problem::Usage(format!("{} is in the past; dayfly cancel ends a run", moment(deadline_ms))));
        }
        if deadline_ms <= present_ms {
            return Err(Problem::Usage(format!(
                "the run may go on until {} already; extend only moves its end further away, dayfly cancel ends it",
                moment(present_ms)
            )));
        }
        if deadline_ms.saturating_sub(created_ms) > LONGEST_MS {
            return Err(Problem::Usage(format!(
                "a run lives for at most 30 days; this one began at {}, so it can go on until {}",
                moment(created_ms),
                moment(created_ms.saturating_add(LONGEST_MS))
            )));
        }
        Ok(deadline_ms)
    }
}

/// Whether the journal says within a short while that the end moved to there, or further.
async fn confirmed(place: &Place, spec: &Spec, deadline_ms: i64) -> Result<bool, Problem> {
    let until = Instant::now() + ms(10 * spec.timing.control_ms).clamp(Duration::from_secs(2), Duration::from_secs(15));
    let prefix = layout::journal_prefix(&spec.run);
    let mut seen: Option<String> = None;
    loop {
        // The whole journal is read again only where it grew.
        let newer = place.store.list(&prefix, seen.as_deref()).await.map_err(store_failed)?;
        if let Some(last) = newer.last() {
            seen = Some(last.key.clone());
            if present_deadline(place.store.as_ref(), spec).await? >= deadline_ms {
                return Ok(true);
            }
        }
        if Instant::now() > until {
            return Ok(false);
        }
        tokio::time::sleep(ms(spec.timing.control_ms).min(Duration::from_millis(500))).await;
    }
}

/// `2026-01-31 18:00:00 UTC (in 3h)`.
fn moment(unix_ms: i64) -> String {
    let text =
        jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    match u64::try_from(unix_ms - SystemWorld.unix_ms()) {
        Ok(left) if left > 0 => format!("{text} (in {})", duration_text(left)),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = 3_600_000;

    #[test]
    fn longer_counts_from_the_present_end_and_until_is_a_moment() {
        let longer = Wish::read(Some("1h30m"), None).unwrap();
        assert_eq!(longer, Wish::Longer(H + H / 2));
        assert_eq!(longer.deadline(10 * H, 0, 9 * H).unwrap(), 11 * H + H / 2);
        let until = Wish::read(None, Some("1970-01-01T13:00:00+01:00")).unwrap();
        assert_eq!(until.deadline(10 * H, 0, 9 * H).unwrap(), 12 * H);
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        for text in ["", "3", "tomorrow", "0s", "-1h"] {
            assert!(Wish::read(Some(text), None).is_err(), "{text}");
        }
        assert!(Wish::read(None, Some("18:00")).unwrap_err().to_string().contains("2026-01-31T18:00:00Z"));
        let refused = |wish: Wish| wish.deadline(10 * H, 0, 9 * H).unwrap_err().to_string();
        assert!(refused(Wish::Until(8 * H)).contains("in the past"));
        assert!(refused(Wish::Until(10 * H)).contains("already"));
        assert!(refused(Wish::Longer(711 * H)).contains("at most 30 days"));
        assert!(Wish::Longer(710 * H).deadline(10 * H, 0, 9 * H).is_ok());
    }
}
