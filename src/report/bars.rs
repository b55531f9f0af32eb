//! What is under way, in the last lines of a terminal: indicatif's bars, on lines of ours.
//!
//! indicatif leaves the cursor at the edge of its last line. What the terminal itself writes there, the `^C` of a person, takes it to
//! a line that indicatif does not know of, and a line stays. [`LastLines`] ends every line, and takes away as many as it drew: what a
//! person types goes with the next drawing, and whoever ends in between leaves the terminal usable.

use super::duration;
use crate::characters::Letters;
use console::{Term, truncate_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How often the lines are drawn anew while nothing happens.
const TICK: Duration = Duration::from_millis(200);
/// How often they are drawn at most, in a second, however much happens.
const DRAWN_A_SECOND: u8 = 20;
/// What turns at the beginning of a line; the last is of a bar that has ended, and never seen.
const TURNING: [&str; 5] = ["|", "/", "-", "\\", " "];

/// A bar for each thing that is under way, by its id: a step, or a proof.
#[derive(Clone)]
pub(super) struct Bars {
    all: MultiProgress,
    letters: Letters,
    by_id: Arc<Mutex<BTreeMap<&'static str, Bar>>>,
}

struct Bar {
    drawn: ProgressBar,
    stage: String,
    said: String,
}

impl Bars {
    /// Bars on stderr. `None` where that is no terminal.
    pub(super) fn on_stderr(letters: Letters) -> Option<Self> {
        let lines = || LastLines::new(io::stderr(), letters.cut(), || Term::stderr().size());
        io::stderr().is_terminal().then(|| Self::on(Box::new(lines()), letters))
    }

    fn on(lines: Box<dyn TermLike>, letters: Letters) -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(lines, DRAWN_A_SECOND);
        Self { all: MultiProgress::with_draw_target(target), letters, by_id: Arc::default() }
    }

    /// Adds a bar.
    pub(super) fn begin(&self, id: &'static str, title: &str, usual_seconds: u32) {
        // Ticking only once it is among the others: before, it would draw a line of its own that stays.
        let bar =
            self.all.add(ProgressBar::new_spinner().with_prefix(self.letters.shown(title).into_owned()).with_style(style(usual_seconds)));
        bar.tick();
        bar.enable_steady_tick(TICK);
        self.lock().insert(id, Bar { drawn: bar, stage: String::new(), said: String::new() });
    }

    /// Changes what is said beneath a bar.
    pub(super) fn say(&self, id: &'static str, message: &str) {
        if let Some(bar) = self.lock().get_mut(id) {
            // A line end within would make two lines of it.
            bar.said = self.letters.shown(message).split_whitespace().collect::<Vec<_>>().join(" ");
            bar.show();
        }
    }

    /// Changes how far a bar says that it is.
    pub(super) fn stage(&self, id: &'static str, stage: &str) {
        if let Some(bar) = self.lock().get_mut(id) {
            bar.stage = self.letters.shown(stage).into_owned();
            bar.show();
        }
    }

    /// Takes a bar away.
    pub(super) fn end(&self, id: &'static str) {
        if let Some(ended) = self.lock().remove(id) {
            self.take_away(&ended.drawn);
        }
    }

    /// Takes every bar away.
    pub(super) fn clear(&self) {
        for ended in std::mem::take(&mut *self.lock()).values() {
            self.take_away(&ended.drawn);
        }
    }

    /// Prints something that stays, above the bars.
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }

    fn take_away(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.all.remove(bar);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Bar>> {
        self.by_id.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Bar {
    fn show(&self) {
        let stage = if self.stage.is_empty() { String::new() } else { format!(" {}", self.stage) };
        let said = if self.said.is_empty() { String::new() } else { format!("\n  > {}", self.said) };
        self.drawn.set_message(stage + &said);
    }
}

/// `| cluster demo [##--------] [4 min of about 15 min] 2 of 4: add-ons`, and beneath it what was said last.
fn style(usual_seconds: u32) -> ProgressStyle {
    let usually = if usual_seconds > 5 { format!(" of about {}", duration(usual_seconds.into())) } else { String::new() };
    let elapsed = move |state: &ProgressState, line: &mut dyn fmt::Write| {
        let _ = write!(line, "{}{usually}", duration(state.elapsed().as_secs()));
    };
    let part = move |state: &ProgressState, line: &mut dyn fmt::Write| {
        let _ = line.write_str(&filled(state.elapsed().as_secs(), usual_seconds));
    };
    let template = "{spinner} {prefix} {part}[{took}]{msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.tick_strings(&TURNING).with_key("took", elapsed).with_key("part", part)
}

/// How much of the usual time has gone. What takes longer is not done for it: the last place stays free.
fn filled(seconds: u64, usual_seconds: u32) -> String {
    if usual_seconds <= 5 {
        return String::new();
    }
    let gone = (seconds * PLACES / u64::from(usual_seconds)).min(PLACES - 1);
    (0..PLACES).fold("[".to_owned(), |bar, place| bar + if place < gone { "#" } else { "-" }) + "] "
}

/// How many places a bar has.
const PLACES: u64 = 10;

/// The last lines of a terminal, drawn over themselves: what indicatif draws, each line with an end and none up to the edge.
///
/// Where indicatif moves the cursor or clears a line is not asked: what was drawn is taken away as a whole, in the same write that
/// draws anew, so that none is seen half.
struct LastLines<W, S> {
    size: S,
    /// What stands where a line is cut.
    cut: &'static str,
    drawing: Mutex<Drawing<W>>,
}

struct Drawing<W> {
    out: W,
    /// How many lines stand on the terminal.
    drawn: usize,
    /// The lines of the next drawing.
    lines: Vec<String>,
    /// indicatif writes a line in two parts, its text and what fills it: the next is the filling.
    fills: bool,
}

impl<W: Write + Send, S: Fn() -> (u16, u16) + Send + Sync> LastLines<W, S> {
    /// On this terminal, of so many (rows, columns).
    const fn new(out: W, cut: &'static str, size: S) -> Self {
        Self { size, cut, drawing: Mutex::new(Drawing { out, drawn: 0, lines: Vec::new(), fills: false }) }
    }

    fn lock(&self) -> MutexGuard<'_, Drawing<W>> {
        self.drawing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<W, S> fmt::Debug for LastLines<W, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastLines").finish_non_exhaustive()
    }
}

impl<W: Write + Send, S: Fn() -> (u16, u16) + Send + Sync> TermLike for LastLines<W, S> {
    fn width(&self) -> u16 {
        (self.size)().1.saturating_sub(1).max(1)
    }

    fn height(&self) -> u16 {
        // One line is where the cursor waits.
        (self.size)().0.saturating_sub(1).max(1)
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.lock().lines.push(line.to_owned());
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut drawing = self.lock();
        if !drawing.fills {
            drawing.lines.push(text.to_owned());
        }
        drawing.fills = !drawing.fills;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let (width, height) = (self.width(), self.height());
        let mut drawing = self.lock();
        let lines = std::mem::take(&mut drawing.lines);
        drawing.fills = false;
        if lines.is_empty() && drawing.drawn == 0 {
            return Ok(());
        }
        // To the first of the lines, and from there to the end of the screen.
        let mut frame = if drawing.drawn == 0 { String::new() } else { format!("\r\u{1b}[{}A\u{1b}[0J", drawing.drawn) };
        drawing.drawn = lines.len().min(height.into());
        // A line narrower than the mark has none.
        let cut = if usize::from(width) > self.cut.chars().count() { self.cut } else { "" };
        for line in lines.iter().take(height.into()) {
            let _ = writeln!(frame, "{}", truncate_str(line, width.into(), cut));
        }
        drawing.out.write_all(frame.as_bytes())?;
        drawing.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that remembers all that was written to it.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bars(rows: u16, columns: u16) -> (Bars, Written) {
        drawn(rows, columns, Letters::Unicode)
    }

    fn drawn(rows: u16, columns: u16, letters: Letters) -> (Bars, Written) {
        let written = Written::default();
        (Bars::on(Box::new(LastLines::new(written.clone(), letters.cut(), move || (rows, columns))), letters), written)
    }

    #[test]
    fn bars_are_ascii_where_the_locale_is() {
        let (bars, written) = drawn(24, 40, Letters::Ascii);
        bars.begin("stack", "stack Karpenter-démo", 75);
        bars.say("stack", "waiting … 가 and so on and on, for a long time");
        bars.above(|| ());
        let lines = shown(&written, 24, 40);
        assert!(lines.iter().all(|line| line.is_ascii()), "{lines:#?}");
        assert!(lines[1].starts_with("  > waiting ... \\uac00 and so on") && lines[1].ends_with("..."), "{lines:#?}");
    }

    /// What stands on a terminal of that size in the end, without what no line shows.
    fn shown(written: &Written, rows: u16, columns: u16) -> Vec<String> {
        let mut screen = vt100::Parser::new(rows, columns, 0);
        // A terminal makes a new line of what is a line end to a program.
        let bytes = String::from_utf8(written.0.lock().unwrap().clone()).unwrap().replace('\n', "\r\n");
        screen.process(bytes.as_bytes());
        screen.screen().contents().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_step_has_a_bar_and_what_was_said_last_beneath_it() {
        let (bars, written) = bars(24, 80);
        bars.begin("stack", "stack Karpenter-demo", 75);
        bars.begin("cluster", "cluster demo", 900);
        bars.stage("cluster", "2 of 4: add-ons");
        bars.say("stack", "cloudformation: CREATE_IN_PROGRESS\nKarpenterNodeRole");
        bars.above(|| written.clone().write_all(b"said above\n").unwrap());
        let lines = shown(&written, 24, 80);
        assert_eq!(lines[0], "said above");
        assert!(lines[1].ends_with(" stack Karpenter-demo [----------] [0 s of about 75 s]"), "{lines:#?}");
        assert_eq!(lines[2], "  > cloudformation: CREATE_IN_PROGRESS KarpenterNodeRole");
        assert!(lines[3].ends_with(" cluster demo [----------] [0 s of about 15 min] 2 of 4: add-ons"), "{lines:#?}");
        // As if both had begun so long ago.
        for (bar, ago) in bars.lock().values().zip([240, 42]) {
            // A bar that ticks by itself is not drawn by anybody else.
            bar.drawn.disable_steady_tick();
            bar.drawn.clone().with_elapsed(Duration::from_secs(ago)).tick();
        }
        bars.above(|| ());
        let lines = shown(&written, 24, 80);
        assert!(lines[1].ends_with(" stack Karpenter-demo [#####-----] [42 s of about 75 s]"), "{lines:#?}");
        assert!(lines[3].ends_with(" cluster demo [##--------] [4 min of about 15 min] 2 of 4: add-ons"), "{lines:#?}");
        bars.clear();
        assert_eq!(shown(&written, 24, 80), ["said above"]);
    }

    #[test]
    fn a_bar_is_full_only_when_its_step_is_done() {
        assert_eq!(
            [0, 74, 75, 900, u64::from(u32::MAX)].map(|seconds| filled(seconds, 75)).map(|bar| bar.matches('#').count()),
            [0, 9, 9, 9, 9]
        );
        assert_eq!(filled(3, 5), "", "what is over at once has none");
    }

    #[test]
    fn no_line_reaches_the_edge_and_nothing_stays_on_a_terminal_of_any_size() {
        for (rows, columns) in [(24, 120), (24, 80), (24, 20), (3, 20), (2, 5), (1, 2), (1, 1)] {
            let (bars, written) = bars(rows, columns);
            bars.above(|| written.clone().write_all(b"$\n").unwrap());
            for (step, title) in [("stack", "stack Karpenter-demo"), ("cluster", "控制器 🚀🚀🚀🚀🚀🚀🚀🚀")] {
                bars.begin(step, title, 75);
                bars.say(step, &"waiting ".repeat(30));
            }
            bars.above(|| ());
            let widest = String::from_utf8(written.0.lock().unwrap().clone()).unwrap().replace('\r', "");
            let widest = widest.lines().map(|line| console::measure_text_width(&console::strip_ansi_codes(line))).max();
            assert!(widest.unwrap() < usize::from(columns.max(2)), "{rows} × {columns}: {widest:?}");
            bars.end("stack");
            bars.end("cluster");
            assert!(shown(&written, rows, columns).iter().all(|line| line == "$" || line.is_empty()), "{rows} × {columns}");
        }
    }

    #[test]
    fn what_a_person_types_goes_with_the_next_drawing() {
        let (bars, written) = bars(24, 40);
        bars.begin("stack", "stack Karpenter-demo", 75);
        bars.above(|| ());
        assert_eq!(shown(&written, 24, 40).len(), 1);
        written.clone().write_all(b"^C").unwrap();
        bars.say("stack", "finishing");
        bars.clear();
        assert_eq!(shown(&written, 24, 40), Vec::<String>::new());
    }
}
