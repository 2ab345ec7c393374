//! A play as a tree of blocks, filtered by tags, each task with its path and the keywords in force.
//!
//! A path is a list of numbers that orders tasks as they are written: it keeps hosts in step and is part of every step's
//! key, so it depends on the playbook alone.

use std::sync::Arc;

use super::merge::Effective;
use super::tags::TagFilter;
use crate::core::source::{Span, Spanned};
use crate::core::values::Vars;
use crate::language::playbook::{Action, Block, Directives, Item, LoopControl, Play, Task};

/// Where a task stands: compared number by number.
pub type TaskPath = Vec<u32>;

/// Which part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `block:`
    Block,
    /// `rescue:`
    Rescue,
    /// `always:`
    Always,
}

/// A block whose items run in order.
#[derive(Debug)]
pub struct PlanBlock {
    /// Its place.
    pub path: TaskPath,
    /// `block:`
    pub block: Vec<PlanItem>,
    /// `rescue:`
    pub rescue: Vec<PlanItem>,
    /// `always:`
    pub always: Vec<PlanItem>,
    /// The block has a `rescue:` as written, whatever tags left of it.
    pub has_rescue: bool,
}

impl PlanBlock {
    /// The items of a part.
    pub fn items(&self, section: Section) -> &[PlanItem] {
        match section {
            Section::Block => &self.block,
            Section::Rescue => &self.rescue,
            Section::Always => &self.always,
        }
    }
    fn is_empty(&self) -> bool {
        self.block.is_empty() && self.rescue.is_empty() && self.always.is_empty()
    }
}

/// A task or a block.
#[derive(Clone, Debug)]
pub enum PlanItem {
    /// A task.
    Task(Arc<PlanTask>),
    /// A block.
    Block(Arc<PlanBlock>),
}

/// A task with everything that is known before it runs.
#[derive(Debug)]
pub struct PlanTask {
    /// Its place.
    pub path: TaskPath,
    /// As written.
    pub task: Task,
    /// Keywords in force.
    pub effective: Effective,
    /// It is a handler.
    pub handler: bool,
}

impl PlanTask {
    /// The path as text: `2.0.1`.
    pub fn path_text(&self) -> String {
        self.path.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
    }
    /// The same task at another place.
    pub(super) fn moved(&self, path: TaskPath) -> Self {
        Self { path, task: self.task.clone(), effective: self.effective.clone(), handler: self.handler }
    }
}

/// Sections of a play, as first number of its paths.
const GATHER: u32 = 0;
const PRE_TASKS: u32 = 1;
const TASKS: u32 = 3;
const POST_TASKS: u32 = 5;
const HANDLERS: u32 = 9;

/// The whole play as one block: facts, pre_tasks, flush, tasks, flush, post_tasks, flush.
pub fn compile_play(play: &Play, gather_facts: bool, filter: &TagFilter) -> Arc<PlanBlock> {
    let outer = Effective::of_play(&play.directives);
    let mut block = Vec::new();
    if gather_facts {
        let own =
            Directives { tags: vec![Spanned::new("always".to_owned(), Span::default())], ..Directives::default() };
        let task = internal(play.span, "setup", None, "Gathering Facts", own);
        let bare = Effective {
            directives: Directives { tags: Vec::new(), when: Vec::new(), ..outer.directives.clone() },
            vars: Arc::default(),
        };
        block.extend(compile_task(&task, vec![GATHER], &bare, filter, false));
    }
    for (number, items) in [(PRE_TASKS, &play.pre_tasks), (TASKS, &play.tasks), (POST_TASKS, &play.post_tasks)] {
        block.extend(compile_items(items, &[number], &outer, filter, false));
        let flush = internal(play.span, "meta", Some("flush_handlers"), "flush_handlers", Directives::default());
        block.extend(compile_task(&flush, vec![number + 1], &Effective::default(), &TagFilter::default(), false));
    }
    Arc::new(PlanBlock { path: Vec::new(), block, rescue: Vec::new(), always: Vec::new(), has_rescue: false })
}

/// The play's handlers in the order of writing; tags do not filter them.
pub fn compile_handlers(play: &Play) -> Vec<Arc<PlanTask>> {
    let outer = Effective::of_play(&play.directives);
    let items = compile_items(&play.handlers, &[HANDLERS], &outer, &TagFilter::default(), true);
    let mut handlers = Vec::new();
    flatten(&items, &mut handlers);
    handlers
}

fn flatten(items: &[PlanItem], into: &mut Vec<Arc<PlanTask>>) {
    for item in items {
        match item {
            PlanItem::Task(task) => into.push(task.clone()),
            PlanItem::Block(block) => flatten(&block.block, into),
        }
    }
}

/// The items of a file that a task included while the play runs. `number` tells several inclusions of one task apart;
/// `vars` are those of the include and its loop.
pub fn compile_included(
    items: &[Item],
    include: &PlanTask,
    number: u32,
    vars: &Vars,
    filter: &TagFilter,
) -> Arc<PlanBlock> {
    let mut path = include.path.clone();
    path.push(number);
    // What is included inherits from the include's own parents, from `apply:` and from the include's `vars:`, but not
    // its `when`, `loop` or `tags` (ansible-core, `playbook/task_include.py`).
    let inherited = Effective {
        directives: Directives {
            tags: include.task.apply.as_ref().map(|apply| apply.tags.clone()).unwrap_or_default(),
            when: Vec::new(),
            ..include.effective.directives.clone()
        },
        vars: include.effective.vars.clone(),
    }
    .with_vars(vars);
    let inherited = match &include.task.apply {
        Some(apply) => inherited.within(&Directives { tags: Vec::new(), ..(**apply).clone() }),
        None => inherited,
    };
    let block = compile_items(items, &path, &inherited, filter, include.handler);
    Arc::new(PlanBlock { path, block, rescue: Vec::new(), always: Vec::new(), has_rescue: false })
}

fn compile_items(
    items: &[Item],
    prefix: &[u32],
    outer: &Effective,
    filter: &TagFilter,
    handler: bool,
) -> Vec<PlanItem> {
    let mut compiled = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut path = prefix.to_vec();
        path.push(index as u32);
        match item {
            Item::Task(task) => compiled.extend(compile_task(task, path, outer, filter, handler)),
            Item::Block(block) => compiled.extend(compile_block(block, path, outer, filter, handler)),
        }
    }
    compiled
}

fn compile_task(task: &Task, path: TaskPath, outer: &Effective, filter: &TagFilter, handler: bool) -> Option<PlanItem> {
    let effective = outer.within(&task.directives);
    filter
        .admits(&effective.tags())
        .then(|| PlanItem::Task(Arc::new(PlanTask { path, task: task.clone(), effective, handler })))
}

fn compile_block(
    block: &Block,
    path: TaskPath,
    outer: &Effective,
    filter: &TagFilter,
    handler: bool,
) -> Option<PlanItem> {
    let inner = outer.within(&block.directives);
    let section = |number: u32, items: &[Item]| {
        let mut prefix = path.clone();
        prefix.push(number);
        compile_items(items, &prefix, &inner, filter, handler)
    };
    let compiled = PlanBlock {
        block: section(0, &block.block),
        rescue: section(1, &block.rescue),
        always: section(2, &block.always),
        has_rescue: !block.rescue.is_empty(),
        path,
    };
    (!compiled.is_empty()).then(|| PlanItem::Block(Arc::new(compiled)))
}

fn internal(span: Span, action: &str, free: Option<&str>, name: &str, directives: Directives) -> Task {
    Task {
        span,
        name: Some(Spanned::new(name.to_owned(), span)),
        directives,
        action: Action {
            name: action.to_owned(),
            span,
            args: Vec::new(),
            free: free.map(|text| Spanned::new(text.to_owned(), span)),
            template: None,
        },
        loops: None,
        loop_control: LoopControl::default(),
        register: None,
        until: Vec::new(),
        retries: None,
        delay: None,
        changed_when: None,
        failed_when: None,
        notify: Vec::new(),
        listen: Vec::new(),
        apply: None,
        rerun_on_interrupt: false,
    }
}
