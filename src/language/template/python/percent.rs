//! `"%s of %d" % (a, b)`

use crate::language::template::error::{Outcome, fail};
use crate::language::template::python::format::{Spec, apply};
use crate::language::template::python::repr::repr;
use crate::language::template::val::Val;

/// Formats as Python's `%` does.
pub(in crate::language::template) fn format(template: &str, values: &Val) -> Outcome<String> {
    let queue = match values {
        Val::Tuple(items) => items.to_vec(),
        other => vec![other.clone()],
    };
    let mut arguments = Arguments { values, queue, at: 0, named: false };
    let mut out = String::new();
    let mut letters = template.chars().peekable();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut key = None;
        if letters.peek() == Some(&'(') {
            letters.next();
            key = Some(letters.by_ref().take_while(|c| *c != ')').collect::<String>());
        }
        let mut spec = Spec::default();
        let (mut left, mut zero) = (false, false);
        while let Some(flag) = letters.next_if(|c| matches!(c, '-' | '+' | ' ' | '#' | '0')) {
            match flag {
                '-' => left = true,
                '0' => zero = true,
                '#' => spec.alternate = true,
                other => spec.sign = Some(other),
            }
        }
        if letters.next_if_eq(&'*').is_some() {
            spec.width = arguments.number()?;
        } else {
            spec.width = digits(&mut letters).unwrap_or_default();
        }
        if letters.next_if_eq(&'.').is_some() {
            spec.precision = Some(digits(&mut letters).unwrap_or_default());
        }
        letters.next_if(|c| matches!(c, 'l' | 'h' | 'L'));
        let Some(kind) = letters.next() else { fail!("incomplete format") };
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match key {
            Some(key) => arguments.by_name(&key)?,
            None => arguments.take()?,
        };
        if zero && !left {
            spec.fill = Some('0');
            spec.align = Some('=');
        }
        spec.align = if left { Some('<') } else { spec.align.or(Some('>')) };
        if spec.width > 1_000_000 {
            fail!("the field is too wide");
        }
        out.push_str(&one(&value, kind, spec)?);
    }
    if arguments.at < arguments.queue.len() && !arguments.named && !matches!(values, Val::Dict(_) | Val::List(_)) {
        fail!("not all arguments converted during string formatting");
    }
    Ok(out)
}

fn digits(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut text = String::new();
    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
        text.push(digit);
    }
    text.parse().ok()
}

struct Arguments<'a> {
    values: &'a Val,
    queue: Vec<Val>,
    at: usize,
    named: bool,
}

impl Arguments<'_> {
    fn take(&mut self) -> Outcome<Val> {
        self.at += 1;
        match self.queue.get(self.at - 1) {
            Some(value) => value.present().cloned(),
            None => fail!("not enough arguments for format string"),
        }
    }
    fn number(&mut self) -> Outcome<usize> {
        match self.take()?.as_int().and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => fail!("* wants int"),
        }
    }
    fn by_name(&mut self, key: &str) -> Outcome<Val> {
        self.named = true;
        let Val::Dict(pairs) = self.values else { fail!("format requires a mapping") };
        match pairs.borrow().get(&Val::text(key)) {
            Some(value) => value.present().cloned(),
            None => fail!("'{key}'"),
        }
    }
}

fn one(value: &Val, kind: char, mut spec: Spec) -> Outcome<String> {
    match kind {
        's' | 'r' | 'a' => {
            let text = if kind == 's' { value.to_string() } else { repr(value) };
            spec.kind = Some('s');
            apply(
                &Val::text(text),
                &Spec { fill: None, align: if spec.align == Some('=') { Some('>') } else { spec.align }, ..spec },
            )
        }
        'c' => Ok(match value {
            Val::Str(text) => text.to_string(),
            other => apply(other, &Spec { kind: Some('c'), ..spec })?,
        }),
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let number = match value {
                Val::Float(number) if matches!(kind, 'd' | 'i' | 'u') => *number as i128,
                other => match other.as_int() {
                    Some(number) => number,
                    None => fail!("%{kind} format: a real number is required, not {}", other.type_name()),
                },
            };
            spec.kind = Some(if matches!(kind, 'i' | 'u') { 'd' } else { kind });
            apply(&Val::Int(number), &spec)
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => match value.as_float() {
            Some(number) => {
                spec.kind = Some(kind);
                apply(&Val::Float(number), &spec)
            }
            None => fail!("must be real number, not {}", value.type_name()),
        },
        other => fail!("unsupported format character '{other}'"),
    }
}
