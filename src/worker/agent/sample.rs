//! Load, memory and disk of this machine, for people.

use std::path::Path;

use crate::core::wire::SampleReply;

/// Looks now. What cannot be read is zero.
pub fn take(home: &Path) -> SampleReply {
    let load1 = std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split_whitespace().next().and_then(|load| load.parse().ok()))
        .unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let (disk_total, disk_free) = room(home);
    SampleReply {
        load1,
        memory_total: meminfo(&memory, "MemTotal:"),
        memory_available: meminfo(&memory, "MemAvailable:"),
        disk_total,
        disk_free,
    }
}

/// Total and free bytes of the disk that holds a path.
pub fn room(path: &Path) -> (u64, u64) {
    nix::sys::statvfs::statvfs(path)
        .map_or((0, 0), |disk| (disk.blocks() * disk.fragment_size(), disk.blocks_available() * disk.fragment_size()))
}

fn meminfo(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
