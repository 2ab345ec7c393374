//! What the store tells of one run, for a verdict: listings alone while the run goes as usual.

use super::verdict::{Claim, Facts, Sign, grace_ms};
use crate::core::ids::{Epoch, RunId};
use crate::core::records::{Record, Spec};
use crate::entry::exit::Problem;
use crate::entry::trigger::store_failed;
use crate::platform::store::journal::{Journal, JournalError};
use crate::platform::store::{Store, layout};

/// Looks at one run. `now_ms`: the store's own clock.
pub async fn gather(store: &dyn Store, spec: &Spec, now_ms: i64) -> Result<Facts, Problem> {
    let run = &spec.run;
    let claims: Vec<Claim> = numbered(store, &layout::epoch_prefix(run))
        .await?
        .into_iter()
        .map(|(number, at_ms)| Claim { epoch: Epoch(number), at_ms })
        .collect();
    let beats = numbered(store, &layout::beat_prefix(run)).await?;
    let sign = beats.iter().map(|(number, _)| *number).max().map(|highest| Sign {
        epoch: Epoch(highest),
        at_ms: beats.iter().map(|(_, at_ms)| *at_ms).max().unwrap_or(i64::MIN),
    });
    let receipt_ms = written(store, &layout::receipt_key(run)).await?;
    let mut facts = Facts {
        now_ms,
        spec_ms: written(store, &layout::spec_key(run)).await?.unwrap_or(spec.created_ms),
        deadline_ms: spec.deadline_ms,
        detached: spec.master.is_some(),
        claims,
        sign,
        receipt_ms,
        closed: written(store, &layout::closed_key(run)).await?.is_some(),
        timing: spec.timing.clone(),
    };
    // The journal is read only where it matters: whether the end that seems to have come was moved.
    if receipt_ms.is_none() && now_ms >= spec.deadline_ms + grace_ms(&spec.timing) {
        facts.deadline_ms = present_deadline(store, spec).await?;
    }
    Ok(facts)
}

/// The hard end of a run as it stands: where its master moved it last, else the spec's.
pub async fn present_deadline(store: &dyn Store, spec: &Spec) -> Result<i64, Problem> {
    match Journal::read(store, &spec.run).await {
        Ok(entries) => Ok(entries
            .iter()
            .rev()
            .find_map(|entry| match entry.record {
                Record::DeadlineMoved { deadline_ms, .. } => Some(deadline_ms),
                _ => None,
            })
            .unwrap_or(spec.deadline_ms)),
        // No master can go on from a journal that cannot be used, so nothing that it says can move the end.
        Err(JournalError::Corrupt { .. }) => Ok(spec.deadline_ms),
        Err(error) => Err(Problem::Failed(anyhow::Error::new(error))),
    }
}

/// Numbers and times of the objects below a prefix.
async fn numbered(store: &dyn Store, prefix: &str) -> Result<Vec<(u32, i64)>, Problem> {
    let listed = store.list(prefix, None).await.map_err(store_failed)?;
    let number = |key: &str| layout::number_of(key).and_then(|number| u32::try_from(number).ok());
    Ok(listed.iter().filter_map(|entry| Some((number(&entry.key)?, entry.modified_ms))).collect())
}

/// When an object was written, if it is there.
async fn written(store: &dyn Store, key: &str) -> Result<Option<i64>, Problem> {
    let listed = store.list(key, None).await.map_err(store_failed)?;
    Ok(listed.iter().find(|entry| entry.key == key).map(|entry| entry.modified_ms))
}

/// The tokens of every launch that a run may have asked for, and when the last was asked for, by the store's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// The tokens of workers' launches.
    pub workers: Vec<String>,
    /// The tokens of masters' launches.
    pub masters: Vec<String>,
    /// The last.
    pub last_ms: Option<i64>,
    /// Whether the journal could not be read: there may be more.
    pub unreadable: bool,
}

/// Reads what a run asked the cloud for.
pub async fn requests(store: &dyn Store, run: &RunId, claims: &[Claim]) -> Result<Requests, Problem> {
    let mut requests = Requests::default();
    for claim in claims {
        requests.last_ms = requests.last_ms.max(Some(claim.at_ms));
        if let Some(found) = crate::entry::trigger::load_claim(store, run, claim.epoch).await? {
            requests.masters.extend(found.picks.iter().map(|pick| found.order(run, pick).token));
        }
    }
    match Journal::read_stamped(store, run).await {
        Ok(entries) => {
            for (at_ms, entry) in entries {
                if let Record::Intent { id, request, .. } = entry.record {
                    let token = request.get("token").and_then(|token| token.as_str()).map_or(id, str::to_owned);
                    requests.workers.push(token);
                    requests.last_ms = requests.last_ms.max(Some(at_ms));
                }
            }
        }
        Err(JournalError::Corrupt { .. }) => {
            requests.unreadable = true;
            let segments = store.list(&layout::journal_prefix(run), None).await.map_err(store_failed)?;
            requests.last_ms = requests.last_ms.max(segments.iter().map(|segment| segment.modified_ms).max());
        }
        Err(error) => return Err(Problem::Failed(anyhow::Error::new(error))),
    }
    Ok(requests)
}
