//! The items of each kind of loop, and what a task is told of its place among them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::doors::Pins;
use super::variables::HostScope;
use crate::language::playbook::LoopKind;
use crate::language::template::{Doors, Scope};

pub(super) fn extended_loop(items: &[Value], index: usize) -> Value {
    let length = items.len();
    let mut about = json!({
        "index": index + 1, "index0": index, "first": index == 0, "last": index + 1 == length, "length": length,
        "revindex": length - index, "revindex0": length - index - 1, "allitems": items,
    });
    if let Some(next) = items.get(index + 1) {
        about["nextitem"] = next.clone();
    }
    if let Some(previous) = index.checked_sub(1).and_then(|before| items.get(before)) {
        about["previtem"] = previous.clone();
    }
    about
}

/// Items of each kind of loop, from its rendered value.
pub(super) fn loop_items(
    kind: LoopKind,
    value: Value,
    scope: &HostScope,
    pins: &Arc<Pins>,
) -> Result<Vec<Value>, String> {
    match kind {
        LoopKind::Loop => match value {
            Value::Array(items) => Ok(items),
            other => Err(format!("The `loop` value must resolve to a 'list', not {}.", python_type(&other))),
        },
        LoopKind::Items => Ok(match value {
            Value::Array(items) => items
                .into_iter()
                .flat_map(|item| match item {
                    Value::Array(inner) => inner,
                    other => vec![other],
                })
                .collect(),
            other => vec![other],
        }),
        LoopKind::Dict => {
            let terms = match value {
                Value::Array(terms) => terms,
                other => vec![other],
            };
            let mut items = Vec::new();
            for term in terms {
                let Value::Object(map) = term else {
                    return Err(format!("with_dict expects a dict, not {}", python_type(&term)));
                };
                items.extend(map.into_iter().map(|(key, value)| json!({"key": key, "value": value})));
            }
            Ok(items)
        }
        LoopKind::Sequence => {
            let terms = match value {
                Value::Array(terms) => terms,
                other => vec![other],
            };
            let scope: Arc<dyn Scope> = Arc::new(scope.clone());
            pins.lookup("sequence", &terms, &Map::new(), &scope)
        }
    }
}

pub(super) fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "'NoneType'",
        Value::Bool(_) => "'bool'",
        Value::Number(number) if number.is_f64() => "'float'",
        Value::Number(_) => "'int'",
        Value::String(_) => "'str'",
        Value::Array(_) => "'list'",
        Value::Object(_) => "'dict'",
    }
}
