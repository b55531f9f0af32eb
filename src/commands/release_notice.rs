//! The notice that there is a newer karpctl: asked for beside the work, said after it, and never in its way.

use crate::adapters::releases::{keep_asked, last_asked, newest_release};
use crate::app::App;
use crate::knowledge::newer_karpctl;
use crate::report::{Printer, Verbosity};
use std::io::IsTerminal as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

/// How often it is asked at most.
const PAUSE: Duration = Duration::from_hours(24);
/// The file below the state home whose time says when it was asked last.
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
        if !is_due(last_asked(&asked), SystemTime::now()) {
            return None;
        }
        // Before it is asked: one that never answers is not asked by every command either.
        keep_asked(&asked).ok()?;
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

fn is_due(last: Option<SystemTime>, now: SystemTime) -> bool {
    // One that is of tomorrow was written while the clock was wrong.
    last.and_then(|last| now.duration_since(last).ok()).is_none_or(|since| since >= PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("karpctl/asked");
        let now = SystemTime::now();
        let due = |now| is_due(last_asked(&file), now);
        assert!(due(now), "never asked");
        keep_asked(&file).unwrap();
        assert!(!due(SystemTime::now()));
        assert!(!due(now + Duration::from_hours(23)));
        assert!(due(SystemTime::now() + PAUSE));
        assert!(due(now - Duration::from_hours(1)), "a clock that was wrong is no reason never to ask again");
    }
}
