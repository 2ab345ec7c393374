//! The module or action of a task, in each of the forms in which Ansible takes it.

use crate::core::source::{Diagnostic, Span, Spanned, did_you_mean};
use crate::language::args::{Free, ModuleSpec, all, find, is_known_to_ansible, short_name, split_free, split_words};
use crate::language::yaml::{Kind, Node};

use super::keywords::{Place, is_template};
use super::model::Action;
use super::reader::Reader;

impl Reader<'_> {
    /// Finds the action of a task among its keys that are no keywords, and `action:`.
    pub(super) fn action(
        &mut self,
        place: Place,
        span: Span,
        candidates: &[(&str, &Node, &Node)],
        action: Option<&Node>,
        args: Option<&Node>,
    ) -> Option<Action> {
        let mut found = action.and_then(|node| self.action_keyword(node));
        let modules =
            candidates.iter().filter(|(name, _, _)| find(name).is_some() || is_known_to_ansible(name)).count();
        for (name, key, value) in candidates {
            let is_module = find(name).is_some() || is_known_to_ansible(name);
            if !is_module && (modules > 0 || found.is_some() || action.is_some()) {
                self.unknown_keyword(place, name, key);
                continue;
            }
            if let Some(first) = &found {
                self.report(
                    Diagnostic::error(
                        key.span,
                        format!("a task has one module, not both `{}` and `{name}`", first.name),
                    )
                    .label("a second module")
                    .related(first.span, "the first module")
                    .help("make two tasks of it; look at the indentation too"),
                );
                continue;
            }
            found = Some(self.module(place, name, key, value));
        }
        let mut action = found.or_else(|| {
            if candidates.is_empty() && action.is_none() {
                self.report(
                    Diagnostic::error(span, "this task has no module")
                        .label("nothing to do here")
                        .help("add a module such as command, copy or debug"),
                );
            }
            None
        })?;
        if let Some(node) = args {
            self.weaker_args(&mut action, node);
        }
        Some(action)
    }

    /// `module: value`
    fn module(&mut self, place: Place, name: &str, key: &Node, value: &Node) -> Action {
        let mut action =
            Action { name: short_name(name).to_owned(), span: key.span, args: Vec::new(), free: None, template: None };
        match find(name) {
            Some(spec) => self.arguments(spec, &mut action, value),
            None => self.unknown_module(place, name, key.span),
        }
        action
    }

    fn unknown_module(&mut self, place: Place, name: &str, span: Span) {
        let problem = if is_known_to_ansible(name) {
            Diagnostic::error(span, format!("the module `{name}` is not supported yet"))
                .label("Ansible has it, dayfly does not")
                .help("do it with command or shell")
        } else {
            let problem = Diagnostic::error(span, format!("unknown module `{name}`")).label("no such module");
            let modules = all().map(|spec| spec.name);
            match (did_you_mean(short_name(name), modules), did_you_mean(name, place.keywords())) {
                (Some(close), _) => problem.help(format!("did you mean `{close}`?")),
                (None, Some(close)) => problem.help(format!("did you mean the keyword `{close}`?")),
                (None, None) => problem.help("docs/playbook.md lists every module"),
            }
        };
        self.report(problem);
    }

    /// `action: copy src=a dest=b`, `action: {module: copy, src: a}`
    fn action_keyword(&mut self, node: &Node) -> Option<Action> {
        let (name, span, rest) = match &node.kind {
            Kind::Map(pairs) => {
                let module = node.get("module").and_then(Node::as_str);
                let Some(name) = module else {
                    self.wrong(node, "action", "text, or a mapping with `module`");
                    return None;
                };
                let others = pairs.iter().filter(|(key, _)| key.as_str() != Some("module")).cloned().collect();
                (name.to_owned(), node.span, Node { span: node.span, kind: Kind::Map(others) })
            }
            Kind::String(text) => {
                let words = split_words(text).unwrap_or_default();
                let name = words.first().map(|word| word.trim().to_owned()).unwrap_or_default();
                let rest = text.trim_start().strip_prefix(&name).unwrap_or_default().trim_start().to_owned();
                let kind = if rest.is_empty() { Kind::Null } else { Kind::String(rest) };
                (name, node.span, Node { span: node.span, kind })
            }
            _ => {
                self.wrong(node, "action", "text, or a mapping with `module`");
                return None;
            }
        };
        let key = Node { span, kind: Kind::String(name.clone()) };
        Some(self.module(Place::Task, &name, &key, &rest))
    }

    fn arguments(&mut self, spec: &ModuleSpec, action: &mut Action, value: &Node) {
        match &value.kind {
            Kind::Null => {}
            Kind::Map(_) => {
                let pairs = self.mapping(value, spec.name);
                action.args = pairs
                    .into_iter()
                    .map(|(name, key, node)| (Spanned::new(name.to_owned(), key.span), node.clone()))
                    .collect();
            }
            Kind::String(text) => self.text_arguments(spec, action, value, text),
            Kind::Unsafe(_) if spec.free_argument().is_some() => {
                let name = spec.free_argument().unwrap_or_default();
                action.args.push((Spanned::new(name.to_owned(), value.span), value.clone()));
            }
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) if spec.free_argument().is_some() => {
                action.free = self.text(value, spec.name);
            }
            _ => self.wrong(value, spec.name, "a mapping of arguments"),
        }
    }

    fn text_arguments(&mut self, spec: &ModuleSpec, action: &mut Action, value: &Node, text: &str) {
        let free = match split_free(spec, text) {
            Ok(free) => free,
            Err(why) => {
                self.report(
                    Diagnostic::error(value.span, format!("the arguments of `{}` cannot be split: {why}", spec.name))
                        .label("here")
                        .help("close every quote and every {{ }}, or write the arguments as a mapping"),
                );
                return;
            }
        };
        for (name, part) in free.pairs {
            let span = self.inside(value.span, &name).unwrap_or(value.span);
            let at = self.inside(value.span, &part).unwrap_or(value.span);
            action.args.push((Spanned::new(name, span), Node { span: at, kind: Kind::String(part) }));
        }
        let Some(rest) = free.text else { return };
        match spec.free {
            Free::Command | Free::Argument(_) => action.free = Some(Spanned::new(rest, value.span)),
            Free::Pairs | Free::None if is_template(&rest) => {
                action.template = Some(Spanned::new(rest, value.span));
            }
            Free::Pairs | Free::None => {
                let span = self.inside(value.span, rest.trim()).unwrap_or(value.span);
                self.report(
                    Diagnostic::error(span, format!("`{}` takes arguments, not a text", spec.name))
                        .label("not an argument")
                        .help(match spec.args.iter().find(|arg| arg.refused.is_empty()) {
                            Some(arg) => format!("write {}: {{{}: …}}", spec.name, arg.name),
                            None => "leave it out".to_owned(),
                        }),
                );
            }
        }
    }

    /// `args:`, which is weaker than what stands at the module.
    fn weaker_args(&mut self, action: &mut Action, node: &Node) {
        match &node.kind {
            Kind::String(text) if is_template(text) => action.template = Some(Spanned::new(text.clone(), node.span)),
            _ => {
                for (name, key, value) in self.mapping(node, "args") {
                    if !action.args.iter().any(|(given, _)| given.value == name) {
                        action.args.push((Spanned::new(name.to_owned(), key.span), value.clone()));
                    }
                }
            }
        }
    }

    /// The place of a word inside a scalar of one line, where it stands there as it is.
    fn inside(&self, span: Span, word: &str) -> Option<Span> {
        if span.line != span.end_line || word.is_empty() {
            return None;
        }
        let file = self.sources.file(span.file)?;
        let line = file.text.lines().nth(span.line as usize - 1)?;
        let start = span.column as usize - 1;
        let scalar: String = line.chars().skip(start).take((span.end_column - span.column) as usize).collect();
        let at = scalar[..scalar.find(word)?].chars().count() as u32;
        let column = span.column + at;
        Some(Span { column, end_column: column + word.chars().count() as u32, ..span })
    }
}
