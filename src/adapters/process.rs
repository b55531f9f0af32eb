//! Child processes: their lines as they come, and an end that lets them clean up.
//!
//! A child gets a process group of its own. Ctrl-C on the terminal therefore reaches karpctl only, which lets the child finish
//! what it writes: it is asked by SIGINT once, then has [`GRACE`].

use crate::error::{Error, ErrorKind, Result, clean};
use crate::ports::Lines;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// How long a child may take to end after it was asked to, and again after it was told to.
pub const GRACE: Duration = Duration::from_secs(30);
/// How long output is waited for after the child's end: something that it started may hold the pipe open for ever.
const LEFTOVERS: Duration = Duration::from_secs(2);
/// How many of the last lines are kept for an error.
const KEPT_LINES: usize = 100;
/// The longest line that is looked at; the rest of it is dropped.
const LINE: usize = 8 * 1024;
/// The most of an output that is captured whole.
const CAPTURE: usize = 1024 * 1024;

/// A program to run, without a shell.
#[derive(Debug, Clone)]
pub struct Run {
    program: PathBuf,
    args: Vec<OsString>,
    // `None` takes a variable away.
    env: Vec<(OsString, Option<OsString>)>,
    grace: Duration,
    stdin: Input,
    place: Place,
    capture: usize,
}

/// Where a child stands at a terminal: what reads from one without being in its foreground is stopped.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In a process group of its own, all of which can be ended.
    Apart,
    /// In this process's group.
    Foreground,
}

/// What a child reads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Input {
    Nothing,
    Text(String),
    OfThisProcess,
}

/// How a child ended, and the last that it said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// The last lines of both its outputs, cleaned.
    pub tail: Vec<String>,
    /// It was asked to end, because the person interrupted.
    pub interrupted: bool,
}

/// A child that was not waited for to its end is killed with all that it started: whoever stops waiting also takes away the files that
/// it works with.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        signal_group(&self.0, Signal::KILL);
    }
}

/// A short output, whole.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Run {
    /// This program with no argument.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            grace: GRACE,
            stdin: Input::Nothing,
            place: Place::Apart,
            capture: CAPTURE,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable; all others are inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Takes a variable away.
    #[must_use]
    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Another grace period than [`GRACE`].
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Lets it read what this process would read.
    #[must_use]
    pub fn with_stdin(mut self) -> Self {
        self.stdin = Input::OfThisProcess;
        self.in_foreground()
    }

    /// Lets it ask the person at this process's terminal, by opening that itself. Ctrl-C there reaches it too.
    #[must_use]
    pub const fn in_foreground(mut self) -> Self {
        self.place = Place::Foreground;
        self
    }

    /// Lets it read this, where what it prints is captured.
    #[must_use]
    pub fn with_input(mut self, text: impl Into<String>) -> Self {
        self.stdin = Input::Text(text.into());
        self
    }

    /// Keeps more of a captured output than usual, in bytes.
    #[must_use]
    pub const fn capturing(mut self, bytes: usize) -> Self {
        self.capture = bytes;
        self
    }

    fn name(&self) -> String {
        self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned()
    }

    fn spawn(&self) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command.stdin(match self.stdin {
            Input::Nothing => Stdio::null(),
            Input::Text(_) => Stdio::piped(),
            Input::OfThisProcess => Stdio::inherit(),
        });
        if matches!(self.place, Place::Apart) {
            command.process_group(0);
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.spawn().map(Running).map_err(|e| {
            let shown = self.program.display();
            let error = Error::new(ErrorKind::Tool, format!("cannot run {shown}"));
            match e.kind() {
                std::io::ErrorKind::NotFound => {
                    error.because("there is no such file").hint(format!("install {0}, or name its file with --{0}", self.name()))
                }
                std::io::ErrorKind::PermissionDenied => {
                    error.because("it is not executable").hint(format!("make it so: `chmod +x {shown}`"))
                }
                _ => error.because(e.to_string()),
            }
        })
    }

    /// Runs it to its end. A status that is not 0 is not an error here: what it means is the tool's own.
    pub async fn lines(&self, lines: Lines<'_>, cancel: &CancellationToken) -> Result<Ended> {
        let mut running = self.spawn()?;
        let child = &mut running.0;
        let tail = std::sync::Mutex::new(VecDeque::new());
        let take = |line: &str| {
            lines(line);
            if let Ok(mut tail) = tail.lock() {
                if tail.len() == KEPT_LINES {
                    tail.pop_front();
                }
                tail.push_back(line.to_owned());
            }
        };
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (status, interrupted) = {
            let mut reading = std::pin::pin!(async { tokio::join!(each_line(out, &take), each_line(err, &take)) });
            let mut ending = std::pin::pin!(end(child, self.grace, cancel));
            let mut read = false;
            let ended = loop {
                tokio::select! {
                    _ = &mut reading, if !read => read = true,
                    ended = &mut ending => break ended,
                }
            };
            if !read {
                let _ = tokio::time::timeout(LEFTOVERS, reading).await;
            }
            ended.map_err(|e| Error::new(ErrorKind::Tool, format!("cannot wait for {}", self.name())).because(e.to_string()))?
        };
        let tail = tail.into_inner().unwrap_or_default().into();
        Ok(Ended { status, tail, interrupted })
    }

    /// Runs it to its end and gives what it printed, for a tool that answers a question. It is killed after `limit`.
    pub async fn captured(&self, limit: Duration) -> Result<Captured> {
        let mut running = self.spawn()?;
        let child = &mut running.0;
        let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let told = async {
            if let (Some(mut input), Input::Text(text)) = (input, &self.stdin) {
                // One that does not listen has its reasons, and says them by its end.
                let _ = input.write_all(text.as_bytes()).await;
            }
        };
        let whole = async {
            let (stdout, stderr, (), status) = tokio::join!(all(out, self.capture), all(err, self.capture), told, child.wait());
            status.map(|status| Captured { status, stdout, stderr })
        };
        match tokio::time::timeout(limit, whole).await {
            Ok(Ok(captured)) => Ok(captured),
            Ok(Err(e)) => Err(Error::new(ErrorKind::Tool, format!("cannot wait for {}", self.name())).because(e.to_string())),
            Err(_) => {
                signal_group(child, Signal::KILL);
                let message = format!("{} did not end within {} s", self.program.display(), limit.as_secs());
                Err(Error::new(ErrorKind::Tool, message))
            }
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// That it is gone by now is what was wanted.
fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = pid(child) {
        let _ = kill_process(pid, signal);
    }
}

fn signal_group(child: &Child, signal: Signal) {
    if let Some(pid) = pid(child) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Waits for the end: by itself, or after it was asked. Only the child is asked, because what it started itself (a credential
/// plugin) it still needs to clean up.
async fn end(child: &mut Child, grace: Duration, cancel: &CancellationToken) -> std::io::Result<(ExitStatus, bool)> {
    tokio::select! {
        status = child.wait() => return Ok((status?, false)),
        () = cancel.cancelled() => signal(child, Signal::INT),
    }
    for harder in [Signal::TERM, Signal::KILL] {
        match tokio::time::timeout(grace, child.wait()).await {
            Ok(status) => return Ok((status?, true)),
            Err(_) => signal_group(child, harder),
        }
    }
    Ok((child.wait().await?, true))
}

/// Hands out each line, cleaned. A carriage return ends one too: progress bars are lines that go over themselves.
async fn each_line(from: Option<impl AsyncRead + Unpin>, take: &(dyn Fn(&str) + Send + Sync)) {
    let Some(mut from) = from else { return };
    let mut chunk = [0; 4096];
    let mut line: Vec<u8> = Vec::new();
    let give = |line: &mut Vec<u8>| {
        let text = shown(line);
        if !text.is_empty() {
            take(&text);
        }
        line.clear();
    };
    // A pipe that cannot be read any more is one that has ended.
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        for byte in &chunk[..read] {
            match byte {
                b'\n' | b'\r' => give(&mut line),
                _ if line.len() < LINE => line.push(*byte),
                _ => {}
            }
        }
    }
    give(&mut line);
}

async fn all(from: Option<impl AsyncRead + Unpin>, limit: usize) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut chunk = vec![0; 4096];
    let mut whole: Vec<u8> = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        // Read on beyond the limit, so that the child does not stand still on a full pipe.
        let room = limit.saturating_sub(whole.len());
        whole.extend_from_slice(&chunk[..read.min(room)]);
    }
    String::from_utf8_lossy(&whole).into_owned()
}

/// A line as it can be shown: no colours, no control characters, no longer than a foreign text may be. Its indentation stays.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let plain = anstream::adapter::strip_str(&text).to_string();
    let indent: String = plain.chars().take_while(|c| *c == ' ').take(40).collect();
    let cleaned = clean(&plain);
    if cleaned.is_empty() { cleaned } else { indent + &cleaned }
}
