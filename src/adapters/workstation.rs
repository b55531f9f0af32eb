//! This machine, as it is.

use super::go_build::{self, GoBuild};
use super::helm::version_run;
use super::process::Run;
use super::tool::Versions;
use super::{program, text_file, tool};
use crate::error::{Error, ErrorKind, Result};
use crate::knowledge::exec::TerminalAt;
use crate::knowledge::{ClientBuild, Tool, ToolVersion};
use crate::ports::{ClientBinary, PluginCall, PluginEnd, Workstation};
use async_trait::async_trait;
use serde_json::Value;
use std::io::{IsTerminal as _, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most of a plugin's answer that is kept. A client keeps all; no answer is near this.
const ANSWER: usize = 16 * 1024 * 1024;

/// This machine.
#[derive(Debug, Clone, Default)]
pub struct ThisMachine {
    /// What was asked before.
    pub versions: Versions,
}

impl ThisMachine {
    /// The file of a tool that is named, by its path or by the name that PATH has it under.
    pub fn named(&self, tool: Tool, file: &Path) -> Result<PathBuf> {
        let found = tool::find(tool, file).map_err(|e| Error { kind: ErrorKind::Usage, ..e })?;
        found.ok_or_else(|| {
            Error::usage(format!("there is no {} on PATH", file.display()))
                .hint(format!("name the file of {tool} with --{tool}, or leave it out to take the {tool} on PATH"))
        })
    }
}

#[async_trait]
impl Workstation for ThisMachine {
    async fn client(&self, tool: Tool, named: Option<&Path>) -> Result<Option<ClientBinary>> {
        let Some(path) = tool::find(tool, named.unwrap_or_else(|| Path::new(tool.as_str())))? else { return Ok(None) };
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || go_build::read(&file)).await.map_err(|e| Error::failed(e.to_string()))?;
        let go = read.map_err(|e| Error::new(ErrorKind::Tool, format!("cannot read {}", path.display())).because(e.to_string()))?;
        let shadowed = if named.is_some() { Vec::new() } else { tool::others_on_path(tool.as_str(), &path) };
        let in_file = go.as_ref().and_then(client_go_of);
        let said = if in_file.is_some() && tool != Tool::Helm { None } else { said_version(&self.versions, tool, &path).await };
        let version = said.clone().or_else(|| go.as_ref().and_then(own_version)).unwrap_or_else(|| "unknown".to_owned());
        let with = |client_go: u16| ClientBuild { client_go, go: go.as_ref().and_then(go_minor), mergo: go.as_ref().and_then(mergo) };
        let by_version = || said.as_deref().and_then(|v| v.parse::<ToolVersion>().ok()).and_then(|v| v.client_go_minor(tool));
        let (build, build_source) = match (in_file, by_version()) {
            (Some(client_go), _) => (Some(with(client_go)), "its own build information".to_owned()),
            (None, Some(client_go)) => (Some(with(client_go)), format!("the version that it says, {version}")),
            (None, None) => (None, "neither its build information nor its version say it".to_owned()),
        };
        Ok(Some(ClientBinary { path, version, build, build_source, shadowed }))
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    }

    fn read(&self, file: &Path) -> std::io::Result<Option<Vec<u8>>> {
        match text_file::bytes(file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn is_readable_by_others(&self, file: &Path) -> bool {
        std::fs::metadata(file).is_ok_and(|m| m.permissions().mode() & 0o044 != 0)
    }

    fn find(&self, command: &str, relative: bool) -> std::result::Result<PathBuf, String> {
        if command.contains('/') {
            let file = PathBuf::from(command);
            return runnable(&file).map(|()| file).map_err(|why| format!("fork/exec {command}: {why}"));
        }
        // Without PATH there is nowhere to look, while an empty element of it is the working directory.
        let path = std::env::var_os("PATH").filter(|path| !path.is_empty());
        for folder in path.iter().flat_map(std::env::split_paths) {
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            let file = folder.join(command);
            if !tool::is_executable(&file) {
                continue;
            }
            if !folder.is_absolute() && !relative {
                return Err(format!("\"{command}\": cannot run executable found relative to current directory ({})", file.display()));
            }
            let file = self.absolute(&file);
            return runnable(&file).map(|()| file.clone()).map_err(|why| format!("fork/exec {}: {why}", file.display()));
        }
        Err(format!("executable {command} not found"))
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        tool::on_path(Path::new(name))
    }

    fn others(&self, name: &str, first: &Path) -> Vec<PathBuf> {
        tool::others_on_path(name, first)
    }

    fn foreign(&self, file: &Path) -> Option<String> {
        program::foreign(file)
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn has_terminal(&self, at: TerminalAt) -> bool {
        match at {
            TerminalAt::Input => std::io::stdin().is_terminal(),
            TerminalAt::Output => std::io::stdout().is_terminal(),
        }
    }

    async fn run_plugin(&self, call: &PluginCall) -> PluginEnd {
        let run = Run::new(&call.file).args(&call.args).capturing(ANSWER);
        let run = call.env.iter().fold(run, |run, (name, value)| run.env(name, value));
        // One that is not interactive asks for a code too, where it opens the terminal itself.
        let run = match call.interactive {
            true => run.with_stdin(),
            false if is_in_foreground() => run.in_foreground(),
            false => run,
        };
        end_of(&run, call.limit).await
    }

    async fn ask(&self, file: &Path, args: &[&str], question: &str, limit: Duration) -> PluginEnd {
        end_of(&Run::new(file).args(args).with_input(question), limit).await
    }
}

/// Whether this process may read from a terminal without being stopped. In the background a child of its group would stop them both.
fn is_in_foreground() -> bool {
    match std::fs::read_to_string("/proc/self/stat") {
        Ok(stat) => groups(&stat).is_some_and(|(own, terminals)| own == terminals),
        Err(_) => std::fs::File::open("/dev/tty").is_ok(),
    }
}

/// Of `proc_pid_stat(5)`, the process's group and the one in the foreground of its terminal, -1 where there is none.
fn groups(stat: &str) -> Option<(&str, &str)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(2);
    Some((fields.next()?, fields.nth(2)?))
}

async fn end_of(run: &Run, limit: Duration) -> PluginEnd {
    match run.captured(limit).await {
        Ok(captured) => {
            let ended = match (captured.status.success(), captured.status.code(), captured.status.signal()) {
                (true, ..) => None,
                (_, Some(code), _) => Some(format!("exit code {code}")),
                (_, None, Some(signal)) => Some(format!("signal {signal}")),
                _ => Some("an unknown end".to_owned()),
            };
            PluginEnd { ended, stdout: captured.stdout.into_bytes(), stderr: captured.stderr }
        }
        Err(e) => PluginEnd { ended: Some(e.to_string()), stdout: Vec::new(), stderr: String::new() },
    }
}

/// Whether the kernel would run a file.
fn runnable(file: &Path) -> std::result::Result<(), String> {
    let found = std::fs::metadata(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => e.to_string(),
    })?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err("permission denied".to_owned());
    }
    let mut head = [0; 256];
    let read = std::fs::File::open(file).and_then(|mut f| f.read(&mut head)).unwrap_or_default();
    let head = &head[..read];
    // What may be run and not read is left to the kernel. macOS has programs of its own form.
    if let Some(script) = head.strip_prefix(b"#!") {
        let line = script.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let interpreter = line.split_whitespace().next().unwrap_or_default();
        return if Path::new(interpreter).exists() { Ok(()) } else { Err("no such file or directory".to_owned()) };
    }
    let unreadable = std::fs::File::open(file).is_err();
    let is_program = unreadable || !cfg!(target_os = "linux") || head.starts_with(b"\x7fELF");
    if is_program && program::foreign(file).is_none() { Ok(()) } else { Err("exec format error".to_owned()) }
}

/// The minor of client-go by the file's own word: the module's version, or that of the whole Kubernetes it is a part of.
fn client_go_of(go: &GoBuild) -> Option<u16> {
    let module = go.modules.get("k8s.io/client-go").and_then(|v| minor_of(v)).filter(|(major, minor)| *major == 0 && *minor > 0);
    let whole =
        || go.main.as_ref().filter(|(path, _)| path == "k8s.io/kubernetes").and_then(|(_, v)| minor_of(v)).filter(|(major, _)| *major == 1);
    module.or_else(whole).map(|(_, minor)| minor)
}

fn own_version(go: &GoBuild) -> Option<String> {
    go.main.as_ref().map(|(_, version)| version.trim_start_matches('v').to_owned()).filter(|v| v.starts_with(|c: char| c.is_ascii_digit()))
}

fn go_minor(go: &GoBuild) -> Option<u16> {
    minor_of(go.go.trim_start_matches("go")).map(|(_, minor)| minor)
}

fn mergo(go: &GoBuild) -> Option<String> {
    go.modules.get("github.com/imdario/mergo").cloned()
}

fn minor_of(version: &str) -> Option<(u16, u16)> {
    let mut numbers = version.trim_start_matches('v').split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What a client says when it is asked for its version.
async fn said_version(versions: &Versions, tool: Tool, path: &Path) -> Option<String> {
    let run = match tool {
        Tool::Helm => version_run(path),
        Tool::Kubectl => Run::new(path).args(["version", "--client", "--output", "json"]),
        Tool::Eksctl => Run::new(path).arg("version"),
    };
    let said = versions.said(path, run).await.ok().filter(|c| c.status.success())?.stdout;
    let text = match tool {
        Tool::Kubectl => serde_json::from_str::<Value>(&said).ok()?["clientVersion"]["gitVersion"].as_str()?.to_owned(),
        Tool::Helm | Tool::Eksctl => said.trim().lines().next()?.to_owned(),
    };
    let plain = text.trim_start_matches('v').to_owned();
    Some(plain.split_once('+').map_or(plain.clone(), |(number, _)| number.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(main: (&str, &str), client_go: Option<&str>) -> GoBuild {
        GoBuild {
            go: "go1.17.5".into(),
            main: Some((main.0.into(), main.1.into())),
            modules: client_go.map(|v| ("k8s.io/client-go".to_owned(), v.to_owned())).into_iter().collect(),
            ..GoBuild::default()
        }
    }

    #[test]
    fn the_foreground_is_read_off_the_process() {
        assert_eq!(groups("7 (a) b) c) S 1 7 7 34816 7 4194560"), Some(("7", "7")), "in the foreground");
        assert_eq!(groups("7 (x) S 1 7 5 34816 5 4194560"), Some(("7", "5")), "in the background");
        assert_eq!(groups("7 (x) S 1 7 7 0 -1 4194560"), Some(("7", "-1")), "without a terminal");
        assert_eq!(groups("7 (x) S 1"), None);
    }

    #[test]
    fn client_go_is_the_module_or_the_kubernetes_it_is_part_of() {
        assert_eq!(client_go_of(&build(("helm.sh/helm/v3", "(devel)"), Some("v0.24.2"))), Some(24));
        assert_eq!(client_go_of(&build(("k8s.io/kubernetes", "v1.36.3"), Some("v0.0.0"))), Some(36));
        assert_eq!(client_go_of(&build(("k8s.io/kubernetes", "(devel)"), Some("v0.0.0"))), None);
        assert_eq!(client_go_of(&build(("github.com/x/y", "v1.2.3"), None)), None);
        assert_eq!(go_minor(&build(("x", ""), None)), Some(17));
    }

    #[test]
    fn what_the_kernel_would_not_run_is_told_with_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, text: &str, mode: u32| {
            let file = dir.path().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        assert_eq!(runnable(&make("good", "#!/bin/sh\n", 0o755)), Ok(()));
        for (file, why) in [
            (make("plain", "#!/bin/sh\n", 0o644), "permission denied"),
            (make("bare", "echo x\n", 0o755), "exec format error"),
            (make("lost", "#!/nowhere/sh\n", 0o755), "no such file or directory"),
            (dir.path().to_owned(), "permission denied"),
            (dir.path().join("nowhere"), "no such file or directory"),
        ] {
            assert_eq!(runnable(&file).unwrap_err(), why, "{}", file.display());
        }
    }
}
