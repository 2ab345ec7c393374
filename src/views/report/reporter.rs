//! Puts a run on the screen: results on stdout, progress and remarks on stderr.

use std::io::{self, Write};

use super::course::duration_text;
use super::lines::{LineSettings, Lines};
use super::paint::{Color, Paint};
use super::progress::Progress;
use super::recap::{bytes_text, files_text, recap};
use crate::core::event::{Event, EventKind};
use crate::core::ids::{Epoch, RunId};

/// `--output`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines as Ansible's.
    #[default]
    Text,
    /// One event per line.
    Json,
}

/// What is shown, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportSettings {
    /// Text or JSON.
    pub format: Format,
    /// Details of the lines on stdout.
    pub lines: LineSettings,
    /// Colour of stderr.
    pub error_paint: Paint,
    /// Whether stderr is a terminal that progress may be drawn on.
    pub progress: bool,
}

/// Shows events as they come. A stdout that was closed ends the showing, never the run.
pub struct Reporter {
    settings: ReportSettings,
    lines: Lines,
    progress: Option<Progress>,
    run: Option<RunId>,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    broken: bool,
}

impl Reporter {
    /// A reporter on two streams.
    pub fn new(settings: ReportSettings, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let progress = settings.progress.then(|| Progress::new(settings.error_paint == Paint::Ansi));
        Self { settings, lines: Lines::new(settings.lines), progress, run: None, out, err, broken: false }
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        if let EventKind::RunStarted { run, .. } = &event.kind {
            self.run = Some(run.clone());
        }
        if let Some(progress) = &mut self.progress {
            progress.event(event);
        }
        let data = match self.settings.format {
            Format::Json => serde_json::to_string(event).map(|line| line + "\n").unwrap_or_default(),
            Format::Text => self.text(event),
        };
        let remark = self.remark(event);
        if data.is_empty() && remark.is_empty() {
            return;
        }
        let Self { out, err, broken, progress, .. } = self;
        let mut both = || {
            if !*broken && !data.is_empty() && out.write_all(data.as_bytes()).and_then(|()| out.flush()).is_err() {
                *broken = true;
            }
            if !remark.is_empty() {
                // Nobody is left to tell that stderr is gone.
                let _ = err.write_all(remark.as_bytes()).and_then(|()| err.flush());
            }
        };
        match progress {
            Some(progress) => progress.suspend(both),
            None => both(),
        }
    }

    /// Redraws what changes with time alone; call it about twice a second.
    pub fn tick(&mut self) {
        if let Some(progress) = &mut self.progress {
            progress.draw();
        }
    }

    /// Goes on without the terminal: nothing more is written.
    pub fn detach(&mut self) {
        self.progress = None;
        self.broken = true;
        self.err = Box::new(io::sink());
    }

    /// Takes the bars away and says a last thing on stderr.
    pub fn last_words(&mut self, text: &str) {
        self.progress = None;
        // Nobody is left to tell that stderr is gone.
        let _ = writeln!(self.err, "{text}").and_then(|()| self.err.flush());
    }

    fn text(&mut self, event: &Event) -> String {
        let mut text = self.lines.event(event);
        if let (EventKind::RunEnded { .. }, Some(run)) = (&event.kind, &self.run) {
            text.push_str(&recap(run, &event.kind, self.settings.lines.paint, self.settings.lines.columns));
        }
        text
    }

    /// What belongs on stderr. With JSON on stdout only warnings do: the rest is there as events.
    fn remark(&self, event: &Event) -> String {
        let paint = self.settings.error_paint;
        let warning = |text: &str| paint.text(Color::Warning, &format!("[WARNING]: {text}")) + "\n";
        let note = |text: String| paint.text(Color::Dim, &text) + "\n";
        if event.replayed && !self.settings.lines.replayed {
            return String::new();
        }
        match &event.kind {
            EventKind::Warning { message } => return warning(message),
            EventKind::WorkerLost { slot, evidence } => return warning(&format!("worker {slot} is lost: {evidence}")),
            _ if self.settings.format == Format::Json => return String::new(),
            EventKind::RunStarted { run, epoch, store, .. } => {
                let again = if *epoch > Epoch(1) { format!(", taken over by master {epoch}") } else { String::new() };
                return note(format!("run {run}{again} (store {store})"));
            }
            EventKind::Note { message } => return note(message.clone()),
            EventKind::Stopping { why } => return note(format!("stopping: {why}")),
            EventKind::DeadlineMoved { deadline_ms, by } => {
                let left = duration_text((deadline_ms - event.at_ms).max(0) as u64);
                return note(format!("the hard end is now in {left}, as {by} asked"));
            }
            EventKind::RunEnded { .. } if self.lines.hidden() > 0 => {
                return note(format!("{} results of earlier masters were not shown again", self.lines.hidden()));
            }
            _ => {}
        }
        // The bars say the rest where there are bars.
        if self.progress.is_some() {
            return String::new();
        }
        match &event.kind {
            EventKind::GroupLaunching { group, count } => note(format!("group {group}: launching {count}")),
            EventKind::WorkerReady { slot, address } => note(format!("worker {slot} is ready at {address}")),
            EventKind::WorkerCollected { slot, files, bytes, complete } => note(format!(
                "worker {slot}: {}, {} collected{}",
                files_text(*files),
                bytes_text(*bytes),
                if *complete { "" } else { ", not complete" }
            )),
            EventKind::WorkerGone { slot, state } => note(format!("worker {slot} is gone ({state})")),
            _ => String::new(),
        }
    }
}
