//! The machine's name, kernel and security, and small things that its files tell.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::{Context, Program, search_path, words};
use super::{Facts, content, facts};

pub(super) fn platform(context: &mut Context) -> Facts {
    let kernel = |name: &str| content(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let machine =
        nix::sys::utsname::uname().map(|name| name.machine().to_string_lossy().into_owned()).unwrap_or_default();
    let nodename = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fqdn = full_name(&nodename, context);
    let domain = fqdn.split_once('.').map(|(_, domain)| domain.to_owned()).unwrap_or_default();
    let bits = usize::BITS;
    let mut told = facts([
        ("system", json!("Linux")),
        ("kernel", json!(kernel("osrelease"))),
        ("kernel_version", json!(kernel("version"))),
        ("machine", json!(machine)),
        ("architecture", json!(machine)),
        ("nodename", json!(nodename)),
        ("hostname", json!(nodename.split('.').next().unwrap_or_default())),
        ("fqdn", json!(fqdn)),
        ("domain", json!(domain)),
        ("userspace_bits", json!(bits.to_string())),
    ]);
    if machine == "x86_64" {
        told.insert("userspace_architecture".into(), json!(if bits == 64 { "x86_64" } else { "i386" }));
    }
    if let Some(id) = content("/var/lib/dbus/machine-id").or_else(|| content("/etc/machine-id")) {
        told.insert("machine_id".into(), id.into());
    }
    told
}

/// The full name as the resolver knows it: `/etc/hosts` first, then whatever `hostname -f` asks.
fn full_name(nodename: &str, context: &mut Context) -> String {
    if let Some(name) = name_in_hosts(&content("/etc/hosts").unwrap_or_default(), nodename) {
        return name;
    }
    let program = search_path::find("hostname", context.environment);
    let told = program.and_then(|program| {
        let argv = vec![program.to_string_lossy().into_owned(), "-f".to_owned()];
        context.programs.run(Program { argv, ..Program::default() }).ok()
    });
    let name = told.filter(|end| end.rc == 0).map(|end| end.stdout.trim().to_owned()).unwrap_or_default();
    if name.is_empty() { nodename.to_owned() } else { name }
}

/// The first name with a dot that the address of a name has, else the first name of that address.
fn name_in_hosts(hosts: &str, nodename: &str) -> Option<String> {
    let entries = || {
        hosts.lines().filter_map(|line| {
            let mut fields = line.split('#').next().unwrap_or_default().split_whitespace();
            let address: IpAddr = fields.next()?.parse().ok()?;
            Some((address, fields.collect::<Vec<_>>()))
        })
    };
    let has_name = |names: &Vec<&str>| names.iter().any(|name| name.eq_ignore_ascii_case(nodename));
    let (address, _) = entries().find(|(_, names)| has_name(names))?;
    let (_, names) = entries().find(|(other, _)| *other == address)?;
    names.iter().find(|name| name.contains('.')).or(names.first()).map(|name| (*name).to_owned())
}

pub(super) fn selinux() -> Facts {
    let Some(enforce) = content("/sys/fs/selinux/enforce") else {
        return facts([("selinux", json!({"status": "disabled"}))]);
    };
    let config = super::distribution::release_file(&content("/etc/selinux/config").unwrap_or_default());
    let setting = |key: &str| config.get(key).cloned().unwrap_or_else(|| "unknown".to_owned());
    let version = content("/sys/fs/selinux/policyvers").and_then(|text| text.parse::<i64>().ok());
    facts([(
        "selinux",
        json!({
            "status": "enabled",
            "mode": if enforce == "1" { "enforcing" } else { "permissive" },
            "config_mode": setting("SELINUX"),
            "type": setting("SELINUXTYPE"),
            "policyvers": version.map_or_else(|| json!("unknown"), Value::from),
        }),
    )])
}

pub(super) fn apparmor() -> Facts {
    let status = if Path::new("/sys/kernel/security/apparmor").exists() { "enabled" } else { "disabled" };
    facts([("apparmor", json!({"status": status}))])
}

pub(super) fn fips() -> Facts {
    facts([("fips", json!(content("/proc/sys/crypto/fips_enabled").as_deref() == Some("1")))])
}

pub(super) fn chroot() -> Facts {
    let identity = |path: &str| std::fs::metadata(path).map(|found| (found.ino(), found.dev())).ok();
    let is_chroot = match (identity("/"), identity("/proc/1/root/.")) {
        (Some(here), Some(first)) => here != first,
        // Only root may look at the first process; the root folder of most file systems has one of these numbers.
        (Some((inode, _)), None) => ![2, 128, 256].contains(&inode),
        _ => false,
    };
    facts([("is_chroot", json!(is_chroot))])
}

pub(super) fn load() -> Facts {
    let text = content("/proc/loadavg").unwrap_or_default();
    let mut numbers = text.split(' ').map(|number| number.parse::<f64>().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    facts([("loadavg", json!({"1m": next(), "5m": next(), "15m": next()}))])
}

pub(super) fn command_line() -> Facts {
    let text = content("/proc/cmdline").unwrap_or_default();
    let words = words::split(&text).unwrap_or_default();
    let (mut last, mut every) = (Map::new(), Map::<String, Value>::new());
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), json!(value)),
            None => (word, json!(true)),
        };
        match every.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value.clone()),
            Some(first) => *first = json!([first.clone(), value]),
            None => {
                every.insert(name.clone(), value.clone());
            }
        }
        last.insert(name, value);
    }
    facts([("cmdline", last.into()), ("proc_cmdline", every.into())])
}

pub(super) fn dns() -> Facts {
    let mut told = Map::new();
    for line in content("/etc/resolv.conf").unwrap_or_default().lines() {
        let mut fields = line.split_whitespace();
        match fields.next() {
            Some("nameserver") => {
                let servers = told.entry("nameservers").or_insert_with(|| json!([]));
                if let Value::Array(servers) = servers {
                    servers.extend(fields.map(Value::from));
                }
            }
            Some("domain") => {
                told.insert("domain".into(), json!(fields.next()));
            }
            Some(list @ ("search" | "sortlist")) => {
                told.insert(list.to_owned(), json!(fields.collect::<Vec<_>>()));
            }
            Some("options") => {
                let options = fields.map(|option| match option.split_once(':') {
                    Some((name, value)) => (name.to_owned(), json!(value)),
                    None => (option.to_owned(), json!(true)),
                });
                told.insert("options".into(), options.collect::<Map<_, _>>().into());
            }
            _ => {}
        }
    }
    facts([("dns", told.into())])
}

pub(super) fn ssh_keys() -> Facts {
    let mut told = Facts::new();
    for algorithm in ["dsa", "rsa", "ecdsa", "ed25519"] {
        let key = ["/etc/ssh", "/etc/openssh", "/etc"]
            .iter()
            .find_map(|folder| content(format!("{folder}/ssh_host_{algorithm}_key.pub")));
        if let Some(key) = key {
            let mut fields = key.split_whitespace();
            let kind = fields.next().unwrap_or_default();
            told.insert(format!("ssh_host_key_{algorithm}_public_keytype"), kind.into());
            told.insert(format!("ssh_host_key_{algorithm}_public"), json!(fields.next()));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_come_from_hosts() {
        let hosts = "127.0.0.1 localhost vm # here\n10.0.0.1 a a.example.org\n10.0.0.2 b\n::1 localhost";
        assert_eq!(name_in_hosts(hosts, "vm").as_deref(), Some("localhost"));
        assert_eq!(name_in_hosts(hosts, "a").as_deref(), Some("a.example.org"));
        assert_eq!(name_in_hosts(hosts, "b").as_deref(), Some("b"));
        assert_eq!(name_in_hosts(hosts, "c"), None);
    }
}
