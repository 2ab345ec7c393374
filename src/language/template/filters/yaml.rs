//! YAML: `to_yaml`, `to_nice_yaml`, `from_yaml`.

use crate::core::source::SourceMap;
use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::yaml_emit::{Flow, Style, emit};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::val::Val;
use crate::language::yaml::{Kind, Node, parse};

pub(super) const TABLE: &[Filter] = &[
    filter("to_yaml", &["value", "default_flow_style", "**"], |_, args| dump(args, 2, Flow::Leaves)),
    filter("to_nice_yaml", &["value", "indent", "default_flow_style", "**"], |_, args| {
        dump(args, args.size(1, 4)?, Flow::Never)
    }),
    filter("from_yaml", &["value"], |_, args| match args.value() {
        Val::Str(text) => from_yaml(text),
        other => Ok(other.clone()),
    }),
    filter("from_yaml_all", &["value"], |_, args| match args.value() {
        Val::Str(text) => {
            documents(text).iter().map(|text| from_yaml(text)).collect::<Outcome<Vec<_>>>().map(Val::list)
        }
        Val::None => Ok(Val::list([])),
        other => Ok(other.clone()),
    }),
];

fn dump(args: &Args, indent: usize, flow: Flow) -> Outcome<Val> {
    let indent = args.named("indent").and_then(Val::as_int).map_or(indent, |indent| indent.clamp(0, 16) as usize);
    let width =
        args.named("width").and_then(Val::as_int).map_or(80, |width| usize::try_from(width).unwrap_or(usize::MAX));
    let index = if flow == Flow::Leaves { 1 } else { 2 };
    let flow = match args.get(index) {
        None | Some(Val::None) => flow,
        Some(wanted) => {
            if wanted.truthy()? {
                Flow::Always
            } else {
                Flow::Never
            }
        }
    };
    // libyaml takes an indent of 2 to 9 and a width of more than twice the indent.
    let indent = if (2..=9).contains(&indent) { indent } else { 2 };
    let style = Style {
        indent,
        width: if width > indent * 2 { width } else { 80 },
        sort: args.named_flag("sort_keys", true)?,
        explicit_start: args.named_flag("explicit_start", false)?,
        flow,
    };
    emit(args.value(), &style).map(Val::text)
}

fn from_yaml(text: &str) -> Outcome<Val> {
    let sources = SourceMap::default();
    let file = sources.add("from_yaml", text);
    match parse(&sources, file) {
        Ok(node) => Ok(to_val(&node)),
        Err(problems) => {
            let shown = problems.first().map_or_else(String::new, |problem| {
                format!("{} (line {}, column {})", problem.message, problem.span.line, problem.span.column)
            });
            fail!("this is not YAML: {shown}")
        }
    }
}

fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.split_inclusive('\n') {
        let word = line.trim_end();
        if word == "---" || line.starts_with("--- ") {
            all.push(line[3..].trim_start_matches(' ').to_owned());
        } else if word != "..."
            && let Some(last) = all.last_mut()
        {
            last.push_str(line);
        }
    }
    if all.len() > 1 && all[0].lines().all(|line| line.trim().is_empty() || line.starts_with(['#', '%'])) {
        all.remove(0);
    }
    all
}

fn to_val(node: &Node) -> Val {
    match &node.kind {
        Kind::Null => Val::None,
        Kind::Bool(value) => Val::Bool(*value),
        Kind::Int(value) => Val::Int(i128::from(*value)),
        Kind::Float(value) => Val::Float(*value),
        Kind::String(text) | Kind::Unsafe(text) | Kind::Vault(text) => Val::text(text),
        Kind::Seq(items) => Val::list(items.iter().map(to_val)),
        Kind::Map(pairs) => Val::dict(pairs.iter().map(|(key, value)| (to_val(key), to_val(value)))),
    }
}
