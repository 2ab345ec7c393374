//! Reads what an order names and refuses it where it can be known to be wrong, before anything exists.

use std::path::Path;

use super::hosts;
use super::order::Order;
use crate::core::records::{CloudKind, ClusterSpec};
use crate::core::source::{Diagnostic, Severity, SourceMap, Span};
use crate::entry::exit::Problem;
use crate::language::check::{CheckInput, check, sort_problems};
use crate::language::playbook::{self, Inventory, Playbook};
use crate::run::engine::Workspace;

/// A playbook that may run, and what it runs on.
pub struct Reading {
    /// The playbook.
    pub playbook: Playbook,
    /// Which cloud.
    pub cloud: CloudKind,
    /// What is provisioned; empty where nothing is.
    pub cluster: ClusterSpec,
    /// The inventory's text.
    pub inventory: Option<String>,
    /// Warnings of check, rendered; empty where there are none.
    pub warnings: String,
}

/// Reads and checks. An error holds every problem at once.
pub fn read(order: &Order) -> Result<Reading, Problem> {
    let sources = SourceMap::default();
    if !order.playbook.is_file() {
        let what = if order.playbook.exists() { "is not a file" } else { "does not exist" };
        return Err(Problem::Usage(format!("the playbook {} {what}", order.playbook.display())));
    }
    let loaded = playbook::load(&Workspace, &sources, &order.playbook);
    let mut problems = loaded.problems;
    let cluster = match &order.place.cluster {
        Some(path) => {
            let (cluster, found) = playbook::load_cluster(&Workspace, &sources, path);
            problems.extend(found);
            cluster
        }
        None => loaded.playbook.as_ref().and_then(|playbook| playbook.cluster.clone()),
    };
    let cluster = cluster.map(|at| at.value);
    let inventory = match &order.place.inventory {
        Some(path) => Some(read_inventory(&sources, path, &mut problems)?),
        None => None,
    };
    let cloud = order.cloud(cluster.is_some());
    let Some(playbook) = loaded.playbook else { return Err(refused(&sources, &problems)) };
    problems.extend(check(CheckInput {
        playbook: &playbook,
        cluster: cluster.as_ref(),
        inventory: inventory.as_ref().map(|(inventory, _)| inventory),
        limit: order.options.limit.as_deref(),
        extra_vars: &order.extra_vars.keys().cloned().collect(),
        files: &Workspace,
        sources: &sources,
        folder: order.playbook.parent().unwrap_or(Path::new("")),
    }));
    sort_problems(&sources, &mut problems);
    if order.place.local && cluster.is_none() {
        let nothing = "--local has nothing to launch: the playbook has no cluster, and --cluster names none";
        problems.push(Diagnostic::warning(Span::default(), nothing));
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(refused(&sources, &problems));
    }
    let cluster = if inventory.is_some() { ClusterSpec::default() } else { cluster.unwrap_or_default() };
    let inventory = inventory.map(|(_, text)| text);
    Ok(Reading { playbook, cloud, cluster, inventory, warnings: render(&sources, &problems) })
}

/// The inventory's text as the spec keeps it; its problems go to the others.
fn read_inventory(
    sources: &SourceMap,
    path: &Path,
    problems: &mut Vec<Diagnostic>,
) -> Result<(Inventory, String), Problem> {
    let name = path.to_string_lossy();
    if name.contains(',') && !path.exists() {
        let (inventory, found) = playbook::load_inventory(&Workspace, sources, path);
        problems.extend(found);
        // A list of hosts is an INI file with one host a line.
        let hosts = name.split(',').map(str::trim).filter(|host| !host.is_empty());
        return Ok((inventory, hosts.fold(String::new(), |text, host| text + host + "\n")));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| Problem::Usage(format!("cannot read the inventory {}: {error}", path.display())))?;
    let (inventory, found) = playbook::load_inventory(&Workspace, sources, path);
    problems.extend(found);
    problems.extend(hosts::problems(&inventory));
    // What is not text was reported by the loader.
    Ok((inventory, String::from_utf8_lossy(&bytes).into_owned()))
}

fn refused(sources: &SourceMap, problems: &[Diagnostic]) -> Problem {
    let text = render(sources, problems);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let word = if errors == 1 { "error" } else { "errors" };
    Problem::Refused(format!("{text}{errors} {word}; nothing was launched\n"))
}

fn render(sources: &SourceMap, problems: &[Diagnostic]) -> String {
    problems.iter().map(|problem| problem.render(sources)).collect::<Vec<_>>().join("\n")
}
