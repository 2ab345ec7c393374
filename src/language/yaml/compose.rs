//! From granit-parser's events to nodes. The only file that knows granit-parser.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span as Mark, StrInput, Tag};

use crate::core::source::{Diagnostic, FileId, SourceMap, Span};
use crate::language::yaml::bytes::forbidden;
use crate::language::yaml::hints;
use crate::language::yaml::scalar::{Plain, resolve};
use crate::language::yaml::{Kind, Node};

/// The most nodes of a document, aliases counted as often as they are used.
pub const MAX_NODES: usize = 1_000_000;
/// How deep lists and mappings may stand in each other.
pub const MAX_DEPTH: usize = 200;

const CORE: &str = "tag:yaml.org,2002:";

/// Parses the one document of a file. An empty file is [`Kind::Null`].
pub fn parse(sources: &SourceMap, file: FileId) -> Result<Node, Vec<Diagnostic>> {
    let Some(source) = sources.file(file) else {
        return Err(vec![Diagnostic::error(Span::default(), "no such file was read")]);
    };
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    if let Some(problem) = forbidden(file, text) {
        return Err(vec![problem]);
    }
    let mut options = Options::default();
    options.bom_inside_document_as_content = true;
    options.block_scalar_eof_without_line_feed = true;
    options.set_emit_comments(false);
    let mut composer = Composer {
        parser: Parser::new_from_str_with_options(text, options),
        text,
        file,
        anchors: HashMap::new(),
        nodes: 0,
        problems: Vec::new(),
    };
    match composer.stream() {
        Ok(node) if composer.problems.is_empty() => Ok(node),
        Ok(_) => Err(composer.problems),
        Err(last) => {
            composer.problems.push(*last);
            Err(composer.problems)
        }
    }
}

struct Composer<'input> {
    parser: Parser<'input, StrInput<'input>>,
    text: &'input str,
    file: FileId,
    /// Finished anchored nodes, each with the number of nodes inside it.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    problems: Vec<Diagnostic>,
}

type Composed<T> = Result<T, Box<Diagnostic>>;

impl<'input> Composer<'input> {
    fn next(&mut self) -> Composed<(Event<'input>, Mark)> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let marker = error.marker();
                let (line, column) = (marker.line() as u32, marker.col() as u32 + 1);
                let span = Span { file: self.file, line, column, end_line: line, end_column: column + 1 };
                Err(Box::new(hints::explain(self.text, span, &error.info())))
            }
            None => Ok((Event::StreamEnd, Mark::default())),
        }
    }

    fn stream(&mut self) -> Composed<Node> {
        let mut document = None;
        loop {
            let (event, mark) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if document.is_some() => {
                    return Err(Box::new(
                        Diagnostic::error(self.span(&mark), "a second document begins here")
                            .label("one file holds one document")
                            .help("put it into a file of its own"),
                    ));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                other => document = Some(self.node(other, &mark, 0)?),
            }
        }
        let start = Span { file: self.file, line: 1, column: 1, end_line: 1, end_column: 1 };
        Ok(document.unwrap_or(Node { span: start, kind: Kind::Null }))
    }

    fn span(&self, mark: &Mark) -> Span {
        Span {
            file: self.file,
            line: mark.start.line() as u32,
            column: mark.start.col() as u32 + 1,
            end_line: mark.end.line() as u32,
            end_column: mark.end.col() as u32 + 1,
        }
    }

    fn spend(&mut self, nodes: usize, span: Span) -> Composed<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(Box::new(
                Diagnostic::error(span, format!("the document has more than {MAX_NODES} nodes"))
                    .label("too many from here on")
                    .help("aliases count as often as they are used"),
            ));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'input>, mark: &Mark, depth: usize) -> Composed<Node> {
        let span = self.span(mark);
        if depth > MAX_DEPTH {
            return Err(Box::new(Diagnostic::error(span, format!("more than {MAX_DEPTH} levels of nesting"))));
        }
        let before = self.nodes;
        self.spend(1, span)?;
        let (node, anchor) = match event {
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    return Err(Box::new(
                        Diagnostic::error(span, "an alias stands inside the node that it names")
                            .label("it would contain itself"),
                    ));
                };
                self.spend(size, span)?;
                (Node { span, ..node }, 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let empty = style == ScalarStyle::Plain && mark.is_empty();
                let text = if empty { String::new() } else { text.into_owned() };
                (Node { span, kind: self.scalar(text, style, tag.as_deref(), span) }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let (items, end) = self.sequence(depth)?;
                let node = Node { span: closed(span, items.last(), end), kind: Kind::Seq(items) };
                (self.tagged(node, tag.as_deref(), "seq"), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let (pairs, end) = self.mapping(span, depth)?;
                let span = closed(span, pairs.last().map(|(_, value)| value), end);
                (self.tagged(Node { span, kind: Kind::Map(pairs) }, tag.as_deref(), "map"), anchor)
            }
            _ => return Err(Box::new(Diagnostic::error(span, "this is not where the document may end"))),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Composed<(Vec<Node>, Span)> {
        let mut items = Vec::new();
        loop {
            let (event, mark) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok((items, self.span(&mark)));
            }
            items.push(self.node(event, &mark, depth + 1)?);
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Composed<(Vec<(Node, Node)>, Span)> {
        let mut own: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        let mut seen: HashMap<(u8, String), Span> = HashMap::new();
        loop {
            let (event, mark) = self.next()?;
            if event == Event::MappingEnd {
                let end = self.span(&mark);
                return Ok((merge(merged, own), end));
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let nested = matches!(event, Event::MappingStart(..));
            let key = if merges {
                Node { span: self.span(&mark), kind: Kind::String("<<".to_owned()) }
            } else {
                self.node(event, &mark, depth + 1)?
            };
            if nested && key.span.line == start.line && key.span.column == start.column + 1 {
                return Err(Box::new(hints::unquoted_template(Span {
                    end_column: start.column + 2,
                    end_line: start.line,
                    ..start
                })));
            }
            let (event, mark) = self.next()?;
            let value = self.node(event, &mark, depth + 1)?;
            if merges {
                self.merge_sources(value, &mut merged);
                continue;
            }
            if matches!(key.kind, Kind::Seq(_) | Kind::Map(_)) {
                self.problems.push(
                    Diagnostic::error(key.span, format!("{} cannot be a key", key.describe()))
                        .help("if this is a template or one text, put it in quotes"),
                );
                continue;
            }
            if let Some(first) = seen.insert((rank(&key), key.key_text()), key.span) {
                self.problems.push(
                    Diagnostic::error(key.span, format!("the key `{}` is there twice", key.key_text()))
                        .label("again here")
                        .related(first, "first here"),
                );
                continue;
            }
            own.push((key, value));
        }
    }

    /// The mappings that a `<<` names, the strongest first.
    fn merge_sources(&mut self, value: Node, merged: &mut Vec<Node>) {
        let span = value.span;
        match value.kind {
            Kind::Map(_) => merged.push(value),
            Kind::Seq(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_))) => merged.extend(items),
            _ => self.problems.push(
                Diagnostic::error(span, format!("`<<` merges mappings, and this is {}", value.describe()))
                    .help("name a mapping, or a list of mappings; to have the text << as a key, quote it"),
            ),
        }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Kind {
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain { self.plain(text, span) } else { Kind::String(text) };
        };
        match (tag.handle(), tag.suffix()) {
            ("" | "!", "unsafe") => Kind::Unsafe(text),
            ("" | "!", "vault" | "vault-encrypted") => Kind::Vault(text),
            // PyYAML resolves a value with the tag `!` as if it had none.
            ("", "!") | ("!", "") if style == ScalarStyle::Plain => self.plain(text, span),
            ("", "!") | ("!", "") | (CORE, "str") => Kind::String(text),
            (CORE, "null") => Kind::Null,
            (CORE, word @ ("int" | "float" | "bool")) => match (word, resolve(&text)) {
                ("int", Plain::Int(value)) => Kind::Int(value),
                ("float", Plain::Float(value)) => Kind::Float(value),
                ("float", Plain::Int(value)) => Kind::Float(value as f64),
                ("float", _) if text.parse::<f64>().is_ok() => text.parse().map_or(Kind::Null, Kind::Float),
                ("bool", Plain::Bool(value)) => Kind::Bool(value),
                _ => {
                    self.problems.push(Diagnostic::error(span, format!("`{text}` is no {word}")));
                    Kind::Null
                }
            },
            _ => {
                self.unknown_tag(tag, span);
                Kind::Null
            }
        }
    }

    fn plain(&mut self, text: String, span: Span) -> Kind {
        match resolve(&text) {
            Plain::Null => Kind::Null,
            Plain::Bool(value) => Kind::Bool(value),
            Plain::Int(value) => Kind::Int(value),
            Plain::Float(value) => Kind::Float(value),
            Plain::Text => Kind::String(text),
            Plain::TooBig => {
                self.problems.push(
                    Diagnostic::error(span, format!("the number {text} does not fit into 64 bits"))
                        .help("put it in quotes to keep it as text"),
                );
                Kind::Null
            }
            Plain::Merge | Plain::Value => {
                self.problems.push(
                    Diagnostic::error(span, format!("`{text}` has a meaning of its own in YAML 1.1"))
                        .help(format!("put it in quotes: \"{text}\"")),
                );
                Kind::Null
            }
        }
    }

    fn tagged(&mut self, node: Node, tag: Option<&Tag>, own: &str) -> Node {
        match tag.map(|tag| (tag, tag.handle(), tag.suffix())) {
            None | Some((_, "", "!") | (_, "!", "")) => node,
            Some((_, CORE, suffix)) if suffix == own => node,
            Some((_, "" | "!", "unsafe")) => unsafe_all(node),
            Some((tag, ..)) => {
                self.unknown_tag(tag, node.span);
                node
            }
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) {
        self.problems.push(
            Diagnostic::error(span, format!("the tag `{}` is not known here", tag.original()))
                .label("this value carries it")
                .help("known tags: !unsafe, !vault, !!str, !!int, !!float, !!bool, !!null, !!seq, !!map"),
        );
    }
}

/// Which type of key: the text `1` and the number 1 are two keys.
fn rank(key: &Node) -> u8 {
    match key.kind {
        Kind::Null => 0,
        Kind::Bool(_) => 1,
        Kind::Int(_) => 2,
        Kind::Float(_) => 3,
        _ => 4,
    }
}

/// A block collection ends where its last item does; a flow collection at its bracket.
fn closed(start: Span, last: Option<&Node>, end: Span) -> Span {
    let ends = match last {
        _ if (end.line, end.column) != (end.end_line, end.end_column) => end,
        Some(last) => last.span,
        None => start,
    };
    Span { end_line: ends.end_line, end_column: ends.end_column, ..start }
}

/// As PyYAML: merged pairs first, a mapping named earlier wins over one named later, own pairs win over all.
fn merge(merged: Vec<Node>, own: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if merged.is_empty() {
        return own;
    }
    let mut places: HashMap<(u8, String), usize> = HashMap::new();
    let mut pairs: Vec<(Node, Node)> = Vec::new();
    let inherited = merged.into_iter().rev().flat_map(|node| match node.kind {
        Kind::Map(pairs) => pairs,
        _ => Vec::new(),
    });
    for (key, value) in inherited.chain(own) {
        let name = (rank(&key), key.key_text());
        if let Some(place) = places.get(&name) {
            pairs[*place] = (key, value);
        } else {
            places.insert(name, pairs.len());
            pairs.push((key, value));
        }
    }
    pairs
}

fn unsafe_all(node: Node) -> Node {
    let kind = match node.kind {
        Kind::String(text) => Kind::Unsafe(text),
        Kind::Seq(items) => Kind::Seq(items.into_iter().map(unsafe_all).collect()),
        Kind::Map(pairs) => Kind::Map(pairs.into_iter().map(|(key, value)| (key, unsafe_all(value))).collect()),
        other => other,
    };
    Node { kind, ..node }
}
