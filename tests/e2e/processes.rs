//! Processes that belong to a scene: its folder stands in their command line, environment, program, folder or open files.

use std::path::Path;

/// Ids of the processes that name this folder, this one excepted.
pub fn of(folder: &Path) -> Vec<u32> {
    let mark = folder.to_string_lossy().into_owned();
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id| *id != own && names(*id, &mark))
        .collect()
}

/// Ends them, twice: what was being born meanwhile is found the second time.
pub fn end(folder: &Path) {
    for _ in 0..3 {
        let living = of(folder);
        if living.is_empty() {
            return;
        }
        for id in living {
            kill(id, libc::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Sends a signal to one process.
#[expect(unsafe_code, reason = "kill(2) has no safe form in std")]
pub fn kill(id: u32, signal: i32) {
    // SAFETY: kill takes two integers and touches no memory of ours.
    let _ = unsafe { libc::kill(i32::try_from(id).expect("a process id"), signal) };
}

/// One line each, for people.
pub fn describe(ids: &[u32]) -> String {
    ids.iter()
        .map(|id| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            format!("{id}: {}", String::from_utf8_lossy(&line).replace('\0', " "))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The command line of a process.
pub fn command_line(id: u32) -> Vec<u8> {
    std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default()
}

/// Ids of all processes.
pub fn all() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn names(id: u32, mark: &str) -> bool {
    let root = format!("/proc/{id}");
    // A process that was ended and not yet waited for holds nothing any more.
    let state = std::fs::read_to_string(format!("{root}/stat")).unwrap_or_default();
    if state.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z')) {
        return false;
    }
    let holds = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(mark);
    let points =
        |name: &str| std::fs::read_link(format!("{root}/{name}")).is_ok_and(|to| to.to_string_lossy().contains(mark));
    holds(std::fs::read(format!("{root}/cmdline")).unwrap_or_default())
        || holds(std::fs::read(format!("{root}/environ")).unwrap_or_default())
        || points("exe")
        || points("cwd")
        || std::fs::read_dir(format!("{root}/fd")).is_ok_and(|files| {
            files
                .filter_map(Result::ok)
                .any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().contains(mark)))
        })
}
