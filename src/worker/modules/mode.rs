//! Permission bits: octal or symbolic, as `chmod` and Ansible read them.

use serde_json::Value;

use super::failure::Failure;

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const STICKY: u32 = 0o1000;

/// What a symbolic mode starts from.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// The bits that are set now.
    pub bits: u32,
    /// `X` always means `x` for a folder.
    pub is_directory: bool,
    /// Bits that a clause without users leaves alone.
    pub umask: u32,
}

/// The bits that a `mode` argument asks for.
pub fn resolve(mode: &Value, current: Current) -> Result<u32, Failure> {
    let text = match mode {
        Value::Number(number) => {
            return number
                .as_u64()
                .and_then(|bits| u32::try_from(bits).ok())
                .filter(|bits| *bits <= 0o7777)
                .ok_or_else(|| bad(&format!("{number} is not a permission")));
        }
        Value::String(text) => text,
        other => return Err(bad(&format!("bad symbolic permission for mode: {other}"))),
    };
    let octal = text.trim().trim_start_matches("0o");
    if let Ok(bits) = u32::from_str_radix(octal, 8) {
        return if bits <= 0o7777 {
            Ok(bits)
        } else {
            Err(Failure::new("Invalid mode supplied, only permission info is allowed").with("details", bits))
        };
    }
    symbolic(text, current).map_err(|clause| bad(&format!("bad symbolic permission for mode: {clause}")))
}

fn bad(details: &str) -> Failure {
    Failure::new("mode must be in octal or symbolic form").with("details", details)
}

/// Applies `u=rw,g+X,o-rwx`; the clause that cannot be read is the error.
fn symbolic(text: &str, current: Current) -> Result<u32, String> {
    let mut bits = current.bits;
    for clause in text.split(',') {
        let start = clause.find(['+', '-', '=']).ok_or_else(|| clause.to_owned())?;
        let (users, mut rest) = clause.split_at(start);
        let uses_umask = users.is_empty();
        let users = if users.is_empty() || users == "a" { "ugo" } else { users };
        if !users.chars().all(|user| "ugo".contains(user)) {
            return Err(clause.to_owned());
        }
        while let Some(operator) = rest.chars().next() {
            let after = &rest[1..];
            let (permissions, next) = after.split_at(after.find(['+', '-', '=']).unwrap_or(after.len()));
            if !permissions.chars().all(|permission| "rwxXstugo".contains(permission)) {
                return Err(clause.to_owned());
            }
            for user in users.chars() {
                let asked = permissions
                    .chars()
                    .fold(0, |asked, permission| asked | permission_bits(user, permission, bits, uses_umask, current));
                bits = match operator {
                    '+' => bits | asked,
                    '-' => bits & !asked,
                    _ => (bits & !covered(user)) | asked,
                };
            }
            rest = next;
        }
    }
    Ok(bits)
}

fn shift(user: char) -> u32 {
    match user {
        'u' => 6,
        'g' => 3,
        _ => 0,
    }
}

/// Everything that `=` replaces for a user.
fn covered(user: char) -> u32 {
    let special = match user {
        'u' => SET_UID,
        'g' => SET_GID,
        _ => STICKY,
    };
    (0o7 << shift(user)) | special
}

fn permission_bits(user: char, permission: char, bits: u32, uses_umask: bool, current: Current) -> u32 {
    let plain = |bit: u32| {
        let bit = bit << shift(user);
        if uses_umask { bit & !current.umask } else { bit }
    };
    match (permission, user) {
        ('r', _) => plain(4),
        ('w', _) => plain(2),
        ('x', _) => plain(1),
        ('X', _) if current.is_directory || bits & 0o111 != 0 => 1 << shift(user),
        ('s', 'u') => SET_UID,
        ('s', 'g') => SET_GID,
        ('t', 'o') => STICKY,
        ('u' | 'g' | 'o', _) => (bits >> shift(permission) & 0o7) << shift(user),
        _ => 0,
    }
}

/// Bits as Ansible writes them: `0644`.
pub fn shown(bits: u32) -> String {
    format!("0{:03o}", bits & 0o7777)
}

/// The process's umask, read without changing it.
pub fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o022)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_octal_and_symbolic() {
        let current = Current { bits: 0o640, is_directory: false, umask: 0o022 };
        let cases = [
            (json!("0755"), 0o755),
            (json!("4755"), 0o4755),
            (json!("0o600"), 0o600),
            (json!(420), 0o644),
            (json!("u=rwx,g=rx,o="), 0o750),
            (json!("a+x"), 0o751),
            (json!("+w"), 0o640),
            (json!("u-w,o+r"), 0o444),
            (json!("g=u"), 0o660),
            (json!("u+s,g+s,o+t"), 0o7640),
            (json!("a+X"), 0o640),
            (json!("u=rw-x+X,g=r-x+X,o=r-x+X"), 0o644),
            (json!("go="), 0o600),
        ];
        for (mode, bits) in cases {
            assert_eq!(resolve(&mode, current).unwrap(), bits, "{mode}");
        }
        let folder = Current { is_directory: true, ..current };
        assert_eq!(resolve(&json!("a+X"), folder).unwrap(), 0o751);
    }

    #[test]
    fn refuses_what_is_neither() {
        let current = Current { bits: 0o640, is_directory: false, umask: 0o022 };
        for mode in [json!("abc"), json!("u=q"), json!("9"), json!("x+r"), json!(true)] {
            assert_eq!(resolve(&mode, current).unwrap_err().msg(), "mode must be in octal or symbolic form", "{mode}");
        }
        assert_eq!(
            resolve(&json!("100644"), current).unwrap_err().msg(),
            "Invalid mode supplied, only permission info is allowed"
        );
    }
}
