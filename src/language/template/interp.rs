//! Runs the statements of a parsed template. The parser is minijinja's; evaluation is ours, because Ansible's undefined
//! values, native results and mutable lists have no place in minijinja's own machine.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use minijinja::machinery::{ast, parse, parse_expr};

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::loops::Outer;
use crate::language::template::machine::Machine;
use crate::language::template::source::{Escaped, FileOptions};
use crate::language::template::things::Thing;
use crate::language::template::val::Val;

/// A template text and how it is read.
pub(super) struct Text<'a> {
    pub escaped: Escaped<'a>,
    pub original: &'a str,
    pub options: Option<&'a FileOptions>,
}

impl<'a> Text<'a> {
    /// A text of a playbook.
    pub fn written(text: &'a str) -> Self {
        Self { escaped: Escaped::written(text), original: text, options: None }
    }
    /// A template file.
    pub fn file(text: &'a str, options: &'a FileOptions) -> Self {
        Self { escaped: Escaped::plain(text), original: text, options: Some(options) }
    }
}

/// Names of one scope.
pub(super) type Frame = Rc<RefCell<HashMap<String, Val>>>;

/// Where control goes after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Continue,
    Break,
}

/// A macro and the names that it sees.
pub(super) struct MacroDef<'e, 's> {
    pub def: &'e ast::Macro<'s>,
    pub frames: Vec<Frame>,
}

/// Renders a text to its native value.
pub(super) fn render(machine: &Machine, text: &Text<'_>) -> Outcome<Val> {
    let default = FileOptions::default();
    let (options, body) = text.options.unwrap_or(&default).header(&text.escaped.text)?;
    let syntax = options.syntax()?;
    let skipped = text.escaped.text.len() - body.len();
    let place = |range: Range<usize>| text.escaped.original(range.start + skipped..range.end + skipped);
    let parsed = parse(body, "template", syntax).map_err(|error| syntax_fault(&error, &place))?;
    let ast::Stmt::Template(template) = &parsed else { fail!("Syntax error in template") };
    let mut interp = Interp::new(machine, vec![Frame::default()]);
    interp.includes = text.options;
    let value = interp.capture(&template.children).map_err(|fault| mapped(fault, &place))?;
    Ok(match value {
        Val::Str(result) => Val::Str(keep_newlines(text.original, result, &options.newline_sequence)),
        other => other,
    })
}

/// Evaluates a bare expression, as `when` has it.
pub(super) fn evaluate(machine: &Machine, text: &str) -> Outcome<Val> {
    let parsed = parse_expr(text).map_err(|error| {
        let mut fault = syntax_fault(&error, &|range| range);
        fault.message = fault.message.replacen("in template", "in expression", 1);
        if text.contains("{{") {
            fault.message.push_str(". Template delimiters are not supported in expressions.");
        }
        fault
    })?;
    let mut interp = Interp::new(machine, vec![Frame::default()]);
    interp.render_constants = true;
    interp.eval(&parsed)
}

/// Jinja drops newlines at the end; Ansible puts back as many as the template had.
fn keep_newlines(template: &str, result: Rc<str>, newline: &str) -> Rc<str> {
    let trailing = |text: &str| text.len() - text.trim_end_matches('\n').len();
    let missing = trailing(template).saturating_sub(trailing(&result));
    if missing == 0 { result } else { Rc::from(format!("{result}{}", newline.repeat(missing))) }
}

/// The parser's complaint with its place.
pub(super) fn syntax_fault(error: &minijinja::Error, place: &dyn Fn(Range<usize>) -> Range<usize>) -> Fault {
    let detail = error.detail().unwrap_or("it cannot be parsed").to_owned();
    Fault { message: format!("Syntax error in template: {detail}"), undef: None, range: error.range().map(place) }
}

fn mapped(mut fault: Fault, place: &dyn Fn(Range<usize>) -> Range<usize>) -> Fault {
    fault.range = fault.range.map(place);
    fault
}

/// The interpreter of one template.
pub(super) struct Interp<'m, 'e, 's> {
    pub machine: &'m Machine,
    pub frames: Vec<Frame>,
    pub macros: Vec<MacroDef<'e, 's>>,
    /// The recursive loops that are running.
    pub recursive: Vec<&'e ast::ForLoop<'s>>,
    /// Whether string constants that hold templates are rendered (conditionals and terms of lookups).
    pub render_constants: bool,
    pub includes: Option<&'m FileOptions>,
    pub depth: usize,
}

impl<'m, 'e, 's: 'e> Interp<'m, 'e, 's> {
    pub fn new(machine: &'m Machine, frames: Vec<Frame>) -> Self {
        Self {
            machine,
            frames,
            macros: Vec::new(),
            recursive: Vec::new(),
            render_constants: false,
            includes: None,
            depth: 0,
        }
    }

    /// Runs statements in the present scope and gives their native value.
    pub fn capture(&mut self, body: &'e [ast::Stmt<'s>]) -> Outcome<Val> {
        let mut out = Vec::new();
        self.run(body, &mut out)?;
        concat(out)
    }

    /// Runs in a scope of its own.
    pub fn scoped<T>(&mut self, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.frames.push(Frame::default());
        let result = run(self);
        self.frames.pop();
        result
    }

    /// A local name.
    pub fn local(&self, name: &str) -> Option<Val> {
        self.frames.iter().rev().find_map(|frame| frame.borrow().get(name).cloned())
    }

    /// Sets a name in the present scope.
    pub fn bind(&self, name: &str, value: Val) {
        if let Some(frame) = self.frames.last() {
            frame.borrow_mut().insert(name.to_owned(), value);
        }
    }

    /// Runs statements.
    pub fn run(&mut self, body: &'e [ast::Stmt<'s>], out: &mut Vec<Val>) -> Outcome<Flow> {
        for stmt in body {
            self.machine.spend(1)?;
            let flow = self.statement(stmt, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, stmt: &'e ast::Stmt<'s>, out: &mut Vec<Val>) -> Outcome<Flow> {
        match stmt {
            ast::Stmt::Template(template) => return self.run(&template.children, out),
            ast::Stmt::EmitRaw(raw) => out.push(Val::text(raw.raw)),
            ast::Stmt::EmitExpr(emit) => match self.eval(&emit.expr)? {
                Val::Undef(undef) if !undef.soft => return Err(Fault::missing(&undef).at(range_of(&emit.expr))),
                value => out.push(value),
            },
            ast::Stmt::ForLoop(found) => {
                let items = self.eval(&found.iter)?;
                return self.run_loop(found, &items, Outer::default(), out);
            }
            ast::Stmt::IfCond(cond) => {
                let body = if self.eval(&cond.expr)?.truthy().map_err(|fault| fault.at(range_of(&cond.expr)))? {
                    &cond.true_body
                } else {
                    &cond.false_body
                };
                return self.run(body, out);
            }
            ast::Stmt::WithBlock(with) => {
                let mut values = Vec::new();
                for (target, expr) in &with.assignments {
                    values.push((target, self.eval(expr)?));
                }
                return self.scoped(|inner| {
                    for (target, value) in values {
                        inner.assign(target, value)?;
                    }
                    inner.run(&with.body, out)
                });
            }
            ast::Stmt::Set(set) => {
                let value = self.eval(&set.expr)?;
                self.assign(&set.target, value)?;
            }
            ast::Stmt::SetBlock(set) => {
                let mut value = self.scoped(|inner| inner.capture(&set.body))?;
                if matches!(value, Val::None) {
                    value = Val::text("");
                }
                if let Some(filter) = &set.filter {
                    value = self.filter_chain(filter, value)?;
                }
                self.assign(&set.target, value)?;
            }
            ast::Stmt::FilterBlock(block) => {
                let value = self.scoped(|inner| inner.capture(&block.body))?;
                let value = if matches!(value, Val::None) { Val::text("") } else { value };
                out.push(self.filter_chain(&block.filter, value)?);
            }
            ast::Stmt::AutoEscape(block) => return self.run(&block.body, out),
            ast::Stmt::Block(block) => return self.scoped(|inner| inner.run(&block.body, out)),
            ast::Stmt::Macro(def) => {
                let value = self.define(def);
                self.bind(def.name, value);
            }
            ast::Stmt::CallBlock(block) => {
                let caller = self.define(&block.macro_decl);
                out.push(self.call(&block.call, Some(caller)).map_err(|fault| fault.at(span(block.call_expr_span)))?);
            }
            ast::Stmt::Do(block) => {
                self.call(&block.call, None)?;
            }
            ast::Stmt::Continue(_) => return Ok(Flow::Continue),
            ast::Stmt::Break(_) => return Ok(Flow::Break),
            ast::Stmt::Include(include) => self.include(include, out)?,
            ast::Stmt::Import(_) | ast::Stmt::FromImport(_) => {
                fail!("`import` is not supported in templates; put the macro into the same file")
            }
            ast::Stmt::Extends(_) => fail!("`extends` is not supported in templates; use `include`"),
        }
        Ok(Flow::Next)
    }

    fn define(&mut self, def: &'e ast::Macro<'s>) -> Val {
        self.macros.push(MacroDef { def, frames: self.frames.clone() });
        Val::thing(Thing::Macro(self.macros.len() - 1))
    }

    /// `{% set x = … %}`, `{% set a, b = … %}` and `{% set ns.x = … %}`.
    pub fn assign(&mut self, target: &'e ast::Expr<'s>, value: Val) -> Outcome<()> {
        match target {
            ast::Expr::Var(var) => self.bind(var.id, value),
            ast::Expr::List(targets) => self.unpack(&targets.items, &value)?,
            ast::Expr::Tuple(targets) => self.unpack(&targets.items, &value)?,
            ast::Expr::GetAttr(attr) => {
                let holder = self.eval(&attr.expr)?;
                match &holder {
                    Val::Thing(thing) if matches!(**thing, Thing::Namespace(_)) => {
                        if let Thing::Namespace(names) = &**thing {
                            names.borrow_mut().insert(attr.name.to_owned(), value);
                        }
                    }
                    other => {
                        other.present()?;
                        fail!("cannot assign attribute on non-namespace object");
                    }
                }
            }
            _ => fail!("cannot assign to this"),
        }
        Ok(())
    }

    fn unpack(&mut self, targets: &'e [ast::Expr<'s>], value: &Val) -> Outcome<()> {
        let items = value.iterate()?;
        if items.len() < targets.len() {
            fail!("not enough values to unpack (expected {}, got {})", targets.len(), items.len());
        }
        if items.len() > targets.len() {
            fail!("too many values to unpack (expected {})", targets.len());
        }
        for (target, item) in targets.iter().zip(items) {
            self.assign(target, item)?;
        }
        Ok(())
    }

    fn include(&mut self, include: &'e ast::Include<'s>, out: &mut Vec<Val>) -> Outcome<()> {
        let found = self.eval(&include.name)?;
        let names = if found.is_sequence() { found.iterate()? } else { vec![found] };
        let Some(options) = self.includes else { fail!("`include` works in template files only") };
        if self.depth > 20 {
            fail!("templates include each other without end");
        }
        for name in &names {
            name.present()?;
            let Some(text) = options.includes.as_ref().and_then(|find| find(&name.to_string())) else { continue };
            let syntax = options.syntax()?;
            let parsed = parse(&text, "include", syntax).map_err(|error| syntax_fault(&error, &|range| range))?;
            let ast::Stmt::Template(template) = &parsed else { continue };
            let mut inner = Interp::new(self.machine, self.frames.clone());
            inner.frames.push(Frame::default());
            inner.includes = self.includes;
            inner.depth = self.depth + 1;
            let rendered = inner.capture(&template.children).map_err(|fault| Fault { range: None, ..fault })?;
            out.push(rendered);
            return Ok(());
        }
        if include.ignore_missing {
            return Ok(());
        }
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        fail!("the template to include was not found: {}", names.join(", "))
    }
}

/// The native value of rendered pieces: none for nothing, the value itself for one, text for more.
fn concat(pieces: Vec<Val>) -> Outcome<Val> {
    let mut pieces = pieces.into_iter().filter(|piece| !matches!(piece, Val::None));
    let Some(first) = pieces.next() else { return Ok(Val::None) };
    let Some(second) = pieces.next() else { return Ok(first) };
    let mut text = String::new();
    for piece in [first, second].into_iter().chain(pieces) {
        check_present(&piece, 0)?;
        push_text(&mut text, &listed(&piece))?;
    }
    Ok(Val::text(text))
}

/// Tuples show as the lists that they become in a result.
fn listed(value: &Val) -> Val {
    match value {
        Val::Tuple(items) => Val::list(items.iter().map(listed)),
        Val::List(items) => Val::list(items.borrow().iter().map(listed)),
        Val::Dict(pairs) => Val::dict(pairs.borrow().iter().map(|(key, value)| (key.clone(), listed(value)))),
        other => other.clone(),
    }
}

/// Appends `str(value)`; missing values inside containers fail too.
pub(super) fn push_text(text: &mut String, piece: &Val) -> Outcome<()> {
    use std::fmt::Write as _;
    if matches!(piece, Val::Undef(undef) if undef.soft) {
        return Ok(());
    }
    check_present(piece, 0)?;
    let _ = write!(text, "{piece}");
    Ok(())
}

/// Fails where a value, or one inside it, is missing.
pub(super) fn check_present(value: &Val, depth: usize) -> Outcome<()> {
    if depth > 128 {
        fail!("a value contains itself");
    }
    match value {
        Val::Undef(undef) if depth > 0 || !undef.soft => Err(Fault::missing(undef)),
        Val::List(items) => items.borrow().iter().try_for_each(|item| check_present(item, depth + 1)),
        Val::Tuple(items) => items.iter().try_for_each(|item| check_present(item, depth + 1)),
        Val::Dict(pairs) => pairs.borrow().values().try_for_each(|item| check_present(item, depth + 1)),
        _ => Ok(()),
    }
}

/// The byte range of an expression.
pub(super) fn range_of(expr: &ast::Expr<'_>) -> Range<usize> {
    span(expr.span())
}

/// A parser's span as a byte range.
pub(super) fn span(span: minijinja::machinery::Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}
