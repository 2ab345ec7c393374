//! From orders to machines.

use std::collections::BTreeSet;

use dayfly::core::ids::{Epoch, InstanceId};
use dayfly::core::records::Market;
use dayfly::platform::cloud::{Again, Cloud as _, InstanceState, LaunchError, MasterCloud as _, MasterOrder, Reach};
use serde_json::{Value, json};

use crate::account::{Account, HOST_KEY, run};

fn ids(instances: &[dayfly::platform::cloud::Instance]) -> Vec<InstanceId> {
    instances.iter().map(|instance| instance.id.clone()).collect()
}

async fn until_running(cloud: &dyn dayfly::platform::cloud::Cloud, ids: &[InstanceId]) {
    for _ in 0..100 {
        let found = cloud.describe(&run(), ids).await.unwrap();
        if found.len() == ids.len() && found.iter().all(|instance| instance.state == InstanceState::Running) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("they do not run");
}

#[tokio::test]
async fn a_launch_happens_once_however_often_it_is_asked_for() {
    let account = Account::start();
    let cloud = account.cloud().await;
    let picks = account.picks(&cloud).await;
    assert_eq!(picks.len(), 2);
    assert_eq!(picks, account.picks(&cloud).await, "what was made is found");
    let order = account.order(&picks[0], 1, 3);
    let first = cloud.launch(&order, HOST_KEY).await.unwrap();
    let again = cloud.launch(&order, HOST_KEY).await.unwrap();
    // Another process knows nothing but the order.
    let elsewhere = account.cloud().await.launch(&order, HOST_KEY).await.unwrap();
    assert_eq!((ids(&first), ids(&first)), (ids(&again), ids(&elsewhere)));
    assert_eq!(first.iter().map(|instance| instance.slot.clone()).collect::<Vec<_>>(), order.slots);

    until_running(&cloud, &ids(&first)).await;
    let found = cloud.describe(&run(), &ids(&first)).await.unwrap();
    for (instance, slot) in found.iter().zip(&order.slots) {
        assert_eq!(&instance.slot, slot, "tags and launch index say the same as the order");
        let Some(Reach::Ssh { address, port, user, host_keys, .. }) = &instance.reach else { panic!("{instance:?}") };
        assert!(address.starts_with("10.77.") && *address == instance.address);
        assert_eq!((*port, user.as_deref(), host_keys.len()), (22, Some("ec2-user"), 0));
    }
    let swept = cloud.sweep(&run()).await.unwrap();
    assert_eq!(ids(&swept).into_iter().collect::<BTreeSet<_>>(), ids(&first).into_iter().collect());
    assert_eq!(cloud.sweep_tokens(&run(), std::slice::from_ref(&order.token)).await.unwrap().len(), 3);
    assert_eq!(cloud.sweep_tokens(&run(), &["another".to_owned()]).await.unwrap(), []);
    assert!(cloud.console(&run(), &first[0].id).await.unwrap().contains("boot of"));

    let calls = account.pocket.calls(&["RunInstances"]);
    assert_eq!(calls.len(), 3);
    let parameters: BTreeSet<String> = calls.iter().map(|call| call["parameters"].to_string()).collect();
    assert_eq!(parameters.len(), 1, "every try has the same bytes");

    // A master is no worker, and the other way round.
    let master = MasterOrder {
        run: run(),
        epoch: Epoch(2),
        token: format!("{}/2/0", run()),
        pick: picks[0].clone(),
        user_data: "#!/bin/sh\n".to_owned(),
        deadline_ms: order.deadline_ms,
    };
    let launched = cloud.launch_master(&master).await.unwrap();
    assert_eq!(cloud.launch_master(&master).await.unwrap().id, launched.id);
    assert_eq!(cloud.sweep(&run()).await.unwrap().len(), 3);
    let masters = cloud.masters(&run()).await.unwrap();
    assert_eq!((masters.len(), masters[0].id.clone(), masters[0].slot.incarnation.0), (1, launched.id, 2));
    cloud.extend(&run(), &ids(&first), order.deadline_ms + 3_600_000).await.unwrap();
    let tagged = cloud.tagged().await.unwrap();
    assert_eq!(tagged.len(), 4);
    for machine in tagged {
        // The master's too: whoever ends by that tag alone must not end it.
        assert_eq!((machine.run, machine.deadline_ms), (run(), Some(order.deadline_ms + 3_600_000)));
    }
}

#[tokio::test]
async fn a_lost_answer_is_a_doubt_that_the_same_bytes_resolve() {
    let account = Account::start();
    let cloud = account.cloud().await;
    let picks = account.picks(&cloud).await;
    let order = account.order(&picks[0], 1, 2);
    for fault in [
        json!({"lost_answer": {"actions": ["RunInstances"], "times": 1}}),
        json!({"error": {"actions": ["RunInstances"], "code": "InternalError", "status": 500, "times": 1}}),
    ] {
        account.pocket.fault(&fault);
        let doubt = cloud.launch(&order, HOST_KEY).await.unwrap_err();
        assert!(matches!(doubt, LaunchError::Ambiguous(_)), "{doubt}");
    }
    let found = cloud.launch(&order, HOST_KEY).await.unwrap();
    assert_eq!(account.pocket.calls(&["RunInstances"]).len(), 3, "nothing is repeated behind the order's back");
    assert_eq!(cloud.sweep(&run()).await.unwrap().len(), found.len());

    // It is over for good, and says whose.
    cloud.terminate(&run(), &ids(&found)).await.unwrap();
    for _ in 0..100 {
        let now = cloud.describe(&run(), &ids(&found)).await.unwrap();
        if now.iter().all(|instance| instance.state == InstanceState::Terminated) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let Err(LaunchError::Over { ids: over, .. }) = cloud.launch(&order, HOST_KEY).await else {
        panic!("launched again")
    };
    assert_eq!(over.into_iter().collect::<BTreeSet<_>>(), ids(&found).into_iter().collect());
    let mut other = order.clone();
    other.token = format!("{}/work/9/0", run());
    let fresh = cloud.launch(&other, HOST_KEY).await.unwrap();
    other.deadline_ms += 1000;
    let mismatch = cloud.launch(&other, HOST_KEY).await.unwrap_err();
    assert!(
        matches!(&mismatch, LaunchError::Impossible(why) if why.contains("IdempotentParameterMismatch")),
        "{mismatch}"
    );
    assert_eq!(fresh.len(), 2);
}

#[tokio::test]
async fn a_pool_gives_what_it_has_and_says_why_it_gives_nothing() {
    let mut account = Account::start();
    account.work().market = Market::SpotThenOnDemand;
    let cloud = account.cloud().await;
    let picks = account.picks(&cloud).await;
    assert_eq!(picks.iter().map(|pick| pick.rank).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let subnet = account.pocket.text("/subnets/b");
    let mut told = Vec::new();
    let mut ask = async |wave: u32, at: usize, fault: Value| {
        account.pocket.fault(&fault);
        let outcome = cloud.launch(&account.order(&picks[at], wave, 3), HOST_KEY).await;
        account.pocket.end_faults();
        let line = match outcome {
            Ok(found) => format!("{} launched", found.len()),
            Err(LaunchError::Refused { why, again }) => format!("{again:?}: {why}"),
            Err(LaunchError::Impossible(why)) => format!("impossible: {why}"),
            Err(other) => format!("{other:?}"),
        };
        told.push(account.told(&line));
    };
    ask(1, 0, json!({"capacity": {"zone": "eu-west-1a", "market": "spot", "left": 2}})).await;
    ask(2, 0, json!({"capacity": {"zone": "eu-west-1a", "market": "spot"}})).await;
    ask(3, 1, json!({"addresses": {"subnet": subnet, "left": 0}})).await;
    ask(4, 2, json!({"quota": {"market": "on-demand", "vcpus": 1}})).await;
    ask(5, 0, json!({"quota": {"market": "spot", "vcpus": 0}})).await;
    ask(6, 2, json!({"throttle": {"actions": ["RunInstances"], "probability": 1.0, "times": 2}})).await;
    ask(7, 2, json!({"error": {"actions": ["RunInstances"], "code": "Unsupported", "status": 400, "times": 1}})).await;
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn what_is_wrong_with_a_launch_is_said_with_its_key() {
    let mut account = Account::start();
    let resolved = account.resolved().await.unwrap();
    let mut told = Vec::new();
    // The playbook named it and it went away, or can be seen at the launch only.
    let changes: [(&str, Value); 6] = [
        ("/image/id", json!("ami-0123456789abcdef0")),
        ("/subnet", json!("subnet-0123456789abcdef0")),
        ("/security_groups", json!([account.pocket.text("/other_security_group")])),
        ("/security_groups", json!(["sg-0123456789abcdef0"])),
        ("/instance_type", json!("c9.tiny")),
        ("/iam_instance_profile", json!("nobody")),
    ];
    account.work().security_groups = vec![account.pocket.text("/security_group")];
    account.ask_as("admin");
    let cloud = account.cloud_with(resolved.clone()).await;
    let picks = account.picks(&cloud).await;
    for (wave, (at, value)) in changes.into_iter().enumerate() {
        let mut pick = picks[0].clone();
        *pick.place.pointer_mut(at).unwrap() = value;
        let error = cloud.launch(&account.order(&pick, wave as u32, 1), HOST_KEY).await.unwrap_err();
        assert!(matches!(error, LaunchError::Impossible(_)), "{error:?}");
        told.push(account.told(&error.to_string()));
    }
    // A missing permission: a policy for workers' own profile only, decoded.
    account.ask_as("operator");
    let cloud = account.cloud_with(resolved.clone()).await;
    let mut pick = picks[0].clone();
    pick.place["public_address"] = json!(true);
    told.push(account.told(&cloud.launch(&account.order(&pick, 20, 1), HOST_KEY).await.unwrap_err().to_string()));
    account.ask_as("nobody");
    let cloud = account.cloud_with(resolved).await;
    told.push(account.told(&cloud.launch(&account.order(&picks[0], 21, 1), HOST_KEY).await.unwrap_err().to_string()));
    told.push(cloud.sweep(&run()).await.unwrap_err().to_string());
    told.push(cloud.leftovers(&run()).await.unwrap_err().to_string());
    let refused = account.order(&picks[0], 22, 1001);
    let many = cloud.launch(&refused, HOST_KEY).await.unwrap_err();
    assert!(matches!(many, LaunchError::Refused { again: Again::Never, .. }), "{many:?}");
    insta::assert_snapshot!(told.join("\n"));
}
