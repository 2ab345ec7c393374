//! Whether this is a guest or a host, and of what, by the marks that Ansible goes by.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::{Facts, content, facts};

/// What was found: the first finding names the type, all of them are listed.
#[derive(Default)]
struct Findings {
    first: Option<(String, &'static str)>,
    guest: BTreeSet<String>,
    host: BTreeSet<String>,
}

impl Findings {
    fn guest(&mut self, name: &str) {
        self.guest.insert(name.to_owned());
        self.first.get_or_insert_with(|| (name.to_owned(), "guest"));
    }
    fn host(&mut self, name: &str) {
        self.host.insert(name.to_owned());
        self.first.get_or_insert_with(|| (name.to_owned(), "host"));
    }
}

pub(super) fn gather() -> Facts {
    let mut findings = Findings::default();
    containers(&mut findings);
    firmware(&mut findings);
    let cpuinfo = content("/proc/cpuinfo").unwrap_or_default();
    for line in cpuinfo.lines() {
        if line.starts_with("model name") && line.contains("QEMU Virtual CPU") {
            findings.guest("kvm");
        } else if line.starts_with("vendor_id") && line.contains("User Mode Linux") {
            findings.guest("uml");
        }
    }
    modules(&mut findings);
    let (kind, role) = findings.first.unwrap_or_else(|| ("NA".to_owned(), "NA"));
    facts([
        ("virtualization_type", json!(kind)),
        ("virtualization_role", json!(role)),
        ("virtualization_tech_guest", json!(findings.guest)),
        ("virtualization_tech_host", json!(findings.host)),
    ])
}

fn containers(findings: &mut Findings) {
    let exists = |path: &str| Path::new(path).exists();
    for line in content("/proc/1/cgroup").unwrap_or_default().lines() {
        if line.contains("/docker/") || (line.contains("/docker-") && line.contains(".scope")) {
            findings.guest("docker");
        }
        if line.contains("/lxc/") || line.contains("/machine.slice/machine-lxc") {
            findings.guest("lxc");
        }
        if line.contains("/system.slice/containerd.service") {
            findings.guest("containerd");
        }
    }
    for variable in content("/proc/1/environ").unwrap_or_default().split('\0') {
        match variable.strip_prefix("container=") {
            Some(kind) if kind.contains("lxc") => findings.guest("lxc"),
            Some(kind) if kind.contains("podman") => findings.guest("podman"),
            _ => {}
        }
        if variable.strip_prefix("container=").is_some_and(|kind| !kind.is_empty()) {
            findings.guest("container");
        }
    }
    if exists("/proc/vz") && !exists("/proc/lve") {
        if exists("/proc/bc") { findings.host("openvz") } else { findings.guest("openvz") }
    }
    let by_systemd = content("/run/systemd/container");
    if let Some(kind) = &by_systemd {
        findings.guest(kind);
    }
    if exists("/.dockerenv") || exists("/.dockerinit") {
        findings.guest("docker");
    }
    let is_container =
        ["docker", "lxc", "podman", "openvz", "containerd"].iter().any(|kind| findings.guest.contains(*kind));
    if is_container || by_systemd.is_some() {
        findings.guest.insert("container".to_owned());
    }
    if exists("/proc/xen") {
        let is_host = content("/proc/xen/capabilities").is_some_and(|text| text.contains("control_d"));
        if is_host { findings.host("xen") } else { findings.guest("xen") }
    }
}

fn firmware(findings: &mut Findings) {
    let told = |file: &str| content(format!("/sys/devices/virtual/dmi/id/{file}")).unwrap_or_default();
    let (product, vendor, family, bios) =
        (told("product_name"), told("sys_vendor"), told("product_family"), told("bios_vendor"));
    if ["KVM", "KVM Server", "Bochs", "AHV", "CloudStack KVM Hypervisor"].contains(&product.as_str()) {
        findings.guest("kvm");
    }
    match (vendor.as_str(), family.as_str(), product.as_str()) {
        ("oVirt", _, _) => findings.guest("oVirt"),
        ("Red Hat", "RHV", _) => findings.guest("RHV"),
        ("Red Hat", _, "RHEV Hypervisor") => findings.guest("RHEV"),
        _ => {}
    }
    if product.starts_with("VMware") {
        findings.guest("VMware");
    }
    if product == "OpenStack Compute" || product == "OpenStack Nova" {
        findings.guest("openstack");
    }
    match bios.as_str() {
        "Xen" => findings.guest("xen"),
        "innotek GmbH" => findings.guest("virtualbox"),
        "Amazon EC2" | "DigitalOcean" | "Hetzner" | "Linode" => findings.guest("kvm"),
        _ => {}
    }
    match vendor.as_str() {
        "QEMU" | "Amazon EC2" | "DigitalOcean" | "Google" | "Scaleway" | "Nutanix" => findings.guest("kvm"),
        "KubeVirt" => findings.guest("KubeVirt"),
        "Microsoft Corporation" => findings.guest("VirtualPC"),
        "Parallels Software International Inc." => findings.guest("parallels"),
        "OpenStack Foundation" => findings.guest("openstack"),
        _ => {}
    }
}

/// What the kernel's modules and devices say about hosting guests.
fn modules(findings: &mut Findings) {
    let text = content("/proc/modules").unwrap_or_default();
    let modules: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    if modules.contains("kvm") {
        findings.host("kvm");
    }
    if modules.contains("vboxdrv") {
        findings.host("virtualbox");
    }
    if modules.contains("virtio") {
        // Ansible lists the host's technology here, though the machine is a guest.
        findings.host.insert("kvm".to_owned());
        findings.first.get_or_insert_with(|| ("kvm".to_owned(), "guest"));
    }
    if Path::new("/dev/kvm").exists() {
        findings.host("kvm");
    }
}
