//! What is under way, in the last lines of a terminal, drawn over themselves.
//!
//! Every line is narrower than the terminal and has an end, so that the cursor waits at the beginning of a line of its own: what the
//! terminal itself writes there, the `^C` of a person, goes with the next drawing, and whoever ends in between leaves the terminal
//! usable.

use super::duration;
use crate::plan::StepId;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};
use terminal_size::{Height, Width, terminal_size_of};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How often the lines are drawn anew while nothing happens.
const TICK: Duration = Duration::from_millis(200);
/// What turns at the beginning of a line.
const TURNING: [&str; 4] = ["|", "/", "-", "\\"];
/// The size of a terminal that does not say it.
const SIZE: (u16, u16) = (80, 24);

/// The lines.
#[derive(Clone)]
pub(super) struct Bars(Arc<Mutex<Drawn>>);

#[derive(Default)]
struct Drawn {
    bars: Vec<Bar>,
    lines: usize,
    ticks: usize,
    ticking: bool,
}

struct Bar {
    step: StepId,
    title: String,
    began: Instant,
    usual_seconds: u32,
    message: String,
}

impl Bars {
    /// Lines on stderr. `None` where that is no terminal.
    pub(super) fn on_stderr() -> Option<Self> {
        std::io::stderr().is_terminal().then(|| Self(Arc::default()))
    }

    /// Adds a line for a step.
    pub(super) fn begin(&self, step: StepId, title: &str, usual_seconds: u32) {
        let mut drawn = self.lock();
        drawn.bars.push(Bar { step, title: title.to_owned(), began: Instant::now(), usual_seconds, message: String::new() });
        drawn.draw();
        if !drawn.ticking {
            drawn.ticking = true;
            let shown = Arc::downgrade(&self.0);
            std::thread::spawn(move || tick(&shown));
        }
    }

    /// Changes what a step's line says.
    pub(super) fn say(&self, step: StepId, message: &str) {
        let mut drawn = self.lock();
        if let Some(bar) = drawn.bars.iter_mut().find(|bar| bar.step == step) {
            // A line end within would make two lines of it.
            bar.message = message.split_whitespace().collect::<Vec<_>>().join(" ");
            drawn.draw();
        }
    }

    /// Takes the line of a step away.
    pub(super) fn end(&self, step: StepId) {
        let mut drawn = self.lock();
        drawn.bars.retain(|bar| bar.step != step);
        drawn.draw();
    }

    /// Takes every line away.
    pub(super) fn clear(&self) {
        let mut drawn = self.lock();
        drawn.bars.clear();
        drawn.draw();
    }

    /// Prints something that stays, above the lines.
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        let mut drawn = self.lock();
        show(&drawn.erased());
        drawn.lines = 0;
        let printed = print();
        drawn.draw();
        printed
    }

    fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Draws until nobody shows anything any more.
fn tick(shown: &Weak<Mutex<Drawn>>) {
    loop {
        std::thread::sleep(TICK);
        let Some(drawn) = shown.upgrade() else { return };
        let mut drawn = drawn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if drawn.bars.is_empty() {
            drawn.ticking = false;
            return;
        }
        drawn.ticks += 1;
        drawn.draw();
    }
}

impl Drawn {
    /// Draws the lines over those that are there.
    fn draw(&mut self) {
        let (Width(width), Height(height)) = terminal_size_of(std::io::stderr()).unwrap_or((Width(SIZE.0), Height(SIZE.1)));
        let lines = self.lines(width.into(), height.into());
        if lines.is_empty() && self.lines == 0 {
            return;
        }
        let frame = lines.iter().fold(self.erased(), |frame, line| frame + line + "\n");
        self.lines = lines.len();
        show(&frame);
    }

    /// What is shown on a terminal of this size.
    fn lines(&self, width: usize, height: usize) -> Vec<String> {
        let turning = TURNING[self.ticks % TURNING.len()];
        // More lines than the terminal has could not be drawn over.
        let shown = self.bars.iter().take(height.saturating_sub(1));
        shown.map(|bar| cut(&format!("{turning} {}", bar.text()), width.saturating_sub(1))).collect()
    }

    /// What takes the lines away: to the first of them, and from there to the end of the screen.
    fn erased(&self) -> String {
        if self.lines == 0 { String::new() } else { format!("\r\u{1b}[{}A\u{1b}[0J", self.lines) }
    }
}

/// One write a frame, so that none is seen half.
fn show(frame: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(frame.as_bytes()).and_then(|()| stderr.flush());
}

impl Bar {
    fn text(&self) -> String {
        let usually = if self.usual_seconds > 5 { format!(" of about {}", duration(self.usual_seconds.into())) } else { String::new() };
        format!("{} [{}{usually}] {}", self.title, duration(self.began.elapsed().as_secs()), self.message)
    }
}

/// As much of a text as fits into so many columns.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    let mut shown: String = text.chars().take_while(fits).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(titles: &[&str]) -> Drawn {
        let bar = |title: &&str| Bar {
            step: StepId::Stack,
            title: (*title).to_owned(),
            began: Instant::now(),
            usual_seconds: 75,
            message: "CREATE_IN_PROGRESS".into(),
        };
        Drawn { bars: titles.iter().map(bar).collect(), ..Drawn::default() }
    }

    #[test]
    fn no_line_reaches_the_edge_of_the_terminal() {
        let all = drawn(&["stack Karpenter-demo", "控制器 🚀🚀🚀🚀🚀🚀🚀🚀", "x"]);
        assert_eq!(all.lines(80, 24)[0], "| stack Karpenter-demo [0 s of about 75 s] CREATE_IN_PROGRESS");
        for width in [1, 2, 5, 20, 33, 34, 80] {
            assert!(all.lines(width, 24).iter().all(|line| line.width() < width.max(2)), "{width}: {:?}", all.lines(width, 24));
        }
        assert_eq!(all.lines(80, 3).len(), 2, "what does not fit in height is not drawn");
    }

    #[test]
    fn what_was_drawn_is_taken_away_and_nothing_else() {
        let mut one = drawn(&["stack"]);
        assert_eq!(one.erased(), "");
        one.lines = 2;
        assert_eq!(one.erased(), "\r\u{1b}[2A\u{1b}[0J");
    }
}
