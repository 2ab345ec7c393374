//! One host's way through a play: where it stands, what a failure does to it, what comes next. Pure.

use std::sync::Arc;

use super::compile::{PlanBlock, PlanItem, PlanTask, Section};
use super::flush::Flush;

/// Whether a host goes on in this play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorState {
    /// It has tasks left, or is done with all.
    Going,
    /// A failure was not caught.
    Failed,
    /// It cannot be reached.
    Unreachable,
    /// `meta: end_play` or `end_host`.
    Ended,
}

#[derive(Clone, Debug)]
struct Frame {
    block: Arc<PlanBlock>,
    section: Section,
    next: usize,
    /// A failure that goes on to the outside once `always` is through.
    failing: bool,
}

/// A host's place in its play.
#[derive(Clone, Debug)]
pub struct Cursor {
    frames: Vec<Frame>,
    /// Handlers, which run before the frames go on.
    flush: Flush,
    state: CursorState,
}

impl Cursor {
    /// At the start of a play.
    pub fn new(play: Arc<PlanBlock>) -> Self {
        let mut cursor = Self { frames: Vec::new(), flush: Flush::default(), state: CursorState::Going };
        cursor.enter(play);
        cursor
    }

    /// How it stands.
    pub fn state(&self) -> CursorState {
        self.state
    }

    /// The task that comes next, if any.
    pub fn peek(&self) -> Option<Arc<PlanTask>> {
        self.clone().advance()
    }

    /// Takes the next task.
    pub fn advance(&mut self) -> Option<Arc<PlanTask>> {
        if self.state != CursorState::Going {
            return None;
        }
        if let Some(handler) = self.flush.advance() {
            return Some(handler);
        }
        loop {
            let frame = self.frames.last_mut()?;
            if let Some(item) = frame.block.items(frame.section).get(frame.next).cloned() {
                frame.next += 1;
                match item {
                    PlanItem::Task(task) => return Some(task),
                    PlanItem::Block(block) => self.enter(block),
                }
                continue;
            }
            match frame.section {
                Section::Block | Section::Rescue => {
                    if frame.section == Section::Rescue {
                        frame.failing = false;
                    }
                    frame.section = Section::Always;
                    frame.next = 0;
                }
                Section::Always => {
                    let failing = frame.failing;
                    self.frames.pop();
                    if failing {
                        self.fail();
                        if self.state != CursorState::Going {
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// Goes into a block: one of the play's, or what an include brought.
    pub fn enter(&mut self, block: Arc<PlanBlock>) {
        self.frames.push(Frame { block, section: Section::Block, next: 0, failing: false });
    }

    /// Goes into what an include brought: several inclusions of one task run in their order, those of a handler before the
    /// handlers that follow.
    pub fn include(&mut self, block: Arc<PlanBlock>, by_handler: bool) {
        if by_handler {
            self.flush.include(&block);
            return;
        }
        // A frame that has not begun stands for an inclusion of the same turn: this one comes after it, below it.
        let begun = |frame: &Frame| frame.next > 0 || frame.section != Section::Block || frame.block.path.is_empty();
        let at = self.frames.iter().rposition(begun).map_or(0, |index| index + 1);
        self.frames.insert(at, Frame { block, section: Section::Block, next: 0, failing: false });
    }

    /// Runs those of these handlers that were notified before anything else. `at`: the task that asks for it, by which the
    /// same handler in another flush is another task.
    pub fn flush(&mut self, at: &[u32], handlers: &[Arc<PlanTask>]) {
        self.flush.begin(at, handlers);
    }

    /// Marks a handler: the flush that goes on, if it has not passed it, or the next one runs it.
    pub fn notify(&mut self, handler: &PlanTask) {
        self.flush.notify(handler);
    }

    /// Whether handlers are being run.
    pub fn is_flushing(&self) -> bool {
        self.flush.has_next()
    }

    /// The task that was taken last failed: on to `rescue`, to `always`, or out.
    pub fn fail(&mut self) {
        if self.state != CursorState::Going {
            return;
        }
        self.flush.stop();
        loop {
            let Some(frame) = self.frames.last_mut() else {
                self.state = CursorState::Failed;
                return;
            };
            match frame.section {
                Section::Block if frame.block.has_rescue => {
                    frame.section = Section::Rescue;
                    frame.next = 0;
                    frame.failing = true;
                    return;
                }
                Section::Block | Section::Rescue => {
                    frame.failing = true;
                    frame.section = Section::Always;
                    frame.next = 0;
                    if !frame.block.always.is_empty() {
                        return;
                    }
                    self.frames.pop();
                }
                Section::Always => {
                    self.frames.pop();
                }
            }
        }
    }

    /// Whether a failure now would be caught by a `rescue` (ansible-core, `is_any_block_rescuing`).
    pub fn is_rescuing(&self) -> bool {
        self.frames.iter().any(|frame| frame.section == Section::Block && frame.block.has_rescue)
    }

    /// The host is done with this play.
    pub fn end(&mut self, state: CursorState) {
        self.state = state;
        self.frames.clear();
        self.flush.stop();
    }
}
