//! `ping`: is there anybody?

use serde::Deserialize;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::{Returned, arguments};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    #[serde(default = "pong")]
    data: String,
}

fn pong() -> String {
    "pong".to_owned()
}

/// Returns `data`, or fails where it is `crash`.
pub fn run(args: Map<String, Value>) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    if args.data == "crash" {
        return Err(Failure::uncaught("boom"));
    }
    Ok(Returned::from_iter([("ping".to_owned(), args.data.into()), ("changed".to_owned(), false.into())]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_or_crashes() {
        assert_eq!(run(Map::new()).unwrap()["ping"], "pong");
        let crash = json!({"data": "crash"}).as_object().cloned().unwrap();
        assert_eq!(run(crash).unwrap_err().msg(), "Task failed: Module failed: boom");
    }
}
