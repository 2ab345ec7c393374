//! The hosts of an inventory as the inventory cloud wants them: how each is reached, by Ansible's connection variables.

use std::path::Path;

use serde_json::Value;

use crate::core::ids::HostName;
use crate::core::source::{Diagnostic, Files, Severity, SourceMap};
use crate::core::values::Layers;
use crate::entry::exit::Problem;
use crate::language::args::split_words;
use crate::language::playbook::{Inventory, load_inventory};
use crate::platform::cloud::Reach;
use crate::run::engine::inventory_name;

/// The host that is there without an inventory.
const LOCALHOST: &str = "localhost";

/// Every host of an inventory's text, and localhost.
pub(super) fn reachable(text: Option<&str>) -> Result<Vec<(HostName, Reach)>, Problem> {
    let sources = SourceMap::default();
    let inventory = match text {
        Some(text) => {
            let (inventory, problems) = load_inventory(&Text(text), &sources, Path::new(inventory_name(text)));
            if let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Error) {
                return Err(Problem::Refused(problem.render(&sources)));
            }
            inventory
        }
        None => Inventory::default(),
    };
    let mut hosts = Vec::new();
    for host in inventory.hosts.keys() {
        let reach = reach(host, &inventory.vars_of(host.as_str())).map_err(Problem::Refused)?;
        hosts.push((host.clone(), reach));
    }
    if !inventory.hosts.contains_key(LOCALHOST) {
        hosts.push((HostName::new(LOCALHOST), Reach::Child));
    }
    Ok(hosts)
}

/// What keeps hosts from being reached, at the place where each is named.
pub(super) fn problems(inventory: &Inventory) -> Vec<Diagnostic> {
    let found = inventory.hosts.iter().filter_map(|(name, host)| {
        let why = reach(name, &inventory.vars_of(name.as_str())).err()?;
        Some(Diagnostic::error(host.span, why).label("this host"))
    });
    found.collect()
}

fn reach(host: &HostName, vars: &Layers) -> Result<Reach, String> {
    let text = |names: &[&str]| -> Result<Option<String>, String> {
        let Some((name, var)) = names.iter().find_map(|name| vars.get(name).map(|var| (*name, var))) else {
            return Ok(None);
        };
        let text = match &var.value {
            Value::Null => return Ok(None),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text.contains("{{") {
            return Err(format!("{name} of host {host} is a template; connection variables must be plain values"));
        }
        Ok(Some(text))
    };
    match text(&["ansible_connection"])?.as_deref() {
        Some("local") => return Ok(Reach::Child),
        None | Some("ssh" | "smart" | "ansible.builtin.ssh") => {}
        Some(other) => {
            return Err(format!("host {host} wants the connection {other:?}; there are `ssh` and `local`"));
        }
    }
    let port = match text(&["ansible_port", "ansible_ssh_port"])? {
        None => 22,
        Some(port) => port.parse().map_err(|_| format!("ansible_port of host {host} is {port:?}, not a port"))?,
    };
    let mut options = Vec::new();
    for name in ["ansible_ssh_common_args", "ansible_ssh_extra_args"] {
        if let Some(arguments) = text(&[name])? {
            options.extend(ssh_options(host, name, &arguments)?);
        }
    }
    Ok(Reach::Ssh {
        address: text(&["ansible_host", "ansible_ssh_host"])?.unwrap_or_else(|| host.to_string()),
        port,
        user: text(&["ansible_user", "ansible_ssh_user"])?,
        host_keys: Vec::new(),
        identity: text(&["ansible_ssh_private_key_file", "ansible_private_key_file"])?.map(|path| at_home(&path)),
        options,
    })
}

/// `-o Name=value`, `-oName=value` and `-J host`; ssh's other flags have no meaning here.
fn ssh_options(host: &HostName, name: &str, text: &str) -> Result<Vec<String>, String> {
    let refuse = |word: &str| format!("{name} of host {host} has {word:?}; only -o NAME=VALUE and -J HOST are taken");
    let mut options = Vec::new();
    let words = split_words(text).map_err(|why| format!("{name} of host {host}: {why}"))?;
    let mut words = words.iter().map(|word| crate::language::args::unquote(word));
    while let Some(word) = words.next() {
        let option = match (word, word.strip_prefix("-o")) {
            ("-J", _) => format!("ProxyJump={}", words.next().ok_or_else(|| refuse(word))?),
            (_, Some("")) => words.next().ok_or_else(|| refuse(word))?.to_owned(),
            (_, Some(option)) => option.to_owned(),
            _ => return Err(refuse(word)),
        };
        if !option.contains('=') {
            return Err(refuse(&option));
        }
        options.push(option);
    }
    Ok(options)
}

fn at_home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}

/// One file: the inventory.
struct Text<'a>(&'a str);

impl Files for Text<'_> {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        if path == Path::new(inventory_name(self.0)) {
            Ok(self.0.as_bytes().to_vec())
        } else {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }
    fn exists(&self, path: &Path) -> bool {
        path == Path::new(inventory_name(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<(String, Reach)>, String> {
        let hosts = reachable(Some(text)).map_err(|problem| problem.to_string())?;
        Ok(hosts.into_iter().map(|(host, reach)| (host.to_string(), reach)).collect())
    }

    #[test]
    fn connection_variables_say_how_a_host_is_reached() {
        let hosts = of("a ansible_host=10.0.0.1 ansible_port=2222 ansible_user=me\nb ansible_connection=local\n\n\
                        [all:vars]\nansible_ssh_private_key_file=/k\nansible_ssh_common_args='-o A=b -J jump'\n");
        let hosts = hosts.unwrap();
        let names: Vec<_> = hosts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "localhost"]);
        assert_eq!(hosts[1].1, Reach::Child);
        assert_eq!(
            hosts[0].1,
            Reach::Ssh {
                address: "10.0.0.1".into(),
                port: 2222,
                user: Some("me".into()),
                host_keys: vec![],
                identity: Some("/k".into()),
                options: vec!["A=b".into(), "ProxyJump=jump".into()],
            }
        );
    }

    #[test]
    fn without_an_inventory_there_is_this_machine() {
        let hosts = reachable(None).unwrap();
        assert_eq!(hosts, [(HostName::new("localhost"), Reach::Child)]);
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        for bad in [
            "a ansible_connection=winrm",
            "a ansible_port=many",
            "a ansible_host='{{ x }}'",
            "a ansible_ssh_extra_args='-v'",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
