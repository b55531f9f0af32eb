//! What a person types next: this command line again, or the command that makes what is missing.

use super::parts::Part;
use crate::app::App;
use crate::plan::StepId;
use crate::shell::quoted;

/// Flags that only show a plan: whoever is told to run a command is to run it for real.
const SHOWS_ONLY: [&str; 3] = ["--dry-run", "--exit-code", "--print-commands"];

/// This command line with another command in the place of `name`, ready to be pasted.
#[must_use]
pub(super) fn command_line(app: &App, name: &str, instead: &str) -> String {
    let mut words = vec!["karpctl".to_owned()];
    let mut found = false;
    for word in app.env.command_line.iter().filter(|w| !SHOWS_ONLY.contains(&w.as_str())) {
        if !found && word == name {
            found = true;
            words.push(instead.to_owned());
        } else {
            words.push(quoted(word));
        }
    }
    words.join(" ")
}

/// What helps where a part of the way stands on steps that are not done.
#[must_use]
pub(super) fn makes(app: &App, name: &str, unmet: &[StepId]) -> Vec<String> {
    let listed = |steps: &[StepId]| steps.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
    let mut hints = Vec::new();
    for part in Part::ALL {
        let made: Vec<StepId> = part.steps().iter().copied().filter(|s| unmet.contains(s)).collect();
        if !made.is_empty() {
            hints.push(format!("`{}` makes {}", command_line(app, name, part.name()), listed(&made)));
        }
    }
    if unmet.contains(&StepId::Cluster) || hints.is_empty() {
        // No part makes a cluster: only the whole way does.
        hints = vec![format!("`{}` makes {}", command_line(app, name, "bootstrap"), listed(unmet))];
    }
    hints
}
