//! eksctl, with a kubeconfig of its own that is thrown away: the person's is not touched.

use super::aws::AwsSettings;
use super::private_dir::PrivateDir;
use super::process::{Ended, Run};
use super::tool;
use crate::error::{Error, ErrorKind, Result};
use crate::facts::ToolFacts;
use crate::knowledge::{IamRefusal, Tool};
use crate::ports::{Eksctl, Lines};
use async_trait::async_trait;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// The most lines of eksctl's that become a cause.
const SHOWN: usize = 8;

/// The eksctl of this machine.
#[derive(Debug, Clone)]
pub struct EksctlCli {
    /// `eksctl`, to look for it on PATH, or its file.
    pub program: PathBuf,
    /// The region and profile that karpctl was given. The rest eksctl takes from the environment, as karpctl does.
    pub aws: AwsSettings,
}

/// What eksctl does with a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    CreateCluster,
    CreateNodeGroup,
    CreateFargateProfile,
    AssociateOidcProvider,
    CreateAddons,
    UpdateAddons,
}

impl Deed {
    /// Its command.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::CreateCluster => &["create", "cluster"],
            Self::CreateNodeGroup => &["create", "nodegroup"],
            Self::CreateFargateProfile => &["create", "fargateprofile"],
            Self::AssociateOidcProvider => &["utils", "associate-iam-oidc-provider", "--approve"],
            Self::CreateAddons => &["create", "addon"],
            Self::UpdateAddons => &["update", "addon"],
        }
    }

    /// What cannot be done where it fails.
    const fn doing(self) -> &'static str {
        match self {
            Self::CreateCluster => "cannot create the cluster with eksctl",
            Self::CreateNodeGroup => "cannot create the node group with eksctl",
            Self::CreateFargateProfile => "cannot create the Fargate profile with eksctl",
            Self::AssociateOidcProvider => "cannot create the OIDC provider with eksctl",
            Self::CreateAddons => "cannot create the add-ons with eksctl",
            Self::UpdateAddons => "cannot give the add-ons their roles with eksctl",
        }
    }
}

impl EksctlCli {
    fn prepared(&self, doing: &str) -> Result<Run> {
        let file = tool::find(Tool::Eksctl, &self.program)?.ok_or_else(|| tool::missing(Tool::Eksctl, doing))?;
        let mut run = Run::new(file);
        if let Some(region) = &self.aws.region {
            run = run.env("AWS_REGION", region).env("AWS_DEFAULT_REGION", region);
        }
        Ok(run)
    }

    /// Does what a configuration file says. The kubeconfig that eksctl would write to is one that is thrown away.
    async fn with_config(&self, deed: Deed, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        let doing = deed.doing();
        let run = self.prepared(doing)?;
        let dir = PrivateDir::new(doing)?;
        let file = dir.file(doing, "cluster.yaml", config)?;
        let run = run.args(deed.words()).args(["--color", "false", "--config-file"]).arg(file);
        let kubeconfig = dir.path().join(KUBECONFIG);
        let run = apart(run, &dir);
        // The others do without one.
        let run = if deed == Deed::CreateCluster { run.arg("--kubeconfig").arg(kubeconfig) } else { run };
        // What it says of its kubeconfig is no advice: that file goes when it ends.
        let private = dir.path().display().to_string();
        let shown = |line: &str| {
            if !line.contains(&private) {
                shown(lines)(line);
            }
        };
        outcome(&self.with_profile(run).lines(&shown, cancel).await?, doing)
    }

    /// The profile as a flag, after the command: as a variable, keys in the environment would go before it.
    fn with_profile(&self, run: Run) -> Run {
        match &self.aws.profile {
            Some(profile) => run.env("AWS_PROFILE", profile).arg("--profile").arg(profile),
            None => run,
        }
    }
}

/// The name of the kubeconfig that eksctl is given to write.
const KUBECONFIG: &str = "kubeconfig";

/// Away from the person's own kubeconfig, beside which it would also leave a lock in the folder for temporary files.
fn apart(run: Run, dir: &PrivateDir) -> Run {
    run.env("KUBECONFIG", dir.path().join(KUBECONFIG)).env("TMPDIR", dir.path())
}

/// A line without eksctl's clock and symbol: `2026-01-01 12:00:00 [ℹ]  building cluster stack` becomes `building cluster stack`.
/// What eksctl marks as a warning or an error says so in a word.
#[must_use]
pub fn plain_line(line: &str) -> String {
    let bare = line.trim_start();
    let is_clock = |text: &str| {
        text.len() == 19
            && text.chars().enumerate().all(|(at, c)| match at {
                4 | 7 => c == '-',
                10 => c == ' ',
                13 | 16 => c == ':',
                _ => c.is_ascii_digit(),
            })
    };
    let Some((clock, rest)) = bare.split_at_checked(19) else { return line.to_owned() };
    if !is_clock(clock) {
        return line.to_owned();
    }
    let Some((symbol, text)) = rest.trim_start().strip_prefix('[').and_then(|r| r.split_once(']')) else { return line.to_owned() };
    let text = text.trim_start();
    match symbol {
        "!" => format!("warning: {text}"),
        "✖" => format!("error: {text}"),
        _ => text.to_owned(),
    }
}

/// Shows the lines that say something.
fn shown(lines: Lines<'_>) -> impl Fn(&str) + Send + Sync {
    move |line| {
        let plain = plain_line(line);
        if !plain.is_empty() {
            lines(&plain);
        }
    }
}

/// Why eksctl failed, by its last lines.
#[must_use]
pub fn explain(doing: &str, tail: &[String]) -> Error {
    let plain: Vec<String> = tail.iter().map(|l| plain_line(l)).collect();
    if let Some(error) = crash(doing, &plain) {
        return error;
    }
    let is_error = |line: &&String| line.starts_with("error: ") || line.starts_with("Error: ");
    let mut words: Vec<&str> = plain.iter().filter(is_error).map(|l| l[7..].trim()).collect();
    words.dedup();
    if words.is_empty() {
        words = plain.iter().map(String::as_str).collect();
    }
    let said = words[words.len().saturating_sub(SHOWN)..].join("\n");
    let kind = kind(&said);
    let error = Error::new(kind, doing).because(if said.is_empty() { "eksctl said nothing" } else { &said });
    match kind {
        ErrorKind::Credentials => error.hint("see who AWS takes you for: `aws sts get-caller-identity`"),
        ErrorKind::Denied => error.hint(IamRefusal::read(&said).map_or_else(
            || "`karpctl render operator-policy` prints a policy with all that eksctl and its stacks call".to_owned(),
            |refusal| refusal.help(),
        )),
        ErrorKind::Timeout => error.hint("AWS goes on by itself; run the same command again, which goes on from what is there"),
        ErrorKind::Unreachable => error.hint("check the network and HTTPS_PROXY; then run the same command again"),
        _ if said.contains("LimitExceeded") || said.contains("exceeded the maximum number") || said.contains("maximum number of VPCs") => {
            error.hint("raise the quota, or remove what is not needed: `aws service-quotas list-service-quotas --service-code vpc`")
        }
        _ => error,
    }
}

/// What a crash says: eksctl 0.230 takes some answers for granted, and where AWS refuses them ends with a trace of Go in place of the refusal.
fn crash(doing: &str, lines: &[String]) -> Option<Error> {
    let at = lines.iter().position(|l| l.starts_with("panic: "))?;
    let error = Error::failed(doing).because(format!("eksctl crashed ({})", lines[at].trim_start_matches("panic: ")));
    let Some(action) = lines[at..].iter().find_map(|l| called(l)) else {
        return Some(error.hint("look whether another version of eksctl does it; `karpctl doctor` says which fit"));
    };
    Some(error.because(format!("the trace leads to its call of {action}")).hint(format!(
        "see whether you may call `{action}`: eksctl may crash where AWS refuses that; `karpctl render operator-policy` prints a policy with all that eksctl calls"
    )))
}

/// The action of AWS that a line of a trace is in: `…/service/<service>@<version>/api_op_<Operation>.go:378`.
fn called(line: &str) -> Option<String> {
    let (service, rest) = line.split_once("/aws-sdk-go-v2/service/")?.1.split_once('@')?;
    let operation = rest.split_once("/api_op_")?.1.split_once(".go")?.0;
    Some(format!("{service}:{operation}"))
}

fn kind(said: &str) -> ErrorKind {
    let has = |texts: &[&str]| texts.iter().any(|t| said.contains(t));
    if has(&[
        "ExpiredToken",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "no EC2 IMDS role found",
        "failed to refresh cached credentials",
        "AuthFailure",
    ]) {
        ErrorKind::Credentials
    } else if has(&["AccessDenied", "UnauthorizedOperation", "is not authorized to perform"]) {
        ErrorKind::Denied
    } else if has(&["AlreadyExistsException", "already exists", "ResourceInUseException"]) {
        ErrorKind::Conflict
    } else if has(&["timed out", "exceeded max wait time", "context deadline exceeded"]) {
        ErrorKind::Timeout
    } else if has(&["connection refused", "no such host", "i/o timeout", "Throttling", "RequestLimitExceeded", "TLS handshake", "x509:"]) {
        ErrorKind::Unreachable
    } else {
        ErrorKind::Failed
    }
}

fn outcome(ended: &Ended, doing: &str) -> Result<()> {
    if ended.status.success() {
        Ok(())
    } else if ended.interrupted {
        // What helps is said once for all that was stopped, at the end of the run.
        Err(Error::new(ErrorKind::Interrupted, doing).because("eksctl was interrupted, and ended"))
    } else {
        Err(explain(doing, &ended.tail))
    }
}

#[async_trait]
impl Eksctl for EksctlCli {
    async fn facts(&self) -> Result<Option<ToolFacts>> {
        let Some(path) = tool::find(Tool::Eksctl, &self.program)? else { return Ok(None) };
        let said = Run::new(&path).arg("version").captured(tool::VERSION_TIME).await?;
        tool::facts(Tool::Eksctl, &said, path, |printed| printed.lines().map(str::trim).find(|l| !l.is_empty())).map(Some)
    }

    async fn create_cluster(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        self.with_config(Deed::CreateCluster, config, lines, cancel).await
    }

    async fn create_node_group(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        self.with_config(Deed::CreateNodeGroup, config, lines, cancel).await
    }

    async fn create_fargate_profile(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        self.with_config(Deed::CreateFargateProfile, config, lines, cancel).await
    }

    async fn associate_oidc_provider(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        self.with_config(Deed::AssociateOidcProvider, config, lines, cancel).await
    }

    async fn create_addons(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        self.with_config(Deed::CreateAddons, config, lines, cancel).await
    }

    async fn update_addons(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        self.with_config(Deed::UpdateAddons, config, lines, cancel).await
    }

    async fn delete_cluster(&self, name: &str, region: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        let doing = format!("cannot delete the cluster {name} with eksctl");
        // It also takes the cluster out of the kubeconfig that it finds.
        let dir = PrivateDir::new(&doing)?;
        let run = apart(self.prepared(&doing)?, &dir);
        // All nodes go at once, so an eviction that waits for a pod to run elsewhere (CoreDNS has a disruption budget) would wait
        // for ever.
        let run = run.args(["delete", "cluster", "--color", "false", "--name", name, "--region", region]);
        let run = self.with_profile(run.args(["--wait", "--disable-nodegroup-eviction"]));
        outcome(&run.lines(&shown(lines), cancel).await?, &doing)
    }
}
