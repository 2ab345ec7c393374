//! What a run knows before anything runs: its inventory and the magic variables that are equal for all hosts.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::json;

use super::EngineError;
use super::context::{Context, Workspace};
use crate::core::ids::{GroupName, HostName};
use crate::core::source::Severity;
use crate::core::values::{Var, Vars};
use crate::language::playbook::load_inventory;

/// The hosts of an inventory with their variables, weakest scope first.
pub(super) struct Known {
    pub(super) hosts: Vec<(HostName, Vec<Arc<Vars>>)>,
    pub(super) groups: IndexMap<GroupName, Vec<HostName>>,
}

/// Reads the inventory that the spec holds.
pub(super) fn read_inventory(context: &Context) -> Result<Known, EngineError> {
    let Some(text) = &context.spec.inventory else {
        return Ok(Known { hosts: Vec::new(), groups: IndexMap::new() });
    };
    let path = context.scratch.join(inventory_name(text));
    std::fs::write(&path, text).map_err(|error| EngineError::Internal(format!("{}: {error}", path.display())))?;
    let (inventory, problems) = load_inventory(&Workspace, &context.sources, &path);
    if let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Error) {
        return Err(EngineError::Playbook(problem.render(&context.sources)));
    }
    let hosts = inventory.hosts.keys().map(|host| (host.clone(), inventory.vars_of(host.as_str()).0)).collect();
    Ok(Known { hosts, groups: inventory.hosts_by_group() })
}

/// The name by which an inventory's text is read.
///
/// An inventory in YAML begins with a mapping; one in INI form with a section, a host or a comment.
pub fn inventory_name(text: &str) -> &'static str {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    match first {
        Some(line) if line == "---" || line.starts_with('{') || (line.ends_with(':') && !line.starts_with('[')) => {
            "inventory.yml"
        }
        _ => "inventory.ini",
    }
}

/// Magic variables that are the same for every host.
pub(super) fn magic(context: &Context) -> Vars {
    let options = &context.spec.options;
    let version = json!({
        "full": ANSIBLE_VERSION, "string": ANSIBLE_VERSION, "major": 2, "minor": 19, "revision": 0,
    });
    let limit = options.limit.as_ref().map(|limit| ("ansible_limit", json!(limit)));
    let run_tags = if options.tags.is_empty() { vec!["all".to_owned()] } else { options.tags.clone() };
    let inventory = context.spec.inventory_file.as_deref().map(std::path::Path::new);
    let inventory_dir = inventory.and_then(std::path::Path::parent);
    [
        ("inventory_file", json!(inventory.map(|path| path.display().to_string()))),
        ("inventory_dir", json!(inventory_dir.map(|path| path.display().to_string()))),
        ("playbook_dir", json!(context.output_dir.display().to_string())),
        ("ansible_version", version),
        ("ansible_check_mode", json!(options.check)),
        ("ansible_diff_mode", json!(options.diff)),
        ("ansible_verbosity", json!(options.verbosity)),
        ("ansible_run_tags", json!(run_tags)),
        ("ansible_skip_tags", json!(options.skip_tags)),
        ("ansible_forks", json!(options.forks)),
        ("ansible_managed", json!("Ansible managed")),
        (
            "dayfly",
            json!({"run_id": context.spec.run, "event": context.spec.event, "rank": 0, "world_size": 1,
                   "leader": "127.0.0.1", "peers": ["127.0.0.1"]}),
        ),
    ]
    .into_iter()
    .chain(limit)
    .map(|(name, value)| (name.to_owned(), Var::data(value)))
    .collect()
}

/// The language level that playbooks see as `ansible_version`.
const ANSIBLE_VERSION: &str = "2.19.0";
