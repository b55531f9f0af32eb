//! The machine that karpctl runs on: its files, its PATH, the Kubernetes clients on it and their credential plugins.

use crate::error::Result;

use crate::knowledge::exec::TerminalAt;
use crate::knowledge::{ClientBuild, Tool};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A client as its file shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientBinary {
    /// As in [`crate::facts::ClientFacts::path`].
    pub path: PathBuf,
    /// As in [`crate::facts::ClientFacts::version`].
    pub version: String,
    /// As in [`crate::facts::ClientFacts::build`].
    pub build: Option<ClientBuild>,
    /// As in [`crate::facts::ClientFacts::build_source`].
    pub build_source: String,
    /// As in [`crate::facts::ClientFacts::shadowed`].
    pub shadowed: Vec<PathBuf>,
}

/// A plugin to run as a client runs it.
#[derive(Debug, Clone)]
pub struct PluginCall {
    /// The file, absolute.
    pub file: PathBuf,
    /// Its name as the client calls it (what the program sees as its own name).
    pub args: Vec<String>,
    /// Variables beside those of this process; of a name that is there twice the last counts.
    pub env: Vec<(String, String)>,
    /// Whether it may read what this process would read.
    pub interactive: bool,
    /// How long it may take.
    pub limit: Duration,
}

/// How a plugin ended. Its output is a secret.
pub struct PluginEnd {
    /// How, where not well: "exit code 1".
    pub ended: Option<String>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: String,
}

/// This machine.
#[async_trait]
pub trait Workstation: Send + Sync {
    /// The client of this kind: the file that is named, else the first on PATH. `None`: there is none.
    async fn client(&self, tool: Tool, named: Option<&Path>) -> Result<Option<ClientBinary>>;
    /// A variable of the environment; empty ones are none.
    fn variable(&self, name: &str) -> Option<String>;
    /// The home directory.
    fn home(&self) -> Option<PathBuf>;
    /// A path from the working directory.
    fn absolute(&self, path: &Path) -> PathBuf;
    /// A file's bytes. `None`: it is not there.
    fn read(&self, file: &Path) -> std::io::Result<Option<Vec<u8>>>;
    /// Whether others than the file's owner may read it.
    fn is_readable_by_others(&self, file: &Path) -> bool;
    /// The file that Go would run for a command, or why it would not. `relative`: elements of PATH such as `.` may find it.
    fn find(&self, command: &str, relative: bool) -> std::result::Result<PathBuf, String>;
    /// The first program of this name on PATH.
    fn program(&self, name: &str) -> Option<PathBuf>;
    /// The other programs of this name that PATH would find behind this one.
    fn others(&self, name: &str, first: &Path) -> Vec<PathBuf>;
    /// Why this machine would not run a program, by the file's own header. `None`: it would, or its header does not say.
    fn foreign(&self, file: &Path) -> Option<String>;
    /// The time.
    fn now(&self) -> jiff::Timestamp;
    /// Whether this process has a terminal there.
    fn has_terminal(&self, at: TerminalAt) -> bool;
    /// Runs a plugin.
    async fn run_plugin(&self, call: &PluginCall) -> PluginEnd;
    /// Asks a program a question on its standard input.
    async fn ask(&self, file: &Path, args: &[&str], question: &str, limit: Duration) -> PluginEnd;
}
