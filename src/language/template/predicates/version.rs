//! Versions: Python's loose and strict ones, and semantic ones.

use std::cmp::Ordering;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::machine::Machine;
use crate::language::template::predicates::{Args, Predicate, predicate};

const PARAMS: &[&str] = &["value", "version", "operator", "strict", "version_type"];

pub(super) const TABLE: &[Predicate] =
    &[predicate("version", PARAMS, compare), predicate("version_compare", PARAMS, compare)];

/// A part of a loose version.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Number(u128),
    Word(String),
}

/// `LooseVersion`: runs of digits, runs of lower-case letters, and what is between them; dots only separate.
fn loose(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let word = first.is_ascii_lowercase();
        let end = rest
            .char_indices()
            .find(|(at, c)| {
                if digits {
                    !c.is_ascii_digit()
                } else if word {
                    !c.is_ascii_lowercase()
                } else {
                    *at > 0 && (c.is_ascii_digit() || c.is_ascii_lowercase() || *c == '.' || first == '.')
                }
            })
            .map_or(rest.len(), |(at, _)| at);
        match (&rest[..end], rest[..end].parse()) {
            (".", _) => {}
            (_, Ok(number)) if digits => parts.push(Part::Number(number)),
            (part, _) => parts.push(Part::Word(part.to_owned())),
        }
        rest = &rest[end..];
    }
    parts
}

/// The order of two loose versions; a number and a word have none.
fn loose_compare(left: &str, right: &str) -> Outcome<Ordering> {
    let (left, right) = (loose(left), loose(right));
    for (a, b) in left.iter().zip(&right) {
        let order = match (a, b) {
            (Part::Number(a), Part::Number(b)) => a.cmp(b),
            (Part::Word(a), Part::Word(b)) => a.cmp(b),
            (Part::Number(_), Part::Word(_)) => {
                fail!("Version comparison failed: '<' not supported between instances of 'int' and 'str'")
            }
            (Part::Word(_), Part::Number(_)) => {
                fail!("Version comparison failed: '<' not supported between instances of 'str' and 'int'")
            }
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(left.len().cmp(&right.len()))
}

/// A total order of loose versions, for sorting.
pub(in crate::language::template) fn loose_order(left: &str, right: &str) -> Ordering {
    loose_compare(left, right).unwrap_or_else(|_| left.cmp(right))
}

/// Three numbers, and a letter with a number for what comes before a release.
type Strict = (Vec<u64>, Option<(char, u64)>);

/// `1.2`, `1.2.3`, `1.2a1`
fn strict(text: &str) -> Outcome<Strict> {
    let bad = || format!("Version comparison failed: invalid version number '{text}'");
    let at = text.find(['a', 'b']);
    let (numbers, pre) = at.map_or((text, None), |at| (&text[..at], Some(&text[at..])));
    let mut parsed = Vec::new();
    for part in numbers.split('.') {
        match part.parse() {
            Ok(number) if part.bytes().all(|c| c.is_ascii_digit()) => parsed.push(number),
            _ => fail!("{}", bad()),
        }
    }
    if !(2..=3).contains(&parsed.len()) {
        fail!("{}", bad());
    }
    parsed.resize(3, 0);
    let pre = match pre {
        None => None,
        Some(pre) => match (pre.chars().next(), pre[1..].parse()) {
            (Some(letter), Ok(number)) => Some((letter, number)),
            _ => fail!("{}", bad()),
        },
    };
    Ok((parsed, pre))
}

fn strict_compare(left: &str, right: &str) -> Outcome<Ordering> {
    let (left, right) = (strict(left)?, strict(right)?);
    let key = |pre: Option<(char, u64)>| pre.map_or((1, 'z', 0), |(letter, number)| (0, letter, number));
    Ok(left.0.cmp(&right.0).then(key(left.1).cmp(&key(right.1))))
}

/// `1.2.3-rc.1+build`
fn semantic(text: &str) -> Outcome<(Vec<u64>, Vec<String>)> {
    let core = text.split('+').next().unwrap_or_default();
    let (numbers, pre) = core.split_once('-').map_or((core, None), |(numbers, pre)| (numbers, Some(pre)));
    let parsed: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
    match parsed {
        Ok(parsed) if parsed.len() == 3 => {
            Ok((parsed, pre.map(|pre| pre.split('.').map(str::to_owned).collect()).unwrap_or_default()))
        }
        _ => fail!("Version comparison failed: invalid semantic version '{text}'"),
    }
}

fn semantic_compare(left: &str, right: &str) -> Outcome<Ordering> {
    let (left, right) = (semantic(left)?, semantic(right)?);
    let by_number = left.0.cmp(&right.0);
    if by_number != Ordering::Equal {
        return Ok(by_number);
    }
    // A version without a pre-release stands above those with one.
    Ok(match (left.1.is_empty(), right.1.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => left
            .1
            .iter()
            .zip(&right.1)
            .map(|(a, b)| match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or_else(|| left.1.len().cmp(&right.1.len())),
    })
}

fn compare(_: &Machine, args: &Args) -> Outcome<bool> {
    let (left, right) = (args.value().to_string(), args.needed(1, "version")?.to_string());
    if !args.value().truthy()? {
        fail!("Input version value cannot be empty");
    }
    if right.is_empty() {
        fail!("Version parameter to compare against cannot be empty");
    }
    let strictly = args.flag(3, false)?;
    let kind = args.some_text(4);
    if args.some_text(3).is_some() && kind.is_some() {
        fail!("Cannot specify both 'strict' and 'version_type'");
    }
    let order = match kind.as_deref() {
        None if strictly => strict_compare(&left, &right)?,
        None | Some("loose") => loose_compare(&left, &right)?,
        Some("strict") => strict_compare(&left, &right)?,
        Some("semver" | "semantic") => semantic_compare(&left, &right)?,
        Some(other) => fail!("Invalid version type ({other}). Must be one of 'loose', 'strict', 'semver', 'semantic'"),
    };
    Ok(match args.text(2, "eq").as_str() {
        "==" | "=" | "eq" => order == Ordering::Equal,
        "<" | "lt" => order == Ordering::Less,
        "<=" | "le" => order != Ordering::Greater,
        ">" | "gt" => order == Ordering::Greater,
        ">=" | "ge" => order != Ordering::Less,
        "!=" | "<>" | "ne" => order != Ordering::Equal,
        other => fail!(
            "Invalid operator type ({other}). Must be one of '==', '=', 'eq', '<', 'lt', '<=', 'le', '>', 'gt', '>=', 'ge', '!=', '<>', 'ne'"
        ),
    })
}
