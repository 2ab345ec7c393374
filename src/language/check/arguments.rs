//! The arguments of a task against the module's table.

use crate::core::source::{Diagnostic, Span, did_you_mean};
use crate::language::args::{Arg, ArgType, ModuleSpec, coerce_one, find};
use crate::language::playbook::{Action, Task, is_template};
use crate::language::yaml::{Kind, Node};

use super::checker::Checker;

/// Words of `meta` that Ansible has and dayfly does not yet.
const META_LATER: [&str; 6] =
    ["clear_host_errors", "refresh_inventory", "reset_connection", "end_batch", "end_role", "end_handlers"];

impl Checker<'_> {
    pub(super) fn arguments(&mut self, task: &Task) {
        let action = &task.action;
        // What is no module has been reported by the loader.
        let Some(spec) = find(&action.name) else { return };
        // Arguments that misspelt names stand for: they are not missing too.
        let mut meant = Vec::new();
        for (name, node) in &action.args {
            match spec.arg(&name.value) {
                Some(arg) => self.argument(spec, arg, name.span, node),
                None if spec.open => self.fact(&name.value, name.span),
                None => meant.extend(self.unknown_argument(spec, action, &name.value, name.span)),
            }
        }
        if let (Some(free), Some(arg)) = (&action.free, spec.free_argument().and_then(|name| spec.arg(name))) {
            let node = Node { span: free.span, kind: Kind::String(free.value.trim().to_owned()) };
            self.argument(spec, arg, free.span, &node);
        }
        self.combinations(spec, action, &meant);
    }

    fn argument(&mut self, spec: &ModuleSpec, arg: &Arg, name: Span, node: &Node) {
        if !arg.refused.is_empty() {
            self.report(
                Diagnostic::error(name, format!("the argument `{}` of `{}` is not supported", arg.name, spec.name))
                    .label("Ansible has it, dayfly does not")
                    .help(arg.refused),
            );
            return;
        }
        if holds_template(node) {
            return;
        }
        if arg.ty == ArgType::Mode {
            self.decimal_mode(arg, node);
        }
        if coerce_one(arg, &node.to_value()).is_ok() {
            return;
        }
        let text = node.as_str().unwrap_or_default();
        if spec.name == "meta" && META_LATER.contains(&text) {
            self.report(
                Diagnostic::error(node.span, format!("`meta: {text}` is not supported yet"))
                    .label("Ansible has it, dayfly does not")
                    .help(format!("it takes {}", arg.choices.join(", "))),
            );
            return;
        }
        let problem = if arg.choices.is_empty() {
            let (wanted, help) = wanted(arg.ty);
            let found = match node.as_str() {
                Some(text) => format!("the text `{text}`"),
                None => node.describe().to_owned(),
            };
            Diagnostic::error(node.span, format!("`{}` of `{}` must be {wanted}, not {found}", arg.name, spec.name))
                .label(format!("expected {wanted}"))
                .help(help)
        } else {
            let help = match did_you_mean(text, arg.choices.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("it takes {}", arg.choices.join(", ")),
            };
            Diagnostic::error(node.span, format!("`{}` of `{}` cannot be `{}`", arg.name, spec.name, node.key_text()))
                .label("not one of its values")
                .help(help)
        };
        self.report(problem);
    }

    /// `mode: 644` means the number 644, whose bits are 1204.
    fn decimal_mode(&mut self, arg: &Arg, node: &Node) {
        let Kind::Int(bits) = node.kind else { return };
        let written = self.written(node.span).unwrap_or_default();
        if written.starts_with('0') || !written.starts_with(|c: char| c.is_ascii_digit()) || bits == 0 {
            return;
        }
        self.report(
            Diagnostic::warning(
                node.span,
                format!("`{}: {written}` is a decimal number: its permission bits are {bits:04o}", arg.name),
            )
            .label("no leading zero")
            .help(format!("write '0{written}' if these are octal digits")),
        );
    }

    /// A scalar as it stands in its file.
    fn written(&self, span: Span) -> Option<String> {
        let file = self.input.sources.file(span.file)?;
        let line = file.text.lines().nth((span.line as usize).checked_sub(1)?)?;
        let width = if span.end_line == span.line { (span.end_column - span.column) as usize } else { usize::MAX };
        Some(line.chars().skip(span.column as usize - 1).take(width).collect())
    }

    fn fact(&mut self, name: &str, span: Span) {
        if is_template(name) || crate::language::playbook::is_variable_name(name) {
            return;
        }
        self.report(
            Diagnostic::error(span, format!("`{name}` cannot be the name of a variable (set_fact)"))
                .label("not a variable name")
                .help("use letters, digits and underscores, not beginning with a digit, and no word of Python"),
        );
    }

    /// Reports an argument that the module does not have; returns the name of the one that is probably meant.
    fn unknown_argument(
        &mut self,
        spec: &'static ModuleSpec,
        action: &Action,
        name: &str,
        span: Span,
    ) -> Option<&'static str> {
        let known: Vec<&'static str> = spec
            .args
            .iter()
            .filter(|arg| arg.refused.is_empty())
            .flat_map(|arg| std::iter::once(arg.name).chain(arg.aliases.iter().copied()))
            .filter(|name| !matches!(*name, "_raw_params" | "free_form"))
            .collect();
        // Short names are close to many: only one with the same first letter is meant.
        let alike = known.iter().copied().filter(|other| other.chars().next() == name.chars().next());
        let close = did_you_mean(name, alike).or_else(|| written_out(spec, action, name));
        let help = match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("`{}` takes {}", spec.name, known.join(", ")),
        };
        self.report(
            Diagnostic::error(span, format!("`{}` has no argument `{name}`", spec.name))
                .label("unknown argument")
                .help(help),
        );
        spec.arg(close?).map(|arg| arg.name)
    }

    /// What must be given, and what may not be given together.
    fn combinations(&mut self, spec: &ModuleSpec, action: &Action, meant: &[&str]) {
        let place = |name: &str| {
            let arg = spec.arg(name)?;
            let named = action
                .args
                .iter()
                .find(|(given, _)| given.value == arg.name || arg.aliases.contains(&given.value.as_str()));
            let free = action.free.as_ref().filter(|_| spec.free_argument() == Some(arg.name));
            named.map(|(given, _)| given.span).or(free.map(|free| free.span))
        };
        for group in spec.exclusive {
            let given: Vec<(&str, Span)> = group.iter().filter_map(|name| Some((*name, place(name)?))).collect();
            if let [(first, at), (second, other), ..] = given[..] {
                self.report(
                    Diagnostic::error(other, format!("`{}` takes `{first}` or `{second}`, not both", spec.name))
                        .label("the second")
                        .related(at, "the first")
                        .help("leave one of them out"),
                );
            }
        }
        if action.template.is_some() {
            return;
        }
        if spec.name == "set_fact" && !action.args.iter().any(|(name, _)| name.value != "cacheable") {
            self.report(
                Diagnostic::error(action.span, "`set_fact` needs a variable")
                    .label("nothing is set")
                    .help("write set_fact: {NAME: …}"),
            );
        }
        let missing: Vec<String> = spec
            .args
            .iter()
            .filter(|arg| arg.required && place(arg.name).is_none() && !meant.contains(&arg.name))
            .map(|arg| format!("`{}`", arg.name))
            .collect();
        if !missing.is_empty() && spec.name != "import_tasks" {
            self.report(
                Diagnostic::error(action.span, format!("`{}` needs {}", spec.name, missing.join(" and ")))
                    .label("not given")
                    .help(example(spec, &missing)),
            );
        }
        let given = |name: &&str| place(name).is_some() || meant.contains(name);
        for group in spec.one_of.iter().filter(|group| !group.iter().any(given)) {
            let names: Vec<String> = group.iter().map(|name| format!("`{name}`")).collect();
            self.report(
                Diagnostic::error(action.span, format!("`{}` needs {}", spec.name, names.join(" or ")))
                    .label("not given")
                    .help(example(spec, &names[..1])),
            );
        }
    }
}

/// A missing argument whose letters all stand in a longer word in their order: `src` in `source`, also in `sorce`.
fn written_out(spec: &'static ModuleSpec, action: &Action, word: &str) -> Option<&'static str> {
    let needed = |arg: &&Arg| arg.required || spec.one_of.iter().any(|group| group.contains(&arg.name));
    let given = |arg: &&Arg| {
        action.args.iter().any(|(name, _)| name.value == arg.name || arg.aliases.contains(&name.value.as_str()))
    };
    let short = |arg: &&Arg| {
        let mut letters = word.chars();
        arg.name.len() > 2
            && arg.name.chars().next() == word.chars().next()
            && arg.name.chars().all(|letter| letters.any(|other| other == letter))
    };
    spec.args.iter().find(|arg| needed(arg) && !given(arg) && short(arg)).map(|arg| arg.name)
}

fn example(spec: &ModuleSpec, names: &[String]) -> String {
    if let Some(free) = spec.free_argument().filter(|free| names.iter().any(|name| name.trim_matches('`') == *free)) {
        let what = if free == "cmd" {
            "COMMAND"
        } else if free == "file" {
            "FILE"
        } else {
            "WORD"
        };
        return format!("write {}: {what}", spec.name);
    }
    let pairs: Vec<String> = names.iter().map(|name| format!("{}: …", name.trim_matches('`'))).collect();
    format!("write {}: {{{}}}", spec.name, pairs.join(", "))
}

/// Whether a value holds a template anywhere, so that it is known only when the task runs.
fn holds_template(node: &Node) -> bool {
    match &node.kind {
        Kind::String(text) => is_template(text),
        Kind::Seq(items) => items.iter().any(holds_template),
        Kind::Map(pairs) => pairs.iter().any(|(key, value)| holds_template(key) || holds_template(value)),
        _ => false,
    }
}

/// What a type wants, and how to write it.
fn wanted(ty: ArgType) -> (&'static str, &'static str) {
    match ty {
        ArgType::Bool => ("true or false", "write true or false"),
        ArgType::Int => ("a whole number", "write digits only"),
        ArgType::Float => ("a number", "write digits only"),
        ArgType::List | ArgType::Items => ("a list", "write [ONE, TWO], or one item a line after a dash"),
        ArgType::Dict => ("a mapping", "write {NAME: VALUE}"),
        ArgType::Mode => ("permission bits", "write octal digits in quotes such as '0644', or u=rw,g=r,o="),
        ArgType::Str | ArgType::Path | ArgType::Raw => ("text", "put it in quotes"),
    }
}
