//! Set algebra and combinations: `union`, `difference`, `zip`, `product`, …

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::choose::unique;
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::compare::contains;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("union", &["value", "other"], |machine, args| {
        let all = args.value().iterate()?.into_iter().chain(args.needed(1, "b")?.iterate()?).collect();
        unique(machine, all, true, None)
    }),
    filter("intersect", &["value", "other"], |machine, args| pick(machine, args, true)),
    filter("difference", &["value", "other"], |machine, args| pick(machine, args, false)),
    filter("symmetric_difference", &["value", "other"], symmetric),
    filter("zip", &["value", "*", "**"], |_, args| zip(args, false)),
    filter("zip_longest", &["value", "*", "**"], |_, args| zip(args, true)),
    filter("product", &["value", "*", "**"], product),
    filter("permutations", &["value", "size"], |_, args| {
        let items = args.value().iterate()?;
        let size = args.size(1, items.len())?;
        let mut out = Vec::new();
        arrange(&items, size, &mut Vec::new(), &mut out, true)?;
        Ok(Val::list(out))
    }),
    filter("combinations", &["value", "size"], |_, args| {
        let items = args.value().iterate()?;
        let size = args.size(1, items.len())?;
        let mut out = Vec::new();
        arrange(&items, size, &mut Vec::new(), &mut out, false)?;
        Ok(Val::list(out))
    }),
];

/// The most rows that a filter here makes.
const MAX_ROWS: usize = 1_000_000;

fn pick(machine: &Machine, args: &Args, wanted: bool) -> Outcome<Val> {
    let other = args.needed(1, "b")?;
    let mut kept = Vec::new();
    for item in args.value().iterate()? {
        if contains(&Val::list(other.iterate()?), &item)? == wanted {
            kept.push(item);
        }
    }
    unique(machine, kept, true, None)
}

fn symmetric(machine: &Machine, args: &Args) -> Outcome<Val> {
    let (left, right) = (Val::list(args.value().iterate()?), Val::list(args.needed(1, "b")?.iterate()?));
    let mut kept = Vec::new();
    for item in left.iterate()?.into_iter().chain(right.iterate()?) {
        if !(contains(&left, &item)? && contains(&right, &item)?) {
            kept.push(item);
        }
    }
    unique(machine, kept, true, None)
}

fn columns(args: &Args) -> Outcome<Vec<Vec<Val>>> {
    std::iter::once(args.value()).chain(&args.rest).map(Val::iterate).collect()
}

fn zip(args: &Args, longest: bool) -> Outcome<Val> {
    let columns = columns(args)?;
    let lengths = columns.iter().map(Vec::len);
    let rows = if longest { lengths.max() } else { lengths.min() }.unwrap_or_default();
    let fill = args.named("fillvalue").cloned().unwrap_or(Val::None);
    Ok(Val::list(
        (0..rows).map(|row| {
            Val::tuple(columns.iter().map(|column| column.get(row).cloned().unwrap_or_else(|| fill.clone())))
        }),
    ))
}

fn product(_: &Machine, args: &Args) -> Outcome<Val> {
    let mut columns = columns(args)?;
    if let Some(repeat) = args.named("repeat").and_then(Val::as_int) {
        columns = std::iter::repeat_n(columns, repeat.clamp(0, 64) as usize).flatten().collect();
    }
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for column in &columns {
        if rows.len().saturating_mul(column.len()) > MAX_ROWS {
            fail!("the product has more than {MAX_ROWS} rows");
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                column.iter().map(|item| {
                    let mut longer = row.clone();
                    longer.push(item.clone());
                    longer
                })
            })
            .collect();
    }
    Ok(Val::list(rows.into_iter().map(Val::tuple)))
}

fn arrange(items: &[Val], size: usize, taken: &mut Vec<usize>, out: &mut Vec<Val>, any_order: bool) -> Outcome<()> {
    if out.len() > MAX_ROWS {
        fail!("this makes more than {MAX_ROWS} rows");
    }
    if taken.len() == size {
        out.push(Val::tuple(taken.iter().map(|index| items[*index].clone())));
        return Ok(());
    }
    let first = if any_order { 0 } else { taken.last().map_or(0, |last| last + 1) };
    for index in first..items.len() {
        if !taken.contains(&index) {
            taken.push(index);
            arrange(items, size, taken, out, any_order)?;
            taken.pop();
        }
    }
    Ok(())
}
