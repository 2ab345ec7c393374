//! Templates: their syntax, and whether what they use exists.

use std::collections::HashSet;
use std::ops::Range;

use crate::core::source::{Diagnostic, FileId, Severity, Span, did_you_mean};
use crate::language::playbook::is_template;
use crate::language::template::{Kind, Unknown, inspect};
use crate::language::yaml::{self, Node};

use super::checker::Checker;
use super::magic::MAGIC;
use super::place::{name_at, name_of, place};

/// What a template may use at its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Names that the places around it define, outermost first.
    pub(super) names: Vec<HashSet<String>>,
    /// The variable whose value this is. It is rendered where it is read, so any name that exists anywhere may be meant.
    pub(super) value_of: Option<String>,
    /// Names are not checked: what is missing does no harm here.
    pub(super) lenient: bool,
    /// A failure is ignored or rescued here, so it may be meant: problems that only show at run time are warnings.
    pub(super) caught: bool,
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
    /// The scope for the value of a variable.
    pub(super) fn value_of(&self, name: &str) -> Self {
        Self { value_of: Some(name.to_owned()), ..self.clone() }
    }
    /// The scope of tasks whose failures are caught.
    pub(super) fn caught(&self) -> Self {
        Self { caught: true, ..self.clone() }
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

    /// The names that the conditions guard: below them they may be used.
    pub(super) fn asked(nodes: &[Node]) -> Vec<String> {
        let texts = nodes.iter().filter_map(Node::as_str);
        let found = texts.filter_map(|text| {
            let kind = if text.contains("{{") { Kind::Text } else { Kind::Expression };
            inspect(text, kind).ok()
        });
        found
            .flat_map(|found| found.variables)
            .filter(|variable| variable.guarded)
            .map(|variable| variable.name)
            .collect()
    }

    /// One template.
    pub(super) fn template(&mut self, text: &str, span: Span, kind: Kind, scope: &Scope) {
        let sources = self.input.sources;
        let place = |range: &Range<usize>| place(sources, span, text, range);
        let found = match inspect(text, kind) {
            Ok(found) => found,
            Err(bad) => {
                let span = bad.range.map_or(span, |range| place(&range));
                let what = if kind == Kind::Text { "this template" } else { "this expression" };
                let why = bad.message.strip_prefix("Syntax error in template: ").unwrap_or(&bad.message);
                self.report(
                    Diagnostic::error(span, format!("{what} cannot be parsed: {why}"))
                        .label("here")
                        .help(hint(text, kind, why)),
                );
                return;
            }
        };
        let mut problems: Vec<Diagnostic> =
            found.unknown.iter().map(|unknown| unknown_name(unknown, place(&name_of(text, unknown)))).collect();
        problems.extend(
            found
                .refused
                .iter()
                .map(|(range, why)| Diagnostic::error(place(range), why.clone()).label("not supported")),
        );
        if !scope.lenient {
            for variable in found.variables.iter().filter(|variable| !variable.guarded) {
                let name = &variable.name;
                if !scope.caught {
                    self.reads.note(scope.value_of.as_deref(), name);
                }
                let late = scope.value_of.is_some() && self.names.anywhere.contains(name);
                if late || self.names.knows(name, &scope.names) {
                    continue;
                }
                let problem = self.undefined(name, place(&name_at(text, name, &variable.range)), scope);
                match &scope.value_of {
                    Some(owner) => self.reads.problem(owner, problem),
                    None => problems.push(problem),
                }
            }
        }
        for problem in problems {
            self.report(problem);
        }
    }

    fn undefined(&self, name: &str, span: Span, scope: &Scope) -> Diagnostic {
        let mut problem =
            Diagnostic::error(span, format!("nothing defines the variable `{name}`")).label("not defined");
        if scope.caught {
            problem.severity = Severity::Warning;
        }
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
        if !is_template(&text) {
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

fn unknown_name(unknown: &Unknown, span: Span) -> Diagnostic {
    let what = unknown.sort.word();
    let problem =
        Diagnostic::error(span, format!("there is no {what} `{}`", unknown.name)).label(format!("unknown {what}"));
    match &unknown.suggestion {
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

#[cfg(test)]
mod tests {
    use crate::language::template::Sort;

    /// The help of an unknown name points there.
    #[test]
    fn the_page_lists_every_filter_test_function_and_lookup() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/playbook.md");
        let page = std::fs::read_to_string(page).unwrap();
        for (sort, title) in [
            (Sort::Filter, "**Filters**"),
            (Sort::Test, "**Tests**"),
            (Sort::Function, "**Functions**"),
            (Sort::Lookup, "**Lookups**"),
        ] {
            let list = page.split(title).nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
            let listed: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
            let missing: Vec<&str> = sort.known().into_iter().filter(|name| !listed.contains(name)).collect();
            assert!(missing.is_empty(), "{title} lacks {missing:?}");
        }
    }
}
