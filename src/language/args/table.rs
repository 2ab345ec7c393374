//! The shape of the table.

/// Where a module runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// On the worker, inside the agent.
    Worker,
    /// On the master (an action).
    Master,
    /// On the master first, then on the worker (copy, template, script, fetch).
    Both,
}

/// The type of an argument, as Ansible's `argument_spec` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgType {
    /// Text; numbers and booleans become text.
    Str,
    /// `yes`, `no`, `true`, 1, …
    Bool,
    /// A whole number, or text that is one.
    Int,
    /// A number.
    Float,
    /// A path: text; `~` and `$VAR` are expanded on the worker.
    Path,
    /// A list; a text is split at commas, a single value becomes a list of one.
    List,
    /// A list; anything else becomes a list of one, a text is not split (`that` of assert).
    Items,
    /// A mapping.
    Dict,
    /// Permission bits: `0644` as number or text, or symbolic `u=rw,g=r`.
    Mode,
    /// Anything.
    Raw,
}

/// One argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Its type.
    pub ty: ArgType,
    /// The type of its elements, for a list.
    pub elements: ArgType,
    /// Whether it must be given.
    pub required: bool,
    /// Default, as JSON text; empty where there is none.
    pub default: &'static str,
    /// The only values allowed, if not empty.
    pub choices: &'static [&'static str],
    /// Documented by Ansible but refused here, with the reason and what to use instead; empty where it is supported.
    pub refused: &'static str,
}

impl Arg {
    /// An optional argument without default.
    pub const fn new(name: &'static str, ty: ArgType) -> Self {
        Self { name, aliases: &[], ty, elements: ArgType::Raw, required: false, default: "", choices: &[], refused: "" }
    }
    /// It must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
    /// It has other names too.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
    /// Its default, as JSON text.
    #[must_use]
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }
    /// The only values that it takes.
    #[must_use]
    pub const fn choices(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }
    /// The type of a list's elements.
    #[must_use]
    pub const fn of(mut self, elements: ArgType) -> Self {
        self.elements = elements;
        self
    }
    /// Ansible has it, dayfly refuses it: why, and what to do instead.
    #[must_use]
    pub const fn refused(mut self, reason: &'static str) -> Self {
        self.refused = reason;
        self
    }
}

/// What a text in place of a mapping means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// `k=v` pairs only.
    Pairs,
    /// A free text, from which the module's own `k=v` arguments (`creates=`, `chdir=`) are taken out.
    Command,
    /// One text that is this argument (`include_tasks: file.yml`, `meta: end_play`).
    Argument(&'static str),
    /// Nothing may stand there.
    None,
}

/// One module or action.
#[derive(Clone, Copy, Debug)]
pub struct ModuleSpec {
    /// Short name.
    pub name: &'static str,
    /// Where it runs.
    pub runs: Where,
    /// What a text in place of a mapping means.
    pub free: Free,
    /// Arguments.
    pub args: &'static [Arg],
    /// Arguments of which at most one may be given.
    pub exclusive: &'static [&'static [&'static str]],
    /// Arguments of which at least one must be given.
    pub one_of: &'static [&'static [&'static str]],
    /// Whether any other name is taken too (set_fact).
    pub open: bool,
    /// Runs an arbitrary program: never started twice.
    pub once: bool,
}

impl ModuleSpec {
    /// The argument of a name or alias.
    pub fn arg(&self, name: &str) -> Option<&'static Arg> {
        self.args.iter().find(|arg| arg.name == name || arg.aliases.contains(&name))
    }
    /// The argument that a free text fills: `cmd` for programs, `file` for `include_tasks`, `free_form` for `meta`.
    pub const fn free_argument(&self) -> Option<&'static str> {
        match self.free {
            Free::Command => Some("cmd"),
            Free::Argument(name) => Some(name),
            Free::Pairs | Free::None => None,
        }
    }
}
