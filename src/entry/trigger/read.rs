//! Reads what an order names and refuses it where it can be known to be wrong, before anything exists.

use std::path::Path;

use anyhow::Context as _;

use super::disk::Disk;
use super::order::Order;
use crate::core::records::{CloudKind, ClusterSpec};
use crate::core::source::{Diagnostic, Severity, SourceMap};
use crate::entry::exit::Problem;
use crate::language::playbook::{self, Playbook, PlaybookForm};

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
    let loaded = playbook::load(&Disk, &sources, &order.playbook);
    let mut problems = loaded.problems;
    let cluster = match &order.place.cluster {
        Some(path) => {
            let (cluster, found) = playbook::load_cluster(&Disk, &sources, path);
            problems.extend(found);
            cluster
        }
        None => loaded.playbook.as_ref().and_then(|playbook| playbook.cluster.clone()),
    };
    let cluster = cluster.map(|at| at.value);
    let inventory = order.place.inventory.as_deref().map(read_inventory).transpose()?;
    let cloud = order.cloud(cluster.is_some());
    let Some(playbook) = loaded.playbook else { return Err(refused(&sources, &problems)) };
    if cloud == CloudKind::Ec2 {
        return Err(Problem::Usage(format!(
            "{} asks for machines of EC2, which this build cannot launch; --local runs it on this machine",
            order.playbook.display()
        )));
    }
    if playbook.form == PlaybookForm::Native && cluster.is_none() && inventory.is_none() && order.place.local {
        problems.push(Diagnostic::warning(
            playbook.plays.first().map(|play| play.span).unwrap_or_default(),
            "the playbook has no cluster; --local has nothing to launch",
        ));
    }
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    if errors {
        return Err(refused(&sources, &problems));
    }
    let cluster = if inventory.is_some() { ClusterSpec::default() } else { cluster.unwrap_or_default() };
    Ok(Reading { playbook, cloud, cluster, inventory, warnings: render(&sources, &problems) })
}

fn read_inventory(path: &Path) -> Result<String, Problem> {
    let text = std::fs::read(path).with_context(|| format!("read the inventory {}", path.display()));
    let text = text.map_err(|error| Problem::Usage(format!("{error:#}")))?;
    String::from_utf8(text).map_err(|_| Problem::Usage(format!("the inventory {} is not text", path.display())))
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
