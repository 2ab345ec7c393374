//! One check of a doctor: what was looked at, how it stands, what to do.

use std::fmt::Write as _;

use serde::Serialize;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// A run would fail for it.
    Problem,
    /// It could not be told.
    Unknown,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it stands.
    pub health: Health,
    /// What was seen.
    pub seen: String,
    /// What to do; empty where nothing is.
    #[serde(rename = "do", skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Finding {
    /// As it should be.
    pub fn ok(what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { what: what.into(), health: Health::Ok, seen: seen.into(), remedy: String::new() }
    }
    /// A run would fail for it.
    pub fn problem(what: impl Into<String>, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), health: Health::Problem, seen: seen.into(), remedy: remedy.into() }
    }
    /// It could not be told.
    pub fn unknown(what: impl Into<String>, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), health: Health::Unknown, seen: seen.into(), remedy: remedy.into() }
    }
}

/// All of them, as people read them.
pub fn render(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { what, health, seen, remedy } in findings {
        let word = match health {
            Health::Ok => "ok",
            Health::Problem => "PROBLEM",
            Health::Unknown => "unknown",
        };
        let _ = writeln!(text, "{word:<8} {what}: {seen}");
        if !remedy.is_empty() {
            let _ = writeln!(text, "         to do: {remedy}");
        }
    }
    let count = |health: Health| findings.iter().filter(|finding| finding.health == health).count();
    let problems = match count(Health::Problem) {
        0 => "no problem".to_owned(),
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    let _ = match count(Health::Unknown) {
        0 => writeln!(text, "\n{problems} in {} checks", findings.len()),
        unknown => writeln!(text, "\n{problems} in {} checks, {unknown} of them could not be told", findings.len()),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_to_do() {
        let findings = [
            Finding::ok("ssh", "/usr/bin/ssh"),
            Finding::problem("the agent", "there is none", "install it"),
            Finding::unknown("quotas", "they may not be read", ""),
        ];
        assert_eq!(
            render(&findings),
            "ok       ssh: /usr/bin/ssh\n\
             PROBLEM  the agent: there is none\n\
             \x20        to do: install it\n\
             unknown  quotas: they may not be read\n\
             \n1 problem in 3 checks, 1 of them could not be told\n"
        );
    }
}
