//! What a template uses, read from its syntax tree without rendering it.

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::machinery::ast::{self, CallArg, Expr, Stmt};
use minijinja::machinery::{parse, parse_expr};

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text with `{{ }}` in it.
    Text,
    /// An expression, as in `when`.
    Expression,
}

/// A name and where it stands in the text, in bytes.
pub(super) type Use = (String, Range<usize>);

/// What a template uses.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Variables that must be there. What stands under `default` or `is defined` is not among them.
    pub(super) variables: Vec<Use>,
    /// Variables whose being defined is asked for.
    pub(super) asked: BTreeSet<String>,
    /// Filters.
    pub(super) filters: Vec<Use>,
    /// Tests.
    pub(super) tests: Vec<Use>,
    /// Lookup plugins with a literal name.
    pub(super) lookups: Vec<Use>,
    locals: BTreeSet<String>,
}

/// A template that cannot be parsed.
#[derive(Debug)]
pub(super) struct BadTemplate {
    pub(super) message: String,
    pub(super) range: Option<Range<usize>>,
}

/// Parses a template and collects what it uses.
pub(super) fn uses(text: &str, kind: Kind) -> Result<Uses, BadTemplate> {
    let bad = |error: minijinja::Error| BadTemplate {
        message: error.detail().map_or_else(|| error.to_string(), str::to_owned),
        range: error.range(),
    };
    let mut uses = Uses::default();
    match kind {
        Kind::Text => {
            uses.statement(&parse(text, "template", minijinja::syntax::SyntaxConfig::default()).map_err(bad)?)
        }
        Kind::Expression => uses.expression(&parse_expr(text).map_err(bad)?, false),
    }
    for (name, range) in &mut uses.filters {
        narrow(text, name, range, &["|"]);
    }
    for (name, range) in &mut uses.tests {
        narrow(text, name, range, &["is not ", "is "]);
    }
    let (locals, asked) = (&uses.locals, &uses.asked);
    uses.variables.retain(|(name, _)| !locals.contains(name) && !asked.contains(name));
    Ok(uses)
}

fn range(span: minijinja::machinery::Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

/// The parser gives the whole expression for a filter or a test: its name is the last one behind its mark.
fn narrow(text: &str, name: &str, range: &mut Range<usize>, marks: &[&str]) {
    let Some(whole) = text.get(range.clone()) else { return };
    for mark in marks {
        let places = whole.match_indices(mark).map(|(at, _)| {
            let rest = &whole[at + mark.len()..];
            at + mark.len() + (rest.len() - rest.trim_start().len())
        });
        if let Some(at) = places.filter(|&at| whole[at..].starts_with(name)).last() {
            *range = range.start + at..range.start + at + name.len();
            return;
        }
    }
}

impl Uses {
    fn body(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => self.expression(&emit.expr, false),
            Stmt::ForLoop(each) => {
                self.target(&each.target);
                self.expression(&each.iter, false);
                self.optional(each.filter_expr.as_ref());
                self.body(&each.body);
                self.body(&each.else_body);
            }
            Stmt::IfCond(condition) => {
                self.expression(&condition.expr, false);
                self.body(&condition.true_body);
                self.body(&condition.false_body);
            }
            Stmt::WithBlock(with) => {
                for (target, value) in &with.assignments {
                    self.target(target);
                    self.expression(value, false);
                }
                self.body(&with.body);
            }
            Stmt::Set(set) => {
                self.target(&set.target);
                self.expression(&set.expr, false);
            }
            Stmt::SetBlock(set) => {
                self.target(&set.target);
                self.optional(set.filter.as_ref());
                self.body(&set.body);
            }
            Stmt::AutoEscape(block) => self.body(&block.body),
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter, false);
                self.body(&block.body);
            }
            Stmt::Block(block) => self.body(&block.body),
            Stmt::Import(import) => {
                self.expression(&import.expr, false);
                self.target(&import.name);
            }
            Stmt::FromImport(import) => {
                self.expression(&import.expr, false);
                for (name, alias) in &import.names {
                    self.target(alias.as_ref().unwrap_or(name));
                }
            }
            Stmt::Include(include) => self.expression(&include.name, false),
            Stmt::Extends(extends) => self.expression(&extends.name, false),
            Stmt::Macro(declared) => self.declared(declared),
            Stmt::CallBlock(block) => {
                self.call(&block.call, false);
                self.declared(&block.macro_decl);
            }
            Stmt::Do(done) => self.call(&done.call, false),
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => {}
        }
    }

    fn declared(&mut self, declared: &ast::Macro<'_>) {
        self.locals.insert(declared.name.to_owned());
        for argument in &declared.args {
            self.target(argument);
        }
        for default in &declared.defaults {
            self.expression(default, false);
        }
        self.body(&declared.body);
    }

    /// What an assignment gives a value to.
    fn target(&mut self, target: &Expr<'_>) {
        match target {
            Expr::Var(variable) => {
                self.locals.insert(variable.id.to_owned());
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.target(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.target(item)),
            // `namespace.name = …` gives no new name.
            other => self.expression(other, false),
        }
    }

    fn optional(&mut self, expression: Option<&Expr<'_>>) {
        if let Some(expression) = expression {
            self.expression(expression, false);
        }
    }

    /// `guarded`: whether what is missing here is caught.
    fn expression(&mut self, expression: &Expr<'_>, guarded: bool) {
        match expression {
            Expr::Var(variable) => {
                if !guarded {
                    self.variables.push((variable.id.to_owned(), range(variable.span())));
                }
            }
            Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expression(&slice.expr, guarded);
                for part in [&slice.start, &slice.stop, &slice.step].into_iter().flatten() {
                    self.expression(part, guarded);
                }
            }
            Expr::UnaryOp(operation) => self.expression(&operation.expr, guarded),
            Expr::BinOp(operation) => {
                self.expression(&operation.left, guarded);
                self.expression(&operation.right, guarded);
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr, guarded);
                for operand in &compare.ops {
                    self.expression(&operand.expr, guarded);
                }
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr, guarded);
                self.expression(&choice.true_expr, guarded);
                if let Some(other) = &choice.false_expr {
                    self.expression(other, guarded);
                }
            }
            Expr::Filter(filter) => {
                self.filters.push((filter.name.to_owned(), range(filter.span())));
                let catches = matches!(filter.name, "default" | "d" | "ansible.builtin.default" | "mandatory");
                if let Some(value) = &filter.expr {
                    self.expression(value, guarded || catches);
                }
                self.arguments(&filter.args, guarded);
            }
            Expr::Test(test) => {
                self.tests.push((test.name.to_owned(), range(test.span())));
                let asks = matches!(
                    test.name,
                    "defined" | "undefined" | "ansible.builtin.defined" | "ansible.builtin.undefined"
                );
                if asks && let Some(name) = root(&test.expr) {
                    self.asked.insert(name.to_owned());
                }
                self.expression(&test.expr, guarded || asks);
                self.arguments(&test.args, guarded);
            }
            Expr::GetAttr(access) => self.expression(&access.expr, guarded),
            Expr::GetItem(access) => {
                self.expression(&access.expr, guarded);
                self.expression(&access.subscript_expr, guarded);
            }
            Expr::Call(call) => self.call(call, guarded),
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item, guarded)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item, guarded)),
            Expr::Map(map) => {
                map.keys.iter().chain(&map.values).for_each(|item| self.expression(item, guarded));
            }
        }
    }

    fn call(&mut self, call: &ast::Call<'_>, guarded: bool) {
        if let (Expr::Var(function), Some(CallArg::Pos(first))) = (&call.expr, call.args.first())
            && matches!(function.id, "lookup" | "query" | "q")
            && let Some(name) = first.as_const()
            && let Some(name) = name.as_str()
        {
            self.lookups.push((name.to_owned(), range(first.span())));
        }
        self.expression(&call.expr, guarded);
        self.arguments(&call.args, guarded);
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>], guarded: bool) {
        for argument in arguments {
            let (CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value)) = argument;
            self.expression(value, guarded);
        }
    }
}

/// The variable that a chain of attributes begins with.
fn root<'a>(expression: &'a Expr<'_>) -> Option<&'a str> {
    match expression {
        Expr::Var(variable) => Some(variable.id),
        Expr::GetAttr(access) => root(&access.expr),
        Expr::GetItem(access) => root(&access.expr),
        _ => None,
    }
}
