//! What ansible-core 2.19.14 answers, expression by expression. `t` is a text of a playbook, `c` a conditional, `f` a
//! template file; a case without `ok` fails there, and `err` is the part of the message that is the same here.

use super::*;

#[test]
fn answers_are_those_of_ansible() {
    let table: Value = serde_json::from_str(include_str!("ansible-2.19.json")).unwrap();
    let mut wrong = Vec::new();
    for case in table["cases"].as_array().unwrap() {
        let templar = templar(table["vars"].clone());
        let text = case["t"].as_str().unwrap();
        let got = match case["k"].as_str().unwrap() {
            "t" => templar.text(text),
            "c" => templar.condition(&Value::from(text)).map(Value::Bool),
            _ => templar.file(text, &FileOptions::default()).map(Value::String),
        };
        let right = match (&got, case.get("ok")) {
            (Ok(value), Some(wanted)) => value == wanted,
            (Err(error), None) => {
                error.message.contains(case["err"].as_str().unwrap()) && error.undefined == case["undefined"]
            }
            _ => false,
        };
        if !right {
            wrong.push(format!("{text}\n  is     {got:?}\n  wanted {case}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
