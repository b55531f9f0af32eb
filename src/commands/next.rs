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
    replaced(&app.env.command_line, name, instead)
}

fn replaced(typed: &[String], name: &str, instead: &str) -> String {
    let said: Vec<&String> = typed.iter().filter(|word| !SHOWS_ONLY.contains(&word.as_str())).collect();
    let places = || (0..said.len()).filter(|at| said[*at] == name);
    // Behind a flag it may be that flag's value.
    let place = places().find(|at| at.checked_sub(1).is_none_or(|before| !said[before].starts_with('-'))).or(places().next());
    let words = said.iter().enumerate().map(|(at, word)| if Some(at) == place { instead.to_owned() } else { quoted(word) });
    std::iter::once("karpctl".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
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

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn the_command_is_replaced_and_no_name_that_is_like_it() {
        for (typed, shown) in [
            ("install --cluster-name demo --dry-run", "karpctl bootstrap --cluster-name demo"),
            ("--cluster-name install install --yes", "karpctl --cluster-name install bootstrap --yes"),
            ("-f install install", "karpctl -f install bootstrap"),
            ("--cluster-name=install -v install", "karpctl --cluster-name=install -v bootstrap"),
        ] {
            let typed: Vec<String> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(replaced(&typed, "install", "bootstrap"), shown);
        }
    }
}
