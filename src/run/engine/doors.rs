//! The one door to what is not a function of the journal: every answer is pinned under a key and read back in replay.
//! Answers of lookups are sealed, since an environment variable or a password file may be among them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::context::{Context, Engine};
use crate::core::records::Record;
use crate::language::template::{Doors, Scope, Templar};
use crate::run::lookups::{Lookups, Question, is_impure};

/// The pinned answers of one step's templates.
pub(super) struct Pins {
    context: Arc<Context>,
    lookups: Lookups,
    prefix: String,
    next: AtomicU32,
    pending: Mutex<Vec<Record>>,
}

impl Pins {
    /// `prefix` is the key of the task on its host and item.
    pub(super) fn new(context: &Arc<Context>, prefix: String) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            lookups: context.lookups(),
            prefix,
            next: AtomicU32::new(0),
            pending: Mutex::default(),
        })
    }

    /// Makes the answers durable; to be called before anything that was rendered takes effect.
    pub(super) async fn settle(&self) -> Engine<()> {
        let records = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let Some((last, before)) = records.split_last() else { return Ok(()) };
        for record in before {
            self.context.journal.note(record.clone());
        }
        self.context.journal.record(last.clone()).await?;
        Ok(())
    }

    fn pinned(&self, seal: bool, make: impl FnOnce() -> Result<Value, String>) -> Result<Value, String> {
        let key = format!("{}/pin{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        let run_key = &self.context.run_key;
        if let Some((value, sealed)) = self.context.history.pins.get(&key) {
            let Some(text) = value.as_str().filter(|_| *sealed) else { return Ok(value.clone()) };
            let bytes = run_key.open(&key, text).map_err(|error| format!("pinned value of {key}: {error}"))?;
            return serde_json::from_slice(&bytes).map_err(|error| format!("pinned value of {key}: {error}"));
        }
        let value = make()?;
        let record = if seal {
            let text = run_key.seal(&key, value.to_string().as_bytes()).map_err(|error| error.to_string())?;
            Record::Pinned { key, value: Value::String(text), sealed: true }
        } else {
            Record::Pinned { key, value: value.clone(), sealed: false }
        };
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        Ok(value)
    }
}

impl Doors for Pins {
    fn lookup(
        &self,
        name: &str,
        terms: &[Value],
        options: &Map<String, Value>,
        scope: &Arc<dyn Scope>,
    ) -> Result<Vec<Value>, String> {
        let ask = || {
            Unpinned { context: self.context.clone(), lookups: self.lookups.clone() }
                .lookup(name, terms, options, scope)
        };
        if !is_impure(name) {
            return ask();
        }
        match self.pinned(true, || ask().map(Value::Array))? {
            Value::Array(values) => {
                if name == "password" {
                    for value in values.iter().filter_map(Value::as_str) {
                        self.context.redactor.hide(value);
                    }
                }
                Ok(values)
            }
            other => Ok(vec![other]),
        }
    }

    fn now_ms(&self) -> Result<i64, String> {
        let value = self.pinned(false, || Ok(Value::from(self.context.world.unix_ms())))?;
        value.as_i64().ok_or_else(|| "a pinned time is not a number".to_owned())
    }

    fn random(&self) -> Result<u64, String> {
        let value = self.pinned(true, || Ok(Value::from(dice(&self.context))))?;
        value.as_u64().ok_or_else(|| "a pinned random number is not one".to_owned())
    }
}

fn dice(context: &Context) -> u64 {
    let mut bytes = [0; 8];
    context.world.random(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The world itself. What a lookup asks on its way is part of its answer, which is pinned as a whole.
#[derive(Clone)]
struct Unpinned {
    context: Arc<Context>,
    lookups: Lookups,
}

impl Doors for Unpinned {
    fn lookup(
        &self,
        name: &str,
        terms: &[Value],
        options: &Map<String, Value>,
        scope: &Arc<dyn Scope>,
    ) -> Result<Vec<Value>, String> {
        let templar = |scope| Templar::new(scope, Arc::new(self.clone()));
        let random = || Ok(dice(&self.context));
        self.lookups.run(&Question { name, terms, options, scope, templar: &templar, random: &random })
    }
    fn now_ms(&self) -> Result<i64, String> {
        Ok(self.context.world.unix_ms())
    }
    fn random(&self) -> Result<u64, String> {
        Ok(dice(&self.context))
    }
}
