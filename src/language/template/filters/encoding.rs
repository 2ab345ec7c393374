//! Encodings and digests: base64, URLs, hashes, passwords, UUIDs.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha1::Digest as _;

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("b64encode", &["value", "encoding", "urlsafe"], |_, args| {
        let bytes = args.value().to_string();
        Ok(Val::text(if args.flag(2, false)? { URL_SAFE.encode(bytes) } else { STANDARD.encode(bytes) }))
    }),
    filter("b64decode", &["value", "encoding", "urlsafe"], b64decode),
    filter("hash", &["value", "hashtype"], |_, args| digest(&args.text(1, "sha1"), &args.value().to_string())),
    filter("sha1", &["value"], |_, args| digest("sha1", &args.value().to_string())),
    filter("checksum", &["value"], |_, args| digest("sha1", &args.value().to_string())),
    filter("md5", &["value"], |_, args| digest("md5", &args.value().to_string())),
    filter("password_hash", &["value", "hashtype", "salt", "salt_size", "rounds", "ident"], password_hash),
    filter("to_uuid", &["value", "namespace"], to_uuid),
    filter("urlencode", &["value"], urlencode),
    filter("urldecode", &["value"], |_, args| {
        let text = args.value().to_string().replace('+', " ");
        Ok(Val::text(urlencoding::decode_binary(text.as_bytes()).iter().map(|byte| *byte as char).collect::<String>()))
    }),
    filter("urlsplit", &["value", "query"], urlsplit),
];

fn b64decode(_: &Machine, args: &Args) -> Outcome<Val> {
    // Python leaves out characters that are not of the alphabet.
    let safe = args.flag(2, false)?;
    let clean: String = args
        .value()
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!((safe, c), (false, '+' | '/') | (true, '-' | '_') | (_, '=')))
        .collect();
    let decoded = if safe { URL_SAFE.decode(clean) } else { STANDARD.decode(clean) };
    match decoded.map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Val::text(text)),
        Ok(Err(_)) => fail!("what was decoded is not UTF-8 text"),
        Err(error) => fail!("this is not base64: {error}"),
    }
}

fn hex(bytes: impl AsRef<[u8]>) -> Val {
    let mut out = String::new();
    for byte in bytes.as_ref() {
        let _ = write!(out, "{byte:02x}");
    }
    Val::text(out)
}

fn digest(kind: &str, text: &str) -> Outcome<Val> {
    Ok(match kind {
        "md5" => hex(md5::Md5::digest(text)),
        "sha1" => hex(sha1::Sha1::digest(text)),
        "sha224" => hex(sha2::Sha224::digest(text)),
        "sha256" => hex(sha2::Sha256::digest(text)),
        "sha384" => hex(sha2::Sha384::digest(text)),
        "sha512" => hex(sha2::Sha512::digest(text)),
        other => fail!("unsupported hash type {other}"),
    })
}

const SALT_LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./";

fn password_hash(machine: &Machine, args: &Args) -> Outcome<Val> {
    let salt = match args.some_text(2) {
        Some(salt) => salt,
        None => random_salt(machine, args.size(3, 16)?.min(16))?,
    };
    let rounds = args.int(4)?.map(|rounds| usize::try_from(rounds).unwrap_or_default());
    crypt(&args.value().to_string(), &args.text(1, "sha512"), &salt, rounds).map(Val::text).map_err(Fault::new)
}

/// Hashes a password as the filter `password_hash` does, with the usual number of rounds.
pub fn hash_password(secret: &str, kind: &str, salt: &str) -> Result<String, String> {
    crypt(secret, kind, salt, None)
}

fn crypt(secret: &str, kind: &str, salt: &str, rounds: Option<usize>) -> Result<String, String> {
    let (ident, usual) = match kind {
        "sha512" | "sha512_crypt" => ("6", 656_000),
        "sha256" | "sha256_crypt" => ("5", 535_000),
        other => return Err(format!("the hash type '{other}' is not supported; use sha512 or sha256")),
    };
    if salt.is_empty() || salt.len() > 16 || !salt.bytes().all(|c| SALT_LETTERS.contains(&c)) {
        return Err("the salt must have 1 to 16 letters, digits, dots or slashes".to_owned());
    }
    let rounds = rounds.unwrap_or(usual);
    let (secret, plain_salt) = (secret.as_bytes(), salt.as_bytes());
    let hashed = if ident == "6" {
        sha_crypt::Sha512Params::new(rounds).and_then(|params| sha_crypt::sha512_crypt_b64(secret, plain_salt, &params))
    } else {
        sha_crypt::Sha256Params::new(rounds).and_then(|params| sha_crypt::sha256_crypt_b64(secret, plain_salt, &params))
    };
    match hashed {
        // 5000 is what no number means.
        Ok(hashed) if rounds == 5000 => Ok(format!("${ident}${salt}${hashed}")),
        Ok(hashed) => Ok(format!("${ident}$rounds={rounds}${salt}${hashed}")),
        Err(error) => Err(format!("the password cannot be hashed: {error:?}")),
    }
}

fn random_salt(machine: &Machine, length: usize) -> Outcome<String> {
    let mut salt = String::new();
    while salt.len() < length {
        let mut bits = machine.doors.random().map_err(Fault::new)?;
        for _ in 0..10 {
            if salt.len() < length {
                salt.push(SALT_LETTERS[(bits % 64) as usize] as char);
                bits >>= 6;
            }
        }
    }
    Ok(salt)
}

/// A version 5 UUID in Ansible's own namespace, or in the one given.
fn to_uuid(_: &Machine, args: &Args) -> Outcome<Val> {
    let namespace = args.text(1, "361E6D51-FAEC-444A-9079-341386DA8E2E");
    let digits = namespace.replace('-', "");
    let Some(bytes) = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32) else {
        fail!("Invalid value '{namespace}' for 'namespace'")
    };
    let mut hash = sha1::Sha1::new();
    hash.update(bytes.to_be_bytes());
    hash.update(args.value().to_string());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    id[6] = (id[6] & 0x0f) | 0x50;
    id[8] = (id[8] & 0x3f) | 0x80;
    let text = format!("{:032x}", u128::from_be_bytes(id));
    Ok(Val::text(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])))
}

fn quoted(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = byte as char;
        if c.is_ascii_alphanumeric() || "_.-~".contains(c) || safe.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn urlencode(_: &Machine, args: &Args) -> Outcome<Val> {
    let pairs = match args.value() {
        Val::Dict(pairs) => pairs.borrow().iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        value if value.is_sequence() => {
            let mut pairs = Vec::new();
            for pair in value.iterate()? {
                let pair = pair.iterate()?;
                let [key, value] = pair.as_slice() else { fail!("urlencode needs pairs") };
                pairs.push((key.to_string(), value.to_string()));
            }
            pairs
        }
        other => return Ok(Val::text(quoted(&other.to_string(), "/"))),
    };
    let encode = |text: &str| quoted(text, "").replace("%20", "+");
    let parts: Vec<String> = pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    Ok(Val::text(parts.join("&")))
}

fn urlsplit(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let (rest, fragment) = text.split_once('#').unwrap_or((&text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, after))
            if scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) && !scheme.is_empty() =>
        {
            (scheme, after)
        }
        _ => ("", rest),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
        None => ("", rest),
    };
    let (login, host) = netloc.rsplit_once('@').map_or((None, netloc), |(login, host)| (Some(login), host));
    let (user, password) = login.map_or((None, None), |login| match login.split_once(':') {
        Some((user, password)) => (Some(user), Some(password)),
        None => (Some(login), None),
    });
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => (host, port.parse().ok()),
        _ => (host, None),
    };
    let optional = |text: Option<&str>| text.map_or(Val::None, Val::text);
    let parts = [
        ("fragment", Val::text(fragment)),
        ("hostname", if host.is_empty() { Val::None } else { Val::text(host.trim_matches(['[', ']']).to_lowercase()) }),
        ("netloc", Val::text(netloc)),
        ("password", optional(password)),
        ("path", Val::text(path)),
        ("port", port.map_or(Val::None, Val::Int)),
        ("query", Val::text(query)),
        ("scheme", Val::text(scheme.to_lowercase())),
        ("username", optional(user)),
    ];
    match args.some_text(1) {
        None => Ok(Val::dict(parts.map(|(name, value)| (Val::text(name), value)))),
        Some(wanted) => match parts.into_iter().find(|(name, _)| *name == wanted) {
            Some((_, value)) => Ok(value),
            None => fail!("unknown URL component: {wanted}"),
        },
    }
}
