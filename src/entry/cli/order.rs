//! The flags of check, run and launch, and what they become.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::extra_vars;
use crate::core::records::Options;
use crate::entry::exit::Problem;
use crate::entry::trigger::{Order, Place, Purpose};
use crate::views::report::Format;

/// `--output`
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// Lines as Ansible's
    #[default]
    Text,
    /// One event per line
    Json,
}

/// How a run is shown.
#[derive(Args, Clone, Debug, Default)]
pub struct ReportArguments {
    /// What stdout holds
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Show results; -vv adds places, -vvv indents
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

impl ReportArguments {
    /// Text or JSON.
    pub fn format(&self) -> Format {
        match self.output {
            Output::Text => Format::Text,
            Output::Json => Format::Json,
        }
    }
}

/// A playbook and everything that changes what it does.
#[derive(Args, Clone, Debug)]
pub struct OrderArguments {
    /// The playbook
    #[arg(value_name = "PLAYBOOK")]
    playbook: PathBuf,
    /// Workers are processes of this user on this machine
    #[arg(long, conflicts_with = "inventory")]
    local: bool,
    /// Run on the hosts of this inventory
    #[arg(short, long, value_name = "FILE", conflicts_with = "cluster")]
    inventory: Option<PathBuf>,
    /// The mapping of `cluster:`, for a playbook that has none
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// Variables that are stronger than all others: k=v, JSON, or @FILE
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    /// Only these hosts
    #[arg(short, long, value_name = "PATTERN")]
    limit: Option<String>,
    /// Only tasks with one of these tags
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// No tasks with one of these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    skip_tags: Vec<String>,
    /// Say what would change; change nothing
    #[arg(short = 'C', long)]
    check: bool,
    /// Show how files change
    #[arg(short = 'D', long)]
    diff: bool,
    /// Steps at once; default: as many as there are hosts
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    forks: Option<u32>,
    /// A variable of the environment that `lookup('env')` may see in a launched run
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
}

/// Who will be the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This process.
    Here,
    /// A detached one.
    Detached,
}

impl OrderArguments {
    /// The order, or what is wrong with the command line.
    pub fn order(self, purpose: Purpose, who: Who, verbosity: u8) -> Result<Order, Problem> {
        let mut env = BTreeMap::new();
        for name in self.env {
            let value = std::env::var(&name)
                .map_err(|_| Problem::Usage(format!("--env {name}: the environment has no such variable of text")))?;
            env.insert(name, value);
        }
        let words = |list: Vec<String>| -> Vec<String> {
            list.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
        };
        Ok(Order {
            playbook: self.playbook,
            purpose,
            place: Place { local: self.local, inventory: self.inventory, cluster: self.cluster },
            extra_vars: extra_vars::parse(&self.extra_vars)?,
            options: Options {
                check: self.check,
                diff: self.diff,
                tags: words(self.tags),
                skip_tags: words(self.skip_tags),
                limit: self.limit,
                verbosity,
                forks: self.forks.unwrap_or(0),
                env,
                env_open: who == Who::Here,
            },
            foreground: who == Who::Here,
        })
    }
}
