//! What other tools call what a command here does: the nearest name in letters is another command, mostly the opposite one.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The words of terraform, helm, eksctl, kubectl and of habit, and the command line that is meant.
const MEANT: [(&[&str], &str, &str); 9] = [
    (&["uninstall", "delete", "remove", "rm", "down", "teardown", "cleanup"], "karpctl destroy", "takes away what karpctl made"),
    (&["plan", "preview"], "karpctl bootstrap --dry-run", "shows what would be done"),
    (
        &["apply", "up", "create", "deploy", "setup"],
        "karpctl bootstrap",
        "makes what is not there yet, and goes on from where things stand",
    ),
    (&["upgrade", "update"], "karpctl bootstrap --karpenter-version VERSION", "goes to another release"),
    (&["diff", "drift", "list", "ls", "get"], "karpctl status", "says what is there, and what is not as the spec says"),
    (&["check", "validate", "preflight", "lint"], "karpctl doctor", "tells what would break a bootstrap"),
    (&["completion", "completions"], "karpctl generate completions SHELL", "prints them"),
    (&["template"], "karpctl render", "prints what would be applied"),
    (&["import"], "karpctl adopt", "takes over a Karpenter that others installed"),
];

/// Says what is meant by a command that other tools have.
pub(crate) fn with_what_is_meant(mut said: Error) -> Error {
    let word = match said.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) if said.kind() == ErrorKind::InvalidSubcommand => word.clone(),
        _ => return said,
    };
    if let Some((_, command, does)) = MEANT.iter().find(|(words, ..)| words.contains(&word.as_str())) {
        said.remove(ContextKind::SuggestedSubcommand);
        said.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(format!("`{command}` {does}"))]));
    }
    said
}
