//! A whole playbook, in both of its forms.

use std::path::Path;

use crate::core::records::ResultSpec;
use crate::core::source::{Diagnostic, Files, SourceMap, Spanned, did_you_mean};
use crate::language::yaml::{Kind, Node};

use super::keywords::Place;
use super::model::{Item, Play, Playbook, PlaybookForm};
use super::reader::Reader;

/// What came of reading a playbook.
#[derive(Debug)]
pub struct Loaded {
    /// The playbook as far as it could be understood; none where there is nothing to understand. With any error among the
    /// problems it must not be run.
    pub playbook: Option<Playbook>,
    /// Everything that is wrong.
    pub problems: Vec<Diagnostic>,
}

const TOP_KEYS: [&str; 6] = ["name", "cluster", "vars", "plays", "results", "notify"];

/// Reads a playbook and all that it imports. Collects every problem, never stops at the first.
pub fn load(files: &dyn Files, sources: &SourceMap, path: &Path) -> Loaded {
    let mut reader = Reader::new(files, sources, path);
    let playbook = reader.yaml(path, None).and_then(|node| reader.playbook(&node, path));
    Loaded { playbook, problems: reader.problems }
}

/// Reads a file of tasks, for `include_tasks` when it runs.
pub fn load_tasks(
    files: &dyn Files,
    sources: &SourceMap,
    folder: &Path,
    path: &Path,
    handlers: bool,
) -> (Vec<Item>, Vec<Diagnostic>) {
    let mut reader = Reader::new(files, sources, path);
    folder.clone_into(&mut reader.folder);
    let place = if handlers { Place::Handler } else { Place::Task };
    let items = reader.yaml(path, None).map(|node| reader.items(&node, "a file of tasks", place)).unwrap_or_default();
    (items, reader.problems)
}

impl Reader<'_> {
    fn playbook(&mut self, node: &Node, path: &Path) -> Option<Playbook> {
        let mut playbook = Playbook {
            form: PlaybookForm::Plain,
            name: path.file_stem().map_or_else(|| "playbook".to_owned(), |stem| stem.to_string_lossy().into_owned()),
            cluster: None,
            vars: Vec::new(),
            plays: Vec::new(),
            results: Vec::new(),
            notify: Vec::new(),
        };
        match &node.kind {
            Kind::Seq(_) => playbook.plays = self.plays(node),
            Kind::Map(_) => self.native(node, &mut playbook),
            Kind::Null => {
                self.report(
                    Diagnostic::error(node.span, "the playbook is empty")
                        .label("nothing here")
                        .help("write a list of plays, or a mapping with `cluster` and `plays`"),
                );
                return None;
            }
            _ => {
                self.report(
                    Diagnostic::error(
                        node.span,
                        format!("a playbook is a list of plays or a mapping, not {}", node.describe()),
                    )
                    .label("not a playbook")
                    .help("is it the right file?"),
                );
                return None;
            }
        }
        Some(playbook)
    }

    fn native(&mut self, node: &Node, playbook: &mut Playbook) {
        playbook.form = PlaybookForm::Native;
        if node.get("plays").is_none() && node.get("hosts").is_some() {
            self.report(
                Diagnostic::error(node.span, "a play stands in a list")
                    .label("a mapping with `hosts`")
                    .help("write a dash before the play: `- hosts: …`"),
            );
            return;
        }
        for (name, key, value) in self.mapping(node, "a playbook") {
            match name {
                "name" => playbook.name = self.text(value, name).map_or_else(String::new, |text| text.value),
                "cluster" => playbook.cluster = self.cluster(value),
                "vars" => playbook.vars = self.vars(value),
                "plays" => playbook.plays = self.plays(value),
                "results" => playbook.results = self.results(value),
                "notify" => self.report(
                    Diagnostic::error(key.span, "`notify` of a playbook is not supported yet")
                        .label("nothing would be sent")
                        .help("leave it out"),
                ),
                _ => self.unknown_key(name, key, "a playbook", TOP_KEYS),
            }
        }
        if node.get("plays").is_none() {
            self.report(
                Diagnostic::error(node.span, "the playbook has no `plays`")
                    .label("no plays")
                    .help("add plays: with a list of plays"),
            );
        }
    }

    fn plays(&mut self, node: &Node) -> Vec<Play> {
        let mut plays = Vec::new();
        let mut needs = Vec::new();
        let items = self.list(node, "plays");
        for item in items {
            if let Some((play, needed)) = self.play(item, plays.len() as u32) {
                plays.push(play);
                needs.push(needed);
            }
        }
        if items.is_empty() {
            self.report(
                Diagnostic::error(node.span, "the playbook has no plays")
                    .label("an empty list")
                    .help("add a play: `- hosts: …`"),
            );
        }
        for (index, needed) in needs.into_iter().enumerate() {
            let Some(needed) = needed else { continue };
            let resolved = needed.iter().filter_map(|name| self.needed(&plays, index, name)).collect();
            plays[index].needs = Some(resolved);
        }
        plays
    }

    fn needed(&mut self, plays: &[Play], index: usize, name: &Spanned<String>) -> Option<u32> {
        let mut named = plays.iter().filter(|play| play.name.value == name.value);
        let Some(first) = named.next() else {
            let help = match did_you_mean(&name.value, plays.iter().map(|play| play.name.value.as_str())) {
                Some(close) => format!("did you mean `{close}`?"),
                None => "name a play of this playbook as its `name` says".to_owned(),
            };
            self.report(
                Diagnostic::error(name.span, format!("no play is named `{}`", name.value))
                    .label("needed here")
                    .help(help),
            );
            return None;
        };
        if let Some(second) = named.next() {
            self.report(
                Diagnostic::error(name.span, format!("two plays are named `{}`", name.value))
                    .label("which one is needed?")
                    .related(first.name.span, "the first")
                    .related(second.name.span, "the second")
                    .help("give each play a name of its own"),
            );
        }
        if first.index as usize == index {
            self.report(
                Diagnostic::error(name.span, format!("the play `{}` needs itself", name.value))
                    .label("itself")
                    .help("leave it out"),
            );
            return None;
        }
        Some(first.index)
    }

    fn results(&mut self, node: &Node) -> Vec<Spanned<ResultSpec>> {
        let mut results = Vec::new();
        for item in self.list(node, "results") {
            let mut result = ResultSpec { from: String::new(), paths: Vec::new() };
            for (name, key, value) in self.mapping(item, "an entry of results") {
                match name {
                    "from" => result.from = self.text(value, name).map_or_else(String::new, |text| text.value),
                    "paths" => {
                        result.paths = self.texts(value, name, false).into_iter().map(|text| text.value).collect();
                    }
                    _ => self.unknown_key(name, key, "an entry of results", ["from", "paths"]),
                }
            }
            for missing in ["from", "paths"].into_iter().filter(|name| item.get(name).is_none()) {
                self.report(
                    Diagnostic::error(item.span, format!("an entry of results needs `{missing}`"))
                        .label("missing here")
                        .help("write it as {from: GROUP, paths: [FILE, …]}"),
                );
            }
            // An absolute or climbing path is legal on a worker, but nothing must be empty.
            results.push(Spanned::new(result, item.span));
        }
        results
    }
}
