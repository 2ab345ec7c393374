//! A task's keywords after those of its blocks and its play have come down to it.

use std::sync::Arc;

use crate::core::source::Spanned;
use crate::core::values::{Var, Vars};
use crate::language::playbook::Directives;
use crate::language::yaml::{Kind, Node};

/// Keywords in force for a task or block.
#[derive(Clone, Debug, Default)]
pub struct Effective {
    /// Single-valued keywords: the innermost wins. Lists: outermost first.
    pub directives: Directives,
    /// Variables of blocks and the task, innermost strongest.
    pub vars: Arc<Vars>,
}

/// Written variables as a scope.
pub fn written(vars: &[(Spanned<String>, Node)]) -> Vars {
    vars.iter().map(|(name, node)| (name.value.clone(), written_var(node))).collect()
}

/// A written value; `!unsafe` text is data.
pub fn written_var(node: &Node) -> Var {
    match node.kind {
        Kind::Unsafe(_) => Var::data(node.to_value()),
        _ => Var::written(node.to_value()),
    }
}

impl Effective {
    /// The play's keywords. Its variables are a scope of their own (weaker than vars files), so they are not taken.
    pub fn of_play(directives: &Directives) -> Self {
        Self { directives: Directives { vars: Vec::new(), ..directives.clone() }, vars: Arc::default() }
    }

    /// These keywords seen from inside something that has its own.
    #[must_use]
    pub fn within(&self, own: &Directives) -> Self {
        let outer = &self.directives;
        let mut vars = (*self.vars).clone();
        vars.extend(written(&own.vars));
        let add = |outer: &[Node], own: &[Node]| outer.iter().chain(own).cloned().collect();
        let pick = |own: &Option<Node>, outer: &Option<Node>| own.clone().or_else(|| outer.clone());
        Self {
            vars: Arc::new(vars),
            directives: Directives {
                vars: Vec::new(),
                environment: add(&outer.environment, &own.environment),
                tags: outer.tags.iter().chain(&own.tags).cloned().collect(),
                when: add(&outer.when, &own.when),
                becomes: pick(&own.becomes, &outer.becomes),
                become_user: pick(&own.become_user, &outer.become_user),
                ignore_errors: pick(&own.ignore_errors, &outer.ignore_errors),
                ignore_unreachable: pick(&own.ignore_unreachable, &outer.ignore_unreachable),
                any_errors_fatal: pick(&own.any_errors_fatal, &outer.any_errors_fatal),
                no_log: pick(&own.no_log, &outer.no_log),
                check_mode: pick(&own.check_mode, &outer.check_mode),
                diff: pick(&own.diff, &outer.diff),
                delegate_to: pick(&own.delegate_to, &outer.delegate_to),
                run_once: pick(&own.run_once, &outer.run_once),
                timeout: pick(&own.timeout, &outer.timeout),
                remote_user: pick(&own.remote_user, &outer.remote_user),
                connection: pick(&own.connection, &outer.connection),
            },
        }
    }

    /// The same with further variables of the same strength (those of an include).
    #[must_use]
    pub fn with_vars(&self, further: &Vars) -> Self {
        let mut vars = (*self.vars).clone();
        vars.extend(further.clone());
        Self { vars: Arc::new(vars), directives: self.directives.clone() }
    }

    /// Its tags as plain texts.
    pub fn tags(&self) -> Vec<String> {
        self.directives.tags.iter().map(|tag| tag.value.clone()).collect()
    }
}
