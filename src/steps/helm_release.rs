//! What the two helm releases have in common: how one stands, and how a helm that was broken off is mended.

use super::StepContext;
use super::compare::differences_both_ways;
use super::looked::Refusal;
use super::other_installer::of_other_installer;
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, HelmRelease, Probed};
use crate::knowledge::Release;
use crate::ports::{HelmInstall, Kube, ObjectRef, Origin};
use crate::probe::controller::complaints;
use crate::probe::release::{revision_of, secrets};
use crate::spec::{ChartDigest, ClusterMode, Spec};
use serde_json::Value;
use std::time::Duration;

/// What a release should be.
pub(super) struct Wanted {
    pub(super) release: &'static str,
    pub(super) version: String,
    pub(super) values: Value,
}

/// Whether a release of this status is there at all: helm may keep the history of one that is uninstalled.
pub(super) fn is_there(found: &HelmRelease) -> bool {
    found.status != "uninstalled"
}

/// Whether nothing is done to a release: it stands, of this chart and with these values.
pub(crate) fn is_as_wanted(found: &HelmRelease, version: &str, values: &Value) -> bool {
    differences(found, version, values).is_empty()
}

/// Whether the Karpenter that is there is known to work under the role that the spec names.
pub(crate) fn works_by_our_role(spec: &Spec, facts: &Facts) -> bool {
    facts.controller_works_as().is_some_and(|arn| arn == spec.controller_role_arn().as_str())
}

/// Whether karpctl made what Karpenter works with: its tag is on the stack or on the controller's role.
pub(crate) fn made_by_karpctl(spec: &Spec, facts: &Facts) -> bool {
    facts.stack.known().is_some_and(|stack| spec.owns(&stack.tags))
        || facts.controller_role.known().is_some_and(|role| spec.owns(&role.tags))
}

/// Why a Karpenter that is there is somebody else's, for a removal: on a cluster that karpctl did not make it works under another role, or there is
/// nothing of karpctl's by which it could work. helm keeps no mark of who installed a release; karpctl installs none before stack and role are
/// there, and takes both away after it. What cannot be seen to be ours is not taken away either.
pub(super) fn of_somebody_else(spec: &Spec, facts: &Facts) -> Option<Refusal> {
    if spec.cluster == ClusterMode::Managed || spec.made_elsewhere.is_some() {
        return None;
    }
    if let Some(refusal) = of_other_installer(spec, facts) {
        return Some(refusal);
    }
    facts.chart_release.known().filter(|release| is_there(release))?;
    let theirs = |why: String| {
        let hint = format!("whoever it belongs to removes it: `helm uninstall karpenter --namespace {}`", spec.namespace);
        Some(Refusal::new(format!("somebody else installed this Karpenter: {why}")).hint(hint))
    };
    if let Some(role) = facts.controller_works_as().filter(|_| !works_by_our_role(spec, facts)) {
        return theirs(format!("it works as {role}"));
    }
    let stack = facts.stack.known().is_some_and(|stack| spec.owns(&stack.tags) && !stack.is_gone());
    if stack || facts.controller_role.known().is_some_and(|role| spec.owns(&role.tags)) {
        return None;
    }
    match (&facts.stack, &facts.controller_role) {
        (Probed::Unavailable(reason), _) | (_, Probed::Unavailable(reason)) => Some(
            Refusal::new(format!("whether karpctl installed this Karpenter could not be seen: {reason}"))
                .hint("its stack and its controller's role carry karpctl's tag: run this again with the permission to see them"),
        ),
        _ => theirs("there is neither a stack nor a controller's role that carries karpctl's tag".to_owned()),
    }
}

/// In what a release is not as it should be, a line each.
pub(super) fn changes(found: &HelmRelease, wanted: &Wanted) -> Vec<String> {
    differences(found, &wanted.version, &wanted.values)
}

fn differences(found: &HelmRelease, version: &str, values: &Value) -> Vec<String> {
    let mut changes = Vec::new();
    match found.status.as_str() {
        "deployed" => {}
        "failed" => changes.push(format!("its last change failed: {}", found.description)),
        status => changes.push(format!("it is {status}: a helm that was broken off left it so, and karpctl mends it")),
    }
    if bare(&found.chart_version) != bare(version) {
        let back = if is_older(version, &found.chart_version) { ", back to an older release" } else { "" };
        changes.push(format!("chart: {} -> {version}{back}", found.chart_version));
    }
    changes.extend(differences_both_ways(values, &found.values).into_iter().map(|line| format!("value {line}")));
    changes
}

fn is_older(wanted: &str, found: &str) -> bool {
    match (wanted.parse::<Release>(), found.parse::<Release>()) {
        (Ok(wanted), Ok(found)) => wanted < found,
        _ => false,
    }
}

fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// What is done about a first installation that never ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HalfInstalled {
    /// `helm uninstall`: takes away what it made.
    Uninstall,
    /// Only helm's record of it is removed: what it made stays, and is taken over by the installation that follows. For CRDs,
    /// whose removal would remove every object of theirs.
    Forget,
}

/// helm refuses to touch a release on which another helm seems to work. Since karpctl runs alone, that one is dead: what it left
/// is cleared in the documented ways. Whether there is a release from which helm goes on.
pub(super) async fn mend(context: &StepContext<'_>, kube: &dyn Kube, release: &str, half: HalfInstalled) -> Result<bool> {
    let namespace = context.spec.namespace.as_str();
    let found = kube.list(&secrets(), Some(namespace), Some(&format!("owner=helm,name={release}"))).await?;
    let mut revisions: Vec<(u32, &Value)> = found.iter().filter_map(|s| Some((revision_of(s, release)?, s))).collect();
    revisions.sort_by_key(|(revision, _)| *revision);
    let status = |secret: &Value| secret["metadata"]["labels"]["status"].as_str().unwrap_or_default().to_owned();
    let Some((_, newest)) = revisions.pop() else { return Ok(false) };
    let deployed_before = revisions.iter().any(|(_, s)| matches!(status(s).as_str(), "deployed" | "superseded"));
    let forget = match (status(newest).as_str(), half) {
        ("uninstalling", HalfInstalled::Uninstall) => false,
        (s, _) if s.starts_with("pending-") && deployed_before => true,
        (s, half) if s.starts_with("pending-") => half == HalfInstalled::Forget,
        (s, _) => return Ok(s != "uninstalled"),
    };
    context.warn(format!("the helm release {release} is {}: a helm that was broken off left it so", status(newest)));
    if forget {
        context.doing(format!("removing helm's record of the revision that never ended ({})", crate::probe::kinds::name_of(newest)));
        let secret = ObjectRef { kind: secrets(), namespace: Some(namespace.into()), name: crate::probe::kinds::name_of(newest) };
        kube.delete(&secret).await?;
    } else {
        context.doing(format!("uninstalling the helm release {release}, whose first installation never ended"));
        context.ports.helm.uninstall(&context.helm_access().await?, release, namespace, &|line| context.foreign("helm", line)).await?;
    }
    // helm goes on from what is below, be it deployed or failed.
    Ok(forget && revisions.last().is_some_and(|(_, below)| status(below) != "uninstalled"))
}

/// How an installation is done.
pub(super) struct How {
    pub(super) chart: String,
    pub(super) digest: Option<ChartDigest>,
    pub(super) skip_crds: bool,
    pub(super) take_ownership: bool,
    pub(super) goes_on: bool,
    pub(super) wait: Option<Duration>,
}

/// `helm upgrade --install`; where that fails, the error also says what the pods say.
pub(super) async fn install(context: &StepContext<'_>, kube: &dyn Kube, wanted: &Wanted, how: How) -> Result<()> {
    let namespace = context.spec.namespace.to_string();
    let waits = how.wait.is_some();
    super::namespace::ensure(context, kube).await?;
    context.doing(format!("helm installs {} {}", wanted.release, wanted.version));
    let install = HelmInstall {
        release: wanted.release.into(),
        namespace: namespace.clone(),
        chart: how.chart,
        version: wanted.version.clone(),
        origin: origin(context.spec, how.digest),
        values: wanted.values.clone(),
        skip_crds: how.skip_crds,
        take_ownership: how.take_ownership,
        goes_on: how.goes_on,
        wait: how.wait,
    };
    let result =
        context.ports.helm.install(&context.helm_access().await?, &install, &|line| context.foreign("helm", line), context.cancel).await;
    match result {
        Err(e) if waits && matches!(e.kind, ErrorKind::Timeout | ErrorKind::Tool | ErrorKind::Failed) => {
            Err(with_complaints(e, &complaints(kube, &namespace).await.unwrap_or_default()))
        }
        other => other,
    }
}

/// What the chart must prove: a mirror's copies are not always signed.
fn origin(spec: &Spec, digest: Option<ChartDigest>) -> Origin {
    match digest {
        Some(digest) => Origin::Digest(digest),
        None if spec.release.features().signed_charts && spec.chart.is_public() => Origin::SignedAt(spec.release.tag()),
        None => Origin::Any,
    }
}

/// `helm uninstall`, and the namespace with it where that was ours and nothing else is in it.
pub(super) async fn uninstall(context: &StepContext<'_>, release: &str) -> Result<()> {
    let access = context.helm_access().await?;
    let lines = |line: &str| context.foreign("helm", line);
    context.ports.helm.uninstall(&access, release, context.spec.namespace.as_str(), &lines).await?;
    super::namespace::remove_if_ours(context, context.kube().await?.as_ref()).await
}

/// An error with what the controller's pods say as further causes, and what helps with that.
pub(super) fn with_complaints(error: Error, said: &[String]) -> Error {
    let all = said.join("\n");
    let error = said.iter().fold(error, Error::because);
    if all.contains("not scheduled") || all.contains("FailedScheduling") {
        error.hint("the controller runs on nodes that Karpenter did not make, each replica on one of its own with 1 CPU and 1 GiB free, in two zones: add such nodes, or room on them")
    } else if all.contains("ImagePull") || all.contains("ErrImage") {
        error.hint("the nodes cannot pull the controller's image: they need a way to public.ecr.aws, or a mirror")
    } else if all.contains("CrashLoopBackOff") || all.contains("ended with") {
        error.hint("see what the controller says: `kubectl logs --selector app.kubernetes.io/name=karpenter --all-namespaces --previous`")
    } else {
        error
    }
}

/// `--server-side=false` where helm knows it: for a release that is there, as [`HelmInstall::goes_on`] says.
const AS_HELM_3: &str = r" $(helm upgrade --help | sed -n 's/.*\(--server-side\) string.*/\1=false/p')";

/// The guide's commands for a release. With a digest the chart is pulled first, and what was pulled is installed if it has that digest:
/// few helms install a chart by its digest, and all say that of what they pull.
pub(super) fn install_commands(
    spec: &Spec,
    (release, found): (&str, &Probed<HelmRelease>),
    chart: &str,
    digest: Option<&ChartDigest>,
    values: &str,
) -> Vec<String> {
    let (version, namespace) = (spec.release.chart_version(), &spec.namespace);
    let mut commands = super::namespace::ensure_commands(spec);
    let login = spec.chart.registry_config.as_ref();
    let login = login.map_or(String::new(), |file| format!(" --registry-config {}", crate::shell::quoted(&file.display().to_string())));
    // helm keeps the values of the release that is there where it is given none.
    let values = if values.is_empty() { " --reset-values" } else { values };
    let goes_on = if found.known().is_some_and(is_there) { AS_HELM_3 } else { "" };
    let chart = format!("{chart} --version {version}");
    commands.push(match digest {
        None => format!("helm upgrade --install {release} {chart} --namespace {namespace}{values}{login}{goes_on}"),
        Some(digest) => format!(
            "if helm pull {chart}{login} 2>&1 | tee /dev/stderr | grep '^Digest: {digest}$' > /dev/null; then \
             helm upgrade --install {release} ./{release}-{version}.tgz --namespace {namespace}{values}{goes_on}; \
             else echo 'the chart {release} {version} was not pulled with the digest {digest}: it is not installed' >&2; false; fi"
        ),
    });
    commands
}

/// The guide's commands against a release.
pub(super) fn uninstall_commands(spec: &Spec, release: &str) -> Vec<String> {
    let mut commands = vec![format!("helm uninstall {release} --namespace {} --wait", spec.namespace)];
    commands.extend(super::namespace::remove_commands(spec));
    commands
}
