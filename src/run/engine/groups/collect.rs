//! What a worker leaves behind: its results and logs in the store, and the manifest that says so.

use std::sync::Arc;

use crate::core::event::EventKind;
use crate::core::ids::HostSlot;
use crate::core::records::{FORMAT_VERSION, Manifest, ManifestFile, Record, ResultSpec};
use crate::core::timing::ms;
use crate::platform::remote::LinkError;
use crate::platform::store::layout;
use crate::run::collect::{Wanted, archive_logs, collect_results};
use crate::run::engine::EngineError;
use crate::run::engine::context::{Context, Engine, Member};

/// What was brought home from a worker that is released.
#[derive(Clone, Debug)]
pub(in crate::run::engine) struct Home {
    pub(in crate::run::engine) slot: HostSlot,
    pub(in crate::run::engine) manifest: Manifest,
    pub(in crate::run::engine) manifest_sha256: String,
}

impl Home {
    /// A worker that the hard deadline took before it was collected.
    pub(in crate::run::engine) fn abandoned(context: &Context, slot: &HostSlot) -> Self {
        let manifest = Manifest {
            v: FORMAT_VERSION,
            run: context.spec.run.clone(),
            slot: slot.clone(),
            results: Vec::new(),
            logs: None,
            complete: false,
            gaps: vec![format!("{slot}: the hard deadline came before its results and logs were home")],
        };
        Self { slot: slot.clone(), manifest, manifest_sha256: String::new() }
    }
}

/// Collects one worker: output to the store, results, zip, manifest. With the manifest in the store it may be ended.
pub(in crate::run::engine) async fn collect(
    context: &Arc<Context>,
    slot: &HostSlot,
    member: Option<&Member>,
    results: &[ResultSpec],
    lost: Option<&str>,
) -> Engine<Home> {
    let run = &context.spec.run;
    let key = layout::manifest_key(run, slot);
    if let Some(bytes) = context.store.get(&key).await? {
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| EngineError::Internal(format!("{key} cannot be read: {error}")))?;
        return Ok(Home { slot: slot.clone(), manifest, manifest_sha256: crate::core::ids::sha256_hex(&bytes) });
    }
    let patterns: Vec<String> = results.iter().flat_map(|spec| spec.paths.clone()).collect();
    let mut gaps = Vec::new();
    let mut files: Vec<ManifestFile> = Vec::new();
    match (member, lost) {
        (Some(member), None) => {
            let timing = &context.spec.timing;
            let wanted = Wanted {
                run,
                host: &slot.host,
                link: &*member.link,
                scratch: &context.scratch,
                patience: ms(timing.unreachable_ms),
                pause: ms(timing.reconnect_ms),
            };
            let brought = match collect_results(&*context.store, &wanted, &patterns).await {
                Err(LinkError::Fenced(epoch)) => return Err(EngineError::Fenced(epoch)),
                Err(error) => return Err(EngineError::Internal(error.to_string())),
                Ok(brought) => brought,
            };
            files = brought.files;
            gaps.extend(brought.gaps);
        }
        (_, lost) => {
            if !patterns.is_empty() {
                gaps.push(format!("results of {}: {}", slot.host, lost.unwrap_or("it could not be reached")));
            }
        }
    }
    context.logs.end(slot).await;
    let logs = match archive_logs(&*context.store, run, slot, &context.scratch).await {
        Ok(logs) => Some(logs),
        Err(error) => {
            gaps.push(format!("logs of {}: {error:#}", slot.host));
            None
        }
    };
    let manifest = Manifest {
        v: FORMAT_VERSION,
        run: run.clone(),
        slot: slot.clone(),
        results: files,
        logs,
        complete: gaps.is_empty() && lost.is_none(),
        gaps,
    };
    let bytes = serde_json::to_vec_pretty(&manifest).map_err(|error| EngineError::Internal(error.to_string()))?;
    let manifest_sha256 = crate::core::ids::sha256_hex(&bytes);
    crate::fault_point!(context.world, "collect.before_manifest");
    context.store.create(&key, bytes.into()).await?;
    context.journal.record(Record::Released { slot: slot.clone(), manifest: manifest_sha256.clone() }).await?;
    // Of a host that outlives the run there is only something to say where something came home.
    if member.is_none_or(|member| member.instance.is_some()) || !manifest.results.is_empty() {
        context.emit(EventKind::WorkerCollected {
            slot: slot.clone(),
            files: manifest.results.len() as u64,
            bytes: manifest.results.iter().map(|file| file.size).sum(),
            complete: manifest.complete,
        });
    }
    Ok(Home { slot: slot.clone(), manifest, manifest_sha256 })
}
