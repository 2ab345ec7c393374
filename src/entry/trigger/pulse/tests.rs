use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::core::records::{CloudKind, FORMAT_VERSION};
use crate::entry::trigger::machine::test_spec;
use crate::platform::store::MemoryStore;

fn store() -> MemoryStore {
    MemoryStore::new(Arc::new(SystemWorld))
}

async fn beat(store: &MemoryStore, run: &RunId, epoch: u32, count: u64, host: &str) {
    let beat = Beat {
        v: FORMAT_VERSION,
        epoch: Epoch(epoch),
        at_ms: 0,
        pid: 1,
        host: host.to_owned(),
        count,
        phase: String::new(),
    };
    store.put(&layout::beat_key(run, Epoch(epoch)), serde_json::to_vec(&beat).unwrap().into()).await.unwrap();
}

async fn claim(store: &MemoryStore, run: &RunId, epoch: u32) {
    store.create(&layout::epoch_key(run, Epoch(epoch)), "{}".into()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_a_later_claim_whose_master_lives_makes_a_machine_give_way() {
    let (store, spec) = (store(), test_spec());
    let run = &spec.run;
    let waited = tokio::time::Instant::now();
    assert!(!superseded(&store, &spec, Epoch(1)).await.unwrap(), "the first has nobody to give way to");
    claim(&store, run, 1).await;
    beat(&store, run, 1, 1, "elsewhere").await;
    assert!(!superseded(&store, &spec, Epoch(1)).await.unwrap(), "the machine that was claimed last takes over");
    assert_eq!(waited.elapsed(), Duration::ZERO, "and at once");
    claim(&store, run, 2).await;
    assert!(!superseded(&store, &spec, Epoch(1)).await.unwrap(), "whose beat stands still does not live");
    let living = async {
        tokio::time::sleep(ms(spec.timing.beat_ms)).await;
        beat(&store, run, 2, 1, "elsewhere").await;
    };
    let (found, ()) = tokio::join!(superseded(&store, &spec, Epoch(1)), living);
    assert!(found.unwrap());
}

#[tokio::test]
async fn a_master_that_was_asked_for_is_waited_for_until_it_took_too_long() {
    let (store, mut spec) = (store(), test_spec());
    assert_eq!(asked_for(&store, &spec, None).await.unwrap(), None);
    claim(&store, &spec.run, 1).await;
    assert!(asked_for(&store, &spec, None).await.unwrap().is_some());
    let later = SystemWorld.unix_ms() + 1;
    assert_eq!(asked_for(&store, &spec, Some(later)).await.unwrap(), None, "it gave a sign since");
    spec.timing.take_over_ms = 0;
    assert_eq!(asked_for(&store, &spec, None).await.unwrap(), None);
    let foreground = Spec { master: None, cloud: CloudKind::Ec2, ..test_spec() };
    assert_eq!(asked_for(&store, &foreground, None).await.unwrap(), None);
}
