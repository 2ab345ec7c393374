//! `sequence`: `start=1 end=5 stride=2 format=host%02d`, `5`, `2-10/2`, `4:host%02d`.

use serde_json::Value;

use crate::run::lookups::{Question, text_of, words_and_pairs};

const MAX_ITEMS: i64 = 1_000_000;

/// What a term asks for.
#[derive(Debug)]
struct Wanted {
    start: i64,
    end: Option<i64>,
    count: Option<i64>,
    stride: i64,
    format: String,
}

/// The texts of the sequences.
pub(super) fn sequence(question: &Question<'_>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let terms: Vec<String> =
        if question.terms.is_empty() { vec![String::new()] } else { question.terms.iter().map(text_of).collect() };
    for term in &terms {
        let mut wanted = Wanted { start: 1, end: None, count: None, stride: 1, format: "%d".to_owned() };
        if !short(term.trim(), &mut wanted)? {
            let (word, pairs) = words_and_pairs(term);
            if !word.is_empty() {
                return Err(format!("unknown error parsing with_sequence arguments: {term:?}"));
            }
            for (key, value) in pairs {
                wanted.set(&key, &value)?;
            }
        }
        for (key, value) in question.options {
            wanted.set(key, &text_of(value))?;
        }
        wanted.generate(&mut found)?;
    }
    Ok(found)
}

fn number(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let parsed = match digits.get(..2) {
        Some("0x") => i64::from_str_radix(&digits[2..], 16),
        Some("0o") => i64::from_str_radix(&digits[2..], 8),
        _ => digits.parse(),
    };
    parsed.map(|number| sign * number).map_err(|_| format!("can't parse {text:?} as integer"))
}

/// The short form `[start-]end[/stride][:format]`.
fn short(term: &str, wanted: &mut Wanted) -> Result<bool, String> {
    let (range, format) = term.split_once(':').map_or((term, None), |(range, format)| (range, Some(format)));
    let shaped =
        !range.is_empty() && range.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '-' | '/' | 'x' | 'o'));
    if !shaped || range.contains('=') || !range.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return Ok(false);
    }
    let (range, stride) = range.split_once('/').map_or((range, None), |(range, stride)| (range, Some(stride)));
    let dash = range.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(at, _)| at);
    let (start, end) = dash.map_or((None, range), |at| (Some(&range[..at]), &range[at + 1..]));
    if let Some(start) = start {
        wanted.start = number(start)?;
    }
    wanted.end = Some(number(end)?);
    if let Some(stride) = stride {
        wanted.stride = number(stride)?;
    }
    if let Some(format) = format {
        format.clone_into(&mut wanted.format);
    }
    Ok(true)
}

impl Wanted {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "start" => self.start = number(value)?,
            "end" => self.end = Some(number(value)?),
            "count" => self.count = Some(number(value)?),
            "stride" => self.stride = number(value)?,
            "format" => value.clone_into(&mut self.format),
            other => return Err(format!("unrecognized arguments to with_sequence: {other}")),
        }
        Ok(())
    }

    fn generate(&self, found: &mut Vec<Value>) -> Result<(), String> {
        let end = match (self.end, self.count) {
            (None, None) => return Err("must specify count or end in with_sequence".to_owned()),
            (Some(_), Some(_)) => return Err("can't specify both count and end in with_sequence".to_owned()),
            (Some(end), None) => end,
            (None, Some(0)) => return Ok(()),
            (None, Some(count)) => {
                self.start.saturating_add(count.saturating_mul(self.stride)).saturating_sub(self.stride)
            }
        };
        if self.stride == 0 {
            return Ok(());
        }
        if self.stride > 0 && end < self.start {
            return Err("to count backwards make stride negative".to_owned());
        }
        if self.stride < 0 && end > self.start {
            return Err("to count forward don't make stride negative".to_owned());
        }
        if (end.saturating_sub(self.start) / self.stride) >= MAX_ITEMS {
            return Err(format!("the sequence has more than {MAX_ITEMS} items"));
        }
        let mut at = self.start;
        while (self.stride > 0 && at <= end) || (self.stride < 0 && at >= end) {
            found.push(Value::String(self.show(at)?));
            at += self.stride;
        }
        Ok(())
    }

    /// `%d`, `%02x`, … once, anywhere in the text.
    fn show(&self, number: i64) -> Result<String, String> {
        let problem = || format!("problem formatting {number} with {:?}", self.format);
        let Some((before, rest)) = self.format.split_once('%') else { return Err(problem()) };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (width, rest) = rest.split_at(digits);
        let fill = if width.starts_with('0') { '0' } else { ' ' };
        let width: usize = width.parse().unwrap_or_default();
        let text = match rest.chars().next() {
            Some('d' | 'i' | 's') => number.to_string(),
            Some('x') => format!("{number:x}"),
            Some('X') => format!("{number:X}"),
            Some('o') => format!("{number:o}"),
            _ => return Err(problem()),
        };
        let padding = fill.to_string().repeat(width.min(1000).saturating_sub(text.len()));
        Ok(format!("{before}{padding}{text}{}", rest[1..].replace("%%", "%")))
    }
}
