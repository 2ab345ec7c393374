//! The runs of a store by the day of their start, the youngest first, without reading a long history.

use crate::core::ids::RunId;
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::entry::trigger::clock::SystemWorld;
use crate::entry::trigger::find::store_failed;
use crate::platform::store::{Listed, Store, layout};

/// So many months are asked one by one before everything is.
const MONTHS: i32 = 3;

/// The youngest runs, at most so many.
pub async fn recent_runs(store: &dyn Store, number: usize) -> Result<Vec<RunId>, Problem> {
    let mut found = Vec::new();
    for month in months(SystemWorld.unix_ms()) {
        found.push(store.list(&format!("{}{month}-", layout::INDEX_DAY), None).await.map_err(store_failed)?);
        if found.iter().map(Vec::len).sum::<usize>() >= number {
            return Ok(youngest(found.concat(), number));
        }
    }
    Ok(youngest(store.list(layout::INDEX_DAY, None).await.map_err(store_failed)?, number))
}

/// Days sort by their date and ids by their time, so keys sort as runs began.
fn youngest(mut listed: Vec<Listed>, number: usize) -> Vec<RunId> {
    listed.sort_by(|one, other| other.key.cmp(&one.key));
    listed.iter().filter_map(|entry| entry.key.rsplit('/').next()).take(number).map(RunId::new).collect()
}

/// Months as a day's key begins with them, from the present one back; a clock that is a little late misses nothing that
/// matters, one that is wrong by months only makes this slower.
fn months(now_ms: i64) -> Vec<String> {
    let today = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    let first = today.first_of_month();
    let month = |back: i32| first.checked_sub(jiff::Span::new().months(back)).ok();
    (0..MONTHS).filter_map(month).map(|month| month.strftime("%Y-%m").to_string()).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::entry::trigger::create::day_of;
    use crate::platform::store::DirectoryStore;

    #[test]
    fn months_go_back_over_the_turn_of_a_year() {
        assert_eq!(months(1_769_850_000_000), ["2026-01", "2025-12", "2025-11"]);
    }

    #[tokio::test]
    async fn young_runs_come_first_and_old_ones_are_found_too() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(folder.path());
        let today = day_of(SystemWorld.unix_ms());
        for (day, run) in [("2020-01-01", "a"), ("2020-01-02", "b"), (today.as_str(), "c"), (today.as_str(), "d")] {
            store.create(&layout::index_day_key(day, &RunId::new(run)), Bytes::new()).await.unwrap();
        }
        let names = async |number| -> Vec<String> {
            recent_runs(&store, number).await.unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(1).await, ["d"]);
        assert_eq!(names(2).await, ["d", "c"]);
        assert_eq!(names(9).await, ["d", "c", "b", "a"]);
    }
}
