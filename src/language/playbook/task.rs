//! Tasks, blocks and the files that they import.

use std::path::{Path, PathBuf};

use crate::core::source::{Diagnostic, Span, Spanned};
use crate::language::args::unquote;
use crate::language::yaml::{Kind, Node};

use super::keywords::{Place, is_template};
use super::model::{Action, Block, Directives, Item, LoopControl, LoopKind, LoopSpec, Task};
use super::reader::Reader;

/// The most tasks that one playbook may have, imported ones included.
const MAX_TASKS: usize = 100_000;

/// The deepest that files may import each other.
const MAX_IMPORTS: usize = 50;

/// The keywords that an `include_tasks` may have, as in Ansible; others go under `apply`.
const OF_INCLUDE: [&str; 13] = [
    "name",
    "args",
    "action",
    "ignore_errors",
    "loop",
    "loop_control",
    "no_log",
    "register",
    "run_once",
    "tags",
    "timeout",
    "vars",
    "when",
];

impl Reader<'_> {
    /// A list of tasks and blocks.
    pub(super) fn items(&mut self, node: &Node, what: &str, place: Place) -> Vec<Item> {
        let mut items = Vec::new();
        for item in self.list(node, what) {
            self.tasks += 1;
            if self.tasks > MAX_TASKS {
                if self.tasks == MAX_TASKS + 1 {
                    let problem = Diagnostic::error(item.span, format!("the playbook has more than {MAX_TASKS} tasks"));
                    self.report(problem.label("reading stopped here").help("look for files that import each other"));
                }
                break;
            }
            items.extend(self.item(item, place));
        }
        items
    }

    fn item(&mut self, node: &Node, place: Place) -> Option<Item> {
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(node, if place == Place::Handler { "a handler" } else { "a task" }, "a mapping");
            return None;
        }
        if Place::Block.keywords().any(|word| matches!(word, "block" | "rescue" | "always") && node.get(word).is_some())
        {
            return self.block(node, place).map(|block| Item::Block(Box::new(block)));
        }
        let task = self.task(node, place)?;
        if task.action.name == "import_tasks" {
            return self.import(&task, place).map(|block| Item::Block(Box::new(block)));
        }
        Some(Item::Task(Box::new(task)))
    }

    fn block(&mut self, node: &Node, place: Place) -> Option<Block> {
        let mut block = Block {
            span: node.span,
            name: None,
            directives: Directives::default(),
            block: Vec::new(),
            rescue: Vec::new(),
            always: Vec::new(),
        };
        for (name, key, value) in self.mapping(node, "a block") {
            match name {
                "name" => block.name = self.text(value, name),
                "block" => block.block = self.items(value, name, place),
                "rescue" => block.rescue = self.items(value, name, place),
                "always" => block.always = self.items(value, name, place),
                _ if self.directive(&mut block.directives, name, value) => {}
                _ => self.unknown_keyword(Place::Block, name, key),
            }
        }
        if node.get("block").is_none() {
            self.report(
                Diagnostic::error(node.span, "`rescue` and `always` belong to a `block`, which is missing")
                    .label("no block here")
                    .help("put the tasks under block"),
            );
            return None;
        }
        Some(block)
    }

    fn task(&mut self, node: &Node, place: Place) -> Option<Task> {
        let mut task = Task {
            span: node.span,
            name: None,
            directives: Directives::default(),
            action: Action { name: String::new(), span: node.span, args: Vec::new(), free: None, template: None },
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
        };
        let mut candidates = Vec::new();
        let (mut action, mut args) = (None, None);
        for (name, key, value) in self.mapping(node, "a task") {
            match name {
                "name" => task.name = self.text(value, name),
                "action" => action = Some(value),
                "args" => args = Some(value),
                "listen" if place == Place::Handler => task.listen = self.texts(value, name, false),
                _ if self.directive(&mut task.directives, name, value) => {}
                _ if self.task_keyword(&mut task, name, key, value) => {}
                _ if place.later(name).is_some() || name.starts_with("with_") || name == "listen" => {
                    self.unknown_keyword(place, name, key);
                }
                _ => candidates.push((name, key, value)),
            }
        }
        // A task whose only unknown key is one that comes later has been reported already.
        let reported = candidates.is_empty() && node.get("local_action").is_some();
        if !reported {
            task.action = self.action(place, node.span, &candidates, action, args)?;
        }
        if task.action.name == "include_tasks" {
            self.include(&mut task, node);
        }
        (!reported).then_some(task)
    }

    fn task_keyword(&mut self, task: &mut Task, name: &str, key: &Node, value: &Node) -> bool {
        match name {
            "register" => {
                if let Some(text) = self.text(value, name) {
                    task.register = self.variable(&text.value, text.span, "register");
                }
            }
            "loop" | "with_items" | "with_dict" | "with_sequence" => self.loops(task, name, key, value),
            "loop_control" => task.loop_control = self.loop_control(value),
            "until" => task.until = self.conditions(value, name),
            "retries" => task.retries = self.integer(value, name),
            "delay" => task.delay = self.number(value, name),
            "changed_when" => task.changed_when = Some(self.conditions(value, name)),
            "failed_when" => task.failed_when = Some(self.conditions(value, name)),
            "notify" => {
                for item in Self::one_or_many(value) {
                    task.notify.extend(self.text_node(&item, name));
                }
            }
            "on_interrupt" => match value.as_str() {
                Some("rerun") => task.rerun_on_interrupt = true,
                Some("fail") => task.rerun_on_interrupt = false,
                _ => self.wrong(value, name, "`rerun` or `fail`"),
            },
            _ => return false,
        }
        true
    }

    fn loops(&mut self, task: &mut Task, name: &str, key: &Node, value: &Node) {
        let kind = match name {
            "loop" => LoopKind::Loop,
            "with_items" => LoopKind::Items,
            "with_dict" => LoopKind::Dict,
            _ => LoopKind::Sequence,
        };
        if let Some(first) = &task.loops {
            self.report(
                Diagnostic::error(key.span, "a task has one loop, not two")
                    .label("a second loop")
                    .related(first.span, "the first loop")
                    .help("keep one of them"),
            );
            return;
        }
        let template = value.as_str().is_some_and(is_template);
        let wanted = match (kind, &value.kind) {
            (LoopKind::Loop, Kind::Seq(_)) | (LoopKind::Dict, Kind::Map(_) | Kind::Seq(_)) | (LoopKind::Items, _) => {
                None
            }
            (LoopKind::Sequence, Kind::String(_) | Kind::Seq(_)) => None,
            _ if template => None,
            (LoopKind::Loop, _) => Some("a list, or a template for one"),
            (LoopKind::Dict, _) => Some("a mapping, or a template for one"),
            (LoopKind::Sequence, _) => Some("text such as `start=1 end=3`"),
        };
        match wanted {
            Some(wanted) => self.wrong(value, name, wanted),
            None => task.loops = Some(LoopSpec { kind, span: key.span, items: value.clone() }),
        }
    }

    fn loop_control(&mut self, node: &Node) -> LoopControl {
        let mut control = LoopControl::default();
        for (name, key, value) in self.mapping(node, "loop_control") {
            match name {
                "loop_var" | "index_var" => {
                    let Some(text) = self.text(value, name) else { continue };
                    let variable = self.variable(&text.value, text.span, name);
                    if name == "loop_var" {
                        control.loop_var = variable;
                    } else {
                        control.index_var = variable;
                    }
                }
                "label" => control.label = Some(value.clone()),
                "pause" => control.pause = self.number(value, name),
                "extended" => control.extended = self.boolean(value, name),
                "extended_allitems" | "break_when" => self.report(
                    Diagnostic::error(key.span, format!("`{name}` is not supported yet"))
                        .label("Ansible has it, dayfly does not")
                        .help("leave it out"),
                ),
                _ => {
                    self.unknown_key(
                        name,
                        key,
                        "loop_control",
                        ["loop_var", "index_var", "label", "pause", "extended"],
                    );
                }
            }
        }
        control
    }

    /// What an `include_tasks` may have, and its `apply`.
    fn include(&mut self, task: &mut Task, node: &Node) {
        for (name, key, _) in self.mapping(node, "a task") {
            let fine = OF_INCLUDE.contains(&name) || name.starts_with("with_") || name.ends_with("include_tasks");
            if !fine && Place::Task.keywords().any(|word| word == name) {
                self.report(
                    Diagnostic::error(key.span, format!("`{name}` is not a keyword of include_tasks"))
                        .label("does not reach the included tasks")
                        .help("put it under apply of include_tasks, or use import_tasks"),
                );
            }
        }
        let Some(at) = task.action.args.iter().position(|(name, _)| name.value == "apply") else { return };
        let (_, apply) = task.action.args.remove(at);
        let mut directives = Directives::default();
        for (name, key, value) in self.mapping(&apply, "apply") {
            if name != "name" && !self.directive(&mut directives, name, value) {
                self.unknown_keyword(Place::Block, name, key);
            }
        }
        task.apply = Some(Box::new(directives));
    }

    /// `import_tasks` becomes a block that has the keywords of the task.
    fn import(&mut self, task: &Task, place: Place) -> Option<Block> {
        if let Some(loops) = &task.loops {
            self.report(
                Diagnostic::error(loops.span, "import_tasks cannot have a loop")
                    .label("a loop")
                    .help("use include_tasks, which is done once for each item"),
            );
        }
        let name = match (&task.action.free, task.action.args.iter().find(|(name, _)| name.value == "file")) {
            (Some(free), _) => free.clone(),
            (None, Some((_, node))) => self.text(node, "file")?,
            (None, None) => {
                self.report(
                    Diagnostic::error(task.action.span, "import_tasks needs a file")
                        .label("no file named")
                        .help("write import_tasks: FILE"),
                );
                return None;
            }
        };
        let name = Spanned::new(unquote(name.value.trim()).to_owned(), name.span);
        if is_template(&name.value) {
            self.report(
                Diagnostic::error(
                    name.span,
                    "the file of import_tasks cannot be a template: it is read before the run",
                )
                .label("a template")
                .help("use include_tasks, whose file is found when the task runs"),
            );
            return None;
        }
        let path = self.beside(&name.value);
        let mut block = self.imported(&path, name.span, place)?;
        inherit_notify(&mut block, &task.notify);
        Some(Block {
            span: task.span,
            name: task.name.clone(),
            directives: task.directives.clone(),
            block,
            rescue: Vec::new(),
            always: Vec::new(),
        })
    }

    /// A file named in the file that is read now: beside it, else beside the playbook.
    fn beside(&self, name: &str) -> PathBuf {
        let here = self.importing.last().and_then(|path| path.parent()).unwrap_or(Path::new(""));
        let path = here.join(name);
        if self.files.exists(&path) { path } else { self.folder.join(name) }
    }

    fn imported(&mut self, path: &Path, asked: Span, place: Place) -> Option<Vec<Item>> {
        if self.importing.iter().any(|open| open == path) || self.importing.len() > MAX_IMPORTS {
            self.report(
                Diagnostic::error(asked, format!("{} imports itself", path.display()))
                    .label("a circle")
                    .help("use include_tasks with a condition that ends it"),
            );
            return None;
        }
        let node = self.yaml(path, Some(asked))?;
        self.importing.push(path.to_owned());
        let items = self.items(&node, "a file of tasks", place);
        self.importing.pop();
        Some(items)
    }
}

/// What an `import_tasks` notifies, each of its tasks does that names nothing of its own.
fn inherit_notify(items: &mut [Item], notify: &[Node]) {
    if notify.is_empty() {
        return;
    }
    for item in items {
        match item {
            Item::Task(task) if task.notify.is_empty() => task.notify = notify.to_vec(),
            Item::Task(_) => {}
            Item::Block(block) => {
                for items in [&mut block.block, &mut block.rescue, &mut block.always] {
                    inherit_notify(items, notify);
                }
            }
        }
    }
}
