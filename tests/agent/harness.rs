//! A worker for one test: a HOME of its own, reached as a child process or by an sshd on loopback, ended with the test.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dayfly::core::ids::{Epoch, HostSlot, Incarnation, RunId, StepKey, sha256_hex};
use dayfly::core::records::{FORMAT_VERSION, StepOrder, StepOutcome};
use dayfly::core::timing::Timing;
use dayfly::platform::cloud::Reach;
use dayfly::platform::remote::{Connector as _, Link, LinkError, LinkOrder, OutputChunk, SshConnector, SshSettings};
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub const AGENT: &str = env!("CARGO_BIN_EXE_dayfly-agent");

/// A worker.
pub struct Worker {
    folder: tempfile::TempDir,
    pub run: RunId,
    reach: Reach,
    sshd: Option<Child>,
}

impl Worker {
    /// Reached as a child process.
    pub fn child() -> Self {
        let folder = tempfile::Builder::new().prefix("dfa").tempdir_in("/tmp").unwrap();
        for name in ["home", "control"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let home = folder.path().join("home");
        let script = format!(
            "#!/bin/sh\nexport HOME='{0}' DAYFLY_BASE='{0}/.dayfly' LEAKED=secret\nexec '{AGENT}' \"$@\"\n",
            home.display()
        );
        let agent = folder.path().join("agent");
        fs::write(&agent, script).unwrap();
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
        let run = RunId::from(folder.path().file_name().unwrap().to_string_lossy().into_owned());
        Self { folder, run, reach: Reach::Child, sshd: None }
    }

    /// Reached as a child process that is another user; its PATH begins with `control/bin`. Only root can make it.
    pub fn child_as(user: &str) -> Self {
        let worker = Self::child();
        let account = nix::unistd::User::from_name(user).unwrap().unwrap();
        let folder = worker.folder.path();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(worker.home(), Some(account.uid.as_raw()), Some(account.gid.as_raw())).unwrap();
        // The built agent may lie where this user cannot look.
        fs::copy(AGENT, folder.join("dayfly-agent")).unwrap();
        let script = format!(
            "#!/bin/sh\nexport HOME='{0}' DAYFLY_BASE='{0}/.dayfly' PATH='{1}:{2}'\n\
             exec setpriv --reuid {user} --regid {3} --clear-groups '{4}/dayfly-agent' \"$@\"\n",
            worker.home().display(),
            worker.control().join("bin").display(),
            std::env::var("PATH").unwrap(),
            account.gid,
            folder.display(),
        );
        fs::write(folder.join("agent"), script).unwrap();
        worker
    }

    /// Reached by ssh.
    pub fn ssh() -> Self {
        let mut worker = Self::child();
        let path = worker.folder.path().to_owned();
        for key in ["host_key", "identity"] {
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path.join(key)).status();
            assert!(made.expect("ssh-keygen (openssh-client) is needed").success());
        }
        fs::copy(path.join("identity.pub"), path.join("authorized_keys")).unwrap();
        if nix::unistd::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host_key\nAuthorizedKeysFile {0}/authorized_keys\n\
             UsePAM no\nStrictModes no\nPidFile none\nPermitRootLogin yes\nMaxStartups 100\n\
             SetEnv HOME={0}/home DAYFLY_BASE={0}/home/.dayfly LEAKED=secret\n",
            path.display()
        );
        fs::write(path.join("sshd_config"), config).unwrap();
        let sshd = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(path.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(path.join("sshd.log")).unwrap())
            .spawn()
            .expect("/usr/sbin/sshd (openssh-server) is needed");
        worker.sshd = Some(sshd);
        let patience = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < patience, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        worker.reach = Reach::Ssh {
            address: "127.0.0.1".into(),
            port,
            user: None,
            host_keys: vec![fs::read_to_string(path.join("host_key.pub")).unwrap()],
            identity: None,
            options: Vec::new(),
        };
        worker
    }

    /// Changes how it is reached.
    pub fn reach(&mut self) -> &mut Reach {
        &mut self.reach
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    pub fn port(&self) -> u16 {
        if let Reach::Ssh { port, .. } = &self.reach { *port } else { 0 }
    }

    /// The folder of a step on this worker.
    pub fn step(&self, key: &str) -> PathBuf {
        self.home().join(".dayfly").join(self.run.as_str()).join("w.1/steps").join(StepKey::from(key).directory())
    }

    pub fn link(&self, epoch: u32) -> Arc<dyn Link> {
        let is_child = matches!(self.reach, Reach::Child);
        let settings = SshSettings {
            control_dir: self.control(),
            identity: self.folder.path().join("identity"),
            agent: if is_child { self.folder.path().join("agent") } else { AGENT.into() },
            agent_sha256: sha256_hex(AGENT.as_bytes()),
        };
        SshConnector::new(settings).link(LinkOrder {
            run: self.run.clone(),
            epoch: Epoch(epoch),
            slot: HostSlot { host: "w".into(), incarnation: Incarnation(1) },
            reach: self.reach.clone(),
            timing: Timing::default(),
        })
    }

    /// Every living process of this worker: its environment names its HOME, or the worker's folder below it.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let home = self.home().display().to_string();
        let names = |entry: &[u8]| {
            let entry = String::from_utf8_lossy(entry);
            let value = entry.strip_prefix("HOME=").or_else(|| entry.strip_prefix("DAYFLY_WORKER="));
            value.is_some_and(|value| value.starts_with(&home))
        };
        processes(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| text.split(|byte| *byte == 0).any(names))
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for _ in 0..3 {
            for (pid, _) in self.processes() {
                kill(pid);
            }
        }
        if let Some(mut sshd) = self.sshd.take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }
}

/// Processes by number and command line.
pub fn processes(wanted: impl Fn(u32) -> bool) -> Vec<(u32, String)> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| wanted(*pid))
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|line| !line.is_empty())?;
            Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
        })
        .collect()
}

/// KILL.
pub fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
}

/// Waits until something holds; fails the test where it never does.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < patience, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An order that runs a shell script.
pub fn shell(key: &str, script: &str) -> StepOrder {
    order(key, "shell", json!({"_raw_params": script}), true)
}

pub fn order(key: &str, module: &str, args: Value, once: bool) -> StepOrder {
    let Value::Object(args) = args else { panic!("arguments are a mapping") };
    StepOrder {
        v: FORMAT_VERSION,
        key: key.into(),
        module: module.into(),
        args,
        environment: BTreeMap::new(),
        becomes: None,
        timeout_ms: 0,
        kill_grace_ms: 300,
        check: false,
        diff: false,
        no_log: false,
        once,
    }
}

/// What a step said.
#[derive(Default)]
pub struct Said {
    pub bytes: Vec<u8>,
    pub next: u64,
    pub lost: u64,
}

impl Said {
    fn take(&mut self, chunk: &OutputChunk) {
        self.bytes.extend_from_slice(&chunk.data);
        self.next = chunk.next_offset;
        self.lost += chunk.lost;
    }
}

/// Runs a step once, from an offset; all of its output.
pub async fn follow(link: &dyn Link, order: &StepOrder, from: u64) -> (Result<StepOutcome, LinkError>, Said) {
    let (output, mut chunks) = mpsc::channel(4);
    let mut said = Said { next: from, ..Said::default() };
    let listen = async {
        while let Some(chunk) = chunks.recv().await {
            said.take(&chunk);
        }
    };
    let (outcome, ()) = tokio::join!(link.run(order, from, output), listen);
    (outcome, said)
}

/// Runs a step to its end.
pub async fn run(link: &dyn Link, order: &StepOrder) -> (StepOutcome, Said) {
    let (outcome, said) = tokio::time::timeout(Duration::from_mins(1), follow(link, order, 0)).await.expect("it ends");
    (outcome.unwrap(), said)
}

/// Resident memory of a process at its highest, in KiB.
pub fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

pub fn write(path: &Path, contents: &[u8]) {
    fs::write(path, contents).unwrap();
}
