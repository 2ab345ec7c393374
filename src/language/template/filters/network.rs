//! Addresses: the basics of `ipaddr` and its kin.

use std::net::IpAddr;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("ipaddr", &["value", "query", "version", "alias"], |_, args| over(args, None)),
    filter("ipv4", &["value", "query", "alias"], |_, args| over(args, Some(true))),
    filter("ipv6", &["value", "query", "alias"], |_, args| over(args, Some(false))),
    filter("ipwrap", &["value", "query"], |_, args| match args.value() {
        value if value.is_sequence() => {
            Ok(Val::list(value.iterate()?.into_iter().map(|item| Val::text(wrap(&item.to_string())))))
        }
        value => Ok(Val::text(wrap(&value.to_string()))),
    }),
    filter("ipsubnet", &["value", "query", "index"], subnet),
];

/// An address with its prefix.
#[derive(Clone, Copy)]
struct Net {
    address: IpAddr,
    prefix: u32,
    /// Whether the prefix was written.
    explicit: bool,
}

impl Net {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = match prefix {
            None => width,
            Some(text) => {
                if let Ok(prefix) = text.parse::<u32>() {
                    prefix
                } else {
                    let mask = u32::from(text.parse::<std::net::Ipv4Addr>().ok()?);
                    mask.leading_ones().eq(&mask.count_ones()).then(|| mask.leading_ones())?
                }
            }
        };
        (length <= width).then_some(Self { address, prefix: length, explicit: prefix.is_some() })
    }
    fn width(self) -> u32 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }
    fn number(self) -> u128 {
        match self.address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        }
    }
    fn host_bits(self) -> u32 {
        self.width() - self.prefix
    }
    fn host_mask(self) -> u128 {
        if self.host_bits() == 128 { u128::MAX } else { (1u128 << self.host_bits()) - 1 }
    }
    fn show(self, number: u128) -> String {
        if self.address.is_ipv4() {
            std::net::Ipv4Addr::from(number as u32).to_string()
        } else {
            std::net::Ipv6Addr::from(number).to_string()
        }
    }
    fn network(self) -> u128 {
        self.number() & !self.host_mask()
    }
    fn last(self) -> u128 {
        self.number() | self.host_mask()
    }
    fn is_network(self) -> bool {
        self.explicit && self.number() == self.network() && self.host_bits() > 0
    }
}

fn over(args: &Args, v4: Option<bool>) -> Outcome<Val> {
    let query = args.get(1).cloned().unwrap_or_else(|| Val::text(""));
    if args.value().is_sequence() {
        let mut found = Vec::new();
        for item in args.value().iterate()? {
            let answer = one(&item, &query, v4)?;
            if answer.truthy()? {
                found.push(answer);
            }
        }
        return Ok(Val::list(found));
    }
    one(args.value(), &query, v4)
}

fn one(value: &Val, query: &Val, v4: Option<bool>) -> Outcome<Val> {
    let no = Ok(Val::Bool(false));
    let Some(net) = Net::parse(&value.to_string()) else { return no };
    if v4.is_some_and(|v4| v4 != net.address.is_ipv4()) {
        return no;
    }
    let with_prefix = |number: u128| Val::text(format!("{}/{}", net.show(number), net.prefix));
    let index = query.as_int().or_else(|| query.to_string().parse().ok());
    if let Some(index) = index {
        let base = if index < 0 { net.last().wrapping_add(1) } else { net.network() };
        let number = base.wrapping_add(index as u128);
        return if (net.network()..=net.last()).contains(&number) { Ok(with_prefix(number)) } else { no };
    }
    let usable = net.host_bits() > 1;
    Ok(match query.to_string().as_str() {
        "address" | "ip" | "host" if net.is_network() => return no,
        "address" | "ip" => Val::text(net.show(net.number())),
        "bool" => Val::Bool(true),
        "host" | "host/prefix" | "hostnet" | "router" | "address/prefix" | "gateway" => with_prefix(net.number()),
        "network" | "network_id" => Val::text(net.show(net.network())),
        "net" if net.number() != net.network() => return no,
        "net" | "subnet" | "network/prefix" | "cidr" => with_prefix(net.network()),
        "netmask" => {
            Val::text(net.show(if net.width() == 32 { u128::from(u32::MAX) } else { u128::MAX } & !net.host_mask()))
        }
        "hostmask" | "wildcard" => Val::text(net.show(net.host_mask())),
        "prefix" => Val::Int(i128::from(net.prefix)),
        "broadcast" if usable => Val::text(net.show(net.last())),
        "size" => Val::Int(i128::try_from(net.host_mask()).unwrap_or(i128::MAX).saturating_add(1)),
        "first_usable" if usable => Val::text(net.show(net.network() + 1)),
        "last_usable" if usable => Val::text(net.show(net.last() - 1)),
        "range_usable" if usable => Val::text(format!("{}-{}", net.show(net.network() + 1), net.show(net.last() - 1))),
        "int" => Val::Int(net.number() as i128),
        "version" => Val::Int(if net.address.is_ipv4() { 4 } else { 6 }),
        "type" => Val::text(if net.is_network() { "network" } else { "address" }),
        "wrap" => Val::text(wrap(&value.to_string())),
        "" => value.clone(),
        "private" if is_private(net.address) => value.clone(),
        "public" if !is_private(net.address) => value.clone(),
        "loopback" | "lo" if net.address.is_loopback() => value.clone(),
        "multicast" if net.address.is_multicast() => value.clone(),
        "4" | "ipv4" | "v4" if net.address.is_ipv4() => value.clone(),
        "6" | "ipv6" | "v6" if net.address.is_ipv6() => value.clone(),
        range if range.contains(['.', ':']) => match Net::parse(range) {
            Some(range) if (range.network()..=range.last()).contains(&net.number()) && range.width() == net.width() => {
                value.clone()
            }
            _ => return no,
        },
        "private" | "public" | "loopback" | "lo" | "multicast" | "4" | "ipv4" | "v4" | "6" | "ipv6" | "v6"
        | "broadcast" | "first_usable" | "last_usable" | "range_usable" => return no,
        other => fail!("the query '{other}' of ipaddr is not supported"),
    })
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback()
                || (address.segments()[0] & 0xfe00) == 0xfc00
                || (address.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}

/// Brackets around an IPv6 address, as URLs want them.
fn wrap(text: &str) -> String {
    match Net::parse(text) {
        Some(net) if net.address.is_ipv6() => match text.split_once('/') {
            Some((address, prefix)) => format!("[{address}]/{prefix}"),
            None => format!("[{text}]"),
        },
        _ => text.to_owned(),
    }
}

fn subnet(_: &Machine, args: &Args) -> Outcome<Val> {
    let Some(net) = Net::parse(&args.value().to_string()) else { return Ok(Val::Bool(false)) };
    let Some(wanted) = args.int(1)? else {
        return Ok(Val::text(format!("{}/{}", net.show(net.network()), net.prefix)));
    };
    let Some(prefix) = u32::try_from(wanted).ok().filter(|prefix| (net.prefix..=net.width()).contains(prefix)) else {
        return Ok(Val::Bool(false));
    };
    let bits = prefix - net.prefix;
    let Some(index) = args.int(2)? else { return Ok(Val::Int(1i128.checked_shl(bits).unwrap_or(i128::MAX))) };
    let count = 1u128.checked_shl(bits).unwrap_or(u128::MAX);
    let index = if index < 0 { count.wrapping_add(index as u128) } else { index as u128 };
    if index >= count {
        return Ok(Val::Bool(false));
    }
    let step = 1u128.checked_shl(net.width() - prefix).unwrap_or(0);
    Ok(Val::text(format!("{}/{prefix}", net.show(net.network() + index * step))))
}
