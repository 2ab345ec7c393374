//! What this machine must have.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::finding::Finding;
use crate::entry::trigger::Executables;

/// Programs that are needed here; `local`: workers will be processes of this machine.
pub fn check(local: bool) -> Vec<Finding> {
    let mut findings = vec![match find("ssh", &[]) {
        Some(path) => Finding::ok("ssh", path.display().to_string()),
        None => Finding::problem(
            "ssh",
            "there is no ssh in PATH, by which a master reaches its workers",
            "install OpenSSH's client (apt-get install openssh-client, dnf install openssh-clients)",
        ),
    }];
    if local {
        findings.push(match find("sshd", &["/usr/sbin", "/usr/local/sbin", "/sbin"]) {
            Some(path) => Finding::ok("sshd", path.display().to_string()),
            None => Finding::problem(
                "sshd",
                "there is no sshd in PATH or /usr/sbin, and --local makes each worker one",
                "install OpenSSH's server (apt-get install openssh-server); it need not be running",
            ),
        });
    }
    findings.push(match Executables::find() {
        Ok(programs) => Finding::ok("the agent", programs.agent.display().to_string()),
        Err(why) => {
            Finding::problem("the agent", why.to_string(), "install dayfly-agent beside dayfly, as the release has it")
        }
    });
    findings
}

fn find(name: &str, more: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(more.iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0))
}
