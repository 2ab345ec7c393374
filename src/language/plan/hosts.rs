//! Host patterns, with Ansible's meaning and Ansible's order.

use fancy_regex::Regex;
use indexmap::{IndexMap, IndexSet};

use crate::core::ids::{GroupName, HostName};

/// The names that mean this machine where no host has them.
pub const LOCALHOST: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What a pattern chooses from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Groups in order, each with its hosts and those of its children. A group `all` here gives the order of `all`.
    pub groups: IndexMap<GroupName, Vec<HostName>>,
    /// Every host, in the order of definition.
    pub all: Vec<HostName>,
}

/// Why a pattern chooses nothing that could be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// After `~` stands no regular expression.
    #[error("`{pattern}` is not a regular expression: {why}")]
    Regex {
        /// The part of the pattern.
        pattern: String,
        /// What the expression parser says.
        why: String,
    },
    /// `g[5]` of a group of three.
    #[error("no hosts matched the subscripted pattern '{pattern}': there are {has}")]
    Subscript {
        /// The part of the pattern.
        pattern: String,
        /// How many hosts there are to count from.
        has: usize,
    },
}

/// The hosts of a pattern, each once.
pub fn select(pattern: &str, hosts: &Hosts) -> Result<Vec<HostName>, PatternError> {
    let mut chosen: IndexSet<HostName> = IndexSet::new();
    for part in ordered(split(pattern)) {
        if let Some(host) = hosts.all.iter().find(|host| host.as_str() == part) {
            chosen.insert(host.clone());
            continue;
        }
        let matched = part_hosts(&part, hosts)?;
        match part.as_bytes().first() {
            Some(b'!') => chosen.retain(|host| !matched.contains(host)),
            Some(b'&') => chosen.retain(|host| matched.contains(host)),
            _ => chosen.extend(matched),
        }
    }
    Ok(chosen.into_iter().collect())
}

/// The hosts of a pattern that `--limit` leaves.
pub fn select_limited(pattern: &str, limit: Option<&str>, hosts: &Hosts) -> Result<Vec<HostName>, PatternError> {
    let mut chosen = select(pattern, hosts)?;
    if let Some(limit) = limit {
        let left = select(limit, hosts)?;
        chosen.retain(|host| left.contains(host));
    }
    Ok(chosen)
}

/// The parts of a pattern that match neither a group nor a host; Ansible warns of them.
pub fn unmatched(pattern: &str, hosts: &Hosts) -> Vec<String> {
    split(pattern)
        .into_iter()
        .filter_map(|part| {
            let name = bare(&part);
            let (expression, _) = subscript(name);
            let known = expression == "all"
                || LOCALHOST.contains(&expression)
                || matcher(expression).is_err()
                || matcher(expression).is_ok_and(|matches| {
                    hosts.groups.keys().any(|group| matches(group.as_str()))
                        || hosts.all.iter().any(|host| matches(host.as_str()))
                });
            (!known).then(|| expression.to_owned())
        })
        .collect()
}

/// The plain names in a pattern, without signs and subscripts: what may be a group or a host.
pub fn plain_names(pattern: &str) -> Vec<String> {
    split(pattern)
        .iter()
        .map(|part| subscript(bare(part)).0.to_owned())
        .filter(|name| !name.starts_with('~') && !name.contains(['*', '?', '[']))
        .collect()
}

/// Cuts a pattern at commas and colons, but not inside brackets, addresses and `host:port`.
fn split(pattern: &str) -> Vec<String> {
    pattern.split(',').flat_map(split_colons).collect()
}

fn split_colons(pattern: &str) -> Vec<String> {
    let pattern = pattern.trim();
    let with_port = pattern.rsplit_once(':').is_some_and(|(host, port)| {
        !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && host.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    });
    if with_port || pattern.parse::<std::net::Ipv6Addr>().is_ok() {
        return vec![pattern.to_owned()];
    }
    let mut parts = vec![String::new()];
    let mut inside = false;
    for character in pattern.chars() {
        match character {
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        if !inside && (character == ':' || character.is_whitespace()) {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Plain parts first, then intersections, then exclusions; `all` where there is no plain part.
fn ordered(parts: Vec<String>) -> Vec<String> {
    let (signed, mut regular): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.starts_with(['!', '&']));
    let (excluded, intersected): (Vec<_>, Vec<_>) = signed.into_iter().partition(|part| part.starts_with('!'));
    if regular.is_empty() {
        regular.push("all".to_owned());
    }
    regular.into_iter().chain(intersected).chain(excluded).collect()
}

/// A part without its sign.
fn bare(part: &str) -> &str {
    part.strip_prefix(['!', '&']).unwrap_or(part)
}

fn part_hosts(part: &str, hosts: &Hosts) -> Result<Vec<HostName>, PatternError> {
    let name = bare(part);
    let (expression, subscript) = subscript(name);
    let matched = enumerate(expression, hosts)?;
    match subscript {
        Some(subscript) if !matched.is_empty() => subscript
            .apply(&matched)
            .ok_or_else(|| PatternError::Subscript { pattern: name.to_owned(), has: matched.len() }),
        _ => Ok(matched),
    }
}

/// What stands in brackets behind a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscript {
    /// `[1]`, `[-1]`
    Index(i64),
    /// `[1:3]`, whose end is included; without an end it goes on to the last.
    Range(usize, Option<usize>),
}

impl Subscript {
    fn apply(self, hosts: &[HostName]) -> Option<Vec<HostName>> {
        match self {
            Self::Index(index) => {
                let at =
                    if index < 0 { hosts.len().checked_sub(index.unsigned_abs() as usize)? } else { index as usize };
                hosts.get(at).map(|host| vec![host.clone()])
            }
            // An end of zero counts as none in Ansible: `g[2:0]` is `g[2]`.
            Self::Range(start, Some(0)) => hosts.get(start).map(|host| vec![host.clone()]),
            Self::Range(start, end) => {
                let end = end.map_or(hosts.len(), |end| (end + 1).min(hosts.len()));
                Some(hosts.get(start.min(end)..end).unwrap_or_default().to_vec())
            }
        }
    }
}

fn subscript(pattern: &str) -> (&str, Option<Subscript>) {
    let none = (pattern, None);
    if pattern.starts_with('~') {
        return none;
    }
    let Some((expression, inside)) = pattern.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) else {
        return none;
    };
    if expression.is_empty() {
        return none;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(inside.strip_prefix('-').unwrap_or(inside)) {
        return (expression, inside.parse().ok().map(Subscript::Index));
    }
    let Some((start, end)) = inside.split_once([':', '-']) else { return none };
    if !is_number(start) || !(end.is_empty() || is_number(end)) {
        return none;
    }
    let Ok(start) = start.parse() else { return none };
    (expression, Some(Subscript::Range(start, end.parse().ok())))
}

fn enumerate(expression: &str, hosts: &Hosts) -> Result<Vec<HostName>, PatternError> {
    let mut found: IndexSet<HostName> = IndexSet::new();
    if expression == "all" && !hosts.groups.contains_key("all") {
        return Ok(hosts.all.clone());
    }
    let matches = matcher(expression)?;
    if !hosts.groups.contains_key("all") && matches("all") {
        found.extend(hosts.all.iter().cloned());
    }
    let mut group_matched = !found.is_empty();
    for (group, members) in &hosts.groups {
        if matches(group.as_str()) {
            group_matched = true;
            found.extend(members.iter().cloned());
        }
    }
    if !group_matched || expression.starts_with('~') || expression.contains(['.', '?', '*', '[']) {
        found.extend(hosts.all.iter().filter(|host| matches(host.as_str())).cloned());
    }
    if found.is_empty() && LOCALHOST.contains(&expression) {
        found.insert(HostName::new(expression));
    }
    Ok(found.into_iter().collect())
}

/// What an expression matches: a regular expression after `~`, else a glob as in a shell.
fn matcher(expression: &str) -> Result<impl Fn(&str) -> bool, PatternError> {
    let pattern = match expression.strip_prefix('~') {
        Some(regex) => format!(r"\A(?:{regex})"),
        None => format!(r"\A(?s:{})\z", glob(expression)),
    };
    let regex = Regex::new(&pattern)
        .map_err(|error| PatternError::Regex { pattern: expression.to_owned(), why: error.to_string() })?;
    Ok(move |name: &str| regex.is_match(name).unwrap_or(false))
}

/// A glob as a regular expression.
fn glob(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => match set(rest) {
                Some((set, length)) => {
                    out.push_str(&set);
                    rest = &rest[length..];
                }
                None => out.push_str(r"\["),
            },
            other => out.push_str(&fancy_regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

/// `a-c]` or `!a]` after an opening bracket, as a regular expression, and its length.
fn set(rest: &str) -> Option<(String, usize)> {
    let negated = rest.starts_with('!');
    let body = &rest[usize::from(negated)..];
    let end = body.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(at, _)| at)?;
    let inner: String =
        body[..end].chars().flat_map(|c| if "\\[]^&~".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    Some((format!("[{}{inner}]", if negated { "^" } else { "" }), usize::from(negated) + end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inventory that the orders below were taken from, with `ansible PATTERN --list-hosts`.
    fn hosts() -> Hosts {
        let list = |names: &str| names.split(' ').map(HostName::from).collect::<Vec<_>>();
        Hosts {
            groups: [
                ("all", "h0 zz db1 db2 web01 web02 web03"),
                ("ungrouped", "h0"),
                ("web", "web01 web02 web03 db1"),
                ("db", "db1 db2"),
                ("prod", "db1 db2 web01 web02 web03"),
                ("solo", "zz"),
            ]
            .into_iter()
            .map(|(group, members)| (GroupName::from(group), list(members)))
            .collect(),
            all: list("h0 web01 web02 web03 db1 db2 zz"),
        }
    }

    fn chosen(pattern: &str) -> String {
        select(pattern, &hosts()).unwrap().iter().map(HostName::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn hosts_and_their_order_are_those_of_ansible() {
        for (pattern, expected) in [
            ("all", "h0 zz db1 db2 web01 web02 web03"),
            ("*", "h0 zz db1 db2 web01 web02 web03"),
            ("web", "web01 web02 web03 db1"),
            ("prod", "db1 db2 web01 web02 web03"),
            ("prod:!web", "db2"),
            ("web:&db", "db1"),
            ("db,web", "db1 db2 web01 web02 web03"),
            ("~^w", "web01 web02 web03 db1"),
            ("web[0]", "web01"),
            ("web[-1]", "db1"),
            ("web[1:2]", "web02 web03"),
            ("web[1:]", "web02 web03 db1"),
            ("web[1-2]", "web02 web03"),
            ("web[1:99]", "web02 web03 db1"),
            ("web[0:0]", "web01"),
            ("prod[0:1]", "db1 db2"),
            ("w*[0]", "web01"),
            ("web*", "web01 web02 web03 db1"),
            ("localhost", "localhost"),
            ("ungrouped", "h0"),
            ("!web", "h0 zz db2"),
            ("&db", "db1 db2"),
            ("db2:db1", "db2 db1"),
            ("nope", ""),
            ("*01", "web01"),
            ("all[1]", "zz"),
            ("db1,web", "db1 web01 web02 web03"),
            ("prod:db2", "db1 db2 web01 web02 web03"),
            ("web[0]:web[2]", "web01 web03"),
            ("!db1:web", "web01 web02 web03"),
            ("w?b", "web01 web02 web03 db1"),
            ("[wd]*", "web01 web02 web03 db1 db2"),
            ("all:!web[0]", "h0 zz db1 db2 web02 web03"),
        ] {
            assert_eq!(chosen(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn without_a_group_all_it_is_every_host() {
        let mut hosts = hosts();
        hosts.groups.shift_remove("all");
        for pattern in ["all", "*"] {
            assert_eq!(select(pattern, &hosts).unwrap(), hosts.all, "{pattern}");
        }
    }

    #[test]
    fn a_limit_leaves_the_order_of_the_pattern() {
        let left = select_limited("prod", Some("web01,db2"), &hosts()).unwrap();
        assert_eq!(left, [HostName::from("db2"), HostName::from("web01")]);
    }

    #[test]
    fn what_cannot_be_meant_is_an_error() {
        assert_eq!(select("web[9]", &hosts()), Err(PatternError::Subscript { pattern: "web[9]".to_owned(), has: 4 }));
        assert!(matches!(select("~(", &hosts()), Err(PatternError::Regex { .. })));
        assert_eq!(unmatched("web:nope:!wob[0]:localhost:db1", &hosts()), ["nope", "wob"]);
        assert_eq!(plain_names("web[0]:!db:~x:w*"), ["web", "db"]);
    }
}
