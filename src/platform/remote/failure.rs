//! What a failed connection means: try again, or never.

use std::error::Error as _;

use tonic::{Code, Status};

use super::LinkError;

/// What ssh says when no second try will help.
const FINAL: [&str; 12] = [
    "Permission denied",
    "Host key verification failed",
    "REMOTE HOST IDENTIFICATION HAS CHANGED",
    "host key is known for",
    "Too many authentication failures",
    "No supported authentication methods",
    "no mutual signature algorithm",
    "bad configuration option",
    "Bad owner or permissions",
    "UNPROTECTED PRIVATE KEY FILE",
    "No matching host key",
    "no matching key exchange",
];

/// From an error of openssh.
pub fn of_ssh(error: &openssh::Error, address: &str) -> LinkError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    if let openssh::Error::Connect(inner) = error
        && inner.kind() == std::io::ErrorKind::NotFound
    {
        return LinkError::Unreachable("ssh is not installed here: install openssh-client".into());
    }
    of_words(&text, address)
}

/// From ssh's own words.
pub fn of_words(words: &str, address: &str) -> LinkError {
    let short: Vec<&str> =
        words.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('@')).collect();
    let told = format!("ssh to {address}: {}", short.join("; "));
    let words = words.to_lowercase();
    if words.contains("host key verification failed") || words.contains("identification has changed") {
        return LinkError::Unreachable(format!(
            "ssh to {address}: the host key is not the one that was pinned ({})",
            short.join("; ")
        ));
    }
    if FINAL.iter().any(|sign| words.contains(&sign.to_lowercase())) {
        LinkError::Unreachable(told)
    } else {
        LinkError::Unknown(told)
    }
}

/// From what the shell or the agent said before the channel broke. Some logins say something every time: only what no
/// second try cures counts as final.
pub fn of_shell(words: &str, host: &str) -> LinkError {
    const FINAL: [&str; 10] = [
        "Exec format error",
        "cannot execute",
        "Permission denied",
        "No such file or directory",
        "not found",
        "No space left",
        "Read-only file system",
        "not available",
        "GLIBC",
        "dayfly-agent: ",
    ];
    let told = format!("no agent can run on {host}: {words}");
    if FINAL.iter().any(|sign| words.contains(sign)) { LinkError::Unreachable(told) } else { LinkError::Unknown(told) }
}

/// From an agent's status; its codes are explained in `proto/agent.proto`.
pub fn of_status(status: &Status) -> LinkError {
    let told = || status.message().to_owned();
    match status.code() {
        Code::Aborted => LinkError::Fenced(status.message().parse().unwrap_or(u32::MAX)),
        Code::AlreadyExists => LinkError::Diverged,
        Code::NotFound
        | Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::OutOfRange
        | Code::Unimplemented => LinkError::Refused(told()),
        _ => {
            let source = status.source().map(|source| format!(" ({source})")).unwrap_or_default();
            LinkError::Unknown(told() + &source)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_may_cure_is_unknown() {
        for words in
            ["ssh: connect to host 10.0.0.7 port 22: Connection refused", "kex_exchange_identification: closed"]
        {
            assert!(matches!(of_words(words, "h"), LinkError::Unknown(_)), "{words}");
        }
        for words in ["u@h: Permission denied (publickey).", "Host key verification failed."] {
            assert!(matches!(of_words(words, "h"), LinkError::Unreachable(_)), "{words}");
        }
    }

    #[test]
    fn a_fence_names_its_epoch() {
        assert_eq!(of_status(&Status::aborted("7")), LinkError::Fenced(7));
        assert!(matches!(of_status(&Status::unknown("h2")), LinkError::Unknown(_)));
    }
}
