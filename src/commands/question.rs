//! Questions to a person at a terminal.

use crate::app::App;
use crate::error::{Error, ErrorKind, Result};
use std::io::BufRead as _;
use std::time::Duration;

/// Asks for one of these, by number or name. Answers its place in the list.
pub(super) async fn choose(app: &App, question: &str, why: &str, options: &[String], usual: usize) -> Result<usize> {
    app.printer.question(question, why);
    for (number, option) in options.iter().enumerate() {
        app.printer.status(&format!("  {:>2}) {option}", number + 1));
    }
    loop {
        let line = ask(app, &format!("Which? [{}]: ", usual + 1)).await?;
        match chosen(&line, options, usual) {
            Some(place) => return Ok(place),
            None => app.printer.status(&format!("`{line}` is none of 1 to {}, and no name from the list", options.len())),
        }
    }
}

/// Asks for a text that this takes. An empty answer means the usual one, where there is one.
pub(super) async fn text<T>(
    app: &App,
    question: &str,
    why: &str,
    usual: &str,
    read: impl Fn(&str) -> std::result::Result<T, String>,
) -> Result<T> {
    app.printer.question(question, why);
    loop {
        let prompt = if usual.is_empty() { "Answer: ".to_owned() } else { format!("[{usual}]: ") };
        let line = ask(app, &prompt).await?;
        match read(if line.is_empty() { usual } else { &line }) {
            Ok(value) => return Ok(value),
            Err(why) => app.printer.status(&why),
        }
    }
}

async fn ask(app: &App, prompt: &str) -> Result<String> {
    match line(app, prompt).await {
        Some(line) => Ok(line),
        None if app.cancel.is_cancelled() => Err(Error::new(ErrorKind::Interrupted, "interrupted; nothing was written")),
        None => Err(Error::usage("the answers ended before the questions; nothing was written")
            .hint("`karpctl init --defaults` asks nothing; flags such as --cluster-name and --region answer ahead")),
    }
}

/// How long a signal may be on its way.
const SIGNAL_COMES: Duration = Duration::from_millis(200);

/// A line from the terminal. `None`: the input has ended, or `app.cancel` is cancelled. An interruption ends the waiting; the thread that
/// reads is left behind, and ends with the process.
pub(super) async fn line(app: &App, prompt: &str) -> Option<String> {
    app.printer.ask(prompt);
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|bytes| (bytes > 0).then_some(line))
    });
    let line = tokio::select! {
        read = read => read.ok().and_then(std::io::Result::ok).flatten(),
        () = app.cancel.cancelled() => return None,
    };
    app.printer.answered();
    if line.is_none() {
        // An interruption may end the input before its signal has come.
        _ = tokio::time::timeout(SIGNAL_COMES, app.cancel.cancelled()).await;
    }
    line.map(|line| line.trim().to_owned())
}

/// The place of what was answered: its number, its name, or the only name that begins so.
fn chosen(line: &str, options: &[String], usual: usize) -> Option<usize> {
    if line.is_empty() {
        return Some(usual);
    }
    let line = line.to_lowercase();
    let options: Vec<String> = options.iter().map(|option| option.to_lowercase()).collect();
    let named = |option: &String| option.split_whitespace().next() == Some(&line);
    if let Some(place) = options.iter().position(|option| *option == line).or_else(|| options.iter().position(named)) {
        return Some(place);
    }
    if let Ok(number) = line.parse::<usize>() {
        return number.checked_sub(1).filter(|place| *place < options.len());
    }
    let mut begin = options.iter().enumerate().filter(|(_, option)| option.starts_with(&line));
    match (begin.next(), begin.next()) {
        (Some((place, _)), None) => Some(place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn a_number_a_name_or_the_beginning_of_one() {
        let options: Vec<String> = ["eu-central-1", "us-east-1", "us-west-2 (of your configuration)"].map(str::to_owned).into();
        for (line, place) in [
            ("", Some(1)),
            ("1", Some(0)),
            ("3", Some(2)),
            ("us-west-2", Some(2)),
            ("eu", Some(0)),
            ("EU-central-1", Some(0)),
            ("us", None),
            ("0", None),
            ("4", None),
            ("mars", None),
        ] {
            assert_eq!(chosen(line, &options, 1), place, "{line}");
        }
        assert_eq!(chosen("spot", &["spot and on-demand".into(), "spot".into()], 0), Some(1), "a whole name before the beginning of one");
    }
}
