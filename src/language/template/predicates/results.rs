//! Tests of the result that a task registered, and of text against patterns.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::machine::Machine;
use crate::language::template::predicates::{Args, Predicate, predicate};
use crate::language::template::python::regex::compile;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Predicate] = &[
    predicate("failed", &["value"], |_, args| flag(args, "failed", "failed")),
    predicate("failure", &["value"], |_, args| flag(args, "failed", "failed")),
    predicate("succeeded", &["value"], |_, args| Ok(!flag(args, "failed", "failed")?)),
    predicate("success", &["value"], |_, args| Ok(!flag(args, "failed", "failed")?)),
    predicate("successful", &["value"], |_, args| Ok(!flag(args, "failed", "failed")?)),
    predicate("unreachable", &["value"], |_, args| flag(args, "unreachable", "unreachable")),
    predicate("reachable", &["value"], |_, args| Ok(!flag(args, "unreachable", "unreachable")?)),
    predicate("skipped", &["value"], |_, args| flag(args, "skipped", "skipped")),
    predicate("skip", &["value"], |_, args| flag(args, "skipped", "skipped")),
    predicate("changed", &["value"], changed),
    predicate("change", &["value"], changed),
    predicate("timedout", &["value"], |_, args| match field(args, "timedout", "timedout")? {
        Some(Val::Dict(found)) => found.borrow().get(&Val::text("period")).map_or(Ok(false), Val::truthy),
        _ => Ok(false),
    }),
    predicate("started", &["value"], |_, args| {
        field(args, "started", "started")?.map_or(Ok(true), |found| found.truthy())
    }),
    predicate("finished", &["value"], |_, args| {
        field(args, "finished", "finished")?.map_or(Ok(true), |found| found.truthy())
    }),
    predicate("match", &["value", "pattern", "ignorecase", "multiline"], |_, args| found(args, "match", false)),
    predicate("search", &["value", "pattern", "ignorecase", "multiline"], |_, args| found(args, "search", false)),
    predicate("regex", &["value", "pattern", "ignorecase", "multiline", "match_type"], |_, args| {
        found(args, &args.text(4, "search"), true)
    }),
];

fn field(args: &Args, name: &str, test: &str) -> Outcome<Option<Val>> {
    match args.value() {
        Val::Dict(result) => Ok(result.borrow().get(&Val::text(name)).cloned()),
        _ => fail!("The '{test}' test expects a dictionary"),
    }
}

fn flag(args: &Args, name: &str, test: &str) -> Outcome<bool> {
    field(args, name, test)?.map_or(Ok(false), |value| value.truthy())
}

/// A loop's result has changed where one of its items has.
fn changed(_: &Machine, args: &Args) -> Outcome<bool> {
    if let Some(found) = field(args, "changed", "changed")? {
        return found.truthy();
    }
    let Some(Val::List(results)) = field(args, "results", "changed")? else { return Ok(false) };
    for result in results.borrow().iter() {
        if let Val::Dict(result) = result
            && result.borrow().get(&Val::text("changed")).map_or(Ok(false), Val::truthy)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn found(args: &Args, how: &str, any_type: bool) -> Outcome<bool> {
    if !any_type && !matches!(args.value(), Val::Str(_)) {
        fail!("expected string or bytes-like object, got '{}'", args.value().type_name());
    }
    let text = args.value().to_string();
    let pattern = args.text(1, "");
    let (ignore_case, multi_line) = (args.flag(2, false)?, args.flag(3, false)?);
    let pattern = match how {
        "match" => format!("\\A(?:{pattern})"),
        "fullmatch" => format!("\\A(?:{pattern})\\z"),
        _ => pattern,
    };
    match compile(&pattern, ignore_case, multi_line)?.is_match(&text) {
        Ok(found) => Ok(found),
        Err(error) => fail!("the regular expression gave up: {error}"),
    }
}
