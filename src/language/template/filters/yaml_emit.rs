//! Writes YAML as PyYAML with libyaml does: sorted keys, its choice of quotes, its folding of long lines.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::yaml_scalar::{Analysis, printable};
use crate::language::template::python::compare::sort;
use crate::language::template::python::repr::float;
use crate::language::template::val::Val;
use crate::language::yaml::{Plain, resolve};

/// Which collections are written in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// None but empty ones.
    Never,
    /// Those that hold only scalars.
    Leaves,
    /// All.
    Always,
}

/// How YAML is laid out.
pub(super) struct Style {
    pub indent: usize,
    pub width: usize,
    pub sort: bool,
    pub explicit_start: bool,
    pub flow: Flow,
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Value,
    Key,
}

/// Writes a document.
pub(super) fn emit(value: &Val, style: &Style) -> Outcome<String> {
    let mut emitter = Emitter { out: String::new(), column: 0, style };
    if style.explicit_start {
        emitter.put("--- ");
    }
    emitter.node(value, 0, Place::Root, false, 0)?;
    Ok(emitter.out + "\n")
}

struct Emitter<'a> {
    out: String,
    column: usize,
    style: &'a Style,
}

impl Emitter<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize) {
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out.push('\n');
        self.column = 0;
        self.put(&" ".repeat(indent));
    }

    fn node(&mut self, value: &Val, indent: usize, place: Place, in_flow: bool, depth: usize) -> Outcome<()> {
        if depth > 128 {
            fail!("a value contains itself");
        }
        match value.present()? {
            Val::Dict(pairs) => {
                let mut pairs: Vec<(Val, Val)> = pairs
                    .borrow()
                    .iter()
                    .filter(|(_, v)| !matches!(v, Val::Omit))
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                if self.style.sort {
                    // Keys of several types have no order; PyYAML leaves them as they are.
                    let mut sorted = pairs.clone();
                    if sort(&mut sorted, |(key, _)| key).is_ok() {
                        pairs = sorted;
                    }
                }
                let simple = pairs.iter().all(|(_, value)| scalar(value));
                if in_flow || pairs.is_empty() || self.flows(simple) {
                    return self.flow_map(&pairs, self.inside(indent, place), depth);
                }
                self.block_map(&pairs, indent, place, depth)
            }
            Val::Str(text) => {
                self.text(text, indent, place, in_flow);
                Ok(())
            }
            other if scalar(other) => {
                let text = match other {
                    Val::None => "null".to_owned(),
                    Val::Bool(value) => value.to_string(),
                    Val::Float(value) => yaml_float(*value),
                    other => other.to_string(),
                };
                self.put(&text);
                Ok(())
            }
            other => {
                let items: Vec<Val> = other.iterate()?.into_iter().filter(|item| !matches!(item, Val::Omit)).collect();
                if in_flow || items.is_empty() || self.flows(items.iter().all(scalar)) {
                    return self.flow_list(&items, self.inside(indent, place), depth);
                }
                self.block_list(&items, indent, place, depth)
            }
        }
    }

    fn flows(&self, simple: bool) -> bool {
        match self.style.flow {
            Flow::Never => false,
            Flow::Leaves => simple,
            Flow::Always => true,
        }
    }

    fn block_map(&mut self, pairs: &[(Val, Val)], indent: usize, place: Place, depth: usize) -> Outcome<()> {
        for (at, (key, value)) in pairs.iter().enumerate() {
            if at > 0 || place == Place::Value {
                self.line(indent);
            }
            self.node(key, indent, Place::Key, true, depth + 1)?;
            self.put(":");
            let nested_list = matches!(value, Val::List(_) | Val::Tuple(_) | Val::Thing(_));
            if !self.is_block(value) {
                self.put(" ");
            }
            // A list in a mapping stands under its key, without indentation.
            let inner = if nested_list && self.is_block(value) { indent } else { indent + self.style.indent };
            self.node(value, inner, Place::Value, false, depth + 1)?;
        }
        Ok(())
    }

    fn block_list(&mut self, items: &[Val], indent: usize, place: Place, depth: usize) -> Outcome<()> {
        for (at, item) in items.iter().enumerate() {
            if at > 0 || place == Place::Value {
                self.line(indent);
            }
            self.put("-");
            let gap = if self.is_block(item) { self.style.indent - 1 } else { 1 };
            self.put(&" ".repeat(gap));
            self.node(item, indent + self.style.indent, Place::Item, false, depth + 1)?;
        }
        Ok(())
    }

    /// Whether a value is written over lines of its own.
    fn is_block(&self, value: &Val) -> bool {
        match value {
            Val::Dict(pairs) => {
                let pairs = pairs.borrow();
                !pairs.is_empty() && !self.flows(pairs.values().all(scalar))
            }
            other if scalar(other) => false,
            other => other.iterate().is_ok_and(|items| !items.is_empty() && !self.flows(items.iter().all(scalar))),
        }
    }

    fn flow_list(&mut self, items: &[Val], indent: usize, depth: usize) -> Outcome<()> {
        self.put("[");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.put(",");
            }
            if self.column > self.style.width {
                self.line(indent);
            } else if at > 0 {
                self.put(" ");
            }
            self.node(item, indent + self.style.indent, Place::Item, true, depth + 1)?;
        }
        self.put("]");
        Ok(())
    }

    fn flow_map(&mut self, pairs: &[(Val, Val)], indent: usize, depth: usize) -> Outcome<()> {
        self.put("{");
        for (at, (key, value)) in pairs.iter().enumerate() {
            if at > 0 {
                self.put(",");
            }
            if self.column > self.style.width {
                self.line(indent);
            } else if at > 0 {
                self.put(" ");
            }
            self.node(key, indent, Place::Key, true, depth + 1)?;
            self.put(": ");
            self.node(value, indent + self.style.indent, Place::Value, true, depth + 1)?;
        }
        self.put("}");
        Ok(())
    }

    /// What stands alone is continued with one indentation.
    fn inside(&self, indent: usize, place: Place) -> usize {
        if place == Place::Root { self.style.indent } else { indent }
    }

    fn text(&mut self, text: &str, indent: usize, place: Place, in_flow: bool) {
        let analysis = Analysis::of(text);
        let key = place == Place::Key;
        let indent = self.inside(indent, place);
        let plain = if in_flow { analysis.flow_plain } else { analysis.block_plain };
        if plain && !(text.is_empty() || analysis.multiline) && resolve(text) == Plain::Text && !is_date(text) {
            self.folded(text, indent, !key);
        } else if analysis.single && !(key && analysis.multiline) {
            self.single(text, indent, !key);
        } else {
            self.double(text, indent, !key);
        }
    }

    /// A plain scalar, broken at single spaces once the line is full.
    fn folded(&mut self, text: &str, indent: usize, split: bool) {
        let letters: Vec<char> = text.chars().collect();
        for (at, c) in letters.iter().enumerate() {
            let lone = *c == ' ' && letters.get(at + 1) != Some(&' ') && (at == 0 || letters[at - 1] != ' ');
            if split && lone && self.column > self.style.width && at + 1 < letters.len() {
                self.line(indent);
            } else {
                self.put(c.encode_utf8(&mut [0; 4]));
            }
        }
    }

    fn single(&mut self, text: &str, indent: usize, split: bool) {
        self.put("'");
        let letters: Vec<char> = text.chars().collect();
        let mut breaks = false;
        for (at, c) in letters.iter().enumerate() {
            match c {
                ' ' => {
                    let inside = at > 0 && at + 1 < letters.len() && letters[at - 1] != ' ' && letters[at + 1] != ' ';
                    if split && inside && self.column > self.style.width {
                        self.line(indent);
                    } else {
                        self.put(" ");
                    }
                    breaks = false;
                }
                '\n' => {
                    if !breaks {
                        self.out.push('\n');
                    }
                    self.out.push('\n');
                    self.column = 0;
                    breaks = true;
                }
                c => {
                    if breaks {
                        self.put(&" ".repeat(indent));
                    }
                    self.put(&if *c == '\'' { "''".to_owned() } else { c.to_string() });
                    breaks = false;
                }
            }
        }
        if breaks {
            self.put(&" ".repeat(indent));
        }
        self.put("'");
    }

    fn double(&mut self, text: &str, indent: usize, split: bool) {
        self.put("\"");
        let letters: Vec<char> = text.chars().collect();
        for (at, c) in letters.iter().enumerate() {
            if *c == ' ' && split && at > 0 && at + 1 < letters.len() && self.column > self.style.width {
                self.line(indent);
                if letters[at + 1] == ' ' {
                    self.put("\\");
                } else {
                    continue;
                }
            }
            match c {
                '"' => self.put("\\\""),
                '\\' => self.put("\\\\"),
                '\n' => self.put("\\n"),
                '\t' => self.put("\\t"),
                '\r' => self.put("\\r"),
                '\0' => self.put("\\0"),
                '\u{7}' => self.put("\\a"),
                '\u{8}' => self.put("\\b"),
                '\u{b}' => self.put("\\v"),
                '\u{c}' => self.put("\\f"),
                '\u{1b}' => self.put("\\e"),
                '\u{85}' => self.put("\\N"),
                '\u{a0}' => self.put("\\_"),
                '\u{2028}' => self.put("\\L"),
                '\u{2029}' => self.put("\\P"),
                c if printable(*c) => self.put(c.encode_utf8(&mut [0; 4])),
                c if (*c as u32) < 0x100 => self.put(&format!("\\x{:02X}", *c as u32)),
                c if (*c as u32) < 0x1_0000 => self.put(&format!("\\u{:04X}", *c as u32)),
                c => self.put(&format!("\\U{:08X}", *c as u32)),
            }
        }
        self.put("\"");
    }
}

fn scalar(value: &Val) -> bool {
    match value {
        Val::Dict(_) | Val::List(_) | Val::Tuple(_) => false,
        Val::Thing(thing) => thing.iterate().is_none(),
        _ => true,
    }
}

fn yaml_float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = float(value);
    // 1e17 would be read as text.
    if text.contains('.') { text } else { text.replacen('e', ".0e", 1) }
}

/// Dates resolve to dates in PyYAML, so a text that looks like one is quoted.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let day = digits(0, 4) && bytes.get(4) == Some(&b'-');
    day && bytes.len() >= 8
        && (bytes.len() == 10 && digits(5, 7) && bytes[7] == b'-' && digits(8, 10)
            || bytes.len() > 10
                && text[5..].contains(':')
                && text[5..].bytes().all(|c| c.is_ascii_digit() || b"-:.TtZ+ \t".contains(&c)))
}
