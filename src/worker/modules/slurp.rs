//! `slurp`: a file's content in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::place::Place;
use super::{Context, Returned, arguments};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    #[serde(alias = "path")]
    src: String,
}

/// Returns `content`, `source` and `encoding`.
pub fn run(args: Map<String, Value>, context: &mut Context) -> Result<Returned, Failure> {
    let args: Args = arguments::read(args)?;
    let place = Place::new(&args.src, context);
    let bytes = std::fs::read(&place.path).map_err(|error| {
        let shown = &place.shown;
        let msg = match error.raw_os_error() {
            Some(libc::ENOENT) => format!("File not found: {shown}"),
            Some(libc::EACCES) => format!("File is not readable: {shown}"),
            Some(libc::EISDIR) => format!("Source is a directory and must be a file: {shown}"),
            _ => format!("Unable to slurp file: {shown}"),
        };
        Failure::new(msg).because(failure::errno_at(&error, shown))
    })?;
    Ok(Returned::from_iter([
        ("content".to_owned(), json!(STANDARD.encode(bytes))),
        ("source".to_owned(), json!(place.shown)),
        ("encoding".to_owned(), json!("base64")),
        ("changed".to_owned(), json!(false)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::super::rehearsal::Rehearsal;
    use super::*;

    #[test]
    fn reads_or_says_why_not() {
        let mut stage = Rehearsal::new();
        std::fs::write(stage.home().join("f"), b"a\0\xff").unwrap();
        let result = stage.run("slurp", json!({"src": "f"}));
        assert_eq!((&result["content"], &result["source"]), (&json!("YQD/"), &json!("f")));
        assert_eq!(stage.run("slurp", json!({"src": "g"}))["msg"], "File not found: g");
        let result = stage.run("slurp", json!({"src": "."}));
        assert_eq!(result["msg"], "Source is a directory and must be a file: .");
    }
}
