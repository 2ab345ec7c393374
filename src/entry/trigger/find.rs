//! RUN on the command line: an id, a unique prefix, or `last`.

use anyhow::Context as _;

use super::withdraw::NEVER_LAUNCHED;
use crate::core::ids::RunId;
use crate::core::records::{Closed, FORMAT_VERSION, Receipt, Spec};
use crate::entry::exit::Problem;
use crate::platform::store::{Store, StoreError, layout};

/// The run that a text means.
pub async fn find_run(store: &dyn Store, text: &str) -> Result<RunId, Problem> {
    if text == "last" {
        let last = super::recent::recent_runs(store, 1).await?.pop();
        return last.ok_or_else(|| nothing_there(store));
    }
    let wanted = text.to_lowercase();
    if is_whole(&wanted) {
        let run = RunId::new(wanted.clone());
        if store.get(&layout::spec_key(&run)).await.map_err(store_failed)?.is_some() {
            return Ok(run);
        }
    }
    let days = store.list(layout::INDEX_DAY, None).await.map_err(store_failed)?;
    let runs: Vec<&str> = days.iter().filter_map(|listed| listed.key.rsplit('/').next()).collect();
    if runs.contains(&wanted.as_str()) {
        return Ok(RunId::new(wanted));
    }
    let matching: Vec<&str> = runs.iter().copied().filter(|run| run.starts_with(&wanted)).collect();
    match matching.as_slice() {
        [one] if !wanted.is_empty() => Ok(RunId::new(*one)),
        [] if runs.is_empty() => Err(nothing_there(store)),
        [] => Err(Problem::failed(format!(
            "there is no run {text:?} in the store {}; dayfly runs lists them",
            store.location()
        ))),
        many => Err(Problem::failed(format!(
            "{text:?} may be any of {} runs: {}; give more of the id",
            many.len(),
            many.iter().take(5).copied().collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Whether a text is as long as an id and could be nothing else: then no other run has to be looked at.
fn is_whole(text: &str) -> bool {
    text.len() >= 26 && text.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn nothing_there(store: &dyn Store) -> Problem {
    Problem::failed(format!("there is no run yet in the store {}", store.location()))
}

/// The frozen order of a run.
pub async fn load_spec(store: &dyn Store, run: &RunId) -> Result<Spec, Problem> {
    let bytes = store.get(&layout::spec_key(run)).await.map_err(store_failed)?;
    let bytes =
        bytes.ok_or_else(|| Problem::failed(format!("run {run} has no spec in the store {}", store.location())))?;
    let what = || format!("read the spec of run {run}");
    // Its version first: one of another version may hold anything.
    let Versioned { v } = serde_json::from_slice(&bytes).with_context(what)?;
    if v == FORMAT_VERSION {
        Ok(serde_json::from_slice(&bytes).with_context(what)?)
    } else {
        Err(Problem::failed(format!(
            "run {run} has a spec of version {v}; this dayfly reads {FORMAT_VERSION}: use the dayfly that launched it, or a newer one"
        )))
    }
}

/// What every record holds, of whatever version it is.
#[derive(serde::Deserialize)]
struct Versioned {
    v: u32,
}

/// The last word of a run's master, if it was said.
pub async fn load_receipt(store: &dyn Store, run: &RunId) -> Result<Option<Receipt>, Problem> {
    let Some(bytes) = store.get(&layout::receipt_key(run)).await.map_err(store_failed)? else { return Ok(None) };
    let receipt: Receipt = serde_json::from_slice(&bytes).with_context(|| format!("read the receipt of run {run}"))?;
    if receipt.v == FORMAT_VERSION {
        Ok(Some(receipt))
    } else {
        Err(Problem::failed(format!(
            "run {run} has a receipt of version {}; this dayfly reads {FORMAT_VERSION}",
            receipt.v
        )))
    }
}

/// The proof that nothing of a run is left, if it was given.
pub async fn load_closed(store: &dyn Store, run: &RunId) -> Result<Option<Closed>, Problem> {
    let Some(bytes) = store.get(&layout::closed_key(run)).await.map_err(store_failed)? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("read the proof of run {run}"))?))
}

/// Refuses a run that ended without a receipt: its master died, and what it left was ended; or it never had one.
pub async fn refuse_reaped(store: &dyn Store, run: &RunId) -> Result<(), Problem> {
    match load_closed(store, run).await? {
        None => Ok(()),
        Some(closed) if closed.master_state.starts_with(NEVER_LAUNCHED) => {
            Err(Problem::failed(format!("run {run} was {}; launch it anew", closed.master_state)))
        }
        Some(_) => Err(Problem::failed(format!(
            "run {run} was ended by dayfly reap after its master had died: nothing is left to go on with; its logs and the results that came home are in the store"
        ))),
    }
}

/// The store's error as a command's.
pub fn store_failed(error: StoreError) -> Problem {
    Problem::Failed(anyhow::Error::new(error))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::platform::store::DirectoryStore;

    #[tokio::test]
    async fn ids_prefixes_and_last_find_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(folder.path());
        assert!(find_run(&store, "last").await.is_err());
        for (day, run) in [("2026-01-02", "01jb"), ("2026-01-01", "01ja"), ("2026-01-01", "01jaz")] {
            store.create(&layout::index_day_key(day, &RunId::new(run)), Bytes::new()).await.unwrap();
        }
        assert_eq!(find_run(&store, "last").await.unwrap().as_str(), "01jb");
        assert_eq!(find_run(&store, "01JA").await.unwrap().as_str(), "01ja");
        assert_eq!(find_run(&store, "01jb").await.unwrap().as_str(), "01jb");
        let unclear = find_run(&store, "01j").await.unwrap_err().to_string();
        assert!(unclear.contains("any of 3 runs"), "{unclear}");
        assert!(find_run(&store, "").await.is_err());
        assert!(find_run(&store, "zz").await.unwrap_err().to_string().contains("dayfly runs"));
    }
}
