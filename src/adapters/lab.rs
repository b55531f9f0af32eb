//! The lab: the real parts of an EKS cluster on loopback, without an AWS account. Its source is part of karpctl; it is
//! written to the cache and run from there, so that an installed karpctl rehearses as a checkout does.

use crate::error::{Error, ErrorKind, Result};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

static SOURCE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/lab");

/// What the lab says when all its parts are up.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// All that a program needs to live in the lab.
    pub env: BTreeMap<String, String>,
    /// The URL of the stand-in for AWS, and of its control API below `/_lab/`.
    pub gate: String,
    /// A kubeconfig of the administrator.
    pub kubeconfig: PathBuf,
    /// The AWS account.
    pub account: String,
    /// The AWS region.
    pub region: String,
}

/// What becomes of the answer of a karpctl in the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is shown.
    Shown,
    /// It is passed over.
    Unseen,
}

/// A lab that runs. Dropping it stops every part.
pub struct Lab {
    child: Child,
    stdin: Option<ChildStdin>,
    /// How it is reached.
    pub ready: Ready,
}

/// Writes the lab's source into the cache, once for each version of it. Returns where.
pub fn source(cache: &Path) -> Result<PathBuf> {
    let mut digest = Sha256::new();
    files(&SOURCE, &mut |path, bytes| {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update(bytes);
    });
    let name: String = digest.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
    let target = cache.join(format!("source-{name}"));
    if target.join("complete").exists() {
        return Ok(target);
    }
    let write = || -> std::io::Result<()> {
        let mut result = Ok(());
        files(&SOURCE, &mut |path, bytes| {
            let file = target.join(path);
            if result.is_ok() {
                result = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, bytes));
            }
        });
        result?;
        std::fs::write(target.join("complete"), "")
    };
    write().map_err(|e| Error::failed(format!("cannot write the lab to {}", target.display())).because(e.to_string()))?;
    Ok(target)
}

fn files<'d>(dir: &'d Dir<'_>, take: &mut dyn FnMut(&'d Path, &'d [u8])) {
    for file in dir.files().filter(|f| !f.path().components().any(|c| c.as_os_str() == "__pycache__")) {
        take(file.path(), file.contents());
    }
    for sub in dir.dirs() {
        files(sub, take);
    }
}

fn python(source: &Path, script: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(source.join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn no_python(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Tool, "cannot run python3").because(error.to_string()).hint("install Python 3: the lab is run by it")
}

/// Installs the parts of the lab that are missing, with progress on stderr.
pub fn install(source: &Path) -> Result<()> {
    let status = python(source, "setup.py").stdin(Stdio::null()).stdout(Stdio::null()).status().map_err(|e| no_python(&e))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Tool, "the lab's parts could not all be installed")
        .hint("the lines above say which and why; what is installed is kept, and running again goes on from there"))
}

impl Lab {
    /// Starts a lab that keeps its files in `dir`, and gives it up once `stop` is said. `progress` takes the names of the parts as they come up.
    pub fn start(source: &Path, dir: &Path, arguments: &[&str], stop: &CancellationToken, mut progress: impl FnMut(&str)) -> Result<Self> {
        let mut child = python(source, "lab.py")
            .arg("serve")
            .arg("--dir")
            .arg(dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C on the terminal is for karpctl, which may still need the lab: that ends with its standard input.
            .process_group(0)
            .spawn()
            .map_err(|e| no_python(&e))?;
        let stdin = child.stdin.take();
        let lines = lines_of(child.stdout.take());
        loop {
            let line = match lines.recv_timeout(BEAT) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if stop.is_cancelled() => {
                    drop(stdin);
                    let _ = child.wait();
                    return Err(Error::new(ErrorKind::Interrupted, "the lab was stopped before it was up"));
                }
                Err(RecvTimeoutError::Timeout) => continue,
            };
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            match event["event"].as_str() {
                Some("started") => progress(event["part"].as_str().unwrap_or_default()),
                Some("ready") => {
                    let ready = serde_json::from_value(event)
                        .map_err(|e| Error::failed("the lab does not say how it is reached").because(e.to_string()))?;
                    return Ok(Self { child, stdin, ready });
                }
                _ => {}
            }
        }
        let status = child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
        Err(Error::failed("the lab did not come up")
            .because(format!("it ended with {status}"))
            .hint(format!("its logs are in {}", dir.join("log").display())))
    }

    /// Asks the control API: `inventory`, `requests?since=3`, …
    pub fn get(&self, path: &str) -> Result<Value> {
        answer(ureq::get(format!("{}/_lab/{path}", self.ready.gate)).call(), path)
    }

    /// Tells the control API: `faults`, `settings`, `clusters`.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        answer(ureq::post(format!("{}/_lab/{path}", self.ready.gate)).send_json(body), path)
    }

    /// Makes a cluster that is there already, as somebody else would have made it, and waits until its nodes have joined.
    pub fn make_cluster(&self, cluster: &Value) -> Result<()> {
        self.post("clusters", cluster)?;
        let wanted = cluster["nodes"].as_u64().unwrap_or(2);
        for _ in 0..120 {
            let joined = self.get("inventory")?["kubernetes"]["nodes"].as_array().map_or(0, Vec::len);
            if joined as u64 >= wanted {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        Err(Error::failed("the nodes of the lab's cluster do not join"))
    }

    /// Forgets the faults that were not met.
    pub fn clear_faults(&self) -> Result<Value> {
        answer(ureq::delete(format!("{}/_lab/faults", self.ready.gate)).call(), "faults")
    }

    /// A command that lives in the lab: its environment and nothing else.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.ready.env);
        command
    }

    /// Runs karpctl itself in the lab, at this terminal, with nothing to read.
    pub fn karpctl(&self, words: &[OsString], answer: Answer) -> std::io::Result<ExitStatus> {
        let mut command = self.command(&std::env::current_exe()?);
        let of_the_terminal = ["TERM", "COLORTERM", "NO_COLOR", "CLICOLOR_FORCE", "CI"];
        command.envs(of_the_terminal.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        if answer == Answer::Unseen {
            command.stdout(Stdio::null());
        }
        command.args(words).stdin(Stdio::null()).status()
    }

    /// Stops every part and waits for that.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // The lab ends with its standard input.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end();
    }
}

/// How often it is looked whether somebody has had enough.
const BEAT: Duration = Duration::from_millis(100);

/// What a child says, line by line, for whoever also waits for something else.
fn lines_of(out: Option<ChildStdout>) -> Receiver<String> {
    let (send, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let said = out.into_iter().flat_map(|out| BufReader::new(out).lines());
        said.map_while(std::io::Result::ok).try_for_each(|line| send.send(line))
    });
    lines
}

fn answer(response: std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>, path: &str) -> Result<Value> {
    let failed = |e: ureq::Error| Error::failed(format!("the lab did not answer {path}")).because(e.to_string());
    response.map_err(failed)?.body_mut().read_json().map_err(failed)
}
