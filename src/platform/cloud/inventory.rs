//! Hosts that exist: nothing is launched, and nothing is ever ended.

use async_trait::async_trait;

use super::{Cloud, CloudError, Instance, InstanceState, LaunchError, LaunchOrder, Reach};
use crate::core::ids::{HostName, HostSlot, Incarnation, InstanceId, RunId};
use crate::core::records::CloudKind;

/// The hosts of an inventory. Their names are their instance ids.
#[derive(Clone, Debug)]
pub struct InventoryCloud {
    hosts: Vec<(HostName, Reach)>,
}

impl InventoryCloud {
    /// A cloud of these hosts.
    pub fn new(hosts: Vec<(HostName, Reach)>) -> Self {
        Self { hosts }
    }

    fn instance(&self, slot: HostSlot) -> Option<Instance> {
        let (_, reach) = self.hosts.iter().find(|(host, _)| *host == slot.host)?;
        let address = match reach {
            Reach::Ssh { address, .. } => address.clone(),
            Reach::Child => "127.0.0.1".to_owned(),
        };
        let id = InstanceId::new(slot.host.as_str());
        Some(Instance { id, slot, state: InstanceState::Running, reach: Some(reach.clone()), address })
    }
}

#[async_trait]
impl Cloud for InventoryCloud {
    fn kind(&self) -> CloudKind {
        CloudKind::Inventory
    }

    async fn launch(&self, order: &LaunchOrder, _host_key: &str) -> Result<Vec<Instance>, LaunchError> {
        let found = |slot: &HostSlot| {
            self.instance(slot.clone())
                .ok_or_else(|| LaunchError::Impossible(format!("the inventory has no host {}", slot.host)))
        };
        order.slots.iter().map(found).collect()
    }

    async fn describe(&self, _run: &RunId, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        let slot = |id: &InstanceId| HostSlot { host: HostName::new(id.as_str()), incarnation: Incarnation(1) };
        Ok(ids.iter().filter_map(|id| self.instance(slot(id))).collect())
    }

    async fn terminate(&self, _run: &RunId, _ids: &[InstanceId]) -> Result<(), CloudError> {
        Ok(())
    }

    /// Nothing: no host of an inventory was made for a run, so none can be left over.
    async fn sweep(&self, _run: &RunId) -> Result<Vec<Instance>, CloudError> {
        Ok(Vec::new())
    }

    async fn console(&self, _run: &RunId, _id: &InstanceId) -> Option<String> {
        None
    }

    async fn forget(&self, _run: &RunId) -> Result<(), CloudError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::GroupName;
    use crate::core::records::GroupSpec;

    fn order(hosts: &[&str]) -> LaunchOrder {
        let slot = |host: &&str| HostSlot { host: HostName::new(*host), incarnation: Incarnation(1) };
        LaunchOrder {
            run: RunId::new("r1"),
            group: GroupName::new("all"),
            token: "r1/all/0/0".into(),
            slots: hosts.iter().map(slot).collect(),
            spec: GroupSpec::default(),
            pick: crate::platform::cloud::Pick::only(),
            authorized_key: String::new(),
            deadline_ms: 0,
            lease_ms: 0,
        }
    }

    #[tokio::test]
    async fn hosts_are_there_before_and_after() {
        let cloud = InventoryCloud::new(vec![(HostName::new("a"), Reach::Child)]);
        let launched = cloud.launch(&order(&["a"]), "").await.unwrap();
        assert_eq!((launched[0].id.as_str(), launched[0].reach.clone()), ("a", Some(Reach::Child)));
        let ids = [launched[0].id.clone()];
        cloud.terminate(&RunId::new("r1"), &ids).await.unwrap();
        assert_eq!(cloud.describe(&RunId::new("r1"), &ids).await.unwrap(), launched);
        assert_eq!(cloud.sweep(&RunId::new("r1")).await.unwrap(), []);
        assert!(matches!(cloud.launch(&order(&["b"]), "").await, Err(LaunchError::Impossible(_))));
    }
}
