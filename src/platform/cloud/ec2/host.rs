//! A machine of EC2 as the rest of dayfly knows machines.

use aws_sdk_ec2::types::{Instance as Described, InstanceStateName};

use super::{Ec2Cloud, slots_tag, tags};
use crate::core::ids::{GroupName, HostName, HostSlot, Incarnation, InstanceId};
use crate::core::records::GroupSpec;
use crate::platform::cloud::{Instance, InstanceState, Reach};

const SSH_PORT: u16 = 22;

impl Ec2Cloud {
    /// A worker; none where the answer has no id. Its name stands in its tags: those fade when it is gone, and the journal
    /// knows better.
    pub(super) fn worker(&self, found: &Described) -> Option<Instance> {
        let group = tags::find(found.tags(), tags::GROUP).map(GroupName::new);
        let index = found.ami_launch_index().and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
        let slot = group
            .as_ref()
            .and_then(|group| slots_tag::read(group, tags::find(found.tags(), tags::SLOTS)?, index))
            .unwrap_or_else(|| unnamed(group.as_ref()));
        self.instance(found, slot, group.as_ref())
    }

    /// A worker of a launch, whatever its tags say.
    pub(super) fn launched(&self, found: &Described, group: &GroupName, slot: HostSlot) -> Option<Instance> {
        self.instance(found, slot, Some(group))
    }

    /// A master's machine: its incarnation is its epoch.
    pub(super) fn master(&self, found: &Described) -> Option<Instance> {
        let epoch = tags::find(found.tags(), tags::EPOCH).and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        let slot = HostSlot { host: HostName::new(tags::MASTER), incarnation: Incarnation(epoch) };
        Some(Instance { reach: None, ..self.instance(found, slot, None)? })
    }

    fn instance(&self, found: &Described, slot: HostSlot, group: Option<&GroupName>) -> Option<Instance> {
        let id = InstanceId::new(found.instance_id()?);
        let address = found.private_ip_address().unwrap_or_default().to_owned();
        let spec = group.and_then(|group| self.settings.cluster.groups.get(group));
        let reach = self.reach(found, group.zip(spec));
        Some(Instance { id, slot, state: state(found), reach, address })
    }

    /// How a master logs in. No host key: it is that of the launch, which the journal knows.
    fn reach(&self, found: &Described, group: Option<(&GroupName, &GroupSpec)>) -> Option<Reach> {
        let outside = self.settings.outside;
        let private = found.private_ip_address();
        let public = group.filter(|(_, spec)| outside && spec.public_address).map(|_| found.public_ip_address());
        let address = public.unwrap_or(private).filter(|address| !address.is_empty())?.to_owned();
        let ssh = group.map(|(_, spec)| spec.ssh.clone()).unwrap_or_default();
        let mut options = Vec::new();
        if outside {
            options.extend(ssh.proxy_jump.map(|host| format!("ProxyJump={host}")));
            options.extend(ssh.proxy_command.map(|command| format!("ProxyCommand={command}")));
        }
        let image_user = || {
            let images = self.resolved.as_ref().ok()?.images.get(group?.0)?;
            let image = images.values().find(|image| found.image_id() == Some(&image.id))?;
            Some(image.user.clone())
        };
        Some(Reach::Ssh {
            address,
            port: ssh.port.unwrap_or(SSH_PORT),
            user: Some(ssh.user.or_else(image_user).unwrap_or_else(|| "ec2-user".to_owned())),
            host_keys: Vec::new(),
            identity: None,
            options,
        })
    }
}

/// A stopped machine still costs its disks and does nothing for the run: it is on its way out.
pub(super) fn state(found: &Described) -> InstanceState {
    match found.state().and_then(|state| state.name()) {
        Some(InstanceStateName::Running) => InstanceState::Running,
        Some(InstanceStateName::Terminated) => InstanceState::Terminated,
        Some(InstanceStateName::ShuttingDown | InstanceStateName::Stopping | InstanceStateName::Stopped) => {
            InstanceState::ShuttingDown
        }
        _ => InstanceState::Pending,
    }
}

fn unnamed(group: Option<&GroupName>) -> HostSlot {
    let group = group.map_or("worker", |group| group.as_str());
    HostSlot { host: HostName::new(format!("{group}-?")), incarnation: Incarnation(0) }
}
