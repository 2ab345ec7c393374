//! Owner, group and mode: what is asked for, what differs, and making it so.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::{Returned, mode};

/// What changes about a path, in the form of Ansible's `diff`.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What is.
    pub before: Map<String, Value>,
    /// What will be.
    pub after: Map<String, Value>,
}

impl Change {
    /// A change at a path.
    pub fn at(path: &str) -> Self {
        let mut change = Self::default();
        change.set("path", path, path);
        change
    }
    /// Notes one difference.
    pub fn set(&mut self, name: &str, before: impl Into<Value>, after: impl Into<Value>) {
        self.before.insert(name.to_owned(), before.into());
        self.after.insert(name.to_owned(), after.into());
    }
    /// As it is returned.
    pub fn into_value(self) -> Value {
        json!({"before": self.before, "after": self.after})
    }
}

/// Owner, group and mode as a playbook asks for them.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// A name or a number.
    pub owner: Option<String>,
    /// A name or a number.
    pub group: Option<String>,
    /// Bits as a number, octal or symbolic text.
    pub mode: Option<Value>,
}

impl Attributes {
    /// Takes the arguments that every module for files shares out of a module's arguments. Those that no worker can
    /// honour (SELinux, `chattr` flags) are refused unless they have their default.
    pub fn take(args: &mut Map<String, Value>) -> Result<Self, Failure> {
        for name in ["attributes", "attr", "seuser", "serole", "setype", "selevel", "unsafe_writes"] {
            match args.remove(name) {
                None | Some(Value::Null | Value::Bool(false)) => {}
                Some(text) if text == "" => {}
                Some(_) => return Err(Failure::new(format!("Unsupported parameters: {name}"))),
            }
        }
        let mut text = |name: &str| match args.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
            Some(other) => Some(other.to_string()),
        };
        let (owner, group) = (text("owner"), text("group"));
        let mode = args.remove("mode").filter(|mode| !mode.is_null() && mode != "");
        Ok(Self { owner, group, mode })
    }
    /// The same owner and group with another mode.
    #[must_use]
    pub fn with_mode(&self, mode: Option<Value>) -> Self {
        Self { mode, ..self.clone() }
    }
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.owner.is_none() && self.group.is_none() && self.mode.is_none()
    }
    /// Makes a path have them, itself where it is a link. Returns whether anything changed, or would under `check`.
    pub fn apply(&self, path: &Path, check: bool, change: &mut Change) -> Result<bool, Failure> {
        if self.is_empty() {
            return Ok(false);
        }
        let at = path.to_string_lossy().into_owned();
        if check && !path.exists() {
            return Ok(true);
        }
        let failed = |msg: &str, error: &std::io::Error| {
            Failure::new(msg).with("path", at.clone()).because(failure::errno_at(error, &at))
        };
        let metadata = fs::symlink_metadata(path).map_err(|error| failed("stat failed", &error))?;
        let mut changed = false;
        if let Some(owner) = &self.owner {
            let uid = self.uid(owner).map_err(|failure| failure.with("path", at.clone()))?;
            if metadata.uid() != uid {
                change.set("owner", metadata.uid(), uid);
                changed = true;
                if !check {
                    std::os::unix::fs::lchown(path, Some(uid), None).map_err(|error| failed("chown failed", &error))?;
                }
            }
        }
        if let Some(group) = &self.group {
            let gid = self.gid(group).map_err(|failure| failure.with("path", at.clone()))?;
            if metadata.gid() != gid {
                change.set("group", metadata.gid(), gid);
                changed = true;
                if !check {
                    std::os::unix::fs::lchown(path, None, Some(gid)).map_err(|error| failed("chgrp failed", &error))?;
                }
            }
        }
        if let Some(mode) = &self.mode {
            changed |= apply_mode(mode, path, check, change).map_err(|failure| failure.with("path", at.clone()))?;
        }
        Ok(changed)
    }
    #[expect(clippy::unused_self, reason = "reads as the owner that these attributes ask for")]
    fn uid(&self, owner: &str) -> Result<u32, Failure> {
        if let Ok(uid) = owner.parse() {
            return Ok(uid);
        }
        match User::from_name(owner) {
            Ok(Some(user)) => Ok(user.uid.as_raw()),
            _ => Err(Failure::new(format!("chown failed: failed to look up user {owner}"))),
        }
    }
    #[expect(clippy::unused_self, reason = "reads as the group that these attributes ask for")]
    fn gid(&self, group: &str) -> Result<u32, Failure> {
        if let Ok(gid) = group.parse() {
            return Ok(gid);
        }
        match Group::from_name(group) {
            Ok(Some(group)) => Ok(group.gid.as_raw()),
            _ => Err(Failure::new(format!("chgrp failed: failed to look up group {group}"))),
        }
    }
}

fn apply_mode(mode: &Value, path: &Path, check: bool, change: &mut Change) -> Result<bool, Failure> {
    // A new owner may have cleared bits, so the mode is read again.
    let failed = |error: &std::io::Error| Failure::new("chmod failed").with("details", failure::errno(error));
    let metadata = fs::symlink_metadata(path).map_err(|error| failed(&error))?;
    let current =
        mode::Current { bits: metadata.mode() & 0o7777, is_directory: metadata.is_dir(), umask: mode::umask() };
    let bits = mode::resolve(mode, current)?;
    // Linux has no permissions for symbolic links.
    if bits == current.bits || metadata.is_symlink() {
        return Ok(false);
    }
    change.set("mode", mode::shown(current.bits), mode::shown(bits));
    if check {
        return Ok(true);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).map_err(|error| failed(&error))?;
    let now = fs::symlink_metadata(path).map_err(|error| failed(&error))?;
    Ok(now.mode() & 0o7777 != current.bits)
}

/// The kind of a path, as Ansible's `state` names it.
pub fn state(path: &Path) -> &'static str {
    match fs::symlink_metadata(path) {
        Err(_) => "absent",
        Ok(metadata) if metadata.is_symlink() => "link",
        Ok(metadata) if metadata.is_dir() => "directory",
        Ok(metadata) if metadata.nlink() > 1 => "hard",
        Ok(_) => "file",
    }
}

/// A user's name, or the number where it has none.
pub fn user_name(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

/// A group's name, or the number where it has none.
pub fn group_name(gid: u32) -> Option<String> {
    Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name)
}

/// Adds what Ansible tells about a path that a module returns: uid, gid, owner, group, mode, state, size.
pub fn describe(returned: &mut Returned, path: &Path) {
    if !path.exists() {
        return;
    }
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let mut set = |name: &str, value: Value| returned.insert(name.to_owned(), value);
    set("uid", metadata.uid().into());
    set("gid", metadata.gid().into());
    set("owner", user_name(metadata.uid()).unwrap_or_else(|| metadata.uid().to_string()).into());
    set("group", group_name(metadata.gid()).unwrap_or_else(|| metadata.gid().to_string()).into());
    set("mode", mode::shown(metadata.mode()).into());
    set("state", state(path).into());
    set("size", metadata.len().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(args: Value) -> Result<Attributes, Failure> {
        Attributes::take(&mut args.as_object().cloned().unwrap())
    }

    #[test]
    fn changes_only_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let owner = fs::metadata(&path).unwrap().uid();
        let wanted = attributes(json!({"mode": "0600", "owner": owner})).unwrap();
        let mut change = Change::default();
        assert!(wanted.apply(&path, true, &mut change).unwrap());
        assert_eq!(change.into_value(), json!({"before": {"mode": "0644"}, "after": {"mode": "0600"}}));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        assert!(wanted.apply(&path, false, &mut Change::default()).unwrap());
        assert!(!wanted.apply(&path, false, &mut Change::default()).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn unknown_names_and_flags_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = attributes(json!({"owner": "no-such-user"})).unwrap();
        let failure = wanted.apply(folder.path(), false, &mut Change::default()).unwrap_err();
        assert_eq!(failure.msg(), "chown failed: failed to look up user no-such-user");
        assert!(attributes(json!({"attributes": "+i"})).is_err());
        assert!(attributes(json!({"unsafe_writes": false, "seuser": null})).is_ok());
    }
}
