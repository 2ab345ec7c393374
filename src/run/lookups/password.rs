//! `password`: read from a file, or made up and written there.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::language::template::{SeededRandom, hash_password};
use crate::run::lookups::{Lookups, Question, expand_home, text_of, words_and_pairs};

/// Hosts that ask for the same file at once get the same password: one reads what the other has written.
static ALONE: Mutex<()> = Mutex::new(());

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// The passwords of the terms.
pub(super) fn password(lookups: &Lookups, question: &Question<'_>) -> Result<Vec<Value>, String> {
    question.terms.iter().map(|term| one(lookups, question, &text_of(term)).map(Value::String)).collect()
}

fn one(lookups: &Lookups, question: &Question<'_>, term: &str) -> Result<String, String> {
    let (path, pairs) = words_and_pairs(term);
    let option = |name: &str| {
        let written = pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        written.or_else(|| match question.options.get(name) {
            Some(Value::Array(items)) => Some(items.iter().map(text_of).collect::<Vec<_>>().join(",")),
            _ => question.option(name),
        })
    };
    let length: usize = match option("length") {
        Some(text) => text.parse().map_err(|_| format!("the length '{text}' of the password is no number"))?,
        None => 20,
    };
    let characters = alphabet(&option("chars").unwrap_or_else(|| "ascii_letters,digits,.,:-_".to_owned()));
    if characters.is_empty() || length > 4096 {
        return Err("a password needs characters to choose from and at most 4096 of them".to_owned());
    }
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = expand_home(&path);
    let path = if path.is_absolute() { path } else { lookups.playbook_dir.join(path) };
    let kept = if path == Path::new("/dev/null") { None } else { std::fs::read_to_string(&path).ok() };
    let kept = kept.map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
    let (mut secret, mut salt) = match &kept {
        Some(text) => {
            let (secret, salt) = text.rsplit_once(" salt=").map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
            (secret.to_owned(), salt.map(str::to_owned))
        }
        None => (String::new(), None),
    };
    if kept.is_none() {
        secret = match option("seed") {
            Some(seed) => {
                let mut random = SeededRandom::new(&seed);
                (0..length).map(|_| characters[random.below(characters.len() as u64) as usize]).collect()
            }
            None => pick(&characters, length, question.random)?,
        };
    }
    let encrypt = option("encrypt").filter(|kind| !kind.is_empty());
    if encrypt.is_some() && salt.is_none() {
        salt = Some(pick(&format!("{LETTERS}{DIGITS}./").chars().collect::<Vec<_>>(), 16, question.random)?);
    }
    let line = match &salt {
        Some(salt) => format!("{secret} salt={salt}"),
        None => secret.clone(),
    };
    if path != Path::new("/dev/null") && kept.as_ref() != Some(&line) {
        keep(&path, &line)?;
    }
    drop(alone);
    match (encrypt, salt) {
        (Some(kind), Some(salt)) => hash_password(&secret, &kind, &salt),
        _ => Ok(secret),
    }
}

/// `ascii_letters,digits,…`; a part that names no set stands for its own characters.
fn alphabet(chars: &str) -> Vec<char> {
    let mut all = String::new();
    // Two commas in a row mean the comma itself.
    for part in chars.replace(",,", ",\u{1}").split(',') {
        all.push_str(&match part.trim() {
            "ascii_letters" | "letters" => LETTERS.to_owned(),
            "ascii_lowercase" => LETTERS[..26].to_owned(),
            "ascii_uppercase" => LETTERS[26..].to_owned(),
            "digits" => DIGITS.to_owned(),
            "hexdigits" => "0123456789abcdefABCDEF".to_owned(),
            "octdigits" => "01234567".to_owned(),
            "punctuation" => PUNCTUATION.to_owned(),
            part => part.replace('\u{1}', ","),
        });
    }
    if chars == "ascii_letters,digits,.,:-_" {
        all.push(',');
    }
    let mut letters: Vec<char> = Vec::new();
    for letter in all.chars().filter(|letter| !matches!(letter, '"' | '\'')) {
        if !letters.contains(&letter) {
            letters.push(letter);
        }
    }
    letters
}

fn pick(characters: &[char], length: usize, random: &dyn Fn() -> Result<u64, String>) -> Result<String, String> {
    let count = characters.len() as u128;
    (0..length).map(|_| Ok(characters[((u128::from(random()?) * count) >> 64) as usize])).collect()
}

fn keep(path: &Path, line: &str) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("cannot write the password file {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(problem)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(problem)?;
    file.write_all(format!("{line}\n").as_bytes()).map_err(problem)
}
