//! The cloud's verbs.

use async_trait::async_trait;

use super::Ec2Cloud;
use crate::core::ids::{GroupName, InstanceId, RunId};
use crate::core::records::{CloudKind, GroupSpec};
use crate::platform::cloud::{
    Cloud, CloudError, Instance, LaunchError, LaunchOrder, Leftover, MasterCloud, MasterOrder, Pick,
};

#[async_trait]
impl Cloud for Ec2Cloud {
    fn kind(&self) -> CloudKind {
        CloudKind::Ec2
    }

    async fn prepare(&self, run: &RunId, group: &GroupName, spec: &GroupSpec) -> Result<Vec<Pick>, LaunchError> {
        self.picks(run, group, spec).await
    }

    async fn launch(&self, order: &LaunchOrder, host_key: &str) -> Result<Vec<Instance>, LaunchError> {
        self.launch_order(order, host_key).await
    }

    async fn describe(&self, _run: &RunId, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        self.present(ids).await
    }

    async fn terminate(&self, _run: &RunId, ids: &[InstanceId]) -> Result<(), CloudError> {
        self.end(ids).await
    }

    async fn sweep(&self, run: &RunId) -> Result<Vec<Instance>, CloudError> {
        self.living_workers(run).await
    }

    async fn console(&self, _run: &RunId, id: &InstanceId) -> Option<String> {
        self.last_words(id).await
    }

    async fn sweep_tokens(&self, _run: &RunId, tokens: &[String]) -> Result<Vec<Instance>, CloudError> {
        self.living_by_tokens(tokens).await
    }

    /// The run's masters are shown it as well: whoever ends by that tag alone looks at them too.
    async fn extend(&self, run: &RunId, ids: &[InstanceId], deadline_ms: i64) -> Result<(), CloudError> {
        let masters = MasterCloud::masters(self, run).await?;
        let all: Vec<InstanceId> = masters.into_iter().map(|master| master.id).chain(ids.iter().cloned()).collect();
        self.show_deadline(&all, deadline_ms).await
    }

    async fn leftovers(&self, run: &RunId) -> Result<Vec<Leftover>, CloudError> {
        self.left(run).await
    }

    async fn remove(&self, _run: &RunId, leftovers: &[Leftover]) -> Result<(), CloudError> {
        self.remove_left(leftovers).await
    }

    fn is_eventual(&self) -> bool {
        true
    }

    async fn forget(&self, run: &RunId) -> Result<(), CloudError> {
        self.forget_run(run).await
    }
}

#[async_trait]
impl MasterCloud for Ec2Cloud {
    async fn launch_master(&self, order: &MasterOrder) -> Result<Instance, LaunchError> {
        self.launch_one_master(order).await
    }

    async fn masters(&self, run: &RunId) -> Result<Vec<Instance>, CloudError> {
        self.living_masters(run).await
    }
}
