//! The only way to print.

use super::bars::Bars;
use super::lines::{GoesOn, folded, unbroken, wrapped};
use crate::characters::Letters;
use crate::error::Error;
use anstream::AutoStream;
use anstyle::{Ansi256Color, AnsiColor, Style};
use std::borrow::Cow;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// Where the stream is a terminal, and neither `NO_COLOR` nor `CLICOLOR_FORCE` says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is said beside the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Status, warnings, hints.
    Normal,
    /// Also every line of the tools.
    Verbose,
}

/// The only way to print: the answer to stdout, all else to stderr. A closed pipe is quiet from then on. Of what is printed a terminal
/// obeys our colours only. Bars are drawn here too, so that whoever prints a line prints it above them.
pub struct Printer {
    stdout: Mutex<Box<dyn Write + Send>>,
    stderr: Mutex<Box<dyn Write + Send>>,
    verbosity: Verbosity,
    letters: Letters,
    bars: Option<Bars>,
    // A prompt stands in the last line of the terminal: what comes next begins a line of its own.
    asked: AtomicBool,
    // A question waits for its answer.
    waits: AtomicBool,
    lost: Mutex<Option<String>>,
}

/// Bold.
pub(super) const BOLD: Style = Style::new().bold();
/// For what went well: a green that reads on black and on white, which a terminal's own green does not.
pub(super) const GOOD: Style = Ansi256Color(28).on_default();
/// For what needs attention: a dark orange, for the same reason.
pub(super) const CARE: Style = Ansi256Color(130).on_default();
/// For what failed.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what matters less.
pub(super) const FAINT: Style = Style::new().dimmed();

/// What the styles are to a terminal.
const COLOURS: [&str; 6] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[38;5;28m", "\u{1b}[38;5;130m"];

/// Text in a style; the stream takes the style out again where it shows no colour.
pub(super) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

impl Printer {
    /// A printer on this process's streams.
    #[must_use]
    pub fn new(color: ColorChoice, verbosity: Verbosity, letters: Letters, ci: bool) -> Self {
        let choice = match color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::AlwaysAnsi,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        let draws = !ci && verbosity == Verbosity::Normal;
        Self {
            stdout: Mutex::new(Box::new(AutoStream::new(std::io::stdout(), choice))),
            stderr: Mutex::new(Box::new(AutoStream::new(std::io::stderr(), choice))),
            verbosity,
            letters,
            bars: if draws { Bars::on_stderr(letters) } else { None },
            asked: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            lost: Mutex::default(),
        }
    }

    /// Prints a part of an answer for a person, with a line end.
    pub fn answer(&self, text: &str) {
        self.to_stdout(text, self.letters);
    }

    /// Prints a part of an answer that programs read, with a line end: its letters do not depend on the locale.
    pub fn document(&self, text: &str) {
        self.to_stdout(text, Letters::Unicode);
    }

    fn to_stdout(&self, text: &str, letters: Letters) {
        // A reader that has seen enough (`karpctl … | head`) is no failure of ours; a full disk is.
        if let Err(e) = self.write(&self.stdout, text, letters)
            && e.kind() != std::io::ErrorKind::BrokenPipe
        {
            *self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(e.to_string());
        }
    }

    /// The failure that a part of the answer could not be written, where that is so.
    #[must_use]
    pub fn lost(&self) -> Option<Error> {
        let why = self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()?;
        Some(Error::failed("cannot write the answer to stdout").because(why).hint("make room where stdout goes, then run it again"))
    }

    /// Prints a part of the answer that is sentences: on a terminal its lines end between words. Not for commands, which are copied.
    pub fn told(&self, text: &str) {
        match Self::columns() {
            Some(columns) => self.answer(&folded(text, columns, GoesOn::Flush)),
            None => self.answer(text),
        }
    }

    /// Prints a page: at a terminal its paragraphs are broken where that ends, wherever their source is.
    pub fn page(&self, text: &str) {
        match Self::columns() {
            Some(columns) => self.answer(&page_at(text, columns)),
            None => self.answer(text),
        }
    }

    /// Prints a row of the answer: a thing and what there is to say of it, which is there to be copied. Where a terminal would break that,
    /// it has a line of its own.
    pub fn row(&self, thing: &str, said: &str) {
        let row = format!("  {thing:<30} {said}");
        let fits = Self::columns().is_none_or(|columns| console::measure_text_width(&row) <= columns);
        self.answer(&if fits { row } else { format!("  {thing}\n    {said}") });
    }

    /// Prints a row of a list to choose from: a line, cut where the terminal ends.
    pub fn entry(&self, thing: &str, said: &str) {
        let row = format!("  {thing:<26} {said}");
        self.answer(&Self::columns().map_or_else(|| row.clone(), |columns| console::truncate_str(&row, columns, "…").into_owned()));
    }

    /// Prints a status line, unless quiet. On a terminal long ones end between words.
    pub fn status(&self, text: &str) {
        self.copied(&on_stderr(text));
    }

    /// Prints what a person copies, as it is, unless quiet.
    pub fn copied(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            let _ = self.write(&self.stderr, text, self.letters);
        }
    }

    /// Prints a sentence to a person, unless quiet: where a terminal's line ends, between two words. Not for commands, which are copied.
    pub fn paragraph(&self, text: &str) {
        self.copied(&wrapped(text, columns_of_stderr().unwrap_or(usize::MAX)));
    }

    /// Prints a line of a tool, only where asked for.
    pub fn detail(&self, text: &str) {
        if self.verbosity == Verbosity::Verbose {
            let _ = self.write(&self.stderr, &styled(FAINT, text), self.letters);
        }
    }

    /// Prints a warning, unless quiet.
    pub fn warn(&self, text: &str) {
        self.status(&format!("{}: {text}", styled(CARE, "warning")));
    }

    /// Prints to stderr whatever the verbosity: errors.
    pub fn error(&self, text: &str) {
        let _ = self.write(&self.stderr, &on_stderr(text), self.letters);
    }

    /// Prints an error for a program to stderr.
    pub fn error_document(&self, text: &str) {
        let _ = self.write(&self.stderr, text, Letters::Unicode);
    }

    /// Prints a question and, in the same breath, what follows from the answer; a blank line before it sets it off.
    pub fn question(&self, question: &str, why: &str) {
        // Before it can be read: whoever sees it may interrupt it at once.
        self.waits.store(true, Ordering::Relaxed);
        self.paragraph("");
        self.paragraph(&format!("{} {why}", styled(BOLD, question)));
    }

    /// Prints a prompt without a line end: the answer is typed behind it.
    pub fn ask(&self, text: &str) {
        self.waits.store(true, Ordering::Relaxed);
        let mut stream = lock(&self.stderr);
        let _ = write!(stream, "{}", safe(text, self.letters)).and_then(|()| stream.flush());
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether a question waits for its answer: nothing is under way then.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// The person has answered, and so ended the question's line.
    pub fn answered(&self) {
        self.waits.store(false, Ordering::Relaxed);
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Where progress bars are drawn, if they are: on a terminal that nobody else writes to.
    #[must_use]
    pub(super) const fn bars(&self) -> Option<&Bars> {
        self.bars.as_ref()
    }

    /// Takes away what is drawn and not printed, for an end in the middle of something.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            bars.clear();
        }
    }

    /// How wide the terminal is that answers go to; `None` where they go elsewhere.
    #[must_use]
    pub(super) fn columns() -> Option<usize> {
        let terminal = console::Term::stdout();
        terminal.is_term().then(|| terminal.size().1.into())
    }

    /// How much is said.
    #[must_use]
    pub const fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    fn write(&self, stream: &Mutex<Box<dyn Write + Send>>, text: &str, letters: Letters) -> std::io::Result<()> {
        let print = || {
            let mut stream = lock(stream);
            let line_end = if self.asked.swap(false, Ordering::Relaxed) { "\n" } else { "" };
            writeln!(stream, "{line_end}{}", safe(text.strip_suffix('\n').unwrap_or(text), letters)).and_then(|()| stream.flush())
        };
        match &self.bars {
            Some(bars) => bars.above(print),
            None => print(),
        }
    }
}

fn lock(stream: &Mutex<Box<dyn Write + Send>>) -> std::sync::MutexGuard<'_, Box<dyn Write + Send>> {
    stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A page as a terminal of so many columns shows it.
#[must_use]
pub fn page_at(text: &str, columns: usize) -> String {
    folded(&unbroken(text), columns, GoesOn::Flush)
}

/// How wide the terminal is that everything but answers goes to; `None` where it goes elsewhere.
fn columns_of_stderr() -> Option<usize> {
    console::Term::stderr().size_checked().map(|(_, columns)| columns.into())
}

fn on_stderr(text: &str) -> Cow<'_, str> {
    columns_of_stderr().map_or(Cow::Borrowed(text), |columns| Cow::Owned(folded(text, columns, GoesOn::FurtherIn)))
}

/// The text in these letters, with all that a terminal would obey written out, but for our colours.
fn safe(text: &str, letters: Letters) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return letters.shown(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&letters.shown(&rest[..at]));
        let colour = COLOURS.iter().find(|colour| rest[at..].starts_with(**colour)).copied();
        let sequence = colour.unwrap_or("\u{1b}");
        out.push_str(&if colour.is_some() { Cow::Borrowed(sequence) } else { letters.shown(sequence) });
        rest = &rest[at + sequence.len()..];
    }
    out.push_str(&letters.shown(rest));
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{BAD, BOLD, CARE, FAINT, GOOD, Letters, safe, styled};
    use crate::characters::acts;

    #[test]
    fn a_terminal_obeys_our_colours_only() {
        for style in [BAD, BOLD, CARE, FAINT, GOOD] {
            let text = styled(style, "word");
            assert!(text.contains('\u{1b}') && text.contains(acts), "{text:?}");
            assert_eq!(safe(&text, Letters::Unicode), text);
        }
        let foreign = "a\u{1b}[2J\u{1b}]8;;http://x\u{1b}\\b\u{1b}[8m\u{9b}1A\u{202e}c\r\nd";
        let shown = r"a\u001b[2J\u001b]8;;http://x\u001b\b\u001b[8m\u009b1A\u202ec";
        assert_eq!(safe(foreign, Letters::Ascii), format!("{shown}\nd"));
        let (styled, plain) = (styled(BAD, foreign), format!("{shown}\nd"));
        assert_eq!(safe(&styled, Letters::Unicode), styled.replace(foreign, &plain));
    }
}
