//! Lookups that only rearrange their terms: `items`, `dict`, `nested`, `together`, …

use serde_json::{Value, json};

use crate::run::lookups::{Question, text_of};

/// Answers a lookup that needs no file.
pub(super) fn run(name: &str, question: &Question<'_>) -> Result<Vec<Value>, String> {
    let terms = question.terms;
    Ok(match name {
        "items" => flat_once(terms),
        "list" => terms.to_vec(),
        "flattened" => flat(terms),
        "indexed_items" => flat_once(terms).into_iter().enumerate().map(|(at, item)| json!([at, item])).collect(),
        "dict" => {
            let mut found = Vec::new();
            for term in flat_once(terms) {
                let Value::Object(map) = term else { return Err("with_dict expects a dict".to_owned()) };
                found.extend(map.into_iter().map(|(key, value)| json!({"key": key, "value": value})));
            }
            found
        }
        "nested" => {
            let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
            for column in terms {
                let column = listed(column);
                if rows.len().saturating_mul(column.len()) > 1_000_000 {
                    return Err("the nested lists have more than a million combinations".to_owned());
                }
                let longer =
                    |row: &Vec<Value>, item: &Value| [row.clone(), flat_once(std::slice::from_ref(item))].concat();
                rows = rows.iter().flat_map(|row| column.iter().map(move |item| longer(row, item))).collect();
            }
            rows.into_iter().map(Value::Array).collect()
        }
        "together" => {
            let columns: Vec<Vec<Value>> = terms.iter().map(listed).collect();
            let rows = columns.iter().map(Vec::len).max().unwrap_or_default();
            let cell = |column: &Vec<Value>, row: usize| column.get(row).cloned().unwrap_or(Value::Null);
            (0..rows).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
        }
        "random_choice" => {
            let choices = flat_once(terms);
            if choices.is_empty() {
                return Err("there is nothing to choose from".to_owned());
            }
            let at = (u128::from((question.random)()?) * choices.len() as u128) >> 64;
            vec![choices[at as usize].clone()]
        }
        "subelements" => subelements(terms)?,
        "varnames" => {
            let mut found = Vec::new();
            for term in terms {
                let pattern = text_of(term);
                let regex = fancy_regex::Regex::new(&pattern).map_err(|error| format!("{pattern}: {error}"))?;
                found
                    .extend(question.scope.names().into_iter().filter(|name| regex.is_match(name).unwrap_or_default()));
            }
            found.into_iter().map(Value::String).collect()
        }
        other => return Err(format!("the lookup '{other}' is not known here")),
    })
}

fn listed(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        other => vec![other.clone()],
    }
}

fn flat_once(terms: &[Value]) -> Vec<Value> {
    terms.iter().flat_map(listed).collect()
}

fn flat(terms: &[Value]) -> Vec<Value> {
    let mut out = Vec::new();
    for term in terms {
        match term {
            Value::Array(items) => out.extend(flat(items)),
            Value::Null => {}
            other => out.push(other.clone()),
        }
    }
    out
}

fn subelements(terms: &[Value]) -> Result<Vec<Value>, String> {
    let (Some(elements), Some(path)) = (terms.first(), terms.get(1)) else {
        return Err("subelements lookup expects a list of two or three items".to_owned());
    };
    let skip = terms.get(2).and_then(|flags| flags.get("skip_missing")) == Some(&Value::Bool(true));
    let elements = match elements {
        Value::Object(map) => map.values().cloned().collect(),
        other => listed(other),
    };
    let path = text_of(path);
    let mut found = Vec::new();
    for element in elements {
        let values = path.split('.').try_fold(&element, |value, key| value.get(key));
        match values {
            Some(Value::Array(values)) => found.extend(values.iter().map(|value| json!([element, value]))),
            None if skip => {}
            None => return Err(format!("could not find '{path}' key in iterated item '{element}'")),
            Some(other) => return Err(format!("the key {path} should point to a list, got '{other}'")),
        }
    }
    Ok(found)
}
