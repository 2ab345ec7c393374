//! `debug`, `assert` and `fail`: words about variables.

use serde_json::{Map, Value, json};

use super::{Answer, Call, failed, flag, text, unchanged};

/// `debug`
pub(super) fn debug(call: Call<'_>) -> Result<Answer, String> {
    let mut returned = unchanged();
    let wanted = call.args.get("verbosity").and_then(Value::as_i64).unwrap_or(0);
    if wanted > i64::from(call.verbosity) {
        returned.insert("skipped".to_owned(), json!(true));
        returned.insert("skipped_reason".to_owned(), json!("Verbosity threshold not met."));
        return Ok(Answer::Returned(returned));
    }
    match call.args.get("var") {
        Some(var) => {
            let (name, expression) = match var {
                Value::String(name) => (name.clone(), name.clone()),
                other => return Err(format!("var must be the name of a variable or an expression, not {other}")),
            };
            let value = match call.templar.expression(&expression) {
                Ok(value) => value,
                Err(error) if error.undefined => Value::String(format!("<< error 1 - {error} >>")),
                Err(error) => return Err(format!("Error while resolving `var` expression: {error}")),
            };
            returned.insert(name, value);
        }
        None => {
            let message = call.args.get("msg").cloned().unwrap_or_else(|| json!("Hello world!"));
            returned.insert("msg".to_owned(), message);
        }
    }
    returned.insert("failed".to_owned(), json!(false));
    Ok(Answer::Returned(returned))
}

/// `assert`; its conditions are still expressions.
pub(super) fn assert(call: Call<'_>) -> Result<Answer, String> {
    let conditions = match call.args.get("that") {
        Some(Value::Array(conditions)) => conditions.clone(),
        Some(condition) => vec![condition.clone()],
        None => return Err("that is required".to_owned()),
    };
    for condition in conditions {
        let holds = call.templar.condition(&condition).map_err(|error| error.to_string())?;
        if !holds {
            let message = call.args.get("fail_msg").cloned().unwrap_or_else(|| json!("Assertion failed"));
            let mut returned: Map<String, Value> = unchanged();
            returned.insert("failed".to_owned(), json!(true));
            returned.insert("assertion".to_owned(), condition);
            returned.insert("evaluated_to".to_owned(), json!(false));
            returned.insert("msg".to_owned(), message);
            return Ok(Answer::Returned(returned));
        }
    }
    let mut returned = unchanged();
    let message = call.args.get("success_msg").cloned().unwrap_or_else(|| json!("All assertions passed"));
    returned.insert("msg".to_owned(), message);
    if flag(&call.args, "quiet") {
        returned.insert("_quiet".to_owned(), json!(true));
    }
    Ok(Answer::Returned(returned))
}

/// `fail`
pub(super) fn fail(call: &Call<'_>) -> Answer {
    let message = text(&call.args, "msg").unwrap_or("Failed as requested from task");
    let mut returned = failed(message);
    returned.insert("changed".to_owned(), json!(false));
    Answer::Returned(returned)
}
