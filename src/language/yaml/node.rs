//! A YAML node: a value that knows where it was written.

use serde_json::{Map, Number, Value};

use crate::core::source::Span;

/// A node and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it is written; for a block scalar the first line of its content.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a node is, after YAML 1.1's rules for plain scalars.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `~`, `null`, nothing.
    Null,
    /// `yes`, `off`, `true`.
    Bool(bool),
    /// Decimal, octal with a leading zero, hexadecimal, sexagesimal.
    Int(i64),
    /// With a point.
    Float(f64),
    /// Text. Dates stay text.
    String(String),
    /// `!unsafe`: text that is never a template.
    Unsafe(String),
    /// `!vault`: refused by check until vault is supported.
    Vault(String),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping in the order of writing, merge keys resolved, keys unique.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The node as plain JSON; keys that are not text become what Python's `str` makes of them.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::from(*value),
            Kind::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Kind::String(text) | Kind::Unsafe(text) | Kind::Vault(text) => Value::String(text.clone()),
            Kind::Seq(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(pairs) => Value::Object(
                pairs.iter().map(|(key, value)| (key.key_text(), value.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }
    /// A mapping key as text.
    pub fn key_text(&self) -> String {
        match &self.kind {
            Kind::Null => "None".to_owned(),
            Kind::Bool(true) => "True".to_owned(),
            Kind::Bool(false) => "False".to_owned(),
            Kind::Int(value) => value.to_string(),
            Kind::Float(value) => value.to_string(),
            Kind::String(text) | Kind::Unsafe(text) | Kind::Vault(text) => text.clone(),
            Kind::Seq(_) | Kind::Map(_) => self.to_value().to_string(),
        }
    }
    /// The text, where it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }
    /// The value of a key, where it is a mapping.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(pairs) => pairs.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value),
            _ => None,
        }
    }
    /// What a person would call it: `a list`, `a mapping`, `text`.
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) => "an integer",
            Kind::Float(_) => "a number",
            Kind::String(_) | Kind::Unsafe(_) | Kind::Vault(_) => "text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}
