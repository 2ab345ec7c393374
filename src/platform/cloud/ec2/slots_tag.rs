//! `dayfly:slots`: the names that the machines of one launch carry. All of them have the same tags, so the tag lists all
//! names, and a machine's own is at its launch index.

use std::fmt::Write as _;

use crate::core::ids::{GroupName, HostName, HostSlot, Incarnation};

/// The longest value of a tag (EC2 User Guide, tags).
const LONGEST: usize = 256;

/// `0-3.1 7.2`: the workers 0 to 3 in their first incarnation, and 7 in its second. None where it gets too long, or a
/// name is not of the group: then the journal alone knows.
pub(super) fn write(group: &GroupName, slots: &[HostSlot]) -> Option<String> {
    let mut runs: Vec<(u32, u32, u32)> = Vec::new();
    for slot in slots {
        let index: u32 = slot.host.as_str().strip_prefix(group.as_str())?.strip_prefix('-')?.parse().ok()?;
        let incarnation = slot.incarnation.0;
        match runs.last_mut() {
            Some((_, last, of)) if *last + 1 == index && *of == incarnation => *last = index,
            _ => runs.push((index, index, incarnation)),
        }
    }
    let mut text = String::new();
    for (first, last, incarnation) in runs {
        let gap = if text.is_empty() { "" } else { " " };
        let _ = if first == last {
            write!(text, "{gap}{first}.{incarnation}")
        } else {
            write!(text, "{gap}{first}-{last}.{incarnation}")
        };
    }
    (text.len() <= LONGEST).then_some(text)
}

/// The name at a launch index.
pub(super) fn read(group: &GroupName, value: &str, launch_index: usize) -> Option<HostSlot> {
    let mut left = u32::try_from(launch_index).ok()?;
    for run in value.split(' ') {
        let (indexes, incarnation) = run.split_once('.')?;
        let (first, last) = indexes.split_once('-').unwrap_or((indexes, indexes));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        let count = last.checked_sub(first)?.checked_add(1)?;
        if left < count {
            let host = HostName::new(format!("{group}-{}", first + left));
            return Some(HostSlot { host, incarnation: Incarnation(incarnation.parse().ok()?) });
        }
        left -= count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(group: &str, of: &[(u32, u32)]) -> Vec<HostSlot> {
        let slot = |(index, incarnation): &(u32, u32)| HostSlot {
            host: HostName::new(format!("{group}-{index}")),
            incarnation: Incarnation(*incarnation),
        };
        of.iter().map(slot).collect()
    }

    #[test]
    fn every_name_comes_back_at_its_launch_index() {
        let group = GroupName::new("a-b");
        let names = slots("a-b", &[(0, 1), (1, 1), (2, 1), (7, 2), (8, 1), (3, 1)]);
        let value = write(&group, &names).unwrap();
        assert_eq!(value, "0-2.1 7.2 8.1 3.1");
        for (index, name) in names.iter().enumerate() {
            assert_eq!(read(&group, &value, index).as_ref(), Some(name));
        }
        assert_eq!(read(&group, &value, names.len()), None);
    }

    #[test]
    fn what_does_not_fit_or_was_written_by_others_is_no_name() {
        let group = GroupName::new("a");
        let odd: Vec<(u32, u32)> = (0..200).map(|number| (number * 2, 1)).collect();
        assert_eq!(write(&group, &slots("a", &odd)), None);
        assert_eq!(write(&group, &slots("b", &[(0, 1)])), None);
        for bad in ["", "x", "1", "5-2.1", "0-4294967295.1", "0.x"] {
            assert_eq!(read(&group, bad, 0), None, "{bad}");
        }
    }
}
