//! Puts an inventory together while its file is read.

use crate::core::ids::{GroupName, HostName};
use crate::core::source::{Diagnostic, Span};
use crate::core::values::{Value, Var, Vars};
use crate::language::args::text_of;

use super::super::reader::Reader;
use super::host_range::expand;
use super::model::{Inventory, InventoryGroup, InventoryHost};

/// The most hosts that an inventory may have.
const MAX_HOSTS: usize = 100_000;

pub(super) struct Builder {
    inventory: Inventory,
}

impl Default for Builder {
    fn default() -> Self {
        let mut builder = Self { inventory: Inventory::default() };
        builder.group("all", Span::default());
        builder.group("ungrouped", Span::default());
        builder.child("all", "ungrouped");
        builder
    }
}

impl Builder {
    /// A group of this name, made where it is not there yet.
    pub(super) fn group(&mut self, name: &str, span: Span) -> &mut InventoryGroup {
        self.inventory
            .groups
            .entry(GroupName::new(name))
            .or_insert_with(|| InventoryGroup { span, ..Default::default() })
    }

    /// Makes one group a child of another; false where the groups would contain each other.
    pub(super) fn child(&mut self, parent: &str, child: &str) -> bool {
        if self.inventory.descendants(child).contains(&parent) {
            return false;
        }
        let group = self.group(parent, Span::default());
        if !group.children.iter().any(|name| name.as_str() == child) {
            group.children.push(GroupName::new(child));
        }
        true
    }

    pub(super) fn has_group(&self, name: &str) -> bool {
        self.inventory.groups.contains_key(name)
    }

    fn host(&mut self, group: &str, name: String, span: Span, vars: &[(String, Value)]) {
        let name = HostName::new(name);
        let host =
            self.inventory.hosts.entry(name.clone()).or_insert_with(|| InventoryHost { span, vars: Vars::default() });
        for (key, value) in vars {
            host.vars.insert(key.clone(), Var::written(value.clone()));
        }
        let group = self.group(group, span);
        if !group.hosts.contains(&name) {
            group.hosts.push(name);
        }
    }

    /// Every group hangs below `all`; `ungrouped` has exactly the hosts of no other group.
    pub(super) fn finish(mut self) -> Inventory {
        let names: Vec<GroupName> = self.inventory.groups.keys().cloned().collect();
        for name in &names {
            let has_parent =
                self.inventory.groups.values().any(|group| group.children.contains(name)) || name.as_str() == "all";
            if !has_parent {
                self.child("all", name.as_str());
            }
        }
        let grouped: std::collections::HashSet<HostName> = self
            .inventory
            .groups
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "all" | "ungrouped"))
            .flat_map(|(_, group)| group.hosts.iter().cloned())
            .collect();
        let hosts: Vec<HostName> =
            self.inventory.hosts.keys().filter(|host| !grouped.contains(host.as_str())).cloned().collect();
        self.group("ungrouped", Span::default()).hosts = hosts;
        self.inventory
    }
}

impl Reader<'_> {
    /// Adds the hosts of `web[01:10]:2222` to a group.
    pub(super) fn hosts_of_pattern(
        &mut self,
        builder: &mut Builder,
        group: &str,
        pattern: &str,
        span: Span,
        vars: &[(String, Value)],
    ) {
        let (names, port) = match expand(pattern) {
            Ok(expanded) => expanded,
            Err(why) => {
                self.report(
                    Diagnostic::error(span, format!("`{pattern}` is not a host: {why}"))
                        .label("this host")
                        .help("write a name, an address, name:port, or a range such as web[01:10]"),
                );
                return;
            }
        };
        if builder.inventory.hosts.len() + names.len() > MAX_HOSTS {
            self.report(
                Diagnostic::error(span, format!("the inventory has more than {MAX_HOSTS} hosts"))
                    .label("too many with this"),
            );
            return;
        }
        let mut own = Vec::new();
        own.extend(port.map(|port| ("ansible_port".to_owned(), Value::from(port))));
        own.extend(vars.iter().cloned());
        for name in names {
            builder.host(group, name, span, &own);
        }
    }

    /// Reports connection variables that dayfly would have to ignore.
    pub(super) fn connection_variable(&mut self, name: &str, value: &Value, span: Span) {
        let text = text_of(value);
        let problem = match name {
            "ansible_connection" if !matches!(text.as_str(), "ssh" | "local" | "smart" | "paramiko") => {
                Diagnostic::error(span, format!("the connection `{text}` is not supported"))
                    .label("not supported")
                    .help("use ssh or local")
            }
            "ansible_port" if !text.parse::<u16>().is_ok_and(|port| port > 0) && !text.contains("{{") => {
                Diagnostic::error(span, format!("`{text}` is not a port"))
                    .label("not a port")
                    .help("write a number from 1 to 65535")
            }
            "ansible_become_method" if text != "sudo" => {
                Diagnostic::error(span, format!("the become method `{text}` is not supported"))
                    .label("not supported yet")
                    .help("use sudo")
            }
            "ansible_password" | "ansible_ssh_pass" | "ansible_become_password" | "ansible_become_pass" => {
                Diagnostic::warning(span, format!("`{name}` is not used: dayfly types no passwords"))
                    .label("ignored")
                    .help("log in with a key, and let sudo work without a password")
            }
            _ => return,
        };
        self.report(problem);
    }
}
