//! The whole of templates, against what ansible-core 2.19 answers and against what it cannot say.

mod behaviour;
mod inspection;
mod oracle;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};

use super::*;

/// A scope over maps.
#[derive(Clone, Default)]
pub(super) struct World {
    pub vars: Map<String, Value>,
    pub data: Map<String, Value>,
    pub hosts: BTreeMap<String, Map<String, Value>>,
}

impl Scope for World {
    fn get(&self, name: &str) -> Option<Var> {
        let data = self.data.get(name).cloned().map(Var::data);
        data.or_else(|| self.vars.get(name).cloned().map(Var::written))
    }
    fn names(&self) -> Vec<String> {
        self.vars.keys().chain(self.data.keys()).cloned().collect()
    }
    fn host(&self, name: &str) -> Option<Arc<dyn Scope>> {
        let vars = self.hosts.get(name)?.clone();
        Some(Arc::new(World { vars, data: Map::new(), hosts: self.hosts.clone() }))
    }
    fn hosts(&self) -> Vec<String> {
        self.hosts.keys().cloned().collect()
    }
}

/// Doors that count.
#[derive(Default)]
pub(super) struct Counting {
    pub randoms: AtomicU64,
    pub asked: Mutex<Vec<String>>,
}

impl Doors for Counting {
    fn lookup(
        &self,
        name: &str,
        terms: &[Value],
        options: &Map<String, Value>,
        _: &Arc<dyn Scope>,
    ) -> Result<Vec<Value>, String> {
        self.asked.lock().unwrap().push(format!("{name} {terms:?} {options:?}"));
        match name {
            "items" => {
                Ok(terms.iter().flat_map(|term| term.as_array().cloned().unwrap_or(vec![term.clone()])).collect())
            }
            "none" => Ok(Vec::new()),
            _ => Err("there is no such thing".to_owned()),
        }
    }
    fn path_is(&self, test: &str, path: &str, other: Option<&str>) -> Result<bool, String> {
        self.asked.lock().unwrap().push(format!("{test} {path} {other:?}"));
        Ok(test == "exists")
    }
    fn now_ms(&self) -> Result<i64, String> {
        Ok(1_700_000_000_123)
    }
    fn random(&self) -> Result<u64, String> {
        Ok(self.randoms.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

pub(super) fn templar(vars: Value) -> Templar {
    let vars = vars.as_object().unwrap().clone();
    Templar::new(Arc::new(World { vars, ..World::default() }), Arc::new(Counting::default()))
}
