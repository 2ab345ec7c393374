//! From the map that an order carries to a module's own typed arguments.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::failure::Failure;

/// Reads a module's arguments. What is null was not given, and an argument that the module does not know is refused.
pub fn read<T: DeserializeOwned>(mut args: Map<String, Value>) -> Result<T, Failure> {
    args.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(args)).map_err(|error| Failure::new(format!("Unsupported arguments: {error}")))
}

/// For serde: true where an argument was not given.
pub fn yes() -> bool {
    true
}

/// For serde: an optional text; an empty one counts as not given, as Python's truth has it.
pub fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        #[serde(default = "yes")]
        first: bool,
        #[serde(default, deserialize_with = "filled")]
        second: Option<String>,
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn null_is_not_given_and_unknown_is_refused() {
        let two: Two = read(object(json!({"first": null, "second": null}))).unwrap();
        assert!(two.first && two.second.is_none());
        let two: Two = read(object(json!({"second": ""}))).unwrap();
        assert_eq!(two.second, None);
        let failure = read::<Two>(object(json!({"third": 1}))).unwrap_err();
        assert!(failure.msg().contains("third"), "{failure:?}");
    }
}
