//! Which facts are asked for, and gathering them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::failure::Failure;
use super::super::{Context, Returned, arguments, pattern};
use super::{Facts, clock, distribution, hardware, host, local, network, origin, user, virtualization};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default = "all")]
    pub(super) gather_subset: Vec<String>,
    #[serde(default = "ten")]
    pub(super) gather_timeout: u64,
    #[serde(default)]
    pub(super) filter: Vec<String>,
    #[serde(default = "facts_d")]
    pub(super) fact_path: String,
}

fn all() -> Vec<String> {
    vec!["all".to_owned()]
}
fn ten() -> u64 {
    10
}
fn facts_d() -> String {
    "/etc/ansible/facts.d".to_owned()
}

/// What gathers a subset of the facts.
type Gatherer = fn(&Args, &mut Context, &mut Vec<Value>) -> Facts;

/// A subset: its name, the names of single facts that stand for it, whether it belongs to `min`, and what gathers it.
struct Subset {
    name: &'static str,
    facts: &'static [&'static str],
    is_minimal: bool,
    gather: Gatherer,
}

const SUBSETS: &[Subset] = &[
    Subset { name: "apparmor", facts: &[], is_minimal: true, gather: |_, _, _| host::apparmor() },
    Subset { name: "chroot", facts: &["is_chroot"], is_minimal: false, gather: |_, _, _| host::chroot() },
    Subset { name: "cmdline", facts: &[], is_minimal: true, gather: |_, _, _| host::command_line() },
    Subset { name: "date_time", facts: &[], is_minimal: true, gather: |_, _, _| clock::gather() },
    Subset {
        name: "distribution",
        facts: &["distribution_version", "distribution_release", "distribution_major_version", "os_family"],
        is_minimal: true,
        gather: |_, _, _| distribution::gather(),
    },
    Subset { name: "dns", facts: &[], is_minimal: true, gather: |_, _, _| host::dns() },
    Subset { name: "env", facts: &[], is_minimal: true, gather: |_, context, _| user::environment(context) },
    Subset { name: "fips", facts: &[], is_minimal: true, gather: |_, _, _| host::fips() },
    Subset {
        name: "hardware",
        facts: &["processor", "processor_cores", "processor_count", "mounts", "devices"],
        is_minimal: false,
        gather: |args, _, _| hardware::gather(args.gather_timeout),
    },
    Subset { name: "loadavg", facts: &[], is_minimal: false, gather: |_, _, _| host::load() },
    Subset { name: "local", facts: &[], is_minimal: true, gather: local::gather },
    Subset { name: "lsb", facts: &[], is_minimal: true, gather: |_, context, _| distribution::lsb(context) },
    Subset {
        name: "network",
        facts: &["interfaces", "default_ipv4", "default_ipv6", "all_ipv4_addresses", "all_ipv6_addresses"],
        is_minimal: false,
        gather: |_, _, _| network::gather(),
    },
    Subset { name: "pkg_mgr", facts: &[], is_minimal: true, gather: |_, _, _| origin::package_manager() },
    Subset {
        name: "platform",
        facts: &["system", "kernel", "kernel_version", "machine", "python_version", "architecture", "machine_id"],
        is_minimal: true,
        gather: |_, context, _| host::platform(context),
    },
    Subset { name: "python", facts: &[], is_minimal: true, gather: |_, context, _| user::python(context) },
    Subset { name: "selinux", facts: &[], is_minimal: true, gather: |_, _, _| host::selinux() },
    Subset {
        name: "service_mgr",
        facts: &[],
        is_minimal: true,
        gather: |_, context, _| origin::service_manager(context),
    },
    Subset {
        name: "ssh_pub_keys",
        facts: &[
            "ssh_host_pub_keys",
            "ssh_host_key_dsa_public",
            "ssh_host_key_rsa_public",
            "ssh_host_key_ecdsa_public",
            "ssh_host_key_ed25519_public",
        ],
        is_minimal: true,
        gather: |_, _, _| host::ssh_keys(),
    },
    Subset {
        name: "user",
        facts: &[
            "user_id",
            "user_uid",
            "user_gid",
            "user_gecos",
            "user_dir",
            "user_shell",
            "real_user_id",
            "effective_user_id",
            "effective_group_ids",
        ],
        is_minimal: true,
        gather: |_, _, _| user::gather(),
    },
    Subset {
        name: "virtual",
        facts: &["virtualization_type", "virtualization_role", "virtualization_tech_guest", "virtualization_tech_host"],
        is_minimal: false,
        gather: |_, _, _| virtualization::gather(),
    },
];

/// Subsets of Ansible's that hold nothing here.
const EMPTY: &[&str] =
    &["caps", "facter", "fibre_channel_wwn", "iscsi", "nvme", "ohai", "system_capabilities", "systemd"];

/// Gathers the facts that are asked for.
pub fn run(args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    let wanted = choose(&args.gather_subset)?;
    let mut warnings = Vec::new();
    let mut gathered = Map::new();
    for subset in SUBSETS.iter().filter(|subset| wanted.contains(subset.name)) {
        for (name, value) in (subset.gather)(&args, context, &mut warnings) {
            gathered.insert(format!("ansible_{}", name.replace(['-', ':'], "_")), value);
        }
    }
    gathered.insert("gather_subset".into(), json!(args.gather_subset));
    gathered.insert("module_setup".into(), json!(true));
    let filters: Vec<&String> = args.filter.iter().filter(|filter| *filter != "*").collect();
    if !args.filter.is_empty() && filters.len() == args.filter.len() {
        gathered.retain(|name, _| filters.iter().any(|filter| passes(name, filter)));
    }
    let mut returned = Returned::from_iter([
        ("ansible_facts".to_owned(), Value::Object(gathered)),
        ("changed".to_owned(), json!(false)),
    ]);
    if !warnings.is_empty() {
        returned.insert("warnings".into(), warnings.into());
    }
    Ok(returned)
}

/// Whether a fact's name passes a filter, with or without `ansible_`.
fn passes(name: &str, filter: &str) -> bool {
    let is_prefixed = ["ansible_", "facter", "ohai"].iter().any(|prefix| filter.starts_with(prefix));
    filter.is_empty()
        || pattern::fits(name, filter)
        || (!is_prefixed && pattern::fits(name, &format!("ansible_{filter}")))
}

/// The subsets that `gather_subset` chooses, by their names.
fn choose(asked: &[String]) -> Result<BTreeSet<&'static str>, Failure> {
    let minimal = || SUBSETS.iter().filter(|subset| subset.is_minimal).map(|subset| subset.name);
    let every = || SUBSETS.iter().map(|subset| subset.name);
    let named = |name: &str| {
        SUBSETS.iter().find(|subset| subset.name == name || subset.facts.contains(&name)).map(|subset| subset.name)
    };
    let mut chosen: BTreeSet<_> = minimal().collect();
    let mut excluded = BTreeSet::new();
    let mut explicit = BTreeSet::new();
    let default = all();
    for text in if asked.is_empty() { &default } else { asked } {
        match text.as_str() {
            "min" => {}
            "all" => chosen.extend(every()),
            "!min" => excluded.extend(minimal()),
            "!all" => excluded.extend(every().filter(|name| minimal().all(|other| other != *name))),
            text => match (text.strip_prefix('!'), named(text.trim_start_matches('!'))) {
                (Some(_), name) => excluded.extend(name),
                (None, Some(name)) => {
                    chosen.insert(name);
                    explicit.insert(name);
                }
                (None, None) if EMPTY.contains(&text) => {}
                (None, None) => {
                    let mut known: Vec<_> =
                        SUBSETS.iter().flat_map(|subset| subset.facts.iter().copied().chain([subset.name])).collect();
                    known.extend(EMPTY);
                    known.sort_unstable();
                    return Err(Failure::new(format!(
                        "Bad subset '{text}' given to Ansible. gather_subset options allowed: all, {}",
                        known.join(", ")
                    )));
                }
            },
        }
    }
    chosen.retain(|name| !excluded.contains(name) || explicit.contains(name));
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::super::super::rehearsal::Rehearsal;
    use super::*;

    fn chosen(asked: &[&str]) -> BTreeSet<&'static str> {
        choose(&asked.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn subsets_add_and_take_away() {
        assert!(chosen(&["all"]).contains("network") && chosen(&[]).contains("network"));
        let least = chosen(&["!all"]);
        assert!(least.contains("distribution") && !least.contains("network"));
        assert_eq!(chosen(&["!all", "!min", "default_ipv4"]), BTreeSet::from(["network"]));
        assert!(!chosen(&["!hardware"]).contains("hardware"));
        assert!(chosen(&["!all", "mounts"]).contains("hardware"));
        let failure = choose(&["nonsense".to_owned()]).unwrap_err();
        assert!(failure.msg().starts_with("Bad subset 'nonsense' given to Ansible."));
    }

    #[test]
    fn filters_by_either_name() {
        let mut stage = Rehearsal::new();
        let result = stage.run("setup", json!({"filter": ["ansible_kernel", "host*"]}));
        let names: Vec<_> = result["ansible_facts"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["ansible_kernel", "ansible_hostname"]);
    }

    #[test]
    fn tells_what_playbooks_use_most() {
        let mut stage = Rehearsal::new();
        let result = stage.run("setup", json!({}));
        let facts = &result["ansible_facts"];
        for name in [
            "distribution",
            "os_family",
            "hostname",
            "fqdn",
            "nodename",
            "architecture",
            "memtotal_mb",
            "pkg_mgr",
            "service_mgr",
            "user_id",
            "kernel",
            "default_ipv4",
            "all_ipv4_addresses",
            "processor_vcpus",
            "mounts",
            "env",
            "date_time",
            "selinux",
            "local",
            "interfaces",
            "lo",
            "uptime_seconds",
            "virtualization_type",
        ] {
            assert!(facts.get(format!("ansible_{name}")).is_some_and(|value| !value.is_null()), "{name}");
        }
        assert_eq!(facts["module_setup"], true);
        assert_eq!(facts["ansible_lo"]["ipv4"]["address"], "127.0.0.1");
        assert!(facts["ansible_memtotal_mb"].as_u64().unwrap() > 0);
    }
}
