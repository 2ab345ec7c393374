//! Progress on a terminal: one line for the run, one for each play at work; the only file that knows indicatif.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::course::{Course, PlayCourse, duration_text};
use crate::core::event::Event;

/// So many plays get a line of their own; a screen has no room for more.
const SHOWN_PLAYS: usize = 8;

/// The bars.
pub(super) struct Progress {
    bars: MultiProgress,
    run: ProgressBar,
    plays: BTreeMap<u32, ProgressBar>,
    course: Course,
    style: Option<ProgressStyle>,
}

impl Progress {
    /// Bars on stderr.
    pub(super) fn new(colored: bool) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let run = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            run.set_style(style);
        }
        run.enable_steady_tick(Duration::from_millis(250));
        let template =
            if colored { "  {prefix:14!} {bar:10.green/dim} {wide_msg}" } else { "  {prefix:14!} {bar:10} {wide_msg}" };
        let style = ProgressStyle::with_template(template).ok().map(|style| style.progress_chars("=> "));
        Self { bars, run, plays: BTreeMap::new(), course: Course::default(), style }
    }

    /// Follows an event.
    pub(super) fn event(&mut self, event: &Event) {
        self.course.event(event);
        if self.course.ended {
            self.clear();
        } else {
            self.draw();
        }
    }

    /// Draws with the present time: what runs longest grows older without any event.
    pub(super) fn draw(&mut self) {
        let now = now_ms();
        self.run.set_message(run_line(&self.course, now));
        let course = &self.course;
        self.plays.retain(|index, bar| {
            let keep = course.plays.contains_key(index);
            if !keep {
                bar.finish_and_clear();
            }
            keep
        });
        for (index, play) in course.plays.iter().take(SHOWN_PLAYS) {
            let bar = self.plays.entry(*index).or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new(1));
                if let Some(style) = &self.style {
                    bar.set_style(style.clone());
                }
                bar
            });
            bar.set_prefix(play.name.clone());
            bar.set_length(play.task_hosts.max(1) as u64);
            bar.set_position(play.done.len() as u64);
            bar.set_message(play_line(course, play, now));
        }
    }

    /// Writes lines above the bars.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    /// Takes the bars away.
    pub(super) fn clear(&mut self) {
        self.plays.values().for_each(ProgressBar::finish_and_clear);
        self.plays.clear();
        self.run.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn run_line(course: &Course, now: i64) -> String {
    let elapsed = duration_text(u64::try_from(now - course.started_ms).unwrap_or_default());
    let mut parts = vec![format!("{} {elapsed}", if course.name.is_empty() { "run" } else { &course.name })];
    let (ready, gone) = (course.workers_in("ready"), course.workers_in("gone"));
    if course.declared > 0 {
        let mut workers = format!("workers {ready}/{}", course.declared);
        if gone > 0 {
            let _ = write!(workers, " ({gone} ended)");
        }
        parts.push(workers);
    }
    if course.workers_in("lost") > 0 {
        parts.push(format!("{} lost", course.workers_in("lost")));
    }
    parts.push(format!("steps {} running, {} done", course.steps.len(), course.steps_done));
    if let Some(why) = &course.stopping {
        parts.push(format!("stopping: {why}"));
    }
    parts.join(" | ")
}

fn play_line(course: &Course, play: &PlayCourse, now: i64) -> String {
    let mut line = format!("{}/{} {}", play.done.len(), play.task_hosts, play.task);
    if !play.failed.is_empty() {
        line = format!("{} failed, {line}", play.failed.len());
    }
    if let Some(step) = course.longest(&play.hosts) {
        let since = duration_text(u64::try_from(now - step.since_ms).unwrap_or_default());
        let _ = write!(line, ", {} since {since}", step.host);
        if let Some(last) = step.tail.lines().rev().find(|line| !line.trim().is_empty()) {
            let clean: String = last.chars().filter(|c| !c.is_control()).take(60).collect();
            let _ = write!(line, ": {}", clean.trim());
        }
    }
    line
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
