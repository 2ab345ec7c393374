//! The INI form: hosts with `key=value`, sections `[group]`, `[group:children]`, `[group:vars]`.

use crate::core::source::{Diagnostic, FileId, Span};
use crate::core::values::{Value, Var};
use crate::language::args::literal;

use super::super::reader::Reader;
use super::builder::Builder;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Hosts,
    Children,
    Vars,
}

/// Groups that are named, but whose own section has not come yet.
#[derive(Default)]
struct Promised {
    /// Parent, child, and where it is named.
    children: Vec<(String, String, Span)>,
    /// Groups with a section of variables only.
    vars: Vec<(String, Span)>,
}

impl Promised {
    fn is_defined(&self, builder: &Builder, name: &str) -> bool {
        builder.has_group(name) && !self.vars.iter().any(|(group, _)| group == name)
    }
}

impl Reader<'_> {
    pub(super) fn ini_inventory(&mut self, builder: &mut Builder, file: FileId, text: &str) {
        let mut group = "ungrouped".to_owned();
        let mut section = Section::Hosts;
        let mut promised = Promised::default();
        for (index, raw) in text.lines().enumerate() {
            let line = raw.trim();
            let before = raw.chars().take_while(|c| c.is_whitespace()).count() as u32;
            let number = index as u32 + 1;
            let end = before + line.chars().count() as u32 + 1;
            let span = Span { file, line: number, column: before + 1, end_line: number, end_column: end };
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(heading) = line.strip_prefix('[').filter(|_| !is_host_line(line)) {
                let Some((name, kind)) = self.section(heading, span) else { continue };
                section = kind;
                group = name;
                if section == Section::Vars && !builder.has_group(&group) {
                    promised.vars.push((group.clone(), span));
                } else if section != Section::Vars {
                    self.define(builder, &mut promised, &group, span);
                }
                continue;
            }
            match section {
                Section::Hosts => self.host_line(builder, &group, line, span),
                Section::Vars => self.variable_line(builder, &group, line, span),
                Section::Children => {
                    let child = line.split(['#', ' ', '\t']).next().unwrap_or(line).to_owned();
                    if promised.is_defined(builder, &child) {
                        self.child(builder, &group, &child, span);
                    } else {
                        promised.children.push((group.clone(), child, span));
                    }
                }
            }
        }
        let undefined = promised.children.into_iter().map(|(_, child, span)| (child, span, "is not defined"));
        let with_vars = promised.vars.into_iter().map(|(name, span)| (name, span, "has variables but is not defined"));
        for (name, span, what) in undefined.chain(with_vars) {
            self.report(
                Diagnostic::error(span, format!("the group `{name}` {what}"))
                    .label("named here only")
                    .help(format!("add a section [{name}]")),
            );
        }
    }

    /// A group gets its own section; who waited for it as a child has it now.
    fn define(&mut self, builder: &mut Builder, promised: &mut Promised, name: &str, span: Span) {
        builder.group(name, span);
        promised.vars.retain(|(group, _)| group != name);
        let (now, later) = std::mem::take(&mut promised.children).into_iter().partition(|(_, child, _)| child == name);
        promised.children = later;
        let now: Vec<(String, String, Span)> = now;
        for (parent, child, span) in now {
            self.child(builder, &parent, &child, span);
        }
    }

    fn child(&mut self, builder: &mut Builder, parent: &str, child: &str, span: Span) {
        if !builder.child(parent, child) {
            self.report(
                Diagnostic::error(span, format!("the groups `{parent}` and `{child}` would contain each other"))
                    .label("a circle")
                    .help("leave one of the two out"),
            );
        }
    }

    fn section(&mut self, heading: &str, span: Span) -> Option<(String, Section)> {
        let heading = heading.split('#').next().unwrap_or(heading).trim_end();
        let Some(inside) = heading.strip_suffix(']').filter(|inside| !inside.is_empty()) else {
            self.report(
                Diagnostic::error(span, "a section is written [group], [group:children] or [group:vars]")
                    .label("not a section")
                    .help("close the bracket and leave spaces out"),
            );
            return None;
        };
        let (name, kind) = inside.split_once(':').unwrap_or((inside, "hosts"));
        let kind = match kind {
            "hosts" => Section::Hosts,
            "children" => Section::Children,
            "vars" => Section::Vars,
            other => {
                self.report(
                    Diagnostic::error(span, format!("section [{inside}] has unknown type: {other}"))
                        .label("unknown type")
                        .help("it is children or vars, or nothing for hosts"),
                );
                return None;
            }
        };
        if name.is_empty() || name.chars().any(char::is_whitespace) {
            self.report(
                Diagnostic::error(span, format!("`{name}` cannot be the name of a group"))
                    .label("not a name")
                    .help("leave spaces out"),
            );
            return None;
        }
        Some((name.to_owned(), kind))
    }

    fn host_line(&mut self, builder: &mut Builder, group: &str, line: &str, span: Span) {
        let words = match shell_words(line) {
            Ok(words) => words,
            Err(why) => {
                self.report(Diagnostic::error(span, format!("this host cannot be read: {why}")).label("this line"));
                return;
            }
        };
        let Some((host, rest)) = words.split_first() else { return };
        let mut vars = Vec::new();
        for word in rest {
            let Some((name, value)) = word.split_once('=') else {
                self.report(
                    Diagnostic::error(span, format!("expected key=value host variable assignment, got: {word}"))
                        .label("in this line")
                        .help("one host stands on a line; its variables follow as name=value"),
                );
                continue;
            };
            let value = typed(value);
            self.connection_variable(name, &value, span);
            vars.push((name.to_owned(), value));
        }
        self.hosts_of_pattern(builder, group, host, span, &vars);
    }

    fn variable_line(&mut self, builder: &mut Builder, group: &str, line: &str, span: Span) {
        let Some((name, value)) = line.split_once('=') else {
            self.report(
                Diagnostic::error(span, format!("expected key=value, got: {line}"))
                    .label("not a variable")
                    .help("write name=value"),
            );
            return;
        };
        let value = typed(value.trim());
        self.connection_variable(name.trim(), &value, span);
        builder.group(group, span).vars.insert(name.trim().to_owned(), Var::written(value));
    }
}

/// `[::1]:22` begins with a bracket but is a host.
fn is_host_line(line: &str) -> bool {
    line.strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(inside, _)| inside.parse::<std::net::Ipv6Addr>().is_ok())
}

/// A value is what Python makes of it as a literal, else text.
fn typed(text: &str) -> Value {
    literal(text).unwrap_or_else(|| Value::from(text))
}

/// Words as a shell cuts them; `#` begins a comment.
fn shell_words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '#' if word.is_none() => break,
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or("a quote is not closed")? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or("a quote is not closed")? {
                        '"' => break,
                        '\\' => match characters.next().ok_or("a quote is not closed")? {
                            c @ ('"' | '\\') => word.push(c),
                            c => {
                                word.push('\\');
                                word.push(c);
                            }
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next().ok_or("it ends with a backslash")?),
            '#' => break,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}
