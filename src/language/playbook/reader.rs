//! What all parts of the loader share: the problems found so far, the files read, and nodes read as typed values.

use std::path::{Path, PathBuf};

use crate::core::source::{Diagnostic, Files, SourceMap, Span, Spanned, did_you_mean};
use crate::language::args::text_of;
use crate::language::yaml::{Kind, Node, parse_bytes};

use super::keywords::{Place, is_template, is_variable_name};
use super::units::parse_duration;

/// The largest file that is read as YAML.
const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// A reader that never stops at a problem.
pub(super) struct Reader<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) sources: &'a SourceMap,
    pub(super) problems: Vec<Diagnostic>,
    /// The folder of the playbook.
    pub(super) folder: PathBuf,
    /// The files that import each other, outermost first.
    pub(super) importing: Vec<PathBuf>,
    /// How many tasks were read, so that files that import files cannot explode.
    pub(super) tasks: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a dyn Files, sources: &'a SourceMap, path: &Path) -> Self {
        Self {
            files,
            sources,
            problems: Vec::new(),
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            importing: vec![path.to_owned()],
            tasks: 0,
        }
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Reads a file as YAML; `asked` is where its name is written, if it is.
    pub(super) fn yaml(&mut self, path: &Path, asked: Option<Span>) -> Option<Node> {
        let bytes = self.bytes(path, asked)?;
        match parse_bytes(self.sources, path, &bytes).1 {
            Ok(node) => Some(node),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    pub(super) fn bytes(&mut self, path: &Path, asked: Option<Span>) -> Option<Vec<u8>> {
        let span = asked.unwrap_or_default();
        match self.files.read(path) {
            Ok(bytes) if bytes.len() > MAX_FILE_BYTES => {
                self.report(
                    Diagnostic::error(span, format!("{} is too large: {} bytes", path.display(), bytes.len()))
                        .label("this file")
                        .help(format!("at most {MAX_FILE_BYTES} bytes are read; is it the right file?")),
                );
                None
            }
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let why = if error.kind() == std::io::ErrorKind::NotFound {
                    "there is no such file".to_owned()
                } else {
                    error.to_string()
                };
                self.report(
                    Diagnostic::error(span, format!("cannot read {}: {why}", path.display())).label("named here"),
                );
                None
            }
        }
    }

    /// The pairs of a mapping whose keys are text; anything else is reported.
    pub(super) fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(&'n str, &'n Node, &'n Node)> {
        match &node.kind {
            Kind::Null => Vec::new(),
            Kind::Map(pairs) => pairs
                .iter()
                .filter_map(|(key, value)| {
                    let name = key.as_str();
                    if name.is_none() {
                        self.report(
                            Diagnostic::error(
                                key.span,
                                format!("a key of {what} must be text, not {}", key.describe()),
                            )
                            .label("this key")
                            .help("put it in quotes"),
                        );
                    }
                    Some((name?, key, value))
                })
                .collect(),
            _ => {
                self.wrong(node, what, "a mapping");
                Vec::new()
            }
        }
    }

    /// The items of a list; nothing for nothing.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::Seq(items) => items,
            Kind::Null => &[],
            _ => {
                self.wrong(node, what, "a list");
                &[]
            }
        }
    }

    /// A list, or one value that stands for a list of one.
    pub(super) fn one_or_many(node: &Node) -> Vec<Node> {
        match &node.kind {
            Kind::Seq(items) => items.clone(),
            Kind::Null => Vec::new(),
            _ => vec![node.clone()],
        }
    }

    /// Text; numbers become text, as Ansible reads them.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        match &node.kind {
            Kind::String(text) | Kind::Unsafe(text) => Some(Spanned::new(text.clone(), node.span)),
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => Some(Spanned::new(text_of(&node.to_value()), node.span)),
            _ => {
                self.wrong(node, what, "text");
                None
            }
        }
    }

    /// Texts, from a list or from one text that is cut at commas where `commas` says so.
    pub(super) fn texts(&mut self, node: &Node, what: &str, commas: bool) -> Vec<Spanned<String>> {
        let mut texts = Vec::new();
        for item in Self::one_or_many(node) {
            let Some(text) = self.text(&item, what) else { continue };
            if commas && !is_template(&text.value) {
                let parts = text.value.split(',').map(str::trim).filter(|part| !part.is_empty());
                texts.extend(parts.map(|part| Spanned::new(part.to_owned(), text.span)));
            } else {
                texts.push(text);
            }
        }
        texts
    }

    /// A name for a variable.
    pub(super) fn variable(&mut self, name: &str, span: Span, what: &str) -> Option<Spanned<String>> {
        if is_variable_name(name) {
            return Some(Spanned::new(name.to_owned(), span));
        }
        self.report(
            Diagnostic::error(span, format!("`{name}` cannot be the name of a variable ({what})"))
                .label("not a variable name")
                .help("use letters, digits and underscores, not beginning with a digit, and no word of Python"),
        );
        None
    }

    /// `vars:`
    pub(super) fn vars(&mut self, node: &Node) -> Vec<(Spanned<String>, Node)> {
        let pairs = self.mapping(node, "vars");
        pairs
            .into_iter()
            .filter_map(|(name, key, value)| Some((self.variable(name, key.span, "vars")?, value.clone())))
            .collect()
    }

    /// A boolean, or a template for one.
    pub(super) fn boolean(&mut self, node: &Node, keyword: &str) -> Option<Node> {
        let known = match &node.kind {
            Kind::Bool(_) => true,
            Kind::Int(value) => matches!(value, 0 | 1),
            Kind::String(text) => {
                is_template(text)
                    || ["y", "yes", "on", "1", "true", "t", "n", "no", "off", "0", "false", "f"]
                        .contains(&text.trim().to_lowercase().as_str())
            }
            _ => false,
        };
        self.keep(known, node, keyword, "true or false")
    }

    /// A whole number, or a template for one.
    pub(super) fn integer(&mut self, node: &Node, keyword: &str) -> Option<Node> {
        let known = match &node.kind {
            Kind::Int(value) => *value >= 0,
            Kind::String(text) => is_template(text) || text.trim().parse::<u32>().is_ok(),
            _ => false,
        };
        self.keep(known, node, keyword, "a whole number, 0 or more")
    }

    /// A number, or a template for one.
    pub(super) fn number(&mut self, node: &Node, keyword: &str) -> Option<Node> {
        let known = match &node.kind {
            Kind::Int(value) => *value >= 0,
            Kind::Float(value) => *value >= 0.0,
            Kind::String(text) => is_template(text) || text.trim().parse::<f64>().is_ok_and(|value| value >= 0.0),
            _ => false,
        };
        self.keep(known, node, keyword, "a number, 0 or more")
    }

    /// Seconds, or text with a unit, or a template.
    pub(super) fn duration(&mut self, node: &Node, keyword: &str) -> Option<Node> {
        let known = match &node.kind {
            Kind::Int(value) => *value >= 0,
            Kind::Float(value) => *value >= 0.0,
            Kind::String(text) => {
                is_template(text) || text.trim().parse::<u32>().is_ok() || parse_duration(text).is_some()
            }
            _ => false,
        };
        self.keep(known, node, keyword, "a number of seconds, or text with a unit such as 90s, 5m, 2h")
    }

    /// A text that must stay text, or a template.
    pub(super) fn text_node(&mut self, node: &Node, keyword: &str) -> Option<Node> {
        let known = matches!(node.kind, Kind::String(_) | Kind::Unsafe(_) | Kind::Int(_) | Kind::Float(_));
        self.keep(known, node, keyword, "text")
    }

    fn keep(&mut self, known: bool, node: &Node, keyword: &str, wanted: &str) -> Option<Node> {
        if !known {
            self.wrong(node, keyword, wanted);
        }
        known.then(|| node.clone())
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        let found = match &node.kind {
            Kind::String(text) | Kind::Unsafe(text) if text.chars().count() <= 40 => format!("the text `{text}`"),
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => format!("`{}`", node.key_text().to_lowercase()),
            Kind::Vault(_) => {
                self.report(
                    Diagnostic::error(node.span, "encrypted values are not supported yet")
                        .label("encrypted")
                        .help("pass the value with --extra-vars"),
                );
                return;
            }
            _ => node.describe().to_owned(),
        };
        self.report(
            Diagnostic::error(node.span, format!("`{what}` must be {wanted}, not {found}"))
                .label(format!("expected {wanted}")),
        );
    }

    /// Reports a keyword that does not exist at this place, or not yet.
    pub(super) fn unknown_keyword(&mut self, place: Place, name: &str, key: &Node) {
        let noun = place.noun();
        if let Some(instead) = place.later(name) {
            self.report(
                Diagnostic::error(key.span, format!("the keyword `{name}` is not supported yet"))
                    .label("Ansible has it, dayfly does not")
                    .help(instead),
            );
            return;
        }
        let mut problem = Diagnostic::error(key.span, format!("`{name}` is not a keyword of {noun}"))
            .label(format!("unknown in {noun}"));
        if let Some(close) = did_you_mean(name, place.keywords()) {
            problem = problem.help(format!("did you mean `{close}`?"));
        } else if name.starts_with("with_") {
            problem = problem.help("write the items under loop");
        } else if let Some(other) = [Place::Play, Place::Block, Place::Task, Place::Handler]
            .into_iter()
            .find(|other| other.keywords().any(|word| word == name))
        {
            problem = problem.help(format!("it belongs to {}", other.noun()));
        }
        self.report(problem);
    }

    /// Reports a key that a mapping does not have.
    pub(super) fn unknown_key<'k>(
        &mut self,
        name: &str,
        key: &Node,
        what: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match did_you_mean(name, known.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("it takes {}", known.join(", ")),
        };
        self.report(
            Diagnostic::error(key.span, format!("`{name}` is not a key of {what}")).label("unknown key").help(help),
        );
    }
}
