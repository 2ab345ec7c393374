//! Tests of paths. Those that look at the disk ask through the door, so that a replay gets the same answer.

use crate::language::template::error::{Fault, Outcome};
use crate::language::template::machine::Machine;
use crate::language::template::predicates::{Args, Predicate, predicate};

pub(super) const TABLE: &[Predicate] = &[
    predicate("abs", &["value"], |_, args| Ok(args.value().to_string().starts_with('/'))),
    predicate("is_abs", &["value"], |_, args| Ok(args.value().to_string().starts_with('/'))),
    predicate("directory", &["value"], |machine, args| ask(machine, args, "directory")),
    predicate("is_dir", &["value"], |machine, args| ask(machine, args, "directory")),
    predicate("file", &["value"], |machine, args| ask(machine, args, "file")),
    predicate("is_file", &["value"], |machine, args| ask(machine, args, "file")),
    predicate("link", &["value"], |machine, args| ask(machine, args, "link")),
    predicate("is_link", &["value"], |machine, args| ask(machine, args, "link")),
    predicate("exists", &["value"], |machine, args| ask(machine, args, "exists")),
    predicate("link_exists", &["value"], |machine, args| ask(machine, args, "link_exists")),
    predicate("mount", &["value"], |machine, args| ask(machine, args, "mount")),
    predicate("is_mount", &["value"], |machine, args| ask(machine, args, "mount")),
    predicate("same_file", &["value", "other"], |machine, args| ask(machine, args, "same_file")),
    predicate("is_same_file", &["value", "other"], |machine, args| ask(machine, args, "same_file")),
];

fn ask(machine: &Machine, args: &Args, test: &str) -> Outcome<bool> {
    let (path, other) = (args.value().to_string(), args.some_text(1));
    machine.doors.path_is(test, &path, other.as_deref()).map_err(Fault::new)
}
