//! Interfaces, their addresses, and the ways out, without sending a packet.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{SockaddrIn, SockaddrIn6};
use serde_json::{Map, Value, json};

use super::{Facts, content, facts};

/// The addresses for which Ansible asks the kernel the way.
const FAR_V4: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0x2404, 0x6800, 0x400a, 0x800, 0, 0, 0, 0x1012);

pub(super) fn gather() -> Facts {
    let mut interfaces: Vec<(String, Map<String, Value>)> = Vec::new();
    for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let described = device(&name, &entry.path());
            interfaces.push((name, described));
        }
    }
    let addresses = Addresses::read();
    for (name, interface) in &mut interfaces {
        addresses.describe(name, interface);
    }
    // An address may have a label of its own: `eth0:1`.
    for (label, list) in &addresses.v4 {
        if !interfaces.iter().any(|(name, _)| name == label)
            && let Some(first) = list.first()
        {
            interfaces.push((label.clone(), Map::from_iter([("ipv4".to_owned(), first.value())])));
        }
    }
    let v4: Vec<String> = interfaces
        .iter()
        .flat_map(|(name, _)| addresses.v4.get(name).into_iter().flatten())
        .map(|v4| v4.address.to_string())
        .collect();
    let v6: Vec<String> = interfaces
        .iter()
        .flat_map(|(name, _)| addresses.v6.get(name).into_iter().flatten())
        .map(|v6| v6.address.to_string())
        .collect();
    let names: Vec<String> = interfaces.iter().map(|(name, _)| name.replace(':', "_")).collect();
    let mut told = facts([
        ("interfaces", json!(names)),
        ("default_ipv4", default_v4(&addresses, &interfaces).into()),
        ("default_ipv6", default_v6(&addresses, &interfaces).into()),
        ("all_ipv4_addresses", json!(v4.iter().filter(|text| !text.starts_with("127.")).collect::<Vec<_>>())),
        ("all_ipv6_addresses", json!(v6.iter().filter(|text| *text != "::1").collect::<Vec<_>>())),
    ]);
    told.extend(interfaces.into_iter().map(|(name, interface)| (name.replace(':', "_"), interface.into())));
    told
}

/// What `/sys/class/net` tells of a device.
fn device(name: &str, path: &Path) -> Map<String, Value> {
    let read = |file: &str| content(path.join(file));
    let number = |file: &str| read(file).and_then(|text| text.parse::<i64>().ok());
    let leaf = |path: &Path| path.file_name().map(|name| json!(name.to_string_lossy()));
    let mut told = Map::from_iter([("device".to_owned(), json!(name))]);
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            told.insert(name.to_owned(), value);
        }
    };
    set("macaddress", read("address").filter(|text| text != "00:00:00:00:00:00").map(Value::from));
    set("mtu", number("mtu").map(Value::from));
    set("active", read("operstate").map(|text| json!(text != "down")));
    set("module", path.join("device/driver/module").canonicalize().ok().and_then(|path| leaf(&path)));
    let kind = match read("type").as_deref() {
        Some("1") => "ether",
        Some("32") => "infiniband",
        Some("512") => "ppp",
        Some("772") => "loopback",
        Some("65534") => "tunnel",
        _ => "unknown",
    };
    set("type", Some(json!(kind)));
    if path.join("bridge").exists() {
        let members = fs::read_dir(path.join("brif")).into_iter().flatten().flatten();
        let members: Vec<_> = members.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        set("type", Some(json!("bridge")));
        set("interfaces", Some(json!(members)));
        set("id", read("bridge/bridge_id").map(Value::from));
        set("stp", read("bridge/stp_state").map(|text| json!(text == "1")));
    }
    if path.join("bonding").exists() {
        let first = |file: &str| read(file).and_then(|text| text.split_whitespace().next().map(Value::from));
        set("type", Some(json!("bonding")));
        let members = read("bonding/slaves").unwrap_or_default();
        set("slaves", Some(json!(members.split_whitespace().collect::<Vec<_>>())));
        set("mode", first("bonding/mode"));
        set("miimon", first("bonding/miimon"));
        set("lacp_rate", first("bonding/lacp_rate"));
        set("primary", read("bonding/primary").map(Value::from));
    }
    set("pciid", path.join("device").read_link().ok().and_then(|target| leaf(&target)));
    set("speed", number("speed").map(Value::from));
    let flags = read("flags").and_then(|text| i64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    set("promisc", flags.map(|flags| json!(flags & 0x100 != 0)));
    told
}

struct V4 {
    address: Ipv4Addr,
    netmask: Ipv4Addr,
    broadcast: Option<Ipv4Addr>,
}

impl V4 {
    fn network(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) & u32::from(self.netmask))
    }
    fn prefix(&self) -> String {
        u32::from(self.netmask).count_ones().to_string()
    }
    fn broadcast(&self) -> String {
        self.broadcast.map(|address| address.to_string()).unwrap_or_default()
    }
    fn value(&self) -> Value {
        json!({
            "address": self.address.to_string(),
            "broadcast": self.broadcast(),
            "netmask": self.netmask.to_string(),
            "network": self.network().to_string(),
            "prefix": self.prefix(),
        })
    }
}

struct V6 {
    address: Ipv6Addr,
    prefix: u32,
    scope: &'static str,
}

/// Every address, by the label of its interface.
#[derive(Default)]
struct Addresses {
    v4: BTreeMap<String, Vec<V4>>,
    v6: BTreeMap<String, Vec<V6>>,
}

impl Addresses {
    fn read() -> Self {
        let mut addresses = Self::default();
        for found in getifaddrs().into_iter().flatten() {
            let Some(address) = &found.address else { continue };
            let has_broadcast = found.flags.contains(InterfaceFlags::IFF_BROADCAST);
            if let Some(v4) = address.as_sockaddr_in() {
                let netmask = found.netmask.as_ref().and_then(|mask| mask.as_sockaddr_in().map(SockaddrIn::ip));
                let broadcast = found.broadcast.as_ref().and_then(|other| other.as_sockaddr_in().map(SockaddrIn::ip));
                addresses.v4.entry(found.interface_name.clone()).or_default().push(V4 {
                    address: v4.ip(),
                    netmask: netmask.unwrap_or(Ipv4Addr::BROADCAST),
                    broadcast: broadcast.filter(|other| has_broadcast && *other != v4.ip() && !other.is_unspecified()),
                });
            } else if let Some(v6) = address.as_sockaddr_in6() {
                let address = v6.ip();
                let mask = found.netmask.as_ref().and_then(|mask| mask.as_sockaddr_in6().map(SockaddrIn6::ip));
                let scope = if address.is_loopback() {
                    "host"
                } else if address.is_unicast_link_local() {
                    "link"
                } else if address.segments()[0] & 0xffc0 == 0xfec0 {
                    "site"
                } else {
                    "global"
                };
                let prefix = mask.map_or(128, |mask| u128::from(mask).count_ones());
                addresses.v6.entry(found.interface_name.clone()).or_default().push(V6 { address, prefix, scope });
            }
        }
        addresses
    }
    fn describe(&self, name: &str, interface: &mut Map<String, Value>) {
        if let Some((first, rest)) = self.v4.get(name).and_then(|list| list.split_first()) {
            interface.insert("ipv4".into(), first.value());
            if !rest.is_empty() {
                interface.insert("ipv4_secondaries".into(), rest.iter().map(V4::value).collect());
            }
        }
        if let Some(list) = self.v6.get(name) {
            let values = list.iter().map(
                |v6| json!({"address": v6.address.to_string(), "prefix": v6.prefix.to_string(), "scope": v6.scope}),
            );
            interface.insert("ipv6".into(), values.collect());
        }
    }
}

/// The address from which packets to a far one would leave. Connecting a datagram socket asks the kernel for the way and
/// sends nothing.
fn leaving_from(far: IpAddr) -> Option<IpAddr> {
    let here: IpAddr = if far.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((here, 0)).ok()?;
    socket.connect((far, 53)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

type Interfaces = [(String, Map<String, Value>)];

fn default_v4(addresses: &Addresses, interfaces: &Interfaces) -> Map<String, Value> {
    let mut told = Map::new();
    let Some(IpAddr::V4(address)) = leaving_from(FAR_V4.into()) else { return told };
    let found = addresses
        .v4
        .iter()
        .find_map(|(label, list)| list.iter().find(|v4| v4.address == address).map(|v4| (label, v4)));
    let Some((label, v4)) = found else { return told };
    let device = label.split(':').next().unwrap_or(label);
    let mut set = |name: &str, value: Value| told.insert(name.to_owned(), value);
    set("interface", json!(device));
    set("address", json!(address.to_string()));
    set("broadcast", json!(v4.broadcast()));
    set("netmask", json!(v4.netmask.to_string()));
    set("network", json!(v4.network().to_string()));
    set("prefix", json!(v4.prefix()));
    set("alias", json!(label));
    if let Some(gateway) = gateway_v4(&content("/proc/net/route").unwrap_or_default(), device) {
        set("gateway", json!(gateway.to_string()));
    }
    add_link(&mut told, interfaces, device);
    told
}

fn default_v6(addresses: &Addresses, interfaces: &Interfaces) -> Map<String, Value> {
    let mut told = Map::new();
    let Some(IpAddr::V6(address)) = leaving_from(FAR_V6.into()) else { return told };
    let found = addresses
        .v6
        .iter()
        .find_map(|(label, list)| list.iter().find(|v6| v6.address == address).map(|v6| (label, v6)));
    let Some((device, v6)) = found else { return told };
    let mut set = |name: &str, value: Value| told.insert(name.to_owned(), value);
    set("interface", json!(device));
    set("address", json!(address.to_string()));
    set("prefix", json!(v6.prefix.to_string()));
    set("scope", json!(v6.scope));
    if let Some(gateway) = gateway_v6(&content("/proc/net/ipv6_route").unwrap_or_default(), device) {
        set("gateway", json!(gateway.to_string()));
    }
    add_link(&mut told, interfaces, device);
    told
}

/// What a default address tells of its device.
fn add_link(told: &mut Map<String, Value>, interfaces: &Interfaces, device: &str) {
    let Some((_, interface)) = interfaces.iter().find(|(name, _)| name == device) else { return };
    for name in ["macaddress", "mtu", "type"] {
        if let Some(value) = interface.get(name) {
            told.insert(name.to_owned(), value.clone());
        }
    }
}

/// The gateway towards [`FAR_V4`]: the narrowest route that covers it, of equals the cheapest.
fn gateway_v4(routes: &str, device: &str) -> Option<Ipv4Addr> {
    let hex = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::from_be);
    let best = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, network, gateway, _, _, _, metric, mask, ..] = fields.as_slice() else { return None };
        let (network, gateway, mask) = (hex(network)?, hex(gateway)?, hex(mask)?);
        let covers = *name == device && u32::from(FAR_V4) & mask == network;
        covers.then_some((mask.count_ones(), std::cmp::Reverse(metric.parse::<u32>().ok()?), gateway))
    });
    best.max().map(|(_, _, gateway)| Ipv4Addr::from(gateway)).filter(|gateway| !gateway.is_unspecified())
}

/// The same towards [`FAR_V6`].
fn gateway_v6(routes: &str, device: &str) -> Option<Ipv6Addr> {
    let best = routes.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [network, prefix, _, _, gateway, metric, _, _, _, name] = fields.as_slice() else { return None };
        let prefix = u32::from_str_radix(prefix, 16).ok()?;
        let network = u128::from_str_radix(network, 16).ok()?;
        let mask = if prefix == 0 { 0 } else { u128::MAX << (128 - prefix.min(128)) };
        let covers = *name == device && u128::from(FAR_V6) & mask == network;
        let metric = u32::from_str_radix(metric, 16).ok()?;
        covers.then_some((prefix, std::cmp::Reverse(metric), u128::from_str_radix(gateway, 16).ok()?))
    });
    best.max().map(|(_, _, gateway)| Ipv6Addr::from(gateway)).filter(|gateway| !gateway.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_gateway_of_the_narrowest_route() {
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
            eth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\n\
            eth0 00000000 020200C0 0003 0 0 50 00000000 0 0 0\n\
            eth1 00000000 030200C0 0003 0 0 0 00000000 0 0 0\n\
            eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        assert_eq!(gateway_v4(routes, "eth0"), Some(Ipv4Addr::new(192, 0, 2, 2)));
        assert_eq!(gateway_v4(routes, "eth2"), None);
    }

    #[test]
    fn finds_the_gateway_of_version_six() {
        let zero = "0".repeat(32);
        let routes = format!(
            "{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n"
        );
        assert_eq!(gateway_v6(&routes, "eth0"), Some("fd00::1".parse().unwrap()));
        assert_eq!(gateway_v6(&routes, "lo"), None);
    }
}
