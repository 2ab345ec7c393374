//! The SSH server: where it is, as whom it runs, and how it is told what to do.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::machine::{ADDRESS, Machine, Order, replace};
use super::processes::AGENT_FOLDER;
use crate::platform::cloud::LaunchError;

/// Folders beside PATH that hold an sshd where PATH of ordinary users does not name them.
const USUAL: [&str; 5] = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/libexec", "/usr/lib/ssh"];

/// Finds sshd, or says how to get it.
pub fn find() -> Result<PathBuf, LaunchError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(USUAL.map(PathBuf::from))
        .map(|folder| folder.join("sshd"))
        // It starts itself again for every connection and wants to be called by its full path for that.
        .find(|file| file.is_absolute() && is_executable(file));
    found.ok_or_else(|| {
        let folders = USUAL.join(", ");
        LaunchError::Impossible(format!(
            "there is no sshd in PATH, {folders}: local workers are SSH servers on loopback. Install it with {}",
            how_to_install()
        ))
    })
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn how_to_install() -> &'static str {
    let ways = [
        ("apt-get", "`apt-get install openssh-server`"),
        ("dnf", "`dnf install openssh-server`"),
        ("yum", "`yum install openssh-server`"),
        ("apk", "`apk add openssh-server`"),
        ("zypper", "`zypper install openssh-server`"),
        ("pacman", "`pacman -S openssh`"),
    ];
    let known = |tool: &str| ["/usr/bin", "/sbin", "/usr/sbin"].iter().any(|at| Path::new(at).join(tool).exists());
    ways.iter().find(|(tool, _)| known(tool)).map_or("your system's package openssh-server", |(_, way)| way)
}

/// The name of the present user, who is also the one who logs in.
pub fn login_user() -> Result<String, LaunchError> {
    let uid = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten().ok_or_else(|| {
        LaunchError::Impossible(format!("user {uid} has no name (no entry in /etc/passwd), so sshd will not log it in"))
    })?;
    let (name, shell) = (user.name, user.shell);
    if shell.ends_with("nologin") || shell.ends_with("false") {
        let shell = shell.display();
        return Err(LaunchError::Impossible(format!(
            "the account {name} has the shell {shell}, so nothing can be run on local workers; `chsh -s /bin/sh {name}` helps"
        )));
    }
    // Without PAM, which only root's sshd could use, a locked account cannot log in by key either.
    let shadow = std::fs::read_to_string("/etc/shadow").unwrap_or_default();
    let locked =
        shadow.lines().filter_map(|line| line.split_once(':')).any(|(n, rest)| n == name && rest.starts_with('!'));
    if uid.is_root() && locked {
        return Err(LaunchError::Impossible(format!(
            "the account {name} is locked, so sshd will not log it in; `usermod -p '*' {name}` unlocks it for keys only"
        )));
    }
    Ok(name)
}

/// Writes what sshd reads for this worker.
pub fn configure(machine: &Machine, order: &Order, port: u16) -> io::Result<()> {
    let config = config(machine, order, port).ok_or_else(|| {
        let folder = machine.folder.display();
        io::Error::other(format!("the path {folder} holds a quote, a backslash, a percent sign or a line end"))
    })?;
    // sshd changes to the account's own home; a worker starts in its own. Whatever the login shell, this one is POSIX.
    let session = "cd \"$HOME\" || exit 1\nexec /bin/sh -c \"${SSH_ORIGINAL_COMMAND:-exec /bin/sh}\"\n";
    replace(&machine.path("session"), session.as_bytes())?;
    replace(&machine.path("sshd_config"), config.as_bytes())
}

fn config(machine: &Machine, order: &Order, port: u16) -> Option<String> {
    let folder = machine.folder.to_str()?;
    if folder.contains(['"', '\\', '%', '\n', '\'']) {
        return None;
    }
    let user = &order.user;
    Some(format!(
        "ListenAddress {ADDRESS}\n\
         Port {port}\n\
         HostKey \"{folder}/host_key\"\n\
         AuthorizedKeysFile \"{folder}/authorized_keys\"\n\
         AllowUsers {user}\n\
         PermitRootLogin prohibit-password\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PubkeyAuthentication yes\n\
         StrictModes no\n\
         UsePAM no\n\
         UseDNS no\n\
         PidFile none\n\
         PrintMotd no\n\
         PrintLastLog no\n\
         PermitUserRC no\n\
         PermitUserEnvironment no\n\
         AllowTcpForwarding no\n\
         AllowAgentForwarding no\n\
         X11Forwarding no\n\
         MaxSessions 64\n\
         MaxStartups 200\n\
         LogLevel INFO\n\
         ForceCommand exec /bin/sh '{folder}/session'\n\
         SetEnv \"HOME={folder}/home\" \"DAYFLY_BASE={folder}/home/{AGENT_FOLDER}\"\n"
    ))
}
