use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::*;
use crate::core::ids::{HostName, HostSlot, Incarnation, InstanceId};
use crate::core::records::{Binaries, CloudKind, ClusterSpec, Options};
use crate::core::timing::Timing;
use crate::platform::cloud::{Again, CloudError, InstanceState, MasterOrder, Pick};
use crate::platform::store::MemoryStore;

/// Answers as it is told, and remembers what it was asked.
#[derive(Default)]
struct Told {
    answers: Mutex<VecDeque<Result<(), LaunchError>>>,
    asked: Mutex<Vec<MasterOrder>>,
}

#[async_trait]
impl MasterCloud for Told {
    async fn launch_master(&self, order: &MasterOrder) -> Result<Instance, LaunchError> {
        self.asked.lock().unwrap().push(order.clone());
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(())).map(|()| Instance {
            id: InstanceId::new(format!("i-{}", order.pick.index)),
            slot: HostSlot { host: HostName::new("master"), incarnation: Incarnation(order.epoch.0) },
            state: InstanceState::Pending,
            reach: None,
            address: String::new(),
        })
    }
    async fn masters(&self, _run: &RunId) -> Result<Vec<Instance>, CloudError> {
        Ok(Vec::new())
    }
}

pub(crate) fn spec() -> Spec {
    let pick = |index: u32| Pick { index, rank: 0, label: format!("place {index}"), place: json!({"subnet": index}) };
    let blueprint = Blueprint {
        picks: vec![pick(0), pick(1), pick(2)],
        store: "s3://bucket/some/prefix".to_owned(),
        store_region: "eu-west-1".to_owned(),
        region: "eu-west-1".to_owned(),
        endpoint_url: None,
        arch: "x86_64".to_owned(),
    };
    Spec {
        v: FORMAT_VERSION,
        run: RunId::new("01jabcdefghjkmnpqrstvwxyz0"),
        name: "a playbook".to_owned(),
        created_ms: 1_000,
        deadline_ms: 3_601_000,
        soft_deadline_ms: 3_000_000,
        bin: Binaries { dayfly: "d".repeat(64), agent: "a".repeat(64) },
        bundle: String::new(),
        entry: "p.yml".to_owned(),
        foreground_folder: None,
        event: Value::Null,
        extra_vars: serde_json::Map::new(),
        secrets: std::collections::BTreeMap::new(),
        cloud: CloudKind::Ec2,
        cluster: ClusterSpec::default(),
        resolved: Value::Null,
        master: Some(serde_json::to_value(blueprint).unwrap()),
        inventory: None,
        inventory_file: None,
        options: Options::default(),
        timing: Timing::default(),
    }
}

fn call(epoch: u32, by: &str) -> MasterCall {
    MasterCall { epoch: Epoch(epoch), why: "launch".to_owned(), by: by.to_owned(), deadline_ms: 3_601_000 }
}

fn store() -> MemoryStore {
    MemoryStore::new(Arc::new(SystemWorld))
}

fn refused(why: &str) -> Result<(), LaunchError> {
    Err(LaunchError::Refused { why: why.to_owned(), again: Again::Later })
}

#[tokio::test]
async fn equal_orders_are_equal_bytes_and_another_epoch_is_another_token() {
    let (first, later) = (store(), store());
    let one = claimed(&first, &spec(), &call(2, "dayfly reap")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let two = claimed(&later, &spec(), &call(2, "somebody else")).await.unwrap();
    let order = |claim: &MasterClaim| claim.order(&spec().run, &claim.picks[1]);
    assert_eq!(order(&one), order(&two), "neither the caller nor the moment is in a request");
    let next = claimed(&later, &spec(), &call(3, "dayfly reap")).await.unwrap();
    assert_ne!(order(&one).token, order(&next).token);
    assert_ne!(one.order(&spec().run, &one.picks[0]).token, order(&one).token);
}

#[tokio::test]
async fn user_data_is_two_boothooks_within_the_limit() {
    let claim = claimed(&store(), &spec(), &call(1, "dayfly launch")).await.unwrap();
    assert!(claim.user_data.len() < 12 * 1024, "{} bytes leave little room", claim.user_data.len());
    insta::assert_snapshot!(claim.user_data);
}

#[tokio::test]
async fn of_two_who_claim_at_once_one_wins_and_both_ask_in_its_words() {
    let store = store();
    let (one, two) = (spec(), spec());
    let (mine, theirs) = (call(4, "one"), call(4, "two"));
    let (one, two) = tokio::join!(claimed(&store, &one, &mine), claimed(&store, &two, &theirs));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one, two);
    let standing = load_claim(&store, &spec().run, Epoch(4)).await.unwrap().unwrap();
    assert_eq!(standing, one);
}

#[tokio::test]
async fn a_later_call_repeats_the_claim_that_stands_not_its_own_wish() {
    let store = store();
    let first = claimed(&store, &spec(), &call(1, "dayfly launch")).await.unwrap();
    let moved = MasterCall { deadline_ms: 9_000_000, ..call(1, "dayfly reap") };
    assert_eq!(claimed(&store, &spec(), &moved).await.unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn only_a_definite_no_moves_on_and_doubt_repeats_the_same_order() {
    let claim = claimed(&store(), &spec(), &call(1, "dayfly launch")).await.unwrap();
    let doubt = || Err(LaunchError::Ambiguous("timeout".to_owned()));
    let cloud =
        Told { answers: Mutex::new([refused("no capacity"), doubt(), doubt(), Ok(())].into()), ..Told::default() };
    let machine = launched(&cloud, &spec().run, &claim).await.unwrap();
    assert_eq!(machine.id.as_str(), "i-1");
    let asked = cloud.asked.lock().unwrap();
    let picks: Vec<u32> = asked.iter().map(|order| order.pick.index).collect();
    assert_eq!(picks, [0, 1, 1, 1]);
    assert_eq!(asked[1], asked[3]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_is_said_with_every_reason() {
    let claim = claimed(&store(), &spec(), &call(1, "dayfly launch")).await.unwrap();
    let launch = async |answers: Vec<Result<(), LaunchError>>| {
        let cloud = Told { answers: Mutex::new(answers.into()), ..Told::default() };
        let error = launched(&cloud, &spec().run, &claim).await.unwrap_err();
        (error, cloud.asked.lock().unwrap().len())
    };
    let (all, asked) = launch(vec![refused("full"), refused("no addresses"), refused("quota")]).await;
    assert_eq!(asked, 3);
    assert!(all.to_string().ends_with("place 0: full; place 1: no addresses; place 2: quota"), "{all}");
    let (over, asked) = launch(vec![Err(LaunchError::Over { ids: Vec::new(), why: "terminated".to_owned() })]).await;
    assert!(matches!(over, MasterLaunchError::Over { .. }) && asked == 1, "another place would be a second machine");
    let (never, asked) = launch(vec![Err(LaunchError::Impossible("no such image".to_owned()))]).await;
    assert!(matches!(never, MasterLaunchError::Refused { .. }) && asked == 1);
    let doubts = (0..100).map(|_| Err(LaunchError::Ambiguous("timeout".to_owned()))).collect();
    let (unknown, asked) = launch(doubts).await;
    assert!(matches!(unknown, MasterLaunchError::Unknown { .. }), "{unknown}");
    assert!((5..20).contains(&asked), "{asked} calls in a minute and a half");
}

#[tokio::test]
async fn a_run_without_a_blueprint_has_no_machine_to_launch() {
    let mut spec = spec();
    spec.master = None;
    let problem = claimed(&store(), &spec, &call(1, "dayfly reap")).await.unwrap_err().to_string();
    assert!(problem.contains("dayfly resume"), "{problem}");
}
