//! Reads a template without evaluating it, for check: which variables it needs, which names it uses that nobody knows.

use std::collections::HashSet;
use std::ops::Range;

use minijinja::machinery::{ast, parse, parse_expr};

use crate::core::source::did_you_mean;
use crate::language::template::expr::path;
use crate::language::template::functions::{self, LOOKUPS, short_lookup};
use crate::language::template::interp::{range_of, span, syntax_fault};
use crate::language::template::machine::Step;
use crate::language::template::source::{Escaped, FileOptions};
use crate::language::template::{TemplateError, filters, predicates};

/// How a text is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text with `{{ }}` in it.
    Text,
    /// A bare expression, as `when` has it.
    Expression,
}

/// A variable that a template reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Constant attributes and keys that follow: `a.b['c']` has `b` and `c`.
    pub path: Vec<String>,
    /// Byte range of the name.
    pub range: Range<usize>,
    /// True where the template also asks whether it is defined, or gives a default.
    pub guarded: bool,
}

/// What kind of name is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// `x | name`
    Filter,
    /// `x is name`
    Test,
    /// `name(…)`
    Function,
    /// `lookup('name')`
    Lookup,
}

impl Sort {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Function => "function",
            Self::Lookup => "lookup",
        }
    }
    /// Every name of the kind that is known.
    pub fn known(self) -> Vec<&'static str> {
        let mut names: Vec<_> = match self {
            Self::Filter => filters::names().collect(),
            Self::Test => predicates::names().collect(),
            Self::Function => functions::names().collect(),
            Self::Lookup => LOOKUPS.to_vec(),
        };
        names.sort_unstable();
        names
    }
}

/// A name that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its kind.
    pub sort: Sort,
    /// The name.
    pub name: String,
    /// Byte range of the name, for a lookup of the whole call.
    pub range: Range<usize>,
    /// The closest known name.
    pub suggestion: Option<String>,
}

/// What a template uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Free variables, in the order of reading, each use once.
    pub variables: Vec<Variable>,
    /// Names that are not known.
    pub unknown: Vec<Unknown>,
    /// Lookups by name, known ones too.
    pub lookups: Vec<String>,
    /// Things that cannot work, with what to do instead.
    pub refused: Vec<(Range<usize>, String)>,
}

/// Inspects a text. The error is that of the parser.
pub fn inspect(text: &str, kind: Kind) -> Result<Inspection, TemplateError> {
    let mut walker = Walker::default();
    match kind {
        Kind::Expression => {
            let parsed = parse_expr(text).map_err(|error| syntax_fault(&error, &|range| range))?;
            walker.expr(&parsed);
            Ok(walker.finish(|range| range))
        }
        Kind::Text => {
            let escaped = Escaped::written(text);
            let defaults = FileOptions::default();
            let (options, body) = defaults.header(&escaped.text)?;
            let skipped = escaped.text.len() - body.len();
            let place = |range: Range<usize>| escaped.original(range.start + skipped..range.end + skipped);
            let parsed = parse(body, "template", options.syntax()?).map_err(|error| syntax_fault(&error, &place))?;
            walker.stmt(&parsed);
            Ok(walker.finish(place))
        }
    }
}

#[derive(Default)]
struct Walker {
    found: Inspection,
    guards: HashSet<String>,
    locals: Vec<HashSet<String>>,
}

impl Walker {
    fn finish(self, place: impl Fn(Range<usize>) -> Range<usize>) -> Inspection {
        let mut found = self.found;
        for variable in &mut found.variables {
            variable.guarded |= self.guards.contains(&variable.name);
            variable.range = place(variable.range.clone());
        }
        for unknown in &mut found.unknown {
            unknown.range = place(unknown.range.clone());
        }
        for (range, _) in &mut found.refused {
            *range = place(range.clone());
        }
        found
    }

    fn scoped(&mut self, run: impl FnOnce(&mut Self)) {
        self.locals.push(HashSet::new());
        run(self);
        self.locals.pop();
    }

    fn bind(&mut self, target: &ast::Expr<'_>) {
        match target {
            ast::Expr::Var(var) => {
                if self.locals.is_empty() {
                    self.locals.push(HashSet::new());
                }
                if let Some(scope) = self.locals.last_mut() {
                    scope.insert(var.id.to_owned());
                }
            }
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.bind(item)),
            ast::Expr::Tuple(list) => list.items.iter().for_each(|item| self.bind(item)),
            _ => {}
        }
    }

    fn bind_name(&mut self, name: &str) {
        if self.locals.is_empty() {
            self.locals.push(HashSet::new());
        }
        if let Some(scope) = self.locals.last_mut() {
            scope.insert(name.to_owned());
        }
    }

    fn body(&mut self, body: &[ast::Stmt<'_>]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &ast::Stmt<'_>) {
        match stmt {
            ast::Stmt::Template(template) => self.body(&template.children),
            ast::Stmt::EmitExpr(emit) => self.expr(&emit.expr),
            ast::Stmt::EmitRaw(_) | ast::Stmt::Continue(_) | ast::Stmt::Break(_) => {}
            ast::Stmt::ForLoop(found) => {
                self.expr(&found.iter);
                self.scoped(|inner| {
                    inner.bind(&found.target);
                    inner.bind_name("loop");
                    if let Some(filter) = &found.filter_expr {
                        inner.expr(filter);
                    }
                    inner.body(&found.body);
                });
                self.scoped(|inner| inner.body(&found.else_body));
            }
            ast::Stmt::IfCond(cond) => {
                self.expr(&cond.expr);
                self.body(&cond.true_body);
                self.body(&cond.false_body);
            }
            ast::Stmt::WithBlock(with) => {
                with.assignments.iter().for_each(|(_, value)| self.expr(value));
                self.scoped(|inner| {
                    with.assignments.iter().for_each(|(target, _)| inner.bind(target));
                    inner.body(&with.body);
                });
            }
            ast::Stmt::Set(set) => {
                self.expr(&set.expr);
                self.bind(&set.target);
            }
            ast::Stmt::SetBlock(set) => {
                self.scoped(|inner| inner.body(&set.body));
                if let Some(filter) = &set.filter {
                    self.expr(filter);
                }
                self.bind(&set.target);
            }
            ast::Stmt::FilterBlock(block) => {
                self.expr(&block.filter);
                self.body(&block.body);
            }
            ast::Stmt::AutoEscape(block) => self.body(&block.body),
            ast::Stmt::Block(block) => self.body(&block.body),
            ast::Stmt::Macro(def) => {
                self.bind_name(def.name);
                self.definition(def);
            }
            ast::Stmt::CallBlock(block) => {
                self.call(&block.call, span(block.call_expr_span));
                self.definition(&block.macro_decl);
            }
            ast::Stmt::Do(block) => self.call(&block.call, span(block.call.span())),
            ast::Stmt::Include(include) => self.expr(&include.name),
            ast::Stmt::Import(import) => {
                let hint = "`import` is not supported in templates; put the macro into the same file";
                self.found.refused.push((range_of(&import.expr), hint.to_owned()));
                self.bind(&import.name);
            }
            ast::Stmt::FromImport(import) => {
                let hint = "`import` is not supported in templates; put the macro into the same file";
                self.found.refused.push((range_of(&import.expr), hint.to_owned()));
                import.names.iter().for_each(|(name, alias)| self.bind(alias.as_ref().unwrap_or(name)));
            }
            ast::Stmt::Extends(extends) => {
                let hint = "`extends` is not supported in templates; use `include`";
                self.found.refused.push((range_of(&extends.name), hint.to_owned()));
            }
        }
    }

    fn definition(&mut self, def: &ast::Macro<'_>) {
        def.defaults.iter().for_each(|default| self.expr(default));
        self.scoped(|inner| {
            def.args.iter().for_each(|arg| inner.bind(arg));
            for name in ["caller", "varargs", "kwargs"] {
                inner.bind_name(name);
            }
            inner.body(&def.body);
        });
    }

    fn expr(&mut self, expr: &ast::Expr<'_>) {
        if let Some((name, steps)) = path(expr) {
            self.variable(name, &steps, expr);
            return;
        }
        match expr {
            ast::Expr::Var(_) | ast::Expr::Const(_) => {}
            ast::Expr::Slice(slice) => {
                self.expr(&slice.expr);
                [&slice.start, &slice.stop, &slice.step].into_iter().flatten().for_each(|part| self.expr(part));
            }
            ast::Expr::UnaryOp(unary) => self.expr(&unary.expr),
            ast::Expr::BinOp(binary) => {
                self.expr(&binary.left);
                self.expr(&binary.right);
            }
            ast::Expr::Compare(chain) => {
                self.expr(&chain.expr);
                chain.ops.iter().for_each(|operand| self.expr(&operand.expr));
            }
            ast::Expr::IfExpr(choice) => {
                self.expr(&choice.test_expr);
                self.expr(&choice.true_expr);
                choice.false_expr.iter().for_each(|other| self.expr(other));
            }
            ast::Expr::Filter(filter) => {
                if let Some(inner) = &filter.expr {
                    if matches!(filters::short(filter.name), "default" | "d" | "mandatory") {
                        self.guard(inner);
                    }
                    self.expr(inner);
                }
                if !filters::known(filter.name) {
                    self.unknown(Sort::Filter, filter.name, name_at(expr, filter.name));
                }
                self.args(&filter.args);
            }
            ast::Expr::Test(test) => {
                if matches!(filters::short(test.name), "defined" | "undefined") {
                    self.guard(&test.expr);
                }
                if !predicates::known(test.name) {
                    self.unknown(Sort::Test, test.name, name_at(expr, test.name));
                }
                self.expr(&test.expr);
                self.args(&test.args);
            }
            ast::Expr::GetAttr(attr) => self.expr(&attr.expr),
            ast::Expr::GetItem(item) => {
                self.expr(&item.expr);
                self.expr(&item.subscript_expr);
            }
            ast::Expr::Call(call) => self.call(call, range_of(expr)),
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.expr(item)),
            ast::Expr::Tuple(list) => list.items.iter().for_each(|item| self.expr(item)),
            ast::Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|part| self.expr(part)),
        }
    }

    fn args(&mut self, args: &[ast::CallArg<'_>]) {
        for arg in args {
            match arg {
                ast::CallArg::Pos(expr)
                | ast::CallArg::Kwarg(_, expr)
                | ast::CallArg::PosSplat(expr)
                | ast::CallArg::KwargSplat(expr) => self.expr(expr),
            }
        }
    }

    fn call(&mut self, call: &ast::Call<'_>, range: Range<usize>) {
        match &call.expr {
            ast::Expr::Var(var) if self.is_local(var.id) => {}
            ast::Expr::Var(var) if functions::named(var.id).is_some() => {
                if matches!(var.id, "lookup" | "query" | "q")
                    && let Some(ast::CallArg::Pos(ast::Expr::Const(name))) = call.args.first()
                    && let Some(name) = name.value.as_str()
                {
                    self.found.lookups.push(short_lookup(name).to_owned());
                    if !LOOKUPS.contains(&short_lookup(name)) {
                        self.unknown(Sort::Lookup, name, range);
                    }
                }
            }
            ast::Expr::Var(var) => self.unknown(Sort::Function, var.id, span(var.span())),
            // The method's name is no attribute of the data.
            ast::Expr::GetAttr(attr) => self.expr(&attr.expr),
            other => self.expr(other),
        }
        self.args(&call.args);
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|scope| scope.contains(name))
    }

    fn guard(&mut self, expr: &ast::Expr<'_>) {
        let root = match expr {
            ast::Expr::Var(var) => Some(var.id),
            ast::Expr::GetAttr(attr) => return self.guard(&attr.expr),
            ast::Expr::GetItem(item) => return self.guard(&item.expr),
            ast::Expr::Filter(filter) => return filter.expr.iter().for_each(|inner| self.guard(inner)),
            ast::Expr::Call(call) => return self.guard(&call.expr),
            _ => None,
        };
        if let Some(root) = root {
            self.guards.insert(root.to_owned());
        }
    }

    fn variable(&mut self, name: &str, steps: &[Step<'_>], expr: &ast::Expr<'_>) {
        const ALWAYS: [&str; 2] = ["omit", "vars"];
        if self.is_local(name) || ALWAYS.contains(&name) || (steps.is_empty() && functions::named(name).is_some()) {
            return;
        }
        let start = range_of(expr).start;
        self.found.variables.push(Variable {
            name: name.to_owned(),
            path: steps
                .iter()
                .map(|step| match step {
                    Step::Attr(name) | Step::Key(name) => (*name).to_owned(),
                    Step::Index(index) => index.to_string(),
                })
                .collect(),
            range: start..start + name.len(),
            guarded: false,
        });
    }

    fn unknown(&mut self, sort: Sort, name: &str, range: Range<usize>) {
        let suggestion = did_you_mean(filters::short(name), sort.known()).map(str::to_owned);
        self.found.unknown.push(Unknown { sort, name: name.to_owned(), range, suggestion });
    }
}

/// The parser begins the place of a filter or test at its name.
fn name_at(expr: &ast::Expr<'_>, name: &str) -> Range<usize> {
    let start = range_of(expr).start;
    start..start + name.len()
}
