//! What ends, what is left, and what cannot be seen for a while.

use dayfly::core::ids::{GroupName, InstanceId};
use dayfly::platform::cloud::{Cloud, InstanceState};
use serde_json::json;

use crate::account::{Account, HOST_KEY, run};

async fn until_terminated(cloud: &dyn Cloud, ids: &[InstanceId]) {
    for _ in 0..200 {
        cloud.terminate(&run(), ids).await.unwrap();
        let found = cloud.describe(&run(), ids).await.unwrap();
        if found.len() == ids.len() && found.iter().all(|instance| instance.state == InstanceState::Terminated) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("they do not end");
}

#[tokio::test]
async fn one_unknown_id_keeps_no_machine_alive_and_nothing_is_left() {
    let account = Account::start();
    let cloud = account.cloud().await;
    let picks = account.picks(&cloud).await;
    let found = cloud.launch(&account.order(&picks[0], 1, 3), HOST_KEY).await.unwrap();
    let mut ids: Vec<InstanceId> = found.iter().map(|instance| instance.id.clone()).collect();
    let left = cloud.leftovers(&run()).await.unwrap();
    assert_eq!(left.iter().map(|left| left.kind.as_str()).collect::<Vec<_>>(), ["security-group"]);
    // Its machines hold it: it stays, without a fuss.
    cloud.remove(&run(), &left).await.unwrap();
    cloud.forget(&run()).await.unwrap();
    assert_eq!(cloud.leftovers(&run()).await.unwrap(), left);

    ids.push(InstanceId::new("i-0123456789abcdef0"));
    cloud.terminate(&run(), &ids).await.unwrap();
    ids.pop();
    until_terminated(&cloud, &ids).await;
    assert_eq!(cloud.sweep(&run()).await.unwrap(), []);
    assert!(cloud.console(&run(), &ids[0]).await.unwrap().contains("Client.UserInitiatedShutdown"));
    cloud.forget(&run()).await.unwrap();
    assert_eq!(cloud.leftovers(&run()).await.unwrap(), []);
    cloud.remove(&run(), &left).await.unwrap();
}

#[tokio::test]
async fn volumes_and_interfaces_without_a_machine_are_found_and_removed() {
    let account = Account::start();
    let cloud = account.cloud().await;
    let config = account.pocket.config("admin", &account.pocket.endpoint()).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let tag = |of: &str, kind: aws_sdk_ec2::types::ResourceType| {
        let tag = aws_sdk_ec2::types::Tag::builder().key("dayfly:run").value(of).build();
        aws_sdk_ec2::types::TagSpecification::builder().resource_type(kind).tags(tag).build()
    };
    for of in [run().as_str(), "another"] {
        let volume = ec2.create_volume().availability_zone("eu-west-1a").size(1);
        volume.tag_specifications(tag(of, aws_sdk_ec2::types::ResourceType::Volume)).send().await.unwrap();
        let interface = ec2.create_network_interface().subnet_id(account.pocket.text("/subnets/a"));
        let tags = tag(of, aws_sdk_ec2::types::ResourceType::NetworkInterface);
        interface.tag_specifications(tags).send().await.unwrap();
    }
    let left = cloud.leftovers(&run()).await.unwrap();
    assert_eq!(left.iter().map(|left| left.kind.as_str()).collect::<Vec<_>>(), ["volume", "network-interface"]);
    cloud.remove(&run(), &left).await.unwrap();
    assert_eq!(cloud.leftovers(&run()).await.unwrap(), []);
    assert_eq!(cloud.leftovers(&"another".into()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_too_young_to_be_seen_is_not_taken_for_gone() {
    let account = Account::start();
    let cloud = account.cloud().await;
    account.pocket.fault(&json!({"blindness": {"seconds": 1.0}}));
    let work = GroupName::new("work");
    // Two groups at once, and a security group that cannot be seen by whoever made it.
    let spec = &account.cluster.groups["work"];
    let runs = run();
    let (first, second) = tokio::join!(cloud.prepare(&runs, &work, spec), cloud.prepare(&runs, &work, spec));
    let picks = first.unwrap();
    assert_eq!(picks, second.unwrap());
    let order = account.order(&picks[0], 1, 2);
    let found = cloud.launch(&order, HOST_KEY).await.unwrap();
    let ids: Vec<InstanceId> = found.iter().map(|instance| instance.id.clone()).collect();
    assert_eq!(cloud.describe(&run(), &ids).await.unwrap(), [], "the answer fails for none of them");
    cloud.terminate(&run(), &ids).await.unwrap();
    let again = cloud.launch(&order, HOST_KEY).await.unwrap();
    assert_eq!(again.iter().map(|instance| instance.id.clone()).collect::<Vec<_>>(), ids, "the token sees them");
    until_terminated(&cloud, &ids).await;
    account.pocket.fault(&json!({"empty_pages": {"times": 1}}));
    assert_eq!(cloud.describe(&run(), &ids).await.unwrap().len(), 2);
}
