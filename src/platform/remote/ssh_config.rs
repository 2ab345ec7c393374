//! ssh's configuration for one worker: written as a file, for ssh's command line cannot say all of it.

use std::fmt::Write as _;
use std::path::Path;

use crate::platform::cloud::Reach;

/// The name that ssh is asked for where a worker is ours; the configuration says what it means.
const ALIAS: &str = "dayfly-worker";

/// The name that ssh is asked for: a host of an inventory has its own, for which the user's configuration may have
/// words.
pub fn destination(reach: &Reach) -> &str {
    match reach {
        Reach::Ssh { address, host_keys, .. } if host_keys.is_empty() => address,
        _ => ALIAS,
    }
}

/// The text of a configuration file.
///
/// A worker of ours has pinned host keys and the run's key, and nothing of the user's counts. A host of an inventory
/// without them is reached as the user's own `ssh` would reach it.
pub fn text(reach: &Reach, identity: &Path, known_hosts: &Path, connect_s: u64) -> String {
    let Reach::Ssh { address, port, user, host_keys, identity: own_identity, options } = reach else {
        return String::new();
    };
    let is_pinned = !host_keys.is_empty();
    let name = destination(reach);
    let mut text = format!("Host {name}\n");
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "    {key} {value}");
    };
    for option in options {
        // As `-o` takes them: `Key=value` or `Key value`; the `-o` itself may stand before them.
        let option = option.trim().strip_prefix("-o").unwrap_or(option).trim();
        let (key, value) = option.split_once(['=', ' ']).unwrap_or((option, ""));
        line(key.trim(), value.trim());
    }
    if is_pinned {
        line("HostName", address);
    }
    if is_pinned || *port != 22 {
        line("Port", &port.to_string());
    }
    if let Some(user) = user {
        line("User", user);
    }
    let key = own_identity.as_deref().map(str::to_owned).or_else(|| is_pinned.then(|| identity.display().to_string()));
    if let Some(key) = key {
        line("IdentityFile", &quoted(&key));
        line("IdentitiesOnly", "yes");
    }
    if is_pinned {
        line("UserKnownHostsFile", &quoted(&known_hosts.display().to_string()));
        line("GlobalKnownHostsFile", "/dev/null");
        line("UpdateHostKeys", "no");
        line("CheckHostIP", "no");
        line("PasswordAuthentication", "no");
        line("KbdInteractiveAuthentication", "no");
        line("GSSAPIAuthentication", "no");
        line("PreferredAuthentications", "publickey");
    }
    line("ConnectTimeout", &connect_s.max(1).to_string());
    line("ServerAliveInterval", "10");
    line("ServerAliveCountMax", "3");
    line("ForwardAgent", "no");
    line("ForwardX11", "no");
    line("ClearAllForwardings", "yes");
    line("PermitLocalCommand", "no");
    line("LogLevel", "ERROR");
    // The first value that ssh meets counts. What is ours takes nothing from the user; a bastion on the way to it does.
    let whom = if is_pinned { format!("Host * !{name}") } else { "Match all".to_owned() };
    let _ = writeln!(text, "{whom}\n    Include ~/.ssh/config\n    Include /etc/ssh/ssh_config");
    text
}

fn known_name(address: &str, port: u16) -> String {
    if port == 22 { address.to_owned() } else { format!("[{address}]:{port}") }
}

/// A line of a known_hosts file for the name that ssh looks for: the patterns of a line are replaced by it, a bare key
/// gets it.
pub fn pin(line: &str, address: &str, port: u16) -> String {
    let is_key = |word: &&str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
    let key: Vec<&str> = line.split_whitespace().skip_while(|word| !is_key(word)).collect();
    format!("{} {}", known_name(address, port), key.join(" "))
}

fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(host_keys: Vec<String>, identity: Option<String>) -> Reach {
        let options = vec!["ProxyJump=bastion".to_owned()];
        Reach::Ssh {
            address: "10.0.0.7".into(),
            port: 2222,
            user: Some("ec2-user".into()),
            host_keys,
            identity,
            options,
        }
    }

    #[test]
    fn a_worker_of_ours_trusts_its_pinned_key_only() {
        let text = text(&reach(vec!["x".into()], None), Path::new("/k/id"), Path::new("/c/hosts"), 20);
        for line in ["IdentityFile \"/k/id\"", "UserKnownHostsFile \"/c/hosts\"", "GlobalKnownHostsFile /dev/null"] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(text.contains("ProxyJump bastion") && text.contains("Host * !dayfly-worker\n    Include"), "{text}");
    }

    #[test]
    fn a_host_of_an_inventory_follows_the_users_configuration() {
        let text = text(&reach(Vec::new(), None), Path::new("/k/id"), Path::new("/c/hosts"), 20);
        assert!(text.starts_with("Host 10.0.0.7\n") && text.contains("Match all\n    Include ~/.ssh/config"), "{text}");
        assert!(!text.contains("/k/id") && !text.contains("UserKnownHostsFile"), "{text}");
    }
}
