//! A chart that is looked at before it is installed: it is pulled first, and what was pulled is what is installed.

use crate::adapters::process::Run;
use crate::adapters::tool;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{HelmInstall, Origin};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long cosign may take: it asks a transparency log.
const COSIGN_TIME: Duration = Duration::from_mins(2);
/// The release workflow that signs Karpenter's charts (its getting-started guide, "cosign verify").
const REPOSITORY: &str = "aws/karpenter-provider-aws";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const IDENTITY: &str = r"https://github\.com/aws/karpenter-provider-aws/\.github/workflows/release\.yaml@.+";

/// The chart's file, where its origin is to be looked at; `None` where helm may fetch it as it is. `pull` is `helm pull` with its
/// registry configuration, `docker` the folder that holds no log-in of docker's.
pub(super) async fn looked_at(
    pull: Run,
    folder: &Path,
    docker: &Path,
    install: &HelmInstall,
    cancel: &CancellationToken,
) -> Result<Option<PathBuf>> {
    let cosign = match &install.origin {
        Origin::Any => return Ok(None),
        Origin::Digest(_) => None,
        Origin::SignedAt(_) => match tool::on_path(Path::new("cosign")) {
            Some(cosign) => Some(cosign),
            None => return Ok(None),
        },
    };
    let doing = format!("cannot pull the chart {} {}", install.chart, install.version);
    std::fs::create_dir(folder).map_err(|e| Error::failed(&doing).because(e.to_string()))?;
    let run = pull.args([&install.chart, "--version", &install.version, "--destination"]).arg(folder);
    let ended = run.lines(&|_| {}, cancel).await?;
    super::outcome(&ended, &doing, |tail| super::explain_install(&doing, install, tail))?;
    let said = ended.tail.iter().find_map(|line| line.trim().strip_prefix("Digest: "));
    let digest =
        said.ok_or_else(|| Error::new(ErrorKind::Tool, &doing).because("helm does not say its digest").hint("install helm 3.8 or newer"))?;
    let file = file_in(folder).ok_or_else(|| Error::new(ErrorKind::Tool, &doing).because("helm left no file"))?;
    match &install.origin {
        Origin::Digest(wanted) if wanted.as_str() != digest => {
            let message = format!("the chart {} {} is not the one that was asked for", install.chart, install.version);
            return Err(Error::refused(message)
                .because(format!("its digest is {digest}, not {wanted}; nothing was installed"))
                .hint("find out why it was changed; if it is right so, give that digest"));
        }
        Origin::SignedAt(tag) => verify(&cosign.unwrap_or_default(), docker, install, digest, tag).await?,
        Origin::Digest(_) | Origin::Any => {}
    }
    Ok(Some(file))
}

async fn verify(cosign: &Path, docker: &Path, install: &HelmInstall, digest: &str, tag: &str) -> Result<()> {
    let reference = install.chart.trim_start_matches("oci://");
    let run = Run::new(cosign).args(["verify", &format!("{reference}@{digest}"), "--certificate-oidc-issuer", ISSUER]);
    let run = run.args(["--certificate-identity-regexp", IDENTITY, "--certificate-github-workflow-repository", REPOSITORY]);
    let run = run.args(["--certificate-github-workflow-name", "Release", "--certificate-github-workflow-ref", &format!("refs/tags/{tag}")]);
    let run = run.args(["--annotations", &format!("version={}", tag.trim_start_matches('v'))]);
    // The registry is public, and refuses a log-in that has expired: neither docker's nor podman's is shown to it.
    let run = run.env("DOCKER_CONFIG", docker).without_env("REGISTRY_AUTH_FILE").without_env("XDG_RUNTIME_DIR");
    let captured = run.captured(COSIGN_TIME).await?;
    if captured.status.success() {
        return Ok(());
    }
    let error = Error::refused(format!(
        "the signature of the chart {} {} cannot be verified; nothing was installed",
        install.chart, install.version
    ));
    let said = captured.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    Err(error
        .because(format!("{}: {}", cosign.display(), crate::error::clean(said)))
        .hint("cosign asks Sigstore's log over the internet: where this machine cannot, hold the chart to its digest instead (--chart-digest, --crd-chart-digest)"))
}

fn file_in(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.into_iter().find(|file| file.extension().is_some_and(|end| end == "tgz"))
}
