//! Mounted file systems. A dead network mount cannot hold the facts up: each is asked on a thread of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::statvfs::{Statvfs, statvfs};
use serde_json::{Map, Value, json};

use super::content;

struct Mount {
    device: String,
    point: String,
    fstype: String,
    options: String,
    dump: i64,
    passno: i64,
}

/// Every mount of a device or a network share, with its room and UUID.
pub(super) fn gather(timeout_seconds: u64) -> Vec<Value> {
    let mounts = read(&content("/proc/mounts").unwrap_or_default());
    let uuids = uuids();
    let until = Instant::now() + Duration::from_secs(timeout_seconds);
    let asked: Vec<_> = mounts.iter().map(|mount| ask(mount.point.clone())).collect();
    let answered = mounts.iter().zip(asked).map(|(mount, answer)| {
        let mut told = describe(mount);
        match answer.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Ok(room)) => {
                told.append(&mut self::room(&room));
                let device = PathBuf::from(&mount.device);
                let uuid = uuids.get(&device.canonicalize().unwrap_or(device)).map_or("N/A", String::as_str);
                told.insert("uuid".into(), uuid.into());
            }
            Ok(Err(_)) => {
                told.insert("uuid".into(), "N/A".into());
            }
            Err(_) => {
                told.insert("note".into(), "Could not get extra information due to timeout".into());
            }
        }
        Value::Object(told)
    });
    answered.collect()
}

fn ask(mount: String) -> mpsc::Receiver<nix::Result<Statvfs>> {
    let (answer, receiver) = mpsc::channel();
    // Nobody waits for a thread that hangs; nobody listens to one that comes late.
    std::thread::spawn(move || answer.send(statvfs(mount.as_str())).ok());
    receiver
}

fn describe(mount: &Mount) -> Map<String, Value> {
    [
        ("mount", json!(mount.point)),
        ("device", json!(mount.device)),
        ("fstype", json!(mount.fstype)),
        ("options", json!(mount.options)),
        ("dump", json!(mount.dump)),
        ("passno", json!(mount.passno)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn room(room: &Statvfs) -> Map<String, Value> {
    let (blocks, available) = (room.blocks(), room.blocks_available());
    [
        ("size_total", room.fragment_size() * blocks),
        ("size_available", room.fragment_size() * available),
        ("block_size", room.block_size()),
        ("block_total", blocks),
        ("block_available", available),
        ("block_used", blocks.saturating_sub(available)),
        ("inode_total", room.files()),
        ("inode_available", room.files_available()),
        ("inode_used", room.files().saturating_sub(room.files_available())),
    ]
    .into_iter()
    .map(|(name, number)| (name.to_owned(), number.into()))
    .collect()
}

/// UUIDs by device, as udev knows them.
fn uuids() -> BTreeMap<PathBuf, String> {
    let links = std::fs::read_dir("/dev/disk/by-uuid").into_iter().flatten().flatten();
    links
        .filter_map(|link| Some((link.path().canonicalize().ok()?, link.file_name().to_string_lossy().into_owned())))
        .collect()
}

fn read(text: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let fields: Vec<String> = line.split_whitespace().map(unescape).collect();
        let [device, point, fstype, options, dump, passno] = fields.as_slice() else { return None };
        let is_local = device.starts_with('/') || device.starts_with('\\');
        if (!is_local && !device.contains(":/")) || fstype == "none" {
            return None;
        }
        Some(Mount {
            device: device.clone(),
            point: point.clone(),
            fstype: fstype.clone(),
            options: options.clone(),
            dump: dump.parse().unwrap_or(0),
            passno: passno.parse().unwrap_or(0),
        })
    };
    text.lines().filter_map(mount).collect()
}

/// The kernel writes white space and backslashes in octal: `\040`.
fn unescape(field: &str) -> String {
    let mut plain = String::new();
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        if let Some(byte) = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            plain.push(char::from(byte));
            rest = &rest[at + 4..];
        } else {
            plain.push('\\');
            rest = &rest[at + 1..];
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_devices_and_shares() {
        let mounts = read("/dev/a / ext4 rw 0 1\nproc /proc proc rw 0 0\nnas:/x /mnt/a\\040b nfs ro 0 0\n");
        let told: Vec<_> =
            mounts.iter().map(|mount| (mount.device.as_str(), mount.point.as_str(), mount.passno)).collect();
        assert_eq!(told, [("/dev/a", "/", 1), ("nas:/x", "/mnt/a b", 0)]);
    }
}
