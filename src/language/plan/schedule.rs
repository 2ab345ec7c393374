//! Which plays wait for which, and how `serial` cuts a play's hosts into batches. Pure.

use std::collections::BTreeSet;

use crate::core::ids::HostName;
use serde_json::Value;

/// For each play the plays that must be over before it begins: what it `needs` (else the one before), and every earlier
/// play that shares a host with it.
pub fn play_dependencies(needs: &[Option<Vec<u32>>], hosts: &[Vec<HostName>]) -> Vec<BTreeSet<u32>> {
    let wanted = needs.iter().enumerate().map(|(index, wanted)| match wanted {
        Some(list) => list.iter().copied().collect(),
        None => index.checked_sub(1).map(|previous| previous as u32).into_iter().collect(),
    });
    let mut all: Vec<BTreeSet<u32>> = wanted.collect();
    for later in 0..all.len() {
        let mine: BTreeSet<&HostName> = hosts[later].iter().collect();
        for (earlier, hosts) in hosts.iter().enumerate().take(later) {
            // One that waits for the later one (written earlier, ordered later) is not waited for.
            if hosts.iter().any(|host| mine.contains(host)) && !waits_for(&all, earlier, later) {
                all[later].insert(earlier as u32);
            }
        }
    }
    all
}

/// Whether a play waits for another, over any number of others.
fn waits_for(before: &[BTreeSet<u32>], play: usize, other: usize) -> bool {
    let mut open = vec![play];
    let mut seen = BTreeSet::new();
    while let Some(play) = open.pop() {
        if play == other {
            return true;
        }
        if seen.insert(play) {
            open.extend(before.get(play).into_iter().flatten().map(|index| *index as usize));
        }
    }
    false
}

/// Cuts hosts into batches: `serial` is nothing, a number, a percentage, or a list of these, the last of which repeats
/// (ansible-core, `PlaybookExecutor._get_serialized_batches`).
pub fn batches(hosts: &[HostName], serial: &[Value]) -> Result<Vec<Vec<HostName>>, String> {
    let mut sizes = Vec::new();
    for value in serial {
        sizes.push(size_of(value, hosts.len())?);
    }
    if sizes.is_empty() || hosts.is_empty() {
        return Ok(vec![hosts.to_vec()]);
    }
    let mut rest = hosts;
    let mut cut = Vec::new();
    let mut index = 0;
    while !rest.is_empty() {
        let size = match sizes[index.min(sizes.len() - 1)] {
            0 => rest.len(),
            size => size.min(rest.len()),
        };
        let (batch, after) = rest.split_at(size);
        cut.push(batch.to_vec());
        rest = after;
        index += 1;
    }
    Ok(cut)
}

/// A size; zero means "all that are left".
fn size_of(value: &Value, all: usize) -> Result<usize, String> {
    let wrong = || format!("serial must be a number, a percentage or a list of them, not {value}");
    match value {
        Value::Number(number) => Ok(number.as_i64().ok_or_else(wrong)?.max(0) as usize),
        Value::String(text) => match text.trim().strip_suffix('%') {
            Some(percent) => {
                let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
                Ok(((percent / 100.0) * all as f64).floor().max(1.0) as usize)
            }
            None => Ok(text.trim().parse::<i64>().map_err(|_| wrong())?.max(0) as usize),
        },
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hosts(count: usize) -> Vec<HostName> {
        (0..count).map(|index| HostName::new(format!("h{index}"))).collect()
    }
    fn sizes(count: usize, serial: &[Value]) -> Vec<usize> {
        batches(&hosts(count), serial).unwrap().iter().map(Vec::len).collect()
    }

    #[test]
    fn serial_cuts_as_ansible_does() {
        assert_eq!(sizes(5, &[]), [5]);
        assert_eq!(sizes(5, &[json!(2)]), [2, 2, 1]);
        assert_eq!(sizes(10, &[json!("30%")]), [3, 3, 3, 1]);
        assert_eq!(sizes(3, &[json!("10%")]), [1, 1, 1]);
        assert_eq!(sizes(10, &[json!(1), json!(5), json!("20%")]), [1, 5, 2, 2]);
        assert_eq!(sizes(5, &[json!(0)]), [5]);
        assert_eq!(sizes(5, &[json!("2")]), [2, 2, 1]);
        assert!(batches(&hosts(2), &[json!({})]).is_err());
    }

    #[test]
    fn plays_that_share_a_host_have_an_order() {
        let dependencies = play_dependencies(
            &[None, Some(vec![]), Some(vec![]), Some(vec![1])],
            &[hosts(1), hosts(2), vec!["x".into()], vec!["y".into()]],
        );
        assert_eq!(dependencies[0], BTreeSet::new());
        assert_eq!(dependencies[1], BTreeSet::from([0]));
        assert_eq!(dependencies[2], BTreeSet::new());
        assert_eq!(dependencies[3], BTreeSet::from([1]));
    }

    #[test]
    fn an_order_of_needs_beats_the_order_of_writing_over_any_number_of_plays() {
        let dependencies =
            play_dependencies(&[Some(vec![2]), Some(vec![]), Some(vec![1])], &[hosts(1), hosts(1), vec!["y".into()]]);
        assert_eq!(dependencies, [BTreeSet::from([2]), BTreeSet::new(), BTreeSet::from([1])]);
    }
}
