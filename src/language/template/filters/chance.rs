//! Chance: `random` and `shuffle`. With a seed they give what Python gives; without one they ask the door.

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::filters::mersenne::SeededRandom;
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::things::range_len;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("random", &["value", "start", "step", "seed"], random),
    filter("shuffle", &["value", "seed"], shuffle),
    filter("random_mac", &["value", "seed"], random_mac),
];

/// Where numbers come from.
enum Source<'m> {
    Seeded(SeededRandom),
    Door(&'m Machine),
}

impl<'m> Source<'m> {
    fn new(machine: &'m Machine, seed: Option<&Val>) -> Self {
        match seed {
            None | Some(Val::None) => Self::Door(machine),
            Some(seed) => Self::Seeded(SeededRandom::seeded(seed)),
        }
    }
    fn below(&mut self, limit: u64) -> Outcome<u64> {
        match self {
            Self::Seeded(random) => Ok(random.below(limit)),
            Self::Door(machine) => {
                let bits = machine.doors.random().map_err(Fault::new)?;
                Ok(((u128::from(bits) * u128::from(limit)) >> 64) as u64)
            }
        }
    }
}

fn random(machine: &Machine, args: &Args) -> Outcome<Val> {
    let mut source = Source::new(machine, args.get(3));
    if let Some(end) = args.value().as_int() {
        let (start, step) = (args.int(1)?.unwrap_or(0), args.int(2)?.filter(|step| *step != 0).unwrap_or(1));
        let count = range_len(start, end, step);
        let Some(limit) = u64::try_from(count).ok().filter(|limit| *limit > 0) else {
            fail!("empty range for randrange({start}, {end}, {step})")
        };
        return Ok(Val::Int(start + step * i128::from(source.below(limit)?)));
    }
    if args.value().iterate().is_err() {
        fail!("random can only be used on sequences and integers");
    }
    if args.int(1)?.is_some() || args.int(2)?.is_some() {
        fail!("start and step can only be used with integer values");
    }
    let items = args.value().iterate()?;
    if items.is_empty() {
        fail!("Cannot choose from an empty sequence");
    }
    let at = source.below(items.len() as u64)?;
    Ok(items[at as usize].clone())
}

fn shuffle(machine: &Machine, args: &Args) -> Outcome<Val> {
    let Ok(mut items) = args.value().iterate() else { return Ok(args.value().clone()) };
    let seed = args.get(1).filter(|seed| seed.truthy().unwrap_or_default());
    let mut source = Source::new(machine, seed);
    for at in (1..items.len()).rev() {
        let other = source.below(at as u64 + 1)?;
        items.swap(at, other as usize);
    }
    Ok(Val::list(items))
}

fn random_mac(machine: &Machine, args: &Args) -> Outcome<Val> {
    let prefix = args.value().to_string().to_lowercase();
    let mut parts: Vec<String> = prefix.trim_end_matches(':').split(':').map(str::to_owned).collect();
    if parts.len() > 5 || parts.iter().any(|part| part.len() != 2 || u8::from_str_radix(part, 16).is_err()) {
        fail!("Invalid value ({prefix}) for random_mac: expected 1 to 5 colon-separated bytes");
    }
    let mut source = Source::new(machine, args.get(1));
    while parts.len() < 6 {
        parts.push(format!("{:02x}", source.below(256)?));
    }
    Ok(Val::text(parts.join(":")))
}
