//! Python's `re`, by fancy-regex: patterns are translated where the two differ, replacements too.

use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::language::template::error::{Outcome, fail};

/// Compiles a pattern.
pub(in crate::language::template) fn compile(pattern: &str, ignore_case: bool, multi_line: bool) -> Outcome<Regex> {
    let translated = translate(pattern);
    let built = RegexBuilder::new(&translated)
        .case_insensitive(ignore_case)
        .multi_line(multi_line)
        .backtrack_limit(2_000_000)
        .build();
    match built {
        Ok(regex) => Ok(regex),
        Err(error) => fail!("the regular expression '{pattern}' is not valid: {error}"),
    }
}

/// `\Z` is the very end in Python, and `$` may stand before a last newline; `(?P=name)` and `(?P>` are spelled alike.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut class = false;
    let mut letters = pattern.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\\' => match letters.next() {
                Some('Z') if !class => out.push_str("\\z"),
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push('\\'),
            },
            '[' if !class => {
                class = true;
                out.push('[');
                if let Some(not) = letters.next_if_eq(&'^') {
                    out.push(not);
                }
                // A bracket that comes first stands for itself.
                if letters.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' => out.push_str("\\["),
            '&' | '~' if class && letters.peek() == Some(&c) => {
                out.push('\\');
                out.push(c);
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '$' if !class => out.push_str("(?:$|(?=\\n\\z))"),
            c => out.push(c),
        }
    }
    out
}

/// `Match.expand`: `\1`, `\g<1>`, `\g<name>`, `\n`, `\\`.
pub(in crate::language::template) fn expand(template: &str, found: &Captures<'_>) -> Outcome<String> {
    let mut out = String::new();
    let mut letters = template.chars().peekable();
    while let Some(c) = letters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match letters.next() {
            Some(first) if first.is_ascii_digit() && first != '0' => {
                let mut number = first.to_string();
                if let Some(second) = letters.next_if(char::is_ascii_digit) {
                    number.push(second);
                }
                out.push_str(group(found, &number)?);
            }
            Some('g') if letters.next_if_eq(&'<').is_some() => {
                let name: String = letters.by_ref().take_while(|c| *c != '>').collect();
                out.push_str(group(found, &name)?);
            }
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some(other) if other.is_ascii_alphabetic() => fail!("bad escape \\{other} in the replacement '{template}'"),
            Some(other @ '\\') => out.push(other),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => fail!("bad escape (end of pattern) in the replacement '{template}'"),
        }
    }
    Ok(out)
}

/// The text of a group by number or name; a group that took no part is empty.
pub(in crate::language::template) fn group<'t>(found: &Captures<'t>, name: &str) -> Outcome<&'t str> {
    if let Ok(number) = name.parse::<usize>() {
        if number >= found.len() {
            fail!("invalid group reference {number}");
        }
        return Ok(found.get(number).map_or("", |part| part.as_str()));
    }
    match found.name(name) {
        Some(part) => Ok(part.as_str()),
        None => fail!("unknown group name '{name}'"),
    }
}

/// `re.sub`: the new text and how many were replaced.
pub(in crate::language::template) fn substitute(
    regex: &Regex,
    text: &str,
    replacement: &str,
    limit: usize,
) -> Outcome<(String, usize)> {
    let mut out = String::new();
    let (mut last, mut count) = (0, 0);
    for found in regex.captures_iter(text) {
        let found = match found {
            Ok(found) => found,
            Err(error) => fail!("the regular expression gave up: {error}"),
        };
        let Some(whole) = found.get(0) else { continue };
        if limit > 0 && count == limit {
            break;
        }
        out.push_str(&text[last..whole.start()]);
        out.push_str(&expand(replacement, &found)?);
        last = whole.end();
        count += 1;
    }
    out.push_str(&text[last..]);
    Ok((out, count))
}
