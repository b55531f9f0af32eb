//! What running helm and running eksctl have in common: finding the file, asking for its version, private files.

use super::process::{Captured, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::ToolFacts;
use crate::knowledge::Tool;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a tool may take to say its version: a cold start of eksctl on a loaded machine takes seconds.
pub(super) const VERSION_TIME: Duration = Duration::from_secs(30);

/// What tools said to who asked for their version. Several do in one run (which client is it, does it fit, what does it take), and each
/// file is asked once.
#[derive(Debug, Clone, Default)]
pub struct Versions(Arc<Mutex<BTreeMap<PathBuf, Answer>>>);

type Answer = Arc<OnceCell<Result<Captured>>>;

impl Versions {
    /// What this file says; `run` is how it is asked.
    pub(super) async fn said(&self, path: &Path, run: Run) -> Result<Captured> {
        let answer = match self.0.lock() {
            Ok(mut answers) => Answer::clone(answers.entry(path.to_owned()).or_default()),
            Err(_) => Answer::default(),
        };
        answer.get_or_init(|| run.captured(VERSION_TIME)).await.clone()
    }
}

/// The file that will run. A name is looked for on PATH, and may be nowhere; a path (with a slash) must be there.
pub(super) fn find(tool: Tool, program: &Path) -> Result<Option<PathBuf>> {
    if program.components().count() > 1 || program.is_absolute() {
        let found = std::path::absolute(program).ok().filter(|f| is_executable(f));
        return found.map(Some).ok_or_else(|| {
            let shown = program.display();
            let hint = format!("name an executable file with --{tool}, or leave it out to take the {tool} on PATH");
            match std::fs::metadata(program) {
                Ok(there) if there.is_dir() => Error::new(ErrorKind::Tool, format!("{shown} is a folder, not {tool}")).hint(hint),
                Ok(_) => Error::new(ErrorKind::Tool, format!("{shown} is not executable"))
                    .hint(format!("make it so: `chmod +x {shown}`"))
                    .hint(hint),
                Err(_) => Error::new(ErrorKind::Tool, format!("there is no {tool} at {shown}")).hint(hint),
            }
        });
    }
    Ok(on_path(program))
}

/// The first file of that name that PATH leads to.
pub(super) fn on_path(program: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).filter_map(|dir| std::path::absolute(dir.join(program)).ok());
    candidates.find(|file| is_executable(file))
}

/// The other files of a program's name that PATH would find behind this one.
pub(super) fn others_on_path(program: &str, first: &Path) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // One file that several names lead to (/bin is /usr/bin) shadows nothing.
    let mut seen = vec![std::fs::canonicalize(first).ok()];
    let mut found = Vec::new();
    for file in std::env::split_paths(&path).filter_map(|dir| std::path::absolute(dir.join(program)).ok()) {
        let real = std::fs::canonicalize(&file).ok();
        if is_executable(&file) && !seen.contains(&real) {
            seen.push(real);
            found.push(file);
        }
    }
    found
}

pub(super) fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// A tool by what it said when it was asked for its version; `answer` finds it in what was printed.
pub(super) fn facts(tool: Tool, captured: &Captured, path: PathBuf, answer: fn(&str) -> Option<&str>) -> Result<ToolFacts> {
    let version = answer(&captured.stdout).and_then(|text| text.parse().ok());
    match version {
        Some(version) if captured.status.success() => Ok(ToolFacts { path, version }),
        _ => {
            let printed = if captured.stdout.trim().is_empty() { &captured.stderr } else { &captured.stdout };
            let plain = anstream::adapter::strip_str(printed).to_string();
            let first: String = plain.trim().lines().take(5).collect::<Vec<_>>().join("\n").chars().take(400).collect();
            let said = if first.is_empty() { "nothing".to_owned() } else { format!("`{first}`") };
            Err(Error::new(ErrorKind::Tool, format!("{} does not say which {tool} it is", path.display()))
                .because(format!("asked for its version, it printed {said} and ended with {}", captured.status))
                .hint(format!("check that it is {tool}, or name another file with --{tool}")))
        }
    }
}

/// No such tool, where it is needed.
pub(super) fn missing(tool: Tool, doing: &str) -> Error {
    let link = match tool {
        Tool::Helm => "https://helm.sh/docs/intro/install/",
        Tool::Eksctl => "https://eksctl.io/installation/",
        Tool::Kubectl => "https://kubernetes.io/docs/tasks/tools/",
    };
    Error::new(ErrorKind::Tool, doing)
        .because(format!("there is no {tool} on PATH"))
        .hint(format!("install {tool} ({link}), or name its file with --{tool}"))
}
