//! Python's regular expressions, translated to those of `fancy_regex`.
//!
//! Python's `re` on bytes sees one byte at a time and knows ASCII classes only. Bytes are therefore shown to the engine as
//! Latin-1 text, in which every byte is one character and none is invalid.

use fancy_regex::{Captures, Regex};

use super::failure::Failure;

/// A compiled Python pattern.
#[derive(Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// A pattern for bytes, to be matched against [`latin1`].
    pub fn for_bytes(pattern: &str) -> Result<Self, Failure> {
        Self::compile(&translate(&latin1(pattern.as_bytes()), true), pattern)
    }
    /// A pattern for text.
    pub fn for_text(pattern: &str) -> Result<Self, Failure> {
        Self::compile(&translate(pattern, false), pattern)
    }
    fn compile(translated: &str, written: &str) -> Result<Self, Failure> {
        Regex::new(translated)
            .map(Self)
            .map_err(|error| Failure::uncaught(format!("cannot read the regular expression '{written}': {error}")))
    }
    /// `search`: a match anywhere.
    pub fn search<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.0.captures(text).ok().flatten()
    }
    /// `match`: a match at the start.
    pub fn is_match_at_start(&self, text: &str) -> bool {
        self.search(text).and_then(|found| found.get(0)).is_some_and(|whole| whole.start() == 0)
    }
}

/// Bytes as Latin-1 text.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The bytes behind Latin-1 text.
pub fn from_latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

fn translate(pattern: &str, is_ascii: bool) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' if at + 1 < chars.len() => {
                out.push_str(&escape(chars[at + 1], is_ascii, false));
                at += 2;
            }
            '[' => at = class(&chars, at, is_ascii, &mut out),
            // `$` also stands before a newline at the very end.
            '$' => {
                out.push_str("(?:$|(?=\\n\\z))");
                at += 1;
            }
            '{' => at = quantifier(&chars, at, &mut out),
            '}' => {
                out.push_str("\\}");
                at += 1;
            }
            c => {
                out.push(c);
                at += 1;
            }
        }
    }
    out
}

/// A backslash and what follows.
fn escape(c: char, is_ascii: bool, in_class: bool) -> String {
    let class = |inside: &str, negated: bool| match (in_class, negated) {
        (true, false) => inside.to_owned(),
        (_, true) => format!("[^{inside}]"),
        (false, false) => format!("[{inside}]"),
    };
    match c {
        'Z' if !in_class => "\\z".to_owned(),
        'w' if is_ascii => class("a-zA-Z0-9_", false),
        'W' if is_ascii => class("a-zA-Z0-9_", true),
        'd' if is_ascii => class("0-9", false),
        'D' if is_ascii => class("0-9", true),
        's' if is_ascii => class("\\x09-\\x0d\\x20", false),
        'S' if is_ascii => class("\\x09-\\x0d\\x20", true),
        'b' if in_class => "\\x08".to_owned(),
        // Python escapes any punctuation; the engine gives some of it a meaning of its own.
        c if "<>'\"`,:;=@%!/_ ".contains(c) => c.to_string(),
        c => format!("\\{c}"),
    }
}

/// `[…]`: returns where it ends.
fn class(chars: &[char], start: usize, is_ascii: bool, out: &mut String) -> usize {
    let mut at = start + 1;
    out.push('[');
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    if chars.get(at) == Some(&']') {
        out.push_str("\\]");
        at += 1;
    }
    while let Some(&c) = chars.get(at) {
        match c {
            ']' => {
                out.push(']');
                return at + 1;
            }
            '\\' if at + 1 < chars.len() => {
                out.push_str(&escape(chars[at + 1], is_ascii, true));
                at += 1;
            }
            // Sets within sets are the engine's, not Python's.
            '[' | '&' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
        at += 1;
    }
    at
}

/// `{2,3}`, or a brace that stands for itself: returns where it ends.
fn quantifier(chars: &[char], start: usize, out: &mut String) -> usize {
    let inside: String = chars[start + 1..].iter().take_while(|c| **c != '}').collect();
    let end = start + 1 + inside.chars().count();
    let is_quantifier = end < chars.len()
        && inside.chars().any(|c| c.is_ascii_digit())
        && inside.chars().all(|c| c.is_ascii_digit() || c == ',')
        && inside.matches(',').count() <= 1;
    if !is_quantifier {
        out.push_str("\\{");
        return start + 1;
    }
    out.push('{');
    if inside.starts_with(',') {
        out.push('0');
    }
    out.push_str(&inside);
    out.push('}');
    end + 1
}

/// Fills a replacement with what a pattern caught, as `Match.expand` does; all in Latin-1.
pub fn expand(found: &Captures, replacement: &str) -> Result<String, Failure> {
    let mut out = String::new();
    let mut chars = replacement.chars().peekable();
    let numbered = |number: usize| {
        if number < found.len() {
            Ok(found.get(number).map_or("", |group| group.as_str()))
        } else {
            Err(Failure::uncaught(format!("invalid group reference {number}")))
        }
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => return Err(Failure::uncaught("bad escape (end of pattern)")),
            Some('g') => {
                let rest: String = chars.by_ref().take_while(|c| *c != '>').collect();
                let name = rest.strip_prefix('<').ok_or_else(|| Failure::uncaught("missing <"))?;
                match name.parse() {
                    Ok(number) => out.push_str(numbered(number)?),
                    Err(_) => out.push_str(found.name(name).map_or("", |group| group.as_str())),
                }
            }
            Some('0') => out.push('\0'),
            Some(digit) if digit.is_ascii_digit() => {
                let mut number = digit as usize - '0' as usize;
                if let Some(next) = chars.next_if(char::is_ascii_digit) {
                    number = number * 10 + next as usize - '0' as usize;
                }
                out.push_str(numbered(number)?);
            }
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some(letter) if letter.is_ascii_alphabetic() => {
                return Err(Failure::uncaught(format!("bad escape \\{letter}")));
            }
            Some(other) => out.extend(['\\', other]),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &str, text: &str) -> bool {
        Pattern::for_bytes(pattern).unwrap().search(&latin1(text.as_bytes())).is_some()
    }

    #[test]
    fn finds_what_python_finds() {
        for (pattern, text) in [
            ("^a$", "a\n"),
            (r"a\Z", "a"),
            ("server {", "server {\n"),
            ("a{,2}$", "aa"),
            ("^x{y}$", "x{y}"),
            ("[[]a[]]", "[a]"),
            ("[^]]x", "ax"),
            (r"\<a\>", "<a>"),
            (r"\/a\-b\#\ c", "/a-b# c"),
            (r"[\w.-]+@[\d]", "a.b-c@1"),
            (r"(?P<x>a)(?P=x)", "aa"),
            (r"(a)\1", "aa"),
            ("é.", "é€"),
            (r"(?i)ABC", "abc"),
            ("a(?!b)", "ac"),
            ("[a&&b]", "&"),
        ] {
            assert!(finds(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [(r"a\Z", "a\n"), (r"^\w+$", "é"), ("^a$", "a\nb"), (r"\d", "x"), ("^a{2}$", "a")] {
            assert!(!finds(pattern, text), "{pattern} {text}");
        }
        assert!(Pattern::for_bytes("(").is_err());
        assert!(Pattern::for_text(r"\w").unwrap().is_match_at_start("é"));
        assert!(!Pattern::for_text("b").unwrap().is_match_at_start("ab"));
    }

    #[test]
    fn fills_replacements() {
        let pattern = Pattern::for_bytes("(?P<key>a)=(b)?(c)?").unwrap();
        let found = pattern.search("a=b").unwrap();
        assert_eq!(expand(&found, r"\1-\g<2>-\g<key>-\3-\\n\t\.").unwrap(), "a-b-a--\\n\t\\.");
        assert!(expand(&found, r"\9").is_err());
        assert!(expand(&found, r"\q").is_err());
    }
}
