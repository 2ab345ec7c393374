//! Evaluates expressions.

use minijinja::machinery::ast;
use minijinja::value::ValueKind;

use crate::language::template::access;
use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::filters;
use crate::language::template::interp::{Interp, Text, push_text, range_of, render};
use crate::language::template::machine::Step;
use crate::language::template::predicates;
use crate::language::template::python::arithmetic::{self, Operator};
use crate::language::template::python::compare::{contains, equal, order};
use crate::language::template::source::is_template;
use crate::language::template::val::Val;

/// Arguments of a call: by position and by name.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub positional: Vec<Val>,
    pub named: Vec<(String, Val)>,
}

impl Given {
    /// The first argument that is a missing value.
    pub fn first_missing(&self) -> Option<&Val> {
        let named = self.named.iter().map(|(_, value)| value);
        self.positional.iter().chain(named).find(|value| matches!(value, Val::Undef(_)))
    }
}

/// A failure for want of a value becomes that missing value, so that `default` can still catch it.
pub(super) fn or_marker(result: Outcome<Val>) -> Outcome<Val> {
    match result {
        Err(Fault { undef: Some(undef), .. }) => Ok(Val::Undef(undef)),
        other => other,
    }
}

impl<'e, 's: 'e> Interp<'_, 'e, 's> {
    /// Evaluates an expression; the innermost failing one gives the place.
    pub fn eval(&mut self, expr: &'e ast::Expr<'s>) -> Outcome<Val> {
        self.machine.spend(1)?;
        self.eval_inner(expr).map_err(|fault| fault.at(range_of(expr)))
    }

    fn eval_inner(&mut self, expr: &'e ast::Expr<'s>) -> Outcome<Val> {
        match expr {
            ast::Expr::Var(var) => Ok(self.local(var.id).unwrap_or_else(|| self.machine.variable(var.id))),
            ast::Expr::Const(constant) => self.constant(&constant.value),
            ast::Expr::List(list) => Ok(Val::list(self.all(&list.items)?)),
            ast::Expr::Tuple(tuple) => Ok(Val::tuple(self.all(&tuple.items)?)),
            ast::Expr::Map(map) => self.dictionary(map),
            ast::Expr::GetAttr(_) | ast::Expr::GetItem(_) => self.look_up(expr),
            ast::Expr::Slice(slice) => {
                let value = self.eval(&slice.expr)?;
                let mut bound = |expr: &'e Option<ast::Expr<'s>>| expr.as_ref().map_or(Ok(Val::None), |e| self.eval(e));
                let (start, stop, step) = (bound(&slice.start)?, bound(&slice.stop)?, bound(&slice.step)?);
                access::slice(&value, &start, &stop, &step)
            }
            ast::Expr::UnaryOp(unary) => {
                let value = self.eval(&unary.expr)?;
                match unary.op {
                    ast::UnaryOpKind::Not => Ok(Val::Bool(!value.truthy()?)),
                    ast::UnaryOpKind::Neg => arithmetic::negate(&value),
                }
            }
            ast::Expr::BinOp(binary) => self.binary(binary),
            ast::Expr::Compare(chain) => {
                let mut left = self.eval(&chain.expr)?;
                for operand in &chain.ops {
                    let right = self.eval(&operand.expr)?;
                    if !compare(operand.op, &left, &right)? {
                        return Ok(Val::Bool(false));
                    }
                    left = right;
                }
                Ok(Val::Bool(true))
            }
            ast::Expr::IfExpr(choice) => {
                if self.eval(&choice.test_expr)?.truthy().map_err(|fault| fault.at(range_of(&choice.test_expr)))? {
                    self.eval(&choice.true_expr)
                } else if let Some(other) = &choice.false_expr {
                    self.eval(other)
                } else {
                    Ok(Val::nothing("the inline if-expression evaluated to false and no else section was defined."))
                }
            }
            ast::Expr::Filter(filter) => {
                let Some(inner) = &filter.expr else { fail!("a filter needs a value") };
                let value = self.eval(inner)?;
                let given = self.arguments(&filter.args)?;
                filters::apply(self.machine, filter.name, value, given)
            }
            ast::Expr::Test(test) => {
                let value = self.eval(&test.expr)?;
                let given = self.arguments(&test.args)?;
                predicates::apply(self.machine, test.name, value, given)
            }
            ast::Expr::Call(call) => self.call(call, None),
        }
    }

    /// Applies the filters of a `{% filter %}` or `{% set %}` block, whose innermost operand is missing.
    pub fn filter_chain(&mut self, expr: &'e ast::Expr<'s>, value: Val) -> Outcome<Val> {
        let ast::Expr::Filter(filter) = expr else { fail!("this is not a filter") };
        let value = match &filter.expr {
            Some(inner) => self.filter_chain(inner, value)?,
            None => value,
        };
        let given = self.arguments(&filter.args)?;
        filters::apply(self.machine, filter.name, value, given).map_err(|fault| fault.at(range_of(expr)))
    }

    fn all(&mut self, items: &'e [ast::Expr<'s>]) -> Outcome<Vec<Val>> {
        items.iter().map(|item| self.eval(item)).collect()
    }

    fn dictionary(&mut self, map: &'e ast::Map<'s>) -> Outcome<Val> {
        let mut pairs = Vec::new();
        for (key, value) in map.keys.iter().zip(&map.values) {
            let key = self.eval(key)?;
            if !key.present()?.hashable() {
                fail!("unhashable type: '{}'", key.type_name());
            }
            pairs.push((key, self.eval(value)?));
        }
        Ok(Val::dict(pairs))
    }

    fn constant(&mut self, value: &minijinja::Value) -> Outcome<Val> {
        Ok(match value.kind() {
            ValueKind::Bool => Val::Bool(value.is_true()),
            ValueKind::Number if value.is_integer() => match i128::try_from(value.clone()) {
                Ok(value) => Val::Int(value),
                Err(_) => fail!("the number is too large"),
            },
            ValueKind::Number => Val::Float(f64::try_from(value.clone()).unwrap_or_default()),
            ValueKind::String => {
                let text = value.as_str().unwrap_or_default();
                if self.render_constants && is_template(text) {
                    return render(self.machine, &Text::written(text)).map_err(|fault| Fault { range: None, ..fault });
                }
                Val::text(text)
            }
            _ => Val::None,
        })
    }

    /// Evaluates arguments.
    pub fn arguments(&mut self, args: &'e [ast::CallArg<'s>]) -> Outcome<Given> {
        let mut given = Given::default();
        for arg in args {
            match arg {
                ast::CallArg::Pos(expr) => given.positional.push(self.eval(expr)?),
                ast::CallArg::Kwarg(name, expr) => given.named.push(((*name).to_owned(), self.eval(expr)?)),
                ast::CallArg::PosSplat(expr) => given.positional.extend(self.eval(expr)?.iterate()?),
                ast::CallArg::KwargSplat(expr) => match self.eval(expr)? {
                    Val::Dict(pairs) => {
                        given.named.extend(pairs.borrow().iter().map(|(key, value)| (key.key_text(), value.clone())));
                    }
                    other => {
                        other.present()?;
                        fail!("argument after ** must be a mapping, not {}", other.type_name());
                    }
                },
            }
        }
        Ok(given)
    }

    /// An attribute or item; paths of constants into a variable render only what they reach.
    fn look_up(&mut self, expr: &'e ast::Expr<'s>) -> Outcome<Val> {
        if let Some((name, steps)) = path(expr)
            && self.local(name).is_none()
            && let Some(found) = self.machine.walk(name, &steps)
        {
            return found;
        }
        match expr {
            ast::Expr::GetAttr(attr) => {
                let value = self.eval(&attr.expr)?;
                access::attribute(self.machine, &value, attr.name)
            }
            ast::Expr::GetItem(item) => {
                let value = self.eval(&item.expr)?;
                let key = self.eval(&item.subscript_expr)?;
                access::item(self.machine, &value, &key)
            }
            other => self.eval(other),
        }
    }

    fn binary(&mut self, binary: &'e ast::BinOp<'s>) -> Outcome<Val> {
        let left = self.eval(&binary.left)?;
        match binary.op {
            ast::BinOpKind::ScAnd if !left.truthy()? => return Ok(left),
            ast::BinOpKind::ScOr if left.truthy()? => return Ok(left),
            ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr => return self.eval(&binary.right),
            _ => {}
        }
        let right = self.eval(&binary.right)?;
        let kind = match binary.op {
            ast::BinOpKind::Eq => ast::CompareOpKind::Eq,
            ast::BinOpKind::Ne => ast::CompareOpKind::Ne,
            ast::BinOpKind::Lt => ast::CompareOpKind::Lt,
            ast::BinOpKind::Lte => ast::CompareOpKind::Lte,
            ast::BinOpKind::Gt => ast::CompareOpKind::Gt,
            ast::BinOpKind::Gte => ast::CompareOpKind::Gte,
            ast::BinOpKind::In => ast::CompareOpKind::In,
            ast::BinOpKind::Concat => {
                let mut text = String::new();
                push_text(&mut text, &left)?;
                push_text(&mut text, &right)?;
                return Ok(Val::text(text));
            }
            ast::BinOpKind::Add => return arithmetic::apply(Operator::Add, &left, &right),
            ast::BinOpKind::Sub => return arithmetic::apply(Operator::Sub, &left, &right),
            ast::BinOpKind::Mul => return arithmetic::apply(Operator::Mul, &left, &right),
            ast::BinOpKind::Div => return arithmetic::apply(Operator::Div, &left, &right),
            ast::BinOpKind::FloorDiv => return arithmetic::apply(Operator::FloorDiv, &left, &right),
            ast::BinOpKind::Rem => return arithmetic::apply(Operator::Rem, &left, &right),
            ast::BinOpKind::Pow => return arithmetic::apply(Operator::Pow, &left, &right),
            ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr => return Ok(right),
        };
        compare(kind, &left, &right).map(Val::Bool)
    }
}

/// One comparison.
fn compare(kind: ast::CompareOpKind, left: &Val, right: &Val) -> Outcome<bool> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    left.present()?;
    right.present()?;
    Ok(match kind {
        ast::CompareOpKind::Eq => equal(left, right),
        ast::CompareOpKind::Ne => !equal(left, right),
        ast::CompareOpKind::Lt => order(left, right, "<")? == Some(Less),
        ast::CompareOpKind::Lte => matches!(order(left, right, "<=")?, Some(Less | Equal)),
        ast::CompareOpKind::Gt => order(left, right, ">")? == Some(Greater),
        ast::CompareOpKind::Gte => matches!(order(left, right, ">=")?, Some(Greater | Equal)),
        ast::CompareOpKind::In => contains(right, left)?,
        ast::CompareOpKind::NotIn => !contains(right, left)?,
    })
}

/// `a.b['c'][0]` as a name and constant steps.
pub(super) fn path<'e>(expr: &'e ast::Expr<'_>) -> Option<(&'e str, Vec<Step<'e>>)> {
    match expr {
        ast::Expr::Var(var) => Some((var.id, Vec::new())),
        ast::Expr::GetAttr(attr) => {
            let (name, mut steps) = path(&attr.expr)?;
            steps.push(Step::Attr(attr.name));
            Some((name, steps))
        }
        ast::Expr::GetItem(item) => {
            let (name, mut steps) = path(&item.expr)?;
            let ast::Expr::Const(key) = &item.subscript_expr else { return None };
            steps.push(match key.value.as_str() {
                Some(key) => Step::Key(key),
                None => Step::Index(i64::try_from(key.value.clone()).ok()?),
            });
            Some((name, steps))
        }
        _ => None,
    }
}
