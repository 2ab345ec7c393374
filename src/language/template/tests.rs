use super::*;
use serde_json::{Map, Value, json};
use std::sync::Arc;

struct World {
    vars: Map<String, Value>,
}
impl Scope for World {
    fn get(&self, name: &str) -> Option<Var> {
        self.vars.get(name).map(|value| Var::written(value.clone()))
    }
    fn names(&self) -> Vec<String> {
        self.vars.keys().cloned().collect()
    }
    fn host(&self, _: &str) -> Option<Arc<dyn Scope>> {
        None
    }
    fn hosts(&self) -> Vec<String> {
        vec![]
    }
}
struct Closed;
impl Doors for Closed {
    fn lookup(
        &self,
        name: &str,
        terms: &[Value],
        _: &Map<String, Value>,
        _: &Arc<dyn Scope>,
    ) -> Result<Vec<Value>, String> {
        if name == "items" {
            return Ok(terms.to_vec());
        }
        Err("closed".into())
    }
    fn now_ms(&self) -> Result<i64, String> {
        Ok(1_700_000_000_000)
    }
    fn random(&self) -> Result<u64, String> {
        Ok(42)
    }
}

#[test]
fn zz_oracle() {
    let Ok(path) = std::env::var("ORACLE") else { return };
    let data: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vars = data["vars"].as_object().unwrap().clone();
    let (mut good, mut bad) = (0, 0);
    for case in data["cases"].as_array().unwrap() {
        let templar = Templar::new(Arc::new(World { vars: vars.clone() }), Arc::new(Closed));
        let text = case["t"].as_str().unwrap();
        let got = match case["k"].as_str().unwrap() {
            "t" => templar.text(text),
            "c" => templar.condition(&json!(text)).map(Value::Bool),
            _ => templar.file(text, &FileOptions::default()).map(Value::String),
        };
        let shown = match &got {
            Ok(v) => json!({"ok": v}),
            Err(e) => json!({"err": e.message, "u": e.undefined}),
        };
        let same = match (&got, case.get("ok")) {
            (Ok(v), Some(w)) => v == w,
            (Err(_), None) => true,
            _ => false,
        };
        if same {
            good += 1;
            if got.is_err() && std::env::var("ERRS").is_ok() {
                eprintln!("E {text}\n   ours {shown}\n   them {}", case["err"]);
            }
        } else {
            bad += 1;
            eprintln!(
                "DIFF {} {text}\n   ours {shown}\n   them {}",
                case["k"],
                case.get("ok").map_or(case["err"].clone(), |o| json!({"ok": o}))
            );
        }
    }
    eprintln!("good {good} bad {bad}");
}
