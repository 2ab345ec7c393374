//! `k=v` texts and free form, cut as Ansible cuts them: words inside quotes and Jinja blocks stay together.

use super::table::{Free, ModuleSpec};

/// The arguments that are taken out of a program's free text, for every such module alike.
const TAKEN_OUT: [&str; 8] =
    ["creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends"];

/// A text in place of a mapping, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreeForm {
    /// What is no `k=v` pair, joined again with its own white space.
    pub text: Option<String>,
    /// Pairs in the order of writing; of two with one name the later is meant.
    pub pairs: Vec<(String, String)>,
}

/// Splits a text as the module wants it.
pub fn split_free(spec: &ModuleSpec, text: &str) -> Result<FreeForm, String> {
    let command = spec.free == Free::Command;
    let mut free = FreeForm::default();
    let mut rest: Vec<String> = Vec::new();
    for word in split_words(text)? {
        let plain = decode_escapes(&word);
        if !plain.contains('=') {
            rest.push(word);
            continue;
        }
        match equals_sign(&plain) {
            None => rest.push(plain.replace("\\=", "=")),
            Some(at) if command && !TAKEN_OUT.contains(&&plain[..at]) => rest.push(word),
            Some(at) => free.pairs.push((plain[..at].trim().to_owned(), unquote(plain[at + 1..].trim()).to_owned())),
        }
    }
    if !rest.is_empty() {
        free.text = Some(join(&rest));
    }
    Ok(free)
}

/// The first `=` that is neither the first character nor escaped.
fn equals_sign(word: &str) -> Option<usize> {
    word.match_indices('=').map(|(at, _)| at).find(|&at| at > 0 && !word[..at].ends_with('\\'))
}

/// Takes one pair of quotes off, where the text stands in one.
pub fn unquote(text: &str) -> &str {
    let quoted = ['"', '\''].iter().any(|&quote| {
        text.len() > 1 && text.starts_with(quote) && text.ends_with(quote) && !text[..text.len() - 1].ends_with('\\')
    });
    if quoted { &text[1..text.len() - 1] } else { text }
}

fn join(words: &[String]) -> String {
    words.iter().fold(String::new(), |mut text, word| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push(' ');
        }
        text.push_str(word);
        text
    })
}

fn decode_escapes(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, length) = escape(rest).unwrap_or(('\\', 1));
        out.push(character);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// The character of an escape sequence and the bytes that it takes.
fn escape(text: &str) -> Option<(char, usize)> {
    let hex = |digits: usize| {
        let code = u32::from_str_radix(text.get(2..2 + digits)?, 16).ok()?;
        Some((char::from_u32(code)?, 2 + digits))
    };
    match text.as_bytes().get(1)? {
        b'U' => hex(8),
        b'u' => hex(4),
        b'x' => hex(2),
        b'\\' => Some(('\\', 2)),
        b'\'' => Some(('\'', 2)),
        b'"' => Some(('"', 2)),
        b'a' => Some(('\u{7}', 2)),
        b'b' => Some(('\u{8}', 2)),
        b'f' => Some(('\u{c}', 2)),
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        b'v' => Some(('\u{b}', 2)),
        _ => None,
    }
}

/// How deep the words so far stand in `{{ }}`, `{% %}` and `{# #}`.
#[derive(Default)]
struct Depth([usize; 3]);

impl Depth {
    const PAIRS: [(&'static str, &'static str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

    fn inside(&self) -> bool {
        self.0.iter().any(|&depth| depth > 0)
    }
    /// Counts one kind of block; true where the depth changed.
    fn count(&mut self, kind: usize, token: &str) -> bool {
        let (open, close) = Self::PAIRS[kind];
        let (opened, closed) = (token.matches(open).count(), token.matches(close).count());
        let before = self.0[kind];
        self.0[kind] = (before + opened).saturating_sub(closed);
        before != self.0[kind]
    }
}

/// Splits at white space, but not inside quotes and Jinja blocks; white space after a word stays with it.
pub fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    if text.is_empty() {
        return Ok(words);
    }
    let mut quote: Option<char> = None;
    let mut depth = Depth::default();
    let lines: Vec<&str> = text.split('\n').collect();
    for (line_index, line) in lines.iter().enumerate() {
        let mut continued = false;
        for (index, token) in line.split(' ').enumerate() {
            if token.is_empty() && index != 0 {
                append(&mut words, " ");
                continue;
            }
            if token == "\\" && quote.is_none() {
                continued = true;
                continue;
            }
            let was_quoted = quote.is_some();
            quote = quote_after(token, quote);
            let quoted = quote.is_some();
            let mut placed = false;
            if quoted && !was_quoted && !depth.inside() {
                words.push(token.to_owned());
                placed = true;
            } else if depth.inside() || quoted || was_quoted {
                if index > 0 {
                    append(&mut words, " ");
                }
                append(&mut words, token);
                placed = true;
            }
            for kind in 0..Depth::PAIRS.len() {
                if depth.count(kind, token) && !placed {
                    words.push(token.to_owned());
                    placed = true;
                }
            }
            if !placed && !depth.inside() && !quoted && !token.is_empty() {
                words.push(token.to_owned());
            }
        }
        if line_index + 1 < lines.len() && !continued {
            append(&mut words, "\n");
        }
    }
    if depth.inside() || quote.is_some() {
        return Err("an unbalanced jinja2 block or quotes".to_owned());
    }
    Ok(words)
}

fn append(words: &mut Vec<String>, text: &str) {
    match words.last_mut() {
        Some(last) => last.push_str(text),
        None => words.push(text.to_owned()),
    }
}

fn quote_after(token: &str, mut quote: Option<char>) -> Option<char> {
    let mut before = None;
    for character in token.chars() {
        if matches!(character, '"' | '\'') && before != Some('\\') {
            quote = match quote {
                Some(open) if open == character => None,
                Some(open) => Some(open),
                None => Some(character),
            };
        }
        before = Some(character);
    }
    quote
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    fn split(module: &str, text: &str) -> (Option<String>, Vec<(String, String)>) {
        let free = split_free(find(module).unwrap(), text).unwrap();
        (free.text, free.pairs)
    }
    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn pairs_keep_quotes_and_templates_together() {
        assert_eq!(
            split("copy", "src=a dest=\"b c\" content='{{ x | default(\"y z\") }}'"),
            (None, vec![pair("src", "a"), pair("dest", "b c"), pair("content", "{{ x | default(\"y z\") }}")])
        );
        assert_eq!(split("debug", "msg={{ a + b }}"), (None, vec![pair("msg", "{{ a + b }}")]));
    }

    #[test]
    fn a_command_gives_up_only_its_own_arguments() {
        assert_eq!(
            split("shell", "FOO=1 make all creates=/tmp/x chdir='a b' X=\"y z\""),
            (Some("FOO=1 make all X=\"y z\"".to_owned()), vec![pair("creates", "/tmp/x"), pair("chdir", "a b")])
        );
        assert_eq!(split("shell", "a  b\n  c | d\n"), (Some("a  b\n  c | d\n".to_owned()), vec![]));
        assert_eq!(split("command", "echo 'a\\n'"), (Some("echo 'a\\n'".to_owned()), vec![]));
    }

    #[test]
    fn free_text_of_an_action_is_its_argument() {
        assert_eq!(split("include_tasks", "a.yml"), (Some("a.yml".to_owned()), vec![]));
        assert_eq!(split("include_vars", "file=a.yml name=x"), (None, vec![pair("file", "a.yml"), pair("name", "x")]));
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        assert!(split_free(find("shell").unwrap(), "echo 'a").is_err());
        assert!(split_free(find("copy").unwrap(), "src={{ a").is_err());
    }

    #[test]
    fn escapes_are_decoded_in_pairs_only() {
        assert_eq!(split("debug", r#"msg="a\tb\u00e9""#), (None, vec![pair("msg", "a\tb\u{e9}")]));
        assert_eq!(split("copy", r"a\=b"), (Some("a=b".to_owned()), vec![]));
    }
}
