//! The notice that there is a newer karpctl: asked for beside the work, said after it, and never in its way.

use crate::adapters::releases::newest_release;
use crate::app::App;
use crate::knowledge::newer_karpctl;
use crate::report::{Printer, Verbosity};
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

/// How often it is asked at most.
const PAUSE: Duration = Duration::from_hours(24);
/// The file below the state home whose time says when it was asked last. It is empty.
const ASKED: &str = "karpctl/asked-for-release";

/// The question, which may still be under way.
pub struct ReleaseNotice(Receiver<String>);

impl ReleaseNotice {
    /// Asks, where somebody sits before it and wants to know. Everything that goes wrong is silent.
    #[must_use]
    pub fn begin(app: &App) -> Option<Self> {
        let env = &app.env;
        let wanted = !env.ci && !env.no_release_notice && app.printer.verbosity() > Verbosity::Quiet && std::io::stderr().is_terminal();
        let url = env.releases_url.clone().filter(|_| wanted)?;
        let asked = env.state_home.as_ref()?.join(ASKED);
        if !is_due(&asked, SystemTime::now()) {
            return None;
        }
        // Before it is asked: one that never answers is not asked by every command either.
        std::fs::create_dir_all(asked.parent()?).and_then(|()| std::fs::write(&asked, "")).ok()?;
        let (sender, receiver) = channel();
        // A thread of its own ends with the process, whatever it waits for.
        let ask = move || {
            if let Some(tag) = newest_release(&url) {
                // Whoever asked may be gone by now.
                let _ = sender.send(tag);
            }
        };
        std::thread::Builder::new().spawn(ask).ok()?;
        Some(Self(receiver))
    }

    /// Says what has been answered by now. Nothing is waited for.
    pub fn say(&self, printer: &Printer) {
        if let Some(newer) = self.0.try_recv().ok().and_then(|tag| newer_karpctl(&tag)) {
            let this = env!("CARGO_PKG_VERSION");
            printer
                .paragraph(&format!("note: karpctl {newer} is out, and this is {this}. KARPCTL_NO_RELEASE_NOTICE=1 turns this note off."));
        }
    }
}

fn is_due(asked: &Path, now: SystemTime) -> bool {
    let last = std::fs::metadata(asked).and_then(|file| file.modified());
    // One that is of tomorrow was written while the clock was wrong.
    last.ok().and_then(|last| now.duration_since(last).ok()).is_none_or(|since| since >= PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("asked");
        let now = SystemTime::now();
        assert!(is_due(&file, now), "never asked");
        std::fs::write(&file, "").unwrap();
        assert!(!is_due(&file, SystemTime::now()));
        assert!(!is_due(&file, now + Duration::from_hours(23)));
        assert!(is_due(&file, SystemTime::now() + PAUSE));
        assert!(is_due(&file, now - Duration::from_hours(1)), "a clock that was wrong is no reason never to ask again");
    }
}
