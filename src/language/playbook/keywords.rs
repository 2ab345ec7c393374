//! The keywords of plays, blocks and tasks: those that dayfly takes, and those of Ansible that it does not take yet.

/// Where a keyword may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a play.
    Play,
    /// In a block.
    Block,
    /// In a task.
    Task,
    /// In a handler.
    Handler,
}

impl Place {
    /// How people call it.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Play => "a play",
            Self::Block => "a block",
            Self::Task => "a task",
            Self::Handler => "a handler",
        }
    }

    /// The keywords that may stand here.
    pub(super) fn keywords(self) -> impl Iterator<Item = &'static str> {
        let own = match self {
            Self::Play => PLAY,
            Self::Block => BLOCK,
            Self::Task | Self::Handler => TASK,
        };
        let more: &[&str] = match self {
            Self::Play => &[],
            Self::Handler => &["listen", "when", "delegate_to"],
            Self::Block | Self::Task => &["when", "delegate_to"],
        };
        SHARED.iter().chain(own).chain(more).copied()
    }

    /// Whether Ansible has this keyword here and dayfly does not yet; the text says what to do instead.
    pub(super) fn later(self, name: &str) -> Option<&'static str> {
        let own = match self {
            Self::Play => LATER_PLAY,
            Self::Block => LATER_BLOCK,
            Self::Task | Self::Handler => LATER_TASK,
        };
        LATER_SHARED.iter().chain(own).find(|(keyword, _)| *keyword == name).map(|(_, instead)| *instead)
    }
}

/// Keywords that may stand anywhere.
const SHARED: &[&str] = &[
    "name",
    "vars",
    "environment",
    "tags",
    "become",
    "become_user",
    "become_method",
    "ignore_errors",
    "ignore_unreachable",
    "any_errors_fatal",
    "no_log",
    "check_mode",
    "diff",
    "run_once",
    "timeout",
    "remote_user",
    "connection",
];

const PLAY: &[&str] = &[
    "hosts",
    "needs",
    "vars_files",
    "gather_facts",
    "serial",
    "strategy",
    "pre_tasks",
    "tasks",
    "post_tasks",
    "handlers",
];

const BLOCK: &[&str] = &["block", "rescue", "always"];

const TASK: &[&str] = &[
    "action",
    "args",
    "register",
    "loop",
    "with_items",
    "with_dict",
    "with_sequence",
    "loop_control",
    "until",
    "retries",
    "delay",
    "changed_when",
    "failed_when",
    "notify",
    "on_interrupt",
];

const LATER_SHARED: &[(&str, &str)] = &[
    ("module_defaults", "write the arguments in each task"),
    ("collections", "name modules by their short name"),
    ("throttle", "use serial in the play"),
    ("debugger", "leave it out"),
    ("port", "set the variable ansible_port in the inventory"),
    ("become_flags", "leave it out"),
    ("become_exe", "leave it out"),
];

const LATER_PLAY: &[(&str, &str)] = &[
    ("roles", "list the tasks in the play, or import them with import_tasks"),
    ("vars_prompt", "pass the value with --extra-vars"),
    ("max_fail_percentage", "use any_errors_fatal"),
    ("force_handlers", "leave it out"),
    ("gather_subset", "set gather_facts to false and run the setup module with gather_subset"),
    ("gather_timeout", "leave it out"),
    ("fact_path", "leave it out"),
    ("order", "leave it out: hosts come in the order of the inventory"),
    ("import_playbook", "copy the plays into this file"),
];

const LATER_BLOCK: &[(&str, &str)] =
    &[("notify", "write notify in the tasks of the block"), ("delegate_facts", "leave it out")];

const LATER_TASK: &[(&str, &str)] = &[
    ("async", "a step may run as long as it likes without it; use timeout to limit it"),
    ("poll", "a step may run as long as it likes without it; use timeout to limit it"),
    ("local_action", "write the module as usual and add delegate_to: localhost"),
    ("delegate_facts", "leave it out"),
    ("first_available_file", "use vars_files with a list, or a when for each file"),
    ("checkpoint", "leave it out"),
    ("with_list", "use loop"),
    ("with_flattened", "use loop with the flatten filter"),
    ("with_indexed_items", "use loop with loop_control and index_var"),
    ("with_nested", "use loop with the product filter"),
    ("with_cartesian", "use loop with the product filter"),
    ("with_together", "use loop with the zip filter"),
    ("with_subelements", "use loop with the subelements filter"),
    ("with_random_choice", "use the random filter"),
    ("with_fileglob", "use loop with the fileglob lookup"),
    ("with_filetree", "list the files in loop"),
    ("with_first_found", "use the first_found lookup"),
    ("with_lines", "use loop with the lines lookup"),
    ("with_file", "use loop with the file lookup"),
    ("with_inventory_hostnames", "use loop with groups"),
];

/// Names that no variable may have, because Jinja reads them as its own words.
const RESERVED: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Whether a text can be the name of a variable.
pub fn is_variable_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && characters.all(|c| c == '_' || c.is_ascii_alphanumeric())
        && !RESERVED.contains(&name)
}

/// Whether a text holds a Jinja template.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}
