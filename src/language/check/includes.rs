//! Files of tasks that are included when a task runs, read ahead of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::core::source::{Diagnostic, Span};
use crate::language::playbook::{Item, Task, is_template, load_tasks};

use super::checker::Checker;

/// The deepest that included files are followed.
pub(super) const MAX_DEPTH: usize = 20;

/// The files that were read, each once, with what is wrong in them.
#[derive(Default)]
pub(super) struct Includes {
    loaded: HashMap<(PathBuf, bool), Rc<Vec<Item>>>,
    pub(super) problems: Vec<Diagnostic>,
}

/// What an `include_tasks` names.
pub(super) enum Included {
    /// A file that is there.
    Items(Rc<Vec<Item>>),
    /// A literal name without a file.
    Missing(String, Span),
    /// A template: it could be any file.
    Unknown,
}

impl Checker<'_> {
    /// The tasks that a task includes.
    pub(super) fn included(&mut self, task: &Task, handlers: bool) -> Included {
        let (name, span) = match (&task.action.free, task.action.args.iter().find(|(name, _)| name.value == "file")) {
            (Some(free), _) => (free.value.trim().to_owned(), free.span),
            (None, Some((_, node))) => match node.as_str() {
                Some(name) => (name.to_owned(), node.span),
                None => return Included::Unknown,
            },
            (None, None) => return Included::Unknown,
        };
        if is_template(&name) {
            return Included::Unknown;
        }
        let Some(path) = self.beside(task.span, &name, None) else { return Included::Missing(name, span) };
        let key = (path, handlers);
        if let Some(items) = self.includes.loaded.get(&key) {
            return Included::Items(Rc::clone(items));
        }
        let (items, problems) = load_tasks(self.input.files, self.input.sources, self.input.folder, &key.0, handlers);
        self.includes.problems.extend(problems);
        let items = Rc::new(items);
        self.includes.loaded.insert(key, Rc::clone(&items));
        Included::Items(items)
    }

    /// A file beside the one in which a thing is written, or beside the playbook; in both a subfolder comes first.
    pub(super) fn beside(&self, written: Span, name: &str, subfolder: Option<&str>) -> Option<PathBuf> {
        let own = self.input.sources.path(written);
        let own = own.as_deref().and_then(Path::parent).unwrap_or(self.input.folder);
        let mut candidates = Vec::new();
        for folder in [own, self.input.folder] {
            candidates.extend(subfolder.map(|subfolder| folder.join(subfolder).join(name)));
            candidates.push(folder.join(name));
        }
        candidates.into_iter().find(|path| self.input.files.exists(path))
    }
}
