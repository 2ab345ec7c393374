//! Calls of functions, methods and macros.

use minijinja::machinery::ast;

use crate::language::template::access;
use crate::language::template::error::{Outcome, fail};
use crate::language::template::expr::{Given, or_marker};
use crate::language::template::functions;
use crate::language::template::interp::Interp;
use crate::language::template::loops::Outer;
use crate::language::template::methods;
use crate::language::template::things::Thing;
use crate::language::template::val::Val;

/// How deep macros may call each other.
const MAX_CALLS: usize = 40;

impl<'e, 's: 'e> Interp<'_, 'e, 's> {
    /// Evaluates a call; `caller` comes from a `{% call %}` block.
    pub fn call(&mut self, call: &'e ast::Call<'s>, caller: Option<Val>) -> Outcome<Val> {
        if let ast::Expr::GetAttr(attr) = &call.expr {
            let object = self.eval(&attr.expr)?;
            let given = self.arguments(&call.args)?;
            return match (&object, given.first_missing()) {
                (Val::Undef(_), _) => Ok(object),
                (_, Some(missing)) => Ok(missing.clone()),
                _ if methods::known(&object, attr.name) => {
                    or_marker(methods::call(self.machine, &object, attr.name, &given))
                }
                _ => {
                    let callee = access::attribute(self.machine, &object, attr.name)?;
                    self.invoke(&callee, given, caller)
                }
            };
        }
        let callee = self.eval(&call.expr)?;
        let lookup =
            matches!(&callee, Val::Thing(thing) if matches!(&**thing, Thing::Function("lookup" | "query" | "q")));
        // For terms of lookups Ansible still renders templates inside string constants.
        let before = self.render_constants;
        self.render_constants |= lookup;
        let given = self.arguments(&call.args);
        self.render_constants = before;
        self.invoke(&callee, given?, caller)
    }

    fn invoke(&mut self, callee: &Val, mut given: Given, caller: Option<Val>) -> Outcome<Val> {
        let Val::Thing(thing) = callee else {
            return match callee {
                Val::Undef(_) => Ok(callee.clone()),
                other => fail!("'{}' object is not callable", other.type_name()),
            };
        };
        match &**thing {
            Thing::Macro(number) => {
                if let Some(caller) = caller {
                    given.named.push(("caller".to_owned(), caller));
                }
                or_marker(self.call_macro(*number, given))
            }
            Thing::Loop(state) => {
                let Some(found) = self.recursive.last().copied() else {
                    fail!("the loop is not recursive: it needs the word `recursive`")
                };
                let [items] = given.positional.as_slice() else { fail!("loop() takes one argument") };
                let mut out = Vec::new();
                self.run_loop(found, items, Outer { depth: state.depth + 1 }, &mut out)?;
                let mut text = String::new();
                for piece in &out {
                    if !matches!(piece, Val::None) {
                        crate::language::template::interp::push_text(&mut text, piece)?;
                    }
                }
                Ok(Val::text(text))
            }
            _ if given.first_missing().is_some() => Ok(given.first_missing().cloned().unwrap_or(Val::None)),
            Thing::Function(name) => or_marker(functions::call(self.machine, name, given)),
            Thing::Method(object, name) => or_marker(methods::call(self.machine, object, name, &given)),
            Thing::Joiner(separator, used) => Ok(if used.replace(true) { Val::text(separator) } else { Val::text("") }),
            other => fail!("'{}' object is not callable", other.type_name()),
        }
    }

    fn call_macro(&mut self, number: usize, given: Given) -> Outcome<Val> {
        if self.depth >= MAX_CALLS {
            fail!("macros call each other without end");
        }
        let Some(found) = self.macros.get(number) else { fail!("the macro is not from this template") };
        let (def, frames) = (found.def, found.frames.clone());
        let outside = std::mem::replace(&mut self.frames, frames);
        self.depth += 1;
        let result = self.scoped(|inner| {
            inner.bind_arguments(def, given)?;
            inner.capture(&def.body)
        });
        self.depth -= 1;
        self.frames = outside;
        Ok(match result? {
            Val::None => Val::text(""),
            value => value,
        })
    }

    fn bind_arguments(&mut self, def: &'e ast::Macro<'s>, given: Given) -> Outcome<()> {
        let names: Vec<&str> =
            def.args.iter().filter_map(|arg| if let ast::Expr::Var(var) = arg { Some(var.id) } else { None }).collect();
        let mut positional = given.positional.into_iter();
        let mut named = given.named;
        let without_default = names.len() - def.defaults.len().min(names.len());
        for (index, name) in names.iter().enumerate() {
            let by_name = named.iter().position(|(given, _)| given == name).map(|at| named.remove(at).1);
            let value = match positional.next().or(by_name) {
                Some(value) => value,
                None => match index.checked_sub(without_default).and_then(|at| def.defaults.get(at)) {
                    Some(default) => self.eval(default)?,
                    None => Val::missing(format!("parameter '{name}' was not provided")),
                },
            };
            self.bind(name, value);
        }
        self.bind("varargs", Val::tuple(positional));
        if let Some(at) = named.iter().position(|(name, _)| name == "caller") {
            let caller = named.remove(at).1;
            self.bind("caller", caller);
        }
        self.bind("kwargs", Val::dict(named.into_iter().map(|(name, value)| (Val::text(name), value))));
        Ok(())
    }
}
