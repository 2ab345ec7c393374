//! What a playbook says, with the words of Ansible; values stay nodes until they are rendered.

use crate::core::records::{ClusterSpec, ResultSpec};
use crate::core::source::{Span, Spanned};
use crate::language::yaml::Node;

/// Which of the two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybookForm {
    /// A mapping: name, cluster, vars, plays, results, notify.
    Native,
    /// A list of plays, as Ansible reads it.
    Plain,
}

/// A whole playbook.
#[derive(Clone, Debug, PartialEq)]
pub struct Playbook {
    /// Its form.
    pub form: PlaybookForm,
    /// `name:`, or the file's name without its ending.
    pub name: String,
    /// `cluster:`, where it is native and has one.
    pub cluster: Option<Spanned<ClusterSpec>>,
    /// `vars:` of a native playbook; as weak as inventory variables of `all`.
    pub vars: Vec<(Spanned<String>, Node)>,
    /// Plays in order.
    pub plays: Vec<Play>,
    /// `results:`
    pub results: Vec<Spanned<ResultSpec>>,
    /// `notify:`; kept as written until the notifier reads it.
    pub notify: Vec<Node>,
}

/// One play.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    /// Where it begins.
    pub span: Span,
    /// Its index in the playbook.
    pub index: u32,
    /// `name:`, or the host pattern.
    pub name: Spanned<String>,
    /// `hosts:` as one pattern text (a list is joined by commas).
    pub hosts: Spanned<String>,
    /// `needs:` resolved to indices; none means: after the play before.
    pub needs: Option<Vec<u32>>,
    /// Keywords that its tasks inherit.
    pub directives: Directives,
    /// `vars_files:`; an entry that is a list means: the first that exists.
    pub vars_files: Vec<Node>,
    /// `gather_facts:`; Ansible's default is true.
    pub gather_facts: Option<Node>,
    /// `serial:` as written: number, percentage or a list of them.
    pub serial: Option<Node>,
    /// `pre_tasks:`
    pub pre_tasks: Vec<Item>,
    /// `tasks:`
    pub tasks: Vec<Item>,
    /// `post_tasks:`
    pub post_tasks: Vec<Item>,
    /// `handlers:`
    pub handlers: Vec<Item>,
}

/// Keywords that a play gives to its blocks and a block to its tasks. A task's own value wins; `vars`, `environment`,
/// `tags` and `when` add up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directives {
    /// `vars:`
    pub vars: Vec<(Spanned<String>, Node)>,
    /// `environment:` one mapping or template each, outermost first.
    pub environment: Vec<Node>,
    /// `tags:` each one tag text.
    pub tags: Vec<Spanned<String>>,
    /// `when:` conditions, all of which must hold, outermost first.
    pub when: Vec<Node>,
    /// `become:`
    pub becomes: Option<Node>,
    /// `become_user:`
    pub become_user: Option<Node>,
    /// `ignore_errors:`
    pub ignore_errors: Option<Node>,
    /// `ignore_unreachable:`
    pub ignore_unreachable: Option<Node>,
    /// `any_errors_fatal:`
    pub any_errors_fatal: Option<Node>,
    /// `no_log:`
    pub no_log: Option<Node>,
    /// `check_mode:`
    pub check_mode: Option<Node>,
    /// `diff:`
    pub diff: Option<Node>,
    /// `delegate_to:`
    pub delegate_to: Option<Node>,
    /// `run_once:`
    pub run_once: Option<Node>,
    /// `timeout:` seconds, or text with a unit.
    pub timeout: Option<Node>,
    /// `remote_user:`
    pub remote_user: Option<Node>,
    /// `connection:`
    pub connection: Option<Node>,
}

/// A task or a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A task.
    Task(Box<Task>),
    /// A block.
    Block(Box<Block>),
}

/// Tasks with one set of keywords, a rescue and an always.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Where it begins.
    pub span: Span,
    /// `name:`
    pub name: Option<Spanned<String>>,
    /// Keywords for all that is inside. For the block that an `import_tasks` becomes, the keywords of that task.
    pub directives: Directives,
    /// `block:`
    pub block: Vec<Item>,
    /// `rescue:`
    pub rescue: Vec<Item>,
    /// `always:`
    pub always: Vec<Item>,
}

/// The module or action of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Canonical short name: `command` for `ansible.builtin.command`.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Arguments by name, in order: from a mapping, from `k=v`, and from `args:` (weaker).
    pub args: Vec<(Spanned<String>, Node)>,
    /// Free form text: the command of `command:`, the file of `include_tasks:`, the word of `meta:`.
    pub free: Option<Spanned<String>>,
    /// The whole arguments as one template (`debug: "{{ args }}"` or `args: "{{ … }}"`).
    pub template: Option<Spanned<String>>,
}

/// Which loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopKind {
    /// `loop:` a list.
    Loop,
    /// `with_items:` flattened by one level.
    Items,
    /// `with_dict:` items with key and value.
    Dict,
    /// `with_sequence:` text such as `start=1 end=3 format=x%02d`.
    Sequence,
}

/// A loop as written.
#[derive(Clone, Debug, PartialEq)]
pub struct LoopSpec {
    /// Which.
    pub kind: LoopKind,
    /// Where the keyword stands.
    pub span: Span,
    /// The items, unrendered.
    pub items: Node,
}

/// `loop_control:`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoopControl {
    /// `loop_var:`; `item` where not given.
    pub loop_var: Option<Spanned<String>>,
    /// `index_var:`
    pub index_var: Option<Spanned<String>>,
    /// `label:`
    pub label: Option<Node>,
    /// `pause:` seconds between items.
    pub pause: Option<Node>,
    /// `extended:`
    pub extended: Option<Node>,
}

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Where it begins.
    pub span: Span,
    /// `name:`, unrendered.
    pub name: Option<Spanned<String>>,
    /// Its own keywords.
    pub directives: Directives,
    /// What it does.
    pub action: Action,
    /// `loop:` and `with_*:`
    pub loops: Option<LoopSpec>,
    /// `loop_control:`
    pub loop_control: LoopControl,
    /// `register:`
    pub register: Option<Spanned<String>>,
    /// `until:` conditions.
    pub until: Vec<Node>,
    /// `retries:`
    pub retries: Option<Node>,
    /// `delay:` seconds.
    pub delay: Option<Node>,
    /// `changed_when:` conditions.
    pub changed_when: Option<Vec<Node>>,
    /// `failed_when:` conditions.
    pub failed_when: Option<Vec<Node>>,
    /// `notify:` handler names or topics.
    pub notify: Vec<Node>,
    /// `listen:` topics, for a handler.
    pub listen: Vec<Spanned<String>>,
    /// The keyword arguments of `include_tasks: {file, apply}`.
    pub apply: Option<Box<Directives>>,
    /// `on_interrupt: rerun`
    pub rerun_on_interrupt: bool,
}
