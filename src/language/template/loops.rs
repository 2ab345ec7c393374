//! `{% for %}`, with `loop`, filters, `else` and recursion.

use std::cell::{Cell, RefCell};

use minijinja::machinery::ast;

use crate::language::template::error::{Outcome, fail};
use crate::language::template::interp::{Flow, Frame, Interp, range_of};
use crate::language::template::things::{Loop, Thing};
use crate::language::template::val::Val;

/// What an inner run of a recursive loop knows of the outer one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outer {
    /// Its depth, from 0.
    pub depth: usize,
}

impl<'e, 's: 'e> Interp<'_, 'e, 's> {
    /// Runs a loop over items.
    pub fn run_loop(
        &mut self,
        found: &'e ast::ForLoop<'s>,
        items: &Val,
        outer: Outer,
        out: &mut Vec<Val>,
    ) -> Outcome<Flow> {
        if outer.depth > 64 {
            fail!("the recursive loop goes too deep");
        }
        let all = items.iterate().map_err(|fault| fault.at(range_of(&found.iter)))?;
        self.machine.spend(all.len() as u64)?;
        let items = self.filtered(found, all)?;
        if items.is_empty() {
            return self.scoped(|inner| inner.run(&found.else_body, out));
        }
        let state = Loop { items, at: Cell::new(0), depth: outer.depth, last: RefCell::default() };
        let state = std::rc::Rc::new(Thing::Loop(state));
        if found.recursive {
            self.recursive.push(found);
        }
        let result = self.iterate(found, &state, out);
        if found.recursive {
            self.recursive.pop();
        }
        result
    }

    fn iterate(
        &mut self,
        found: &'e ast::ForLoop<'s>,
        state: &std::rc::Rc<Thing>,
        out: &mut Vec<Val>,
    ) -> Outcome<Flow> {
        let Thing::Loop(counter) = &**state else { return Ok(Flow::Next) };
        for (index, item) in counter.items.iter().enumerate() {
            counter.at.set(index);
            self.frames.push(Frame::default());
            self.bind("loop", Val::Thing(state.clone()));
            let result = self.assign(&found.target, item.clone()).and_then(|()| self.run(&found.body, out));
            self.frames.pop();
            if result? == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn filtered(&mut self, found: &'e ast::ForLoop<'s>, all: Vec<Val>) -> Outcome<Vec<Val>> {
        let Some(filter) = &found.filter_expr else { return Ok(all) };
        let mut kept = Vec::new();
        for item in all {
            let keep = self.scoped(|inner| {
                inner.assign(&found.target, item.clone())?;
                inner.eval(filter)?.truthy().map_err(|fault| fault.at(range_of(filter)))
            })?;
            if keep {
                kept.push(item);
            }
        }
        Ok(kept)
    }
}
