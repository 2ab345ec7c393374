//! Writes a run's frozen order into the store: bundle, index, run key, spec. Doing it twice is doing it once.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::Value;

use super::clock::SystemWorld;
use super::find::store_failed;
use super::ground::Ground;
use super::order::Order;
use super::provision::{Provision, provision};
use super::read::Reading;
use super::state::StateFolder;
use super::upload::upload;
use crate::core::ids::RunId;
use crate::core::records::{CloudKind, FORMAT_VERSION, Spec};
use crate::core::timing::Timing;
use crate::core::world::World as _;
use crate::entry::exit::Problem;
use crate::language::playbook::{DEFAULT_TTL_MS, PlaybookForm};
use crate::platform::bundle::{self, Bundle, Rules};
use crate::platform::secrets::RunKey;
use crate::platform::store::{Created, Store, layout};

/// The hard end of a run that makes no workers: hosts of an inventory cost nothing by themselves.
const INVENTORY_TTL_MS: u64 = 7 * 24 * 3600 * 1000;

/// Creates the run of an order that was read without an error; the same run id creates it once. `note` says what takes a
/// while.
pub async fn create(
    ground: &Ground,
    run: RunId,
    order: &Order,
    reading: &Reading,
    note: &(dyn Fn(&str) + Sync),
) -> Result<Spec, Problem> {
    let store = ground.store.as_ref();
    let folder = folder_of(&order.playbook)?;
    let Provision { cluster, resolved, master } = provision(ground, order, reading).await?;
    let bundle = pack(store, &ground.state, order, &folder).await?;
    let programs = ground.programs.clone();
    let bin = tokio::task::spawn_blocking(move || programs.hashes()).await.context("hash the programs")??;
    if let Some(blueprint) = &master {
        upload(store, &ground.programs, &blueprint.programs(&bin), note).await?;
    }
    let master = master.map(serde_json::to_value).transpose().context("write the master's blueprint")?;
    let timing = timing()?;
    let created_ms = SystemWorld.unix_ms();
    let ttl_ms = match (reading.cluster.ttl_ms, reading.cloud) {
        (_, CloudKind::Inventory) => INVENTORY_TTL_MS,
        (0, _) => DEFAULT_TTL_MS,
        (ttl, _) => ttl,
    };
    // A run of minutes must not spend all of them on collecting.
    let reserve_ms = timing.collect_reserve_ms.min(ttl_ms / 4);
    let plain = reading.playbook.form == PlaybookForm::Plain;
    let spec = Spec {
        v: FORMAT_VERSION,
        run: run.clone(),
        name: reading.playbook.name.clone(),
        created_ms,
        deadline_ms: created_ms + ttl_ms as i64,
        soft_deadline_ms: created_ms + (ttl_ms - reserve_ms) as i64,
        bin,
        bundle: bundle.sha256.clone(),
        entry: bundle.entry.clone(),
        foreground_folder: (plain && order.foreground).then(|| folder.to_string_lossy().into_owned()),
        event: Value::Null,
        extra_vars: order.extra_vars.clone(),
        secrets: std::collections::BTreeMap::new(),
        cloud: reading.cloud,
        cluster,
        resolved,
        master,
        inventory: reading.inventory.clone(),
        inventory_file: order
            .place
            .inventory
            .as_ref()
            .and_then(|path| std::path::absolute(path).ok())
            .map(|path| path.display().to_string()),
        options: order.options.clone(),
        timing,
    };
    let bytes = serde_json::to_vec_pretty(&spec).context("write the spec")?;
    // Slow, and no part of the run: a reaper takes an old index entry without a spec for a trigger that died.
    store.create(&layout::bundle_key(&bundle.sha256), bundle.bytes).await.map_err(store_failed)?;
    // The index comes first: whatever exists of a run can then be found and ended.
    store.create(&layout::index_open_key(&run), Bytes::new()).await.map_err(store_failed)?;
    RunKey::create(store, &run, std::sync::Arc::new(SystemWorld)).await.context("make the run key")?;
    let spec = match store.create(&layout::spec_key(&run), bytes.into()).await.map_err(store_failed)? {
        Created::New => spec,
        Created::Exists => super::find::load_spec(store, &run).await?,
    };
    store.create(&layout::index_day_key(&day_of(created_ms), &run), Bytes::new()).await.map_err(store_failed)?;
    Ok(spec)
}

/// A run id from the command line: a ULID in lower case.
pub fn new_run_id() -> RunId {
    RunId::new(ulid::Ulid::new().to_string().to_lowercase())
}

/// `2026-01-31` in UTC.
pub(super) fn day_of(unix_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default().strftime("%Y-%m-%d").to_string()
}

async fn pack(store: &dyn Store, state: &StateFolder, order: &Order, folder: &Path) -> Result<Bundle, Problem> {
    let entry = order.playbook.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let leave_out = vec![PathBuf::from(store.location()), PathBuf::from(state.default_store())];
    let folder = folder.to_owned();
    let packed =
        tokio::task::spawn_blocking(move || bundle::pack(&folder, &entry, &Rules { leave_out, ..Rules::default() }));
    let packed = packed.await.context("pack the playbook's folder")?;
    Ok(packed.context("pack the playbook's folder")?)
}

/// The playbook's folder, absolute.
fn folder_of(playbook: &Path) -> Result<PathBuf, Problem> {
    let absolute = std::path::absolute(playbook).with_context(|| format!("find {}", playbook.display()))?;
    Ok(absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf))
}

/// All durations, scaled or set where a test asks for it.
pub fn timing() -> Result<Timing, Problem> {
    let mut timing = Timing::default();
    if let Some(text) = std::env::var_os(Timing::SCALE_VARIABLE) {
        let factor: Option<f64> = text.to_str().and_then(|text| text.parse().ok());
        let Some(factor) = factor.filter(|factor| factor.is_finite() && *factor > 0.0) else {
            let why = format!("{} must be a number above 0, such as 0.05", Timing::SCALE_VARIABLE);
            return Err(Problem::Usage(why));
        };
        timing = timing.scaled(factor);
    }
    match std::env::var(Timing::OVERRIDE_VARIABLE) {
        Ok(text) => {
            timing.overridden(&text).map_err(|error| Problem::Usage(format!("{}: {error}", Timing::OVERRIDE_VARIABLE)))
        }
        Err(_) => Ok(timing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_are_lower_case() {
        let id = new_run_id();
        assert_eq!(id.as_str(), id.as_str().to_lowercase());
        assert_eq!(id.as_str().len(), 26);
        assert_eq!(day_of(0), "1970-01-01");
    }
}
