//! Secrets that must not be seen: one list, applied wherever text leaves the engine.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

/// What stands where a secret stood.
pub const MASK: &str = "********";

/// The values that are hidden in everything that is shown or stored; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Arc<RwLock<Vec<String>>>,
}

impl Redactor {
    /// Hides a value from now on. Texts of fewer than four characters are left alone: they would mask ordinary words.
    pub fn hide(&self, secret: &str) {
        if secret.chars().count() < 4 {
            return;
        }
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
            secrets.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }
    /// The text with every secret masked.
    pub fn text(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }
    /// Whether a text holds a secret.
    pub fn hides_in(&self, text: &str) -> bool {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().any(|secret| text.contains(secret.as_str()))
    }
    /// The value with every secret masked, keys included.
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(key, value)| (self.text(key), self.value(value))).collect())
            }
            other => other.clone(),
        }
    }
}
