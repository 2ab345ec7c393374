//! What installs packages and what starts services.

use std::path::Path;

use serde_json::json;

use super::super::{Context, search_path};
use super::{Facts, content, distribution, facts};

/// The last one found wins, as in Ansible.
const PACKAGE_MANAGERS: &[(&str, &str)] = &[
    ("/usr/bin/rpm-ostree", "atomic_container"),
    ("/usr/bin/yum", "dnf"),
    ("/usr/bin/dnf-3", "dnf"),
    ("/usr/bin/dnf5", "dnf5"),
    ("/usr/bin/apt-get", "apt"),
    ("/usr/bin/zypper", "zypper"),
    ("/usr/sbin/urpmi", "urpmi"),
    ("/usr/bin/pacman", "pacman"),
    ("/bin/opkg", "opkg"),
    ("/sbin/apk", "apk"),
    ("/usr/bin/emerge", "portage"),
    ("/usr/bin/xbps-install", "xbps"),
    ("/usr/bin/swupd", "swupd"),
];

pub(super) fn package_manager() -> Facts {
    let exists = |path: &str| Path::new(path).exists();
    let family = distribution::family();
    let name = match family.as_str() {
        "RedHat" if exists("/run/ostree-booted") => "atomic_container",
        "RedHat" => {
            let program = ["/usr/bin/dnf", "/usr/bin/microdnf"].into_iter().find(|path| exists(path));
            match program.and_then(|path| Path::new(path).canonicalize().ok()) {
                Some(real) if real == Path::new("/usr/bin/dnf5") => "dnf5",
                Some(_) => "dnf",
                None => "unknown",
            }
        }
        "Debian" => "apt",
        _ => PACKAGE_MANAGERS.iter().rev().find(|(path, _)| exists(path)).map_or("unknown", |(_, name)| name),
    };
    facts([("pkg_mgr", json!(name))])
}

pub(super) fn service_manager(context: &Context) -> Facts {
    let exists = |path: &str| Path::new(path).exists();
    let found = |name: &str| search_path::find(name, context.environment).is_some();
    let first = content("/proc/1/comm").filter(|name| name != "init" && !name.ends_with("sh"));
    let has_systemctl = found("systemctl");
    let is_booted = ["/run/systemd/system/", "/dev/.run/systemd/", "/dev/.systemd/"].iter().any(|path| exists(path));
    let is_installed = Path::new("/sbin/init")
        .read_link()
        .is_ok_and(|target| target.file_name().is_some_and(|name| name == "systemd"));
    let name = match first.as_deref() {
        Some("procd") => "openwrt_init",
        Some("runit-init") => "runit",
        Some("svscan") => "svc",
        Some("openrc-init") => "openrc",
        Some(name) => name,
        None if has_systemctl && is_booted => "systemd",
        None if found("initctl") && exists("/etc/init/") => "upstart",
        None if exists("/sbin/openrc") => "openrc",
        None if has_systemctl && is_installed => "systemd",
        None if exists("/etc/init.d/") => "sysvinit",
        None if exists("/etc/dinit.d/") => "dinit",
        None => "service",
    };
    facts([("service_mgr", json!(name))])
}
