//! The door to templates for everyone else.

use std::sync::Arc;

use minijinja::machinery::parse_expr;
use serde_json::{Map, Value};

use crate::language::template::error::{Fault, Outcome, fail};
use crate::language::template::expr::path;
use crate::language::template::interp::{self, Text};
use crate::language::template::machine::{Machine, Memo, Step};
use crate::language::template::source::{FileOptions, is_template};
use crate::language::template::val::Val;
use crate::language::template::{Doors, OMIT, Scope, TemplateError};

/// Renders templates over one scope. Cheap to make; what it has rendered of the scope's variables it keeps, so make a new
/// one when the scope changes.
#[derive(Clone)]
pub struct Templar {
    scope: Arc<dyn Scope>,
    doors: Arc<dyn Doors>,
    memo: Memo,
}

impl Templar {
    /// A templar over a scope.
    pub fn new(scope: Arc<dyn Scope>, doors: Arc<dyn Doors>) -> Self {
        Self { scope, doors, memo: Memo::default() }
    }

    /// Renders a written value through and through. What renders to `omit` leaves the list or mapping that it stands in;
    /// a whole value that is omitted comes back as the text [`OMIT`].
    pub fn value(&self, value: &Value) -> Result<Value, TemplateError> {
        Ok(render(&self.machine(), value)?)
    }

    /// Renders a text to its native value: `"{{ e }}"` alone keeps its type. Text without a template stays as it is.
    pub fn text(&self, text: &str) -> Result<Value, TemplateError> {
        Ok(native(&self.machine(), text)?)
    }

    /// Renders a text to text; nothing is the empty text.
    pub fn string(&self, text: &str) -> Result<String, TemplateError> {
        let value = self.text(text)?;
        Ok(match value {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => Val::from_json(&other).to_string(),
        })
    }

    /// Evaluates a conditional: a boolean, or the text of an expression whose result must be a boolean.
    pub fn condition(&self, condition: &Value) -> Result<bool, TemplateError> {
        let machine = self.machine();
        let explain = |fault: Fault| match &fault.undef {
            Some(undef) if !undef.captured => {
                Fault { message: format!("Error while evaluating conditional: {}", fault.message), ..fault }
            }
            _ => fault,
        };
        let result = conditional(&machine, condition).map_err(explain)?;
        match result.present().map_err(explain)? {
            Val::Bool(result) => Ok(*result),
            other => {
                let message = format!(
                    "Conditional result ({}) was derived from value of type '{}'. Conditionals must have a boolean result.",
                    Val::Bool(other.truthy()?),
                    other.type_name()
                );
                Err(Fault::new(message).into())
            }
        }
    }

    /// Evaluates a bare expression to its native value.
    pub fn expression(&self, text: &str) -> Result<Value, TemplateError> {
        Ok(interp::evaluate(&self.machine(), text).and_then(|value| value.to_json())?)
    }

    /// Renders a template file, as the `template` module does.
    pub fn file(&self, text: &str, options: &FileOptions) -> Result<String, TemplateError> {
        // Jinja brings all newlines to one form and gives them the wanted one at the end.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let (effective, body) = options.header(&text)?;
        let rendered = if effective.any_in(body) {
            let value = interp::render(&self.machine(), &Text::file(&text, options))?;
            match value.present()? {
                Val::None => String::new(),
                Val::Omit => return Err(Fault::new("`omit` cannot be the whole content of a file").into()),
                other => {
                    let mut out = String::new();
                    interp::push_text(&mut out, other)?;
                    out
                }
            }
        } else {
            body.to_owned()
        };
        if effective.newline_sequence == "\n" {
            return Ok(rendered);
        }
        Ok(rendered.replace("\r\n", "\n").replace('\n', &effective.newline_sequence))
    }

    fn machine(&self) -> Machine {
        Machine::new(self.scope.clone(), self.doors.clone(), self.memo.clone())
    }
}

fn native(machine: &Machine, text: &str) -> Outcome<Value> {
    if !is_template(text) {
        return Ok(Value::String(text.to_owned()));
    }
    interp::render(machine, &Text::written(text))?.to_json()
}

fn render(machine: &Machine, value: &Value) -> Outcome<Value> {
    Ok(match value {
        Value::String(text) => native(machine, text)?,
        Value::Array(items) => {
            let mut rendered = Vec::with_capacity(items.len());
            for item in items {
                let item = render(machine, item)?;
                if !is_omitted(&item) {
                    rendered.push(item);
                }
            }
            Value::Array(rendered)
        }
        Value::Object(pairs) => {
            let mut rendered = Map::new();
            for (key, item) in pairs {
                let item = render(machine, item)?;
                if !is_omitted(&item) {
                    rendered.insert(key.clone(), item);
                }
            }
            Value::Object(rendered)
        }
        other => other.clone(),
    })
}

fn conditional(machine: &Machine, condition: &Value) -> Outcome<Val> {
    let text = match condition {
        Value::Bool(value) => return Ok(Val::Bool(*value)),
        Value::String(text) if !text.trim().is_empty() => text.trim(),
        Value::Null | Value::String(_) => fail!("Empty conditional expressions are not allowed."),
        _ => fail!("Conditional expressions must be strings."),
    };
    if !whole_template(text) {
        return interp::evaluate(machine, text);
    }
    // A conditional that is a template is rendered; text that comes out of it is the expression.
    match interp::render(machine, &Text::written(text))? {
        Val::Str(expression) if expression.trim().is_empty() => {
            fail!("Empty conditional expressions are not allowed.")
        }
        // Only what an author wrote may be code: output of a host that lands here must not be.
        Val::Str(expression) if !wrote(machine, text, &expression) => {
            fail!("Encountered untrusted template or expression.")
        }
        Val::Str(expression) => {
            interp::evaluate(machine, expression.trim()).map_err(|fault| Fault { range: None, ..fault })
        }
        Val::None => fail!("Empty conditional expressions are not allowed."),
        other => Ok(other),
    }
}

/// Whether a template names a variable whose value an author wrote as just this text.
fn wrote(machine: &Machine, template: &str, found: &str) -> bool {
    let inner = template.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let Some(parsed) = inner.and_then(|inner| parse_expr(inner).ok()) else { return false };
    let Some((name, steps)) = path(&parsed) else { return false };
    let Some(var) = machine.scope.get(name).filter(|var| var.template) else { return false };
    let written = steps.iter().try_fold(&var.value, |value, step| match step {
        Step::Attr(key) | Step::Key(key) => value.get(key),
        Step::Index(index) => usize::try_from(*index).ok().and_then(|index| value.get(index)),
    });
    written.and_then(Value::as_str) == Some(found)
}

fn is_omitted(value: &Value) -> bool {
    value.as_str() == Some(OMIT)
}

/// Whether a text begins and ends with delimiters.
pub(super) fn whole_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|start| text.starts_with(start))
        && ["}}", "%}", "#}"].iter().any(|end| text.ends_with(end))
        || text.starts_with("#jinja2:")
}
