//! Every key of the store, in one place (docs/formats.md). Nothing else spells a key.

use crate::core::ids::{Epoch, HostName, HostSlot, InstanceId, RunId};
use crate::platform::store::StoreError;

/// What the reaper lists: one object for each run that is not closed yet.
pub const INDEX_OPEN: &str = "index/open/";
/// Runs by the day of their start, for people.
pub const INDEX_DAY: &str = "index/day/";
/// Everything of all runs.
pub const RUNS: &str = "runs/";

/// Everything of one run.
pub fn run_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/")
}

/// A playbook's folder.
pub fn bundle_key(sha256: &str) -> String {
    format!("bundles/{sha256}.tar.zst")
}

/// Marks a run as open: created before its spec, deleted after `closed`.
pub fn index_open_key(run: &RunId) -> String {
    format!("{INDEX_OPEN}{run}")
}

/// Written by whoever must know what time it is for the store: its listing tells.
pub const CLOCK: &str = "index/clock";

/// What `dayfly doctor` writes and removes again.
pub fn doctor_key(name: &str) -> String {
    format!("index/doctor/{name}")
}

/// Finds a run by its date (`2026-01-31`).
pub fn index_day_key(date: &str, run: &RunId) -> String {
    format!("{INDEX_DAY}{date}/{run}")
}

/// The run key: readable by trigger, master and reaper only.
pub fn secret_key(run: &RunId) -> String {
    format!("secret/{run}")
}

/// The frozen order.
pub fn spec_key(run: &RunId) -> String {
    format!("{RUNS}{run}/spec.json")
}

/// A binary, named by its SHA-256: `dayfly`, `dayfly-agent-x86_64`.
pub fn bin_key(sha256: &str, name: &str) -> String {
    format!("bin/{sha256}/{name}")
}

/// All claims of masters' machines.
pub fn epoch_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/epoch/")
}

/// The claim of one epoch, with the request of its machine.
pub fn epoch_key(run: &RunId, epoch: Epoch) -> String {
    format!("{RUNS}{run}/epoch/{:06}.json", epoch.0)
}

/// The logs of all masters that have machines of their own.
pub fn master_log_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/master/")
}

/// What the processes of one master's machine printed, the last part of it.
pub fn master_log_key(run: &RunId, epoch: Epoch) -> String {
    format!("{RUNS}{run}/master/{:06}.log", epoch.0)
}

/// All signs of life.
pub fn beat_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/beat/")
}

/// A master's sign of life; each epoch has its own.
pub fn beat_key(run: &RunId, epoch: Epoch) -> String {
    format!("{RUNS}{run}/beat/{:06}.json", epoch.0)
}

/// All segments of the journal.
pub fn journal_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/journal/")
}

/// One segment of the journal, numbered from 1 over all epochs.
pub fn journal_key(run: &RunId, segment: u64) -> String {
    format!("{RUNS}{run}/journal/{segment:012}")
}

/// Bytes named by their SHA-256: facts, large results, files of the workspace.
pub fn blob_key(run: &RunId, sha256: &str) -> String {
    format!("{RUNS}{run}/blob/{sha256}")
}

/// All logs of a run: segments while it goes, one zip a worker at its end.
pub fn logs_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/logs/")
}

/// The log segments of one worker.
pub fn log_segments_prefix(run: &RunId, slot: &HostSlot) -> String {
    format!("{RUNS}{run}/logs/{slot}/")
}

/// One log segment of a worker, numbered from 1.
pub fn log_segment_key(run: &RunId, slot: &HostSlot, segment: u64) -> String {
    format!("{RUNS}{run}/logs/{slot}/{segment:06}")
}

/// A worker's logs at the end of the run.
pub fn log_zip_key(run: &RunId, slot: &HostSlot) -> String {
    format!("{RUNS}{run}/logs/{slot}.zip")
}

/// What machines said that never became workers.
pub fn console_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/console/")
}

/// What one such machine said, for people.
pub fn console_key(run: &RunId, slot: &HostSlot, instance: &InstanceId) -> String {
    format!("{RUNS}{run}/console/{slot}.{instance}.txt")
}

/// All manifests.
pub fn manifest_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/collect/")
}

/// What was collected from one worker.
pub fn manifest_key(run: &RunId, slot: &HostSlot) -> String {
    format!("{RUNS}{run}/collect/{slot}.json")
}

/// All result files.
pub fn results_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/results/")
}

/// One result file of a host. Refused where the path, which a worker named, would leave the host's folder.
pub fn results_key(run: &RunId, host: &HostName, path: &str) -> Result<String, StoreError> {
    let key = format!("{RUNS}{run}/results/{host}/{path}");
    check_key(&key)?;
    Ok(key)
}

/// The live output of a run.
pub fn live_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/live/")
}

/// One segment of live output, numbered from 1.
pub fn live_key(run: &RunId, segment: u64) -> String {
    format!("{RUNS}{run}/live/{segment:08}")
}

/// Everything that people asked of a run.
pub fn control_prefix(run: &RunId) -> String {
    format!("{RUNS}{run}/control/")
}

/// One request (cancel, extend), named by a ULID.
pub fn control_key(run: &RunId, ulid: &str) -> String {
    format!("{RUNS}{run}/control/{ulid}.json")
}

/// The master's last word.
pub fn receipt_key(run: &RunId) -> String {
    format!("{RUNS}{run}/receipt.json")
}

/// The looks for leftovers so far, between the end of a run and the proof.
pub fn looks_key(run: &RunId) -> String {
    format!("{RUNS}{run}/looks.json")
}

/// The proof that nothing is left.
pub fn closed_key(run: &RunId) -> String {
    format!("{RUNS}{run}/closed.json")
}

/// The number at the end of a numbered key (`…/journal/000000000012`, `…/beat/000003.json`).
pub fn number_of(key: &str) -> Option<u64> {
    let name = key.rsplit('/').next()?;
    name.split('.').next()?.parse().ok()
}

/// Which part of a run a key or a prefix belongs to: `journal`, `beat`, … Only for what lies in a folder of the run.
pub fn part_of_run(key: &str) -> Option<&str> {
    let (_, rest) = key.strip_prefix(RUNS)?.split_once('/')?;
    rest.split_once('/').map(|(part, _)| part)
}

/// Refuses keys that would leave the store or that no file system could hold.
pub fn check_key(key: &str) -> Result<(), StoreError> {
    let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
    if key.split('/').all(plain) { Ok(()) } else { Err(StoreError::BadKey(key.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_documented() {
        let run = RunId::new("r1");
        let slot = HostSlot { host: HostName::new("work-0"), incarnation: crate::core::ids::Incarnation(2) };
        assert_eq!(journal_key(&run, 1), "runs/r1/journal/000000000001");
        assert_eq!(beat_key(&run, Epoch(3)), "runs/r1/beat/000003.json");
        assert_eq!(log_zip_key(&run, &slot), "runs/r1/logs/work-0.2.zip");
        assert_eq!(log_segment_key(&run, &slot, 1), "runs/r1/logs/work-0.2/000001");
        assert_eq!(console_key(&run, &slot, &InstanceId::new("i-1")), "runs/r1/console/work-0.2.i-1.txt");
        assert_eq!(number_of(&journal_key(&run, 12)), Some(12));
        assert_eq!(number_of(&beat_key(&run, Epoch(3))), Some(3));
        assert_eq!(number_of("runs/r1/spec.json"), None);
        assert_eq!(part_of_run(&journal_key(&run, 1)), Some("journal"));
        assert_eq!(part_of_run(&control_prefix(&run)), Some("control"));
        assert_eq!(part_of_run(&receipt_key(&run)), None);
        assert_eq!(part_of_run(&index_open_key(&run)), None);
    }

    #[test]
    fn a_path_that_a_worker_named_cannot_leave_its_folder() {
        let run = RunId::new("r1");
        let host = HostName::new("work-0");
        assert_eq!(results_key(&run, &host, "model/a.pt").unwrap(), "runs/r1/results/work-0/model/a.pt");
        for path in ["../work-1/x", "/etc/passwd", "a//b", "a/./b", "", "a\0b"] {
            assert!(results_key(&run, &host, path).is_err(), "{path:?}");
        }
    }
}
