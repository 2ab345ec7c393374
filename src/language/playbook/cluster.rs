//! `cluster:`, in a native playbook or in a file of its own.

use std::path::Path;

use crate::core::ids::GroupName;
use crate::core::records::{ClusterSpec, GroupSpec, Market, MasterSpec, OnLoss, Start};
use crate::core::source::{Diagnostic, Files, SourceMap, Spanned};
use crate::language::yaml::{Kind, Node};

use super::keywords::is_template;
use super::reader::Reader;
use super::units::parse_duration;

/// The end of everything where `ttl` is not given: a day.
pub const DEFAULT_TTL_MS: u64 = 24 * 3_600_000;

/// The longest life of a cluster: thirty days.
const MAX_TTL_MS: u64 = 30 * 24 * 3_600_000;

/// The most workers of one group.
const MAX_COUNT: u32 = 10_000;

/// What may stand in an instance type beside letters and digits, in a name of IAM, and in that of a placement group.
const TYPE_SIGNS: &str = ".-";
const IAM_SIGNS: &str = "+=,.@_-";
const PLACEMENT_SIGNS: &str = " +=,.@_-:/";

const CLUSTER_KEYS: [&str; 5] = ["region", "ttl", "master", "tags", "groups"];

const MASTER_KEYS: [&str; 7] =
    ["instance_type", "subnets", "security_groups", "iam_instance_profile", "ami", "volume", "public_address"];

const GROUP_KEYS: [&str; 16] = [
    "count",
    "min_count",
    "instance_type",
    "subnets",
    "market",
    "ami",
    "security_groups",
    "iam_instance_profile",
    "volume",
    "public_address",
    "placement_group",
    "capacity_reservation",
    "ssh",
    "start",
    "on_loss",
    "vars",
];

/// Reads the file of `--cluster`: the mapping of `cluster:`, alone or under that key.
pub fn load_cluster(
    files: &dyn Files,
    sources: &SourceMap,
    path: &Path,
) -> (Option<Spanned<ClusterSpec>>, Vec<Diagnostic>) {
    let mut reader = Reader::new(files, sources, path);
    let cluster = reader.yaml(path, None).and_then(|node| reader.cluster(node.get("cluster").unwrap_or(&node)));
    (cluster, reader.problems)
}

impl Reader<'_> {
    /// Reads the mapping; none where it is no mapping.
    pub(super) fn cluster(&mut self, node: &Node) -> Option<Spanned<ClusterSpec>> {
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(node, "cluster", "a mapping with `groups`");
            return None;
        }
        let mut cluster = ClusterSpec { ttl_ms: DEFAULT_TTL_MS, ..ClusterSpec::default() };
        for (name, key, value) in self.mapping(node, "cluster") {
            match name {
                "region" => cluster.region = self.name(value, name, "-", 32),
                "ttl" => cluster.ttl_ms = self.ttl(value).unwrap_or(DEFAULT_TTL_MS),
                "master" => cluster.master = Some(self.master(value)),
                "tags" => cluster.tags = self.tags(value),
                "groups" => {
                    for (name, key, value) in self.mapping(value, "groups") {
                        if self.group_name(name, key) {
                            let group = self.group(name, value);
                            cluster.groups.insert(GroupName::new(name), group);
                        }
                    }
                }
                _ => self.unknown_key(name, key, "cluster", CLUSTER_KEYS),
            }
        }
        if node.get("groups").is_none_or(|groups| matches!(groups.kind, Kind::Null)) {
            self.report(
                Diagnostic::error(node.span, "the cluster has no `groups`")
                    .label("no workers")
                    .help("add groups: with a name and a count, such as {work: {count: 2}}"),
            );
        }
        self.clashing_names(node, &cluster);
        Some(Spanned::new(cluster, node.span))
    }

    fn ttl(&mut self, node: &Node) -> Option<u64> {
        let ttl = node.as_str().and_then(parse_duration);
        match ttl {
            Some(ttl @ 1..=MAX_TTL_MS) => return Some(ttl),
            Some(_) => self.report(
                Diagnostic::error(node.span, "`ttl` must be more than nothing and at most 30d")
                    .label("out of range")
                    .help("write how long the run may take at most, such as 3h"),
            ),
            None => self.wrong(node, "ttl", "a duration with a unit such as 90m, 3h, 1d"),
        }
        None
    }

    fn master(&mut self, node: &Node) -> MasterSpec {
        let mut master = MasterSpec::default();
        for (name, key, value) in self.mapping(node, "master") {
            match name {
                "instance_type" => master.instance_type = self.name(value, name, TYPE_SIGNS, 64),
                "subnets" => master.subnets = self.ids(value, name, "subnet-"),
                "security_groups" => master.security_groups = self.ids(value, name, "sg-"),
                "iam_instance_profile" => master.iam_instance_profile = self.name(value, name, IAM_SIGNS, 128),
                "ami" => master.ami = self.ami(value),
                "volume" => master.volume = self.volume(value),
                "public_address" => master.public_address = self.switch(value, name),
                _ => self.unknown_key(name, key, "master", MASTER_KEYS),
            }
        }
        master
    }

    fn group(&mut self, group: &str, node: &Node) -> GroupSpec {
        let mut spec = GroupSpec::default();
        let mut min_count = None;
        for (name, key, value) in self.mapping(node, &format!("the group {group}")) {
            match name {
                "count" => spec.count = self.count(value, name).unwrap_or(1),
                "min_count" => min_count = self.count(value, name).map(|count| (count, value)),
                "instance_type" => spec.instance_types = self.names(value, name, TYPE_SIGNS, 64),
                "subnets" => spec.subnets = self.ids(value, name, "subnet-"),
                "market" => {
                    let words = [
                        ("on-demand", Market::OnDemand),
                        ("spot", Market::Spot),
                        ("spot-then-on-demand", Market::SpotThenOnDemand),
                    ];
                    spec.market = self.word(value, name, &words).unwrap_or_default();
                }
                "ami" => spec.ami = self.ami(value),
                "security_groups" => spec.security_groups = self.ids(value, name, "sg-"),
                "iam_instance_profile" => spec.iam_instance_profile = self.name(value, name, IAM_SIGNS, 128),
                "volume" => spec.volume = self.volume(value),
                "public_address" => spec.public_address = self.switch(value, name),
                "placement_group" => spec.placement_group = self.name(value, name, PLACEMENT_SIGNS, 255),
                "capacity_reservation" => spec.capacity_reservation = self.id(value, name, "cr-"),
                "ssh" => spec.ssh = self.ssh(value),
                "start" => {
                    let words = [("lazy", Start::Lazy), ("eager", Start::Eager)];
                    spec.start = self.word(value, name, &words).unwrap_or_default();
                }
                "on_loss" => {
                    let words = [
                        ("continue", OnLoss::Continue),
                        ("fail", OnLoss::Fail),
                        ("replace", OnLoss::Replace),
                        ("restart-group", OnLoss::RestartGroup),
                    ];
                    spec.on_loss = self.word(value, name, &words).unwrap_or_default();
                    if matches!(spec.on_loss, OnLoss::Replace | OnLoss::RestartGroup) {
                        let word = value.as_str().unwrap_or_default();
                        let problem = Diagnostic::error(value.span, format!("on_loss `{word}` is not supported yet"));
                        self.report(problem.label("not supported yet").help("write continue or fail"));
                    }
                }
                "vars" => {
                    let vars = self.vars(value);
                    spec.vars = vars.into_iter().map(|(name, node)| (name.value, node.to_value())).collect();
                }
                _ => self.unknown_key(name, key, &format!("the group `{group}`"), GROUP_KEYS),
            }
        }
        if let Some(reserved) = node.get("capacity_reservation").filter(|_| spec.market == Market::Spot) {
            self.report(
                Diagnostic::error(reserved.span, format!("the group `{group}` takes spot instances only"))
                    .label("no spot instance comes from a reservation")
                    .help("leave it out, or buy on-demand"),
            );
        }
        spec.min_count = spec.count;
        if let Some((count, value)) = min_count {
            spec.min_count = count.min(spec.count);
            if count > spec.count {
                let mut problem = Diagnostic::error(
                    value.span,
                    format!("the group `{group}` has min_count {count}, but count is only {}", spec.count),
                )
                .label("more than count")
                .help("make min_count at most as large as count");
                if let Some(whole) = node.get("count") {
                    problem = problem.related(whole.span, "the count");
                }
                self.report(problem);
            }
        }
        spec
    }

    fn count(&mut self, node: &Node, keyword: &str) -> Option<u32> {
        match &node.kind {
            Kind::Int(value) => match u32::try_from(*value) {
                Ok(count) if count <= MAX_COUNT => return Some(count),
                _ => self.report(
                    Diagnostic::error(node.span, format!("`{keyword}` must be between 0 and {MAX_COUNT}, not {value}"))
                        .label("out of range")
                        .help("say how many workers the group has"),
                ),
            },
            Kind::String(text) if is_template(text) => self.no_template(node),
            _ => self.wrong(node, keyword, "a whole number of workers"),
        }
        None
    }

    /// Text that is no template: a cluster is read before there are variables.
    pub(super) fn plain(&mut self, node: &Node, keyword: &str) -> Option<String> {
        let text = self.text(node, keyword)?;
        if is_template(&text.value) {
            self.no_template(node);
            return None;
        }
        if text.value.trim().is_empty() {
            self.wrong(node, keyword, "text that says something");
            return None;
        }
        Some(text.value)
    }

    pub(super) fn no_template(&mut self, node: &Node) {
        self.report(
            Diagnostic::error(node.span, "a cluster takes no templates: it is read before there are variables")
                .label("a template")
                .help("write the value itself, or keep several files for --cluster"),
        );
    }

    fn word<T: Copy>(&mut self, node: &Node, keyword: &str, words: &[(&str, T)]) -> Option<T> {
        let found = node.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(node, keyword, &format!("one of {}", known.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    fn group_name(&mut self, name: &str, key: &Node) -> bool {
        let fine = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            && name.len() <= 63;
        let taken = matches!(name, "all" | "ungrouped" | "localhost");
        if !fine || taken {
            let why =
                if taken { "that name means something else" } else { "letters, digits, _ and - only, at most 63" };
            self.report(
                Diagnostic::error(key.span, format!("`{name}` cannot be the name of a group"))
                    .label(why)
                    .help("rename it"),
            );
        }
        fine && !taken
    }

    /// Worker `a-1` of group `a` must not be a group too.
    fn clashing_names(&mut self, node: &Node, cluster: &ClusterSpec) {
        let Some(groups) = node.get("groups") else { return };
        for (name, key, _) in self.mapping(groups, "groups") {
            let Some((group, index)) = name.rsplit_once('-') else { continue };
            let is_worker = cluster.groups.get(group).is_some_and(|spec| {
                index.parse::<u32>().is_ok_and(|number| number < spec.count && number.to_string() == index)
            });
            if is_worker {
                self.report(
                    Diagnostic::error(
                        key.span,
                        format!("the group `{name}` has the name of a worker of the group `{group}`"),
                    )
                    .label("two things of one name")
                    .help("rename the group"),
                );
            }
        }
    }
}
