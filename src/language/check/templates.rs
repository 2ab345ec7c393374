//! Templates: their syntax, and whether what they use exists.

use std::collections::HashSet;
use std::ops::Range;

use crate::core::source::{Diagnostic, FileId, Span, did_you_mean};
use crate::language::playbook::is_template;
use crate::language::yaml::{self, Node};

use super::checker::Checker;
use super::jinja::{Kind, Use, uses};
use super::known::{FILTERS, LOOKUPS, TESTS};
use super::magic::MAGIC;

/// What a template may use at its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Names that the places around it define, outermost first.
    pub(super) names: Vec<HashSet<String>>,
    /// The value of a variable is rendered where it is used, so any name that exists anywhere may be meant.
    pub(super) late: bool,
    /// Names are not checked: what is missing does no harm here.
    pub(super) lenient: bool,
}

impl Scope {
    /// This scope with more names.
    pub(super) fn with(&self, names: impl IntoIterator<Item = String>) -> Self {
        let mut scope = self.clone();
        let names: HashSet<String> = names.into_iter().collect();
        if !names.is_empty() {
            scope.names.push(names);
        }
        scope
    }
    /// The scope for the values of variables.
    pub(super) fn late(&self) -> Self {
        Self { late: true, ..self.clone() }
    }
    /// The scope for what is only shown.
    pub(super) fn lenient(&self) -> Self {
        Self { lenient: true, ..self.clone() }
    }
}

impl Checker<'_> {
    /// Every text of a node that is a template.
    pub(super) fn templates(&mut self, node: &Node, scope: &Scope) {
        match &node.kind {
            yaml::Kind::String(text) if is_template(text) => self.template(text, node.span, Kind::Text, scope),
            yaml::Kind::Seq(items) => items.iter().for_each(|item| self.templates(item, scope)),
            yaml::Kind::Map(pairs) => {
                for (key, value) in pairs {
                    self.templates(key, scope);
                    self.templates(value, scope);
                }
            }
            _ => {}
        }
    }

    /// Conditions, which are expressions without braces.
    pub(super) fn conditions(&mut self, nodes: &[Node], scope: &Scope) {
        for node in nodes {
            match &node.kind {
                yaml::Kind::String(text) if text.trim().is_empty() => {}
                // Braces inside quotes of an expression are no template of their own.
                yaml::Kind::String(text)
                    if text.trim_start().starts_with("{{") || text.trim_start().starts_with("{%") =>
                {
                    self.template(text, node.span, Kind::Text, scope);
                }
                yaml::Kind::String(text) => self.template(text, node.span, Kind::Expression, scope),
                _ => {}
            }
        }
    }

    /// The names whose being defined the conditions ask for: below them they may be used.
    pub(super) fn asked(nodes: &[Node]) -> Vec<String> {
        let texts = nodes.iter().filter_map(Node::as_str);
        let found = texts.filter_map(|text| {
            let kind = if text.contains("{{") { Kind::Text } else { Kind::Expression };
            uses(text, kind).ok()
        });
        found.flat_map(|uses| uses.asked).collect()
    }

    /// One template.
    pub(super) fn template(&mut self, text: &str, span: Span, kind: Kind, scope: &Scope) {
        let place = |range: &Range<usize>| {
            place(self.input.sources.file(span.file).map(|file| file.text.clone()), span, text, range)
        };
        let used = match uses(text, kind) {
            Ok(used) => used,
            Err(bad) => {
                let span = bad.range.map_or(span, |range| place(&range));
                let what = if kind == Kind::Text { "this template" } else { "this expression" };
                self.report(
                    Diagnostic::error(span, format!("{what} cannot be parsed: {}", bad.message))
                        .label("here")
                        .help(hint(text, kind, &bad.message)),
                );
                return;
            }
        };
        let mut problems = Vec::new();
        for (uses, what, known) in
            [(&used.filters, "filter", FILTERS), (&used.tests, "test", TESTS), (&used.lookups, "lookup", LOOKUPS)]
        {
            problems.extend(
                uses.iter().filter(|(name, _)| !is_known(name, known)).map(|found| unknown(found, what, known, &place)),
            );
        }
        if !scope.lenient {
            for (name, range) in &used.variables {
                let known = self.names.knows(name, &scope.names) || (scope.late && self.names.anywhere.contains(name));
                if !known {
                    problems.push(self.undefined(name, place(range), scope));
                }
            }
        }
        for problem in problems {
            self.report(problem);
        }
    }

    fn undefined(&self, name: &str, span: Span, scope: &Scope) -> Diagnostic {
        let problem = Diagnostic::error(span, format!("nothing defines the variable `{name}`")).label("not defined");
        if name.starts_with("ansible_") && !self.names.facts {
            return problem.help("no facts are gathered: set gather_facts to true, or run the setup module first");
        }
        let names: Vec<&str> = scope
            .names
            .iter()
            .flatten()
            .chain(&self.names.anywhere)
            .map(String::as_str)
            .chain(MAGIC.iter().copied())
            .collect();
        match did_you_mean(name, names) {
            Some(close) if close == name => problem.help(format!(
                "it is defined only for another task or play; define it here too, or write {name} | default(…)"
            )),
            Some(close) => problem.help(format!("did you mean `{close}`?")),
            None => problem.help(format!("define it under vars or with --extra-vars, or write {name} | default(…)")),
        }
    }

    /// A template file that the template module renders.
    pub(super) fn template_file(&mut self, path: &std::path::Path, scope: &Scope) {
        let Ok(bytes) = self.input.files.read(path) else { return };
        let Ok(text) = String::from_utf8(bytes) else { return };
        // Such a header changes the language of the file.
        if text.starts_with("#jinja2:") || !is_template(&text) {
            return;
        }
        let file = self.template_source(path, &text);
        let lines = text.lines().count().max(1) as u32;
        let span = Span { file, line: 1, column: 1, end_line: lines, end_column: 1 };
        self.template(&text, span, Kind::Text, scope);
    }

    fn template_source(&mut self, path: &std::path::Path, text: &str) -> FileId {
        if let Some(file) = self.template_files.get(path) {
            return *file;
        }
        let file = self.input.sources.add(path, text);
        self.template_files.insert(path.to_owned(), file);
        file
    }
}

fn is_known(name: &str, known: &[&str]) -> bool {
    let short = name.rsplit('.').next().unwrap_or(name);
    known.contains(&short)
}

fn unknown(found: &Use, what: &str, known: &[&str], place: &dyn Fn(&Range<usize>) -> Span) -> Diagnostic {
    let (name, range) = found;
    let problem =
        Diagnostic::error(place(range), format!("there is no {what} `{name}`")).label(format!("unknown {what}"));
    match did_you_mean(name, known.iter().copied()) {
        Some(close) => problem.help(format!("did you mean `{close}`?")),
        None => problem.help(format!("docs/playbook.md lists every {what}")),
    }
}

fn hint(text: &str, kind: Kind, message: &str) -> &'static str {
    if message.contains("end of block") {
        return "close each block: if with endif, for with endfor, set with endset";
    }
    let count = |part: &str| text.matches(part).count();
    if kind == Kind::Expression {
        "a condition is an expression: names, and texts in quotes"
    } else if count("{{") != count("}}") {
        "count the braces: each {{ needs its }}"
    } else if count("{%") != count("%}") {
        "count the braces: each {% needs its %}"
    } else {
        "texts stand in quotes, filters after |, arguments in parentheses"
    }
}

/// Where a part of a scalar stands in its file: exact where the scalar is written as it is read, else the scalar itself.
fn place(file: Option<String>, span: Span, text: &str, range: &Range<usize>) -> Span {
    let (Some(file), Some(before)) = (file, text.get(..range.start)) else { return span };
    let lines: Vec<&str> = file.lines().collect();
    as_written(&lines, span, text, before, range).or_else(|| by_search(&lines, span, text, range)).unwrap_or(span)
}

/// Line by line as the scalar is read.
fn as_written(lines: &[&str], span: Span, text: &str, before: &str, range: &Range<usize>) -> Option<Span> {
    let row = before.matches('\n').count();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let number = span.line as usize + row;
    let source = lines.get(number.wrapping_sub(1))?;
    let from = if row == 0 { span.column as usize - 1 } else { 0 };
    let skipped: usize = source.chars().take(from).map(char::len_utf8).sum();
    let at = source.get(skipped..)?.find(line)?;
    let column = source[..skipped + at].chars().count() + text[line_start..range.start].chars().count() + 1;
    let width =
        text.get(range.clone()).and_then(|part| part.lines().next()).map_or(1, |part| part.chars().count().max(1));
    let (line, column) = (number as u32, column as u32);
    Some(Span { file: span.file, line, column, end_line: line, end_column: column + width as u32 })
}

/// Where lines are folded: the first place in the scalar where the same words stand.
fn by_search(lines: &[&str], span: Span, text: &str, range: &Range<usize>) -> Option<Span> {
    let part = text.get(range.clone()).filter(|part| !part.trim().is_empty())?;
    let (number, source) = lines
        .iter()
        .enumerate()
        .skip(span.line as usize - 1)
        .take((span.end_line - span.line) as usize + 1)
        .find(|(_, line)| line.contains(part))?;
    let column = source[..source.find(part)?].chars().count() as u32 + 1;
    let (line, width) = (number as u32 + 1, part.chars().count() as u32);
    Some(Span { file: span.file, line, column, end_line: line, end_column: column + width })
}
