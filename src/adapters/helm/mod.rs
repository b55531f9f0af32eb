//! helm, run so that nothing of this machine's helm, kubectl or docker set-up can get in its way: own kubeconfig, own registry
//! configuration, own caches, all in a directory that only this user may read and that is removed afterwards.

mod errors;
mod origin;

pub use errors::{explain_install, explain_uninstall};

use super::aws::AwsSettings;
use super::private_dir::PrivateDir;
use super::process::{Ended, Run};
use super::tool::Versions;
use super::{is_loopback, tool};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::ToolFacts;
use crate::knowledge::exec::full;
use crate::knowledge::{ExecApiVersion, Tool};
use crate::ports::{ClusterAccess, Helm, HelmAccess, HelmInstall, Lines};
use async_trait::async_trait;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long `--help` may take.
const HELP_TIME: Duration = Duration::from_secs(30);
/// How long an uninstall waits for what it deletes.
const UNINSTALL_TIME: &str = "300s";
/// The pause before it is tried once more.
const AGAIN: Duration = Duration::from_secs(2);
/// How many revisions helm keeps.
const HISTORY: &str = "10";
/// Where a helm from 4.0 on is told who works out what changes: the API server, or helm itself as before.
const SERVER_SIDE: &str = "--server-side";
/// The folder of docker's log-ins, which holds none.
const DOCKER: &str = "docker";

/// The helm of this machine.
#[derive(Debug, Clone)]
pub struct HelmCli {
    /// `helm`, to look for it on PATH, or its file.
    pub program: PathBuf,
    /// This program: helm runs it as its credential plugin.
    pub karpctl: PathBuf,
    /// With which region and profile the plugin makes its tokens.
    pub aws: AwsSettings,
    /// What was asked before.
    pub versions: Versions,
}

impl HelmCli {
    fn found(&self, doing: &str) -> Result<PathBuf> {
        tool::find(Tool::Helm, &self.program)?.ok_or_else(|| tool::missing(Tool::Helm, doing))
    }

    /// What this helm knows is asked of itself: its own help is right for forks and backports too.
    async fn knows(helm: &Path, command: &str, flag: &str) -> Result<bool> {
        let printed = without_own_settings(Run::new(helm)).arg(command).arg("--help").captured(HELP_TIME).await?;
        Ok(printed.stdout.split_whitespace().any(|word| word == flag))
    }

    /// helm with nothing of the person's own about it.
    fn alone(doing: &str, helm: &Path, dir: &PrivateDir, access: &HelmAccess) -> Result<Run> {
        let mut run = without_own_settings(Run::new(helm));
        for (name, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
            run = run.env(name, dir.path().join(folder));
        }
        // An expired login of docker's to public.ecr.aws makes its anonymous pulls fail.
        let registries = match &access.registry_config {
            Some(file) => file.clone(),
            None => dir.file(doing, "registry.json", "{}")?,
        };
        let docker = dir.path().join(DOCKER);
        std::fs::create_dir(&docker).map_err(|e| Error::failed(doing).because(e.to_string()))?;
        Ok(run.env("HELM_REGISTRY_CONFIG", registries).env("DOCKER_CONFIG", docker))
    }

    /// The same, with the way to the cluster.
    async fn connected(&self, doing: &str, run: Run, helm: &Path, dir: &PrivateDir, access: &HelmAccess) -> Result<Run> {
        match &access.cluster {
            ClusterAccess::Eks { name, endpoint, certificate_authority } => {
                let facts = self.asked(helm.to_owned()).await?;
                let exec = facts.version.best_exec_api_version(Tool::Helm);
                let content = self.kubeconfig(exec, name, endpoint, certificate_authority);
                let file = dir.file(doing, "kubeconfig", &content)?;
                Ok(run.env("KUBECONFIG", &file).arg("--kubeconfig").arg(file))
            }
            ClusterAccess::Kubeconfig { path, context } => {
                let run = match path {
                    Some(path) => run.env("KUBECONFIG", path).arg("--kubeconfig").arg(path),
                    None => run,
                };
                Ok(context.iter().fold(run, |run, context| run.arg("--kube-context").arg(context)))
            }
        }
    }

    /// A kubeconfig (JSON is YAML) whose user is `karpctl token`.
    fn kubeconfig(&self, exec: ExecApiVersion, cluster: &str, endpoint: &str, certificate_authority: &str) -> String {
        let mut args = vec!["token", "--cluster-name", cluster];
        if let Some(region) = &self.aws.region {
            args.extend(["--region", region]);
        }
        if let Some(profile) = &self.aws.profile {
            args.extend(["--profile", profile]);
        }
        let mut plugin = json!({
            "apiVersion": full(exec),
            "command": self.karpctl,
            "args": args,
            "provideClusterInfo": false,
        });
        // The stable version demands it; the first did not know it.
        if exec != ExecApiVersion::V1Alpha1 {
            plugin["interactiveMode"] = json!("Never");
        }
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority}}],
            "users": [{"name": cluster, "user": {"exec": plugin}}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
            "current-context": cluster,
        })
        .to_string()
    }

    async fn asked(&self, path: PathBuf) -> Result<ToolFacts> {
        let said = self.versions.said(&path, version_run(&path)).await?;
        tool::facts(Tool::Helm, &said, path, |printed| Some(printed.trim()))
    }
}

/// How helm is asked for its version.
pub(super) fn version_run(helm: &Path) -> Run {
    without_own_settings(Run::new(helm)).args(["version", "--template", "{{.Version}}"])
}

/// Takes away what the person's own environment says to helm: a namespace, a driver, a token, a plugin of another cluster.
fn without_own_settings(run: Run) -> Run {
    let own = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("HELM_"));
    own.fold(run, Run::without_env)
}

/// Whether the chart comes from a registry on this machine, which speaks plain http.
fn is_local(chart: &str) -> bool {
    let authority = chart.strip_prefix("oci://").unwrap_or_default().split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    };
    is_loopback(host)
}

fn outcome(ended: &Ended, doing: &str, explain: impl FnOnce(&[String]) -> Error) -> Result<()> {
    if ended.status.success() {
        Ok(())
    } else if ended.interrupted {
        // What helps is said once for all that was stopped, at the end of the run.
        Err(Error::new(ErrorKind::Interrupted, doing).because("helm was interrupted, and ended"))
    } else {
        Err(explain(&ended.tail))
    }
}

#[async_trait]
impl Helm for HelmCli {
    async fn facts(&self) -> Result<Option<ToolFacts>> {
        match tool::find(Tool::Helm, &self.program)? {
            Some(path) => self.asked(path).await.map(Some),
            None => Ok(None),
        }
    }

    async fn install(&self, access: &HelmAccess, install: &HelmInstall, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()> {
        let doing =
            format!("cannot install the chart {} {} as {} in {}", install.chart, install.version, install.release, install.namespace);
        let helm = self.found(&doing)?;
        let dir = PrivateDir::new(&doing)?;
        let values = dir.file(&doing, "values.json", &install.values.to_string())?;
        if install.take_ownership && !Self::knows(&helm, "upgrade", "--take-ownership").await? {
            return Err(Error::new(ErrorKind::Tool, &doing)
                .because(format!("{} cannot take over objects: it has no --take-ownership", helm.display()))
                .hint("install helm 3.17 or newer"));
        }
        let plain = is_local(&install.chart) && Self::knows(&helm, "upgrade", "--plain-http").await?;
        let alone = Self::alone(&doing, &helm, &dir, access)?;
        let pulled = dir.path().join("chart");
        let pull = alone.clone().arg("pull").args(plain.then_some("--plain-http"));
        let file = origin::looked_at(pull, &pulled, &dir.path().join(DOCKER), install, cancel).await?;
        let mut run = self.connected(&doing, alone.clone(), &helm, &dir, access).await?;
        run = run.args(["upgrade", "--install", &install.release]);
        run = match &file {
            Some(file) => run.arg(file),
            None => run.args([&install.chart, "--version", &install.version]),
        };
        run = run.args(["--namespace", &install.namespace, "--create-namespace", "--history-max", HISTORY]);
        // Where the values are none at all, helm would keep those of the release that is there.
        run = run.arg("--reset-values").arg("--values").arg(values);
        if install.skip_crds {
            run = run.arg("--skip-crds");
        }
        if install.take_ownership {
            run = run.arg("--take-ownership");
        }
        // By server-side apply, as helm 4 begins and goes on, the fields of others are conflicts: of a release that is there those that kubectl or a
        // controller wrote since (the `caBundle` of a conversion, a limit), which may also stay where what they stand in goes; of objects that
        // are taken over, those of whoever made them.
        if (install.goes_on || install.take_ownership) && Self::knows(&helm, "upgrade", SERVER_SIDE).await? {
            run = if install.goes_on { run.arg(format!("{SERVER_SIDE}=false")) } else { run.arg("--force-conflicts") };
        }
        if plain && file.is_none() {
            run = run.arg("--plain-http");
        }
        if let Some(time) = install.wait {
            run = run.args(["--wait", "--timeout", &format!("{}s", time.as_secs())]);
        }
        let mut ended = run.lines(lines, cancel).await?;
        // Up to 3.10 helm keeps to itself why it could not pull; `helm pull` says it.
        if !ended.interrupted && ended.tail.iter().any(|line| line.contains("failed to download")) {
            let pull = alone.args(["pull", &install.chart, "--version", &install.version, "--destination"]).arg(dir.path());
            ended.tail.extend(pull.lines(&|_| {}, cancel).await?.tail);
        }
        outcome(&ended, &doing, |tail| explain_install(&doing, install, tail))
    }

    async fn uninstall(&self, access: &HelmAccess, release: &str, namespace: &str, lines: Lines<'_>) -> Result<()> {
        let doing = format!("cannot uninstall the release {release} in {namespace}");
        let helm = self.found(&doing)?;
        let dir = PrivateDir::new(&doing)?;
        let alone = Self::alone(&doing, &helm, &dir, access)?;
        let run = self.connected(&doing, alone, &helm, &dir, access).await?;
        let run = run.args(["uninstall", release, "--namespace", namespace, "--wait", "--timeout", UNINSTALL_TIME]);
        let mut ended = run.clone().lines(lines, &CancellationToken::new()).await?;
        let why = Mutex::new(None);
        if ended.tail.iter().any(|line| line.contains("failed to delete release")) {
            // Why, helm keeps for --debug. What a moment's fault kept goes by then.
            tokio::time::sleep(AGAIN).await;
            let keep = |line: &str| {
                if let Some((_, reason)) = line.split_once("Failed to delete release") {
                    let reason = reason.trim_start_matches(['"', ':', ' ']).trim_start_matches("error=");
                    *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
                }
            };
            ended = run.arg("--debug").lines(&keep, &CancellationToken::new()).await?;
        }
        // Newer helms have a flag for it; this is what every helm says.
        if ended.tail.iter().any(|line| line.contains("release: not found")) {
            return Ok(());
        }
        let why = why.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome(&ended, &doing, |tail| match why {
            Some(why) => explain_uninstall(&doing, release, namespace, &[format!("Error: helm could not delete all of it: {why}")]),
            None => explain_uninstall(&doing, release, namespace, tail),
        })
    }
}
