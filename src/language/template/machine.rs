//! What every part of a rendering shares: variables, rendered when they are read, other hosts, and the doors.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::interp::{self, Text};
use crate::language::template::source::is_template;
use crate::language::template::things::Thing;
use crate::language::template::val::Val;
use crate::language::template::{Doors, Scope, access, functions};

/// Variables that were rendered to the end, kept for all templates of one step.
pub(super) type Memo = Arc<Mutex<HashMap<String, Arc<Value>>>>;

/// How deep variables may refer to each other.
const MAX_DEPTH: usize = 48;
/// How many statements and expressions one rendering may evaluate.
const MAX_WORK: u64 = 10_000_000;

/// One step of a path of attributes.
#[derive(Clone, Debug)]
pub(super) enum Step<'a> {
    /// `.name`
    Attr(&'a str),
    /// `['name']`
    Key(&'a str),
    /// `[3]`
    Index(i64),
}

/// The shared state of one rendering.
pub(super) struct Machine {
    pub scope: Arc<dyn Scope>,
    pub doors: Arc<dyn Doors>,
    memo: Memo,
    values: RefCell<HashMap<String, Val>>,
    active: RefCell<Vec<String>>,
    hosts: RefCell<HashMap<String, Rc<Machine>>>,
    depth: Cell<usize>,
    work: Cell<u64>,
}

impl Machine {
    /// A machine over one scope.
    pub fn new(scope: Arc<dyn Scope>, doors: Arc<dyn Doors>, memo: Memo) -> Self {
        Self {
            scope,
            doors,
            memo,
            values: RefCell::default(),
            active: RefCell::default(),
            hosts: RefCell::default(),
            depth: Cell::new(0),
            work: Cell::new(0),
        }
    }

    /// Counts one piece of work; fails where a template would never end.
    pub fn spend(&self, amount: u64) -> Outcome<()> {
        let work = self.work.get().saturating_add(amount);
        self.work.set(work);
        if work > MAX_WORK {
            fail!("the template takes too long: more than {MAX_WORK} steps");
        }
        Ok(())
    }

    /// The value of a name: a variable, or one of the names that are always there.
    pub fn variable(&self, name: &str) -> Val {
        if let Some(found) = self.values.borrow().get(name) {
            return found.clone();
        }
        let kept = self.memo.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let value = match kept {
            Some(value) => Val::from_json(&value),
            None => match self.scope.get(name) {
                Some(var) if var.template => return self.written_variable(name, &var.value),
                Some(var) => Val::from_json(&var.value),
                None => return self.global(name),
            },
        };
        self.values.borrow_mut().insert(name.to_owned(), value.clone());
        value
    }

    fn written_variable(&self, name: &str, written: &Value) -> Val {
        let value = match self.guarded(name, || Ok(self.written(written))) {
            Ok(value) => value,
            Err(fault) => return Val::Undef(fault.marker()),
        };
        // While a variable is being rendered, what it refers to may look broken only because of that.
        if self.active.borrow().is_empty() {
            self.values.borrow_mut().insert(name.to_owned(), value.clone());
            if let Ok(json) = value.to_json() {
                self.memo.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(json));
            }
        }
        value
    }

    fn global(&self, name: &str) -> Val {
        match name {
            "omit" => Val::Omit,
            "hostvars" => Val::thing(Thing::HostVars(self.scope.hosts())),
            "vars" => Val::thing(Thing::Vars(self.scope.names())),
            _ => functions::named(name).map_or_else(|| Val::undefined(name), |name| Val::thing(Thing::Function(name))),
        }
    }

    /// Renders what an author wrote; what fails becomes a marker at its place, so that the rest can be used.
    pub fn written(&self, value: &Value) -> Val {
        match value {
            Value::String(text) if is_template(text) => {
                interp::render(self, &Text::written(text)).unwrap_or_else(|fault| Val::Undef(fault.marker()))
            }
            Value::Array(items) => Val::list(items.iter().map(|item| self.written(item))),
            Value::Object(pairs) => Val::dict(pairs.iter().map(|(key, value)| (Val::text(key), self.written(value)))),
            other => Val::from_json(other),
        }
    }

    /// Runs with a guard against variables that refer to themselves.
    fn guarded<T>(&self, path: &str, run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        if self.active.borrow().iter().any(|active| active == path) || self.depth.get() >= MAX_DEPTH {
            fail!("recursive loop detected in template: '{path}' refers to itself");
        }
        self.active.borrow_mut().push(path.to_owned());
        self.depth.set(self.depth.get() + 1);
        let result = run();
        self.depth.set(self.depth.get() - 1);
        self.active.borrow_mut().pop();
        result
    }

    /// Follows a path into a variable and renders only what stands at its end. None: take the general way.
    pub fn walk(&self, name: &str, steps: &[Step<'_>]) -> Option<Outcome<Val>> {
        if self.values.borrow().contains_key(name) {
            return None;
        }
        let kept = self.memo.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let (root, template) = match kept {
            Some(value) => (value, false),
            None => self.scope.get(name).map(|var| (Arc::new(var.value), var.template))?,
        };
        let mut place: &Value = &root;
        for (done, step) in steps.iter().enumerate() {
            let next = match (place, step) {
                (Value::Object(_), Step::Attr(key)) if crate::language::template::methods::of_dict(key) => return None,
                (Value::Object(pairs), Step::Attr(key) | Step::Key(key)) => match pairs.get(*key) {
                    Some(next) => next,
                    None => return Some(self.follow(access::no_attribute("dict", key), &steps[done + 1..])),
                },
                (Value::Array(items), Step::Index(index)) => {
                    let index = if *index < 0 { *index + items.len() as i64 } else { *index };
                    usize::try_from(index).ok().and_then(|index| items.get(index))?
                }
                (Value::String(text), _) if template && is_template(text) => {
                    let path = path_text(name, &steps[..done]);
                    let found = self.guarded(&path, || Ok(self.written(place)));
                    return Some(found.and_then(|value| self.follow(value, &steps[done..])));
                }
                _ => return None,
            };
            place = next;
        }
        if !template {
            return Some(Ok(Val::from_json(place)));
        }
        let path = path_text(name, steps);
        Some(Ok(self.guarded(&path, || Ok(self.written(place))).unwrap_or_else(|fault| Val::Undef(fault.marker()))))
    }

    fn follow(&self, mut value: Val, steps: &[Step<'_>]) -> Outcome<Val> {
        for step in steps {
            value = match step {
                Step::Attr(name) => access::attribute(self, &value, name)?,
                Step::Key(name) => access::item(self, &value, &Val::text(name))?,
                Step::Index(index) => access::item(self, &value, &Val::Int(i128::from(*index)))?,
            };
        }
        Ok(value)
    }

    /// A variable of another host, as that host sees it.
    pub fn host_variable(&self, host: &str, name: &str) -> Outcome<Val> {
        let known = self.hosts.borrow().get(host).cloned();
        let machine = if let Some(machine) = known {
            machine
        } else {
            let Some(scope) = self.scope.host(host) else { return Ok(access::no_attribute("HostVars", host)) };
            let machine = Rc::new(Self::new(scope, self.doors.clone(), Memo::default()));
            machine.depth.set(self.depth.get() + 1);
            self.hosts.borrow_mut().insert(host.to_owned(), machine.clone());
            machine
        };
        if machine.depth.get() >= MAX_DEPTH {
            return Err(Fault::new("recursive loop detected in template"));
        }
        if machine.scope.get(name).is_none() && name != "vars" {
            return Ok(access::no_attribute("HostVarsVars", name));
        }
        Ok(machine.variable(name))
    }

    /// One host of `hostvars`.
    pub fn host(&self, name: &str) -> Val {
        match self.scope.host(name) {
            Some(scope) => Val::thing(Thing::Host(name.to_owned(), scope.names())),
            None => Val::missing(format!(
                "host '{name}' is not in hostvars: {}",
                crate::language::template::python::repr::repr(&Val::text(name))
            )),
        }
    }
}

fn path_text(name: &str, steps: &[Step<'_>]) -> String {
    let mut path = name.to_owned();
    for step in steps {
        match step {
            Step::Attr(name) | Step::Key(name) => {
                path.push('.');
                path.push_str(name);
            }
            Step::Index(index) => {
                let _ = write!(path, "[{index}]");
            }
        }
    }
    path
}
