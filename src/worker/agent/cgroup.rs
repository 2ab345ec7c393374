//! A control group for a step's programs, where cgroup v2 is writable: its end is certain there, whatever forks.

use std::fs;
use std::path::PathBuf;

/// Where cgroup v2 may be mounted: alone, or beside the first version.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

const PREFIX: &str = "dayfly-";

/// The control group of one step.
#[derive(Debug)]
pub struct Cgroup(pub PathBuf);

impl Cgroup {
    /// Makes one below that of this process; none where the machine does not let us.
    pub fn new(mark: &str) -> Option<Self> {
        let path = own()?.join(format!("{PREFIX}{mark}"));
        match fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => None,
            _ => Some(Self(path)),
        }
    }

    /// Moves a process in; what it forks is born there.
    pub fn add(&self, pid: u32) {
        let _ = fs::write(self.0.join("cgroup.procs"), pid.to_string());
    }

    /// Kills all that is in it, at once.
    pub fn kill(&self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
    }

    /// How often the kernel killed in it for want of memory; none where memory is not accounted.
    pub fn memory_kills(&self) -> Option<u64> {
        let text = fs::read_to_string(self.0.join("memory.events")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
    }

    /// Removes it; refused while something that the step left behind lives in it.
    pub fn remove(&self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Removes those whose last process ended after its step.
pub fn sweep() {
    let entries = own().and_then(|own| fs::read_dir(own).ok());
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            Cgroup(entry.path()).remove();
        }
    }
}

/// That of this process.
fn own() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = MOUNTS.into_iter().find(|mount| fs::exists(format!("{mount}/cgroup.controllers")).unwrap_or(false))?;
    Some(PathBuf::from(mount).join(own))
}
