//! Why AWS says no, in words: the encoded part of a refusal, decoded where the caller may.

use serde_json::Value;

use super::client::Clients;
use super::failure::Failure;

const MARK: &str = "Encoded authorization failure message:";

/// The same failure with what was decoded of it.
pub(super) async fn explained(clients: &Clients, failure: Failure) -> Failure {
    let Failure::Said { code, message, status } = failure else { return failure };
    let Some((before, encoded)) = message.split_once(MARK) else { return Failure::Said { code, message, status } };
    let encoded = encoded.split_whitespace().next().unwrap_or_default();
    let answer = clients.sts.decode_authorization_message().encoded_message(encoded).send().await;
    let decoded = answer.ok().and_then(|answer| answer.decoded_message().and_then(in_words));
    let before = before.trim().trim_end_matches('.');
    let message = match decoded {
        Some(words) => words,
        // Newer answers say in plain words what the encoded part would.
        None if before.contains("is not authorized to perform") => before.to_owned(),
        None => format!("{before} (sts:DecodeAuthorizationMessage would tell which part of it)"),
    };
    Failure::Said { code, message, status }
}

/// `ec2:RunInstances on arn:…:instance/* is not allowed by any policy of arn:…`.
fn in_words(decoded: &str) -> Option<String> {
    let decoded: Value = serde_json::from_str(decoded).ok()?;
    let context = &decoded["context"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let action = text(&context["action"])?;
    let resource = text(&context["resource"]).unwrap_or_else(|| "*".to_owned());
    let who = text(&context["principal"]["arn"]).unwrap_or_else(|| "the caller".to_owned());
    Some(if decoded["explicitDeny"] == Value::Bool(true) {
        format!("{action} on {resource} is denied to {who} by a statement")
    } else {
        format!("{action} on {resource} is not allowed by any policy of {who}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_refusals_name_action_resource_and_whose_policy() {
        let decoded = |deny: bool| {
            serde_json::json!({
                "allowed": false,
                "explicitDeny": deny,
                "context": {
                    "principal": {"arn": "arn:aws:iam::1:user/x"},
                    "action": "iam:PassRole",
                    "resource": "arn:aws:iam::1:role/r",
                },
            })
            .to_string()
        };
        let words = in_words(&decoded(false)).unwrap();
        assert_eq!(
            words,
            "iam:PassRole on arn:aws:iam::1:role/r is not allowed by any policy of arn:aws:iam::1:user/x"
        );
        assert!(in_words(&decoded(true)).unwrap().contains("denied"));
        assert_eq!(in_words("{}"), None);
        assert_eq!(in_words("no JSON"), None);
    }
}
