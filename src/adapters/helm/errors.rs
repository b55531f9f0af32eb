//! What helm's last words mean. The texts are those of helm 3.8 to 4.3; what is not known is shown as it is.

use crate::error::{Error, ErrorKind};
use crate::knowledge::exec::refuses_plugin;
use crate::ports::HelmInstall;

/// The most lines of helm's that become a cause.
const SHOWN: usize = 12;

/// Why an install failed, by the last lines of helm.
#[must_use]
pub fn explain_install(doing: &str, install: &HelmInstall, tail: &[String]) -> Error {
    let said = last_words(tail);
    let (release, namespace) = (&install.release, &install.namespace);
    let of = |kind: ErrorKind| Error::new(kind, doing).because(&said);
    if let Some(error) = of_cluster(doing, &said) {
        return error;
    }
    if let Some(error) = of_registry(doing, install, &said) {
        return error;
    }
    if said.contains("another operation (install/upgrade/rollback) is in progress") {
        return of(ErrorKind::Conflict)
            .hint(format!("if somebody else's helm is running, wait for it: `helm history {release} --namespace {namespace}`"))
            .hint(format!("if none is, an interrupted one left its mark: `helm rollback {release} --namespace {namespace}`, or for a first install `helm uninstall {release} --namespace {namespace}`"));
    }
    if said.contains("invalid ownership metadata") {
        return of(ErrorKind::Refused)
            .hint("the objects belong to another release, or to none; if Karpenter may take them over, run it again with --adopt");
    }
    if said.contains("incompatible with Kubernetes") {
        return of(ErrorKind::Refused).hint("`karpctl versions` says which Karpenter fits which Kubernetes");
    }
    if said.contains("conflict with \"") || said.contains("conflicts with \"") {
        return of(ErrorKind::Conflict)
            .hint("another program holds these fields (a GitOps controller, kubectl apply); let one of them own the objects");
    }
    if said.contains("no matches for kind") || said.contains("ensure CRDs are installed first") {
        return of(ErrorKind::Failed).hint("the custom resource definitions are missing: run `karpctl install` without --skip-crds");
    }
    if said.contains("unknown flag") {
        return of(ErrorKind::Tool).hint("this helm is too old; `karpctl versions` says which fit");
    }
    if said.contains("context deadline exceeded") || said.contains("timed out") || said.contains("not ready") {
        return of(ErrorKind::Timeout).hint(format!(
            "see what is not ready: `kubectl get pods,events --namespace {namespace}`; the release is kept, and the next run mends it"
        ));
    }
    of(ErrorKind::Failed)
}

/// Why an uninstall failed, by the last lines of helm.
#[must_use]
pub fn explain_uninstall(doing: &str, release: &str, namespace: &str, tail: &[String]) -> Error {
    let said = last_words(tail);
    if let Some(error) = of_cluster(doing, &said) {
        return error;
    }
    let of = |kind: ErrorKind| Error::new(kind, doing).because(&said);
    if said.contains("context deadline exceeded") || said.contains("timed out") {
        return of(ErrorKind::Timeout)
            .hint(format!("see what is still there: `helm get manifest {release} --namespace {namespace} | kubectl get -f -`"));
    }
    of(ErrorKind::Failed)
}

/// From the line on that says `Error:`; without one, the last lines.
fn last_words(tail: &[String]) -> String {
    let at = tail.iter().rposition(|line| line.starts_with("Error:"));
    let words = at.map_or_else(|| &tail[tail.len().saturating_sub(SHOWN)..], |at| &tail[at..]);
    let text = words.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n");
    let text = text.strip_prefix("Error:").map_or(text.as_str(), str::trim).to_owned();
    if text.is_empty() { "helm said nothing".to_owned() } else { text }
}

/// The way to the cluster. helm wraps all of it in "cluster unreachable" (helm 4 with a small k), so the inner text decides.
fn of_cluster(doing: &str, said: &str) -> Option<Error> {
    let of = |kind: ErrorKind| Error::new(kind, doing).because(said);
    if refuses_plugin(said) {
        return Some(of(ErrorKind::Tool).hint(
            "this helm and the kubeconfig's credential plugin do not get along: `karpctl doctor --area client` says why and what helps",
        ));
    }
    if said.contains("getting credentials") {
        return Some(
            of(ErrorKind::Credentials)
                .hint("the credential plugin failed; see why: `karpctl token --cluster-name NAME`, `aws sts get-caller-identity`"),
        );
    }
    if said.contains("asked for the client to provide credentials") || said.contains("Unauthorized") && said.contains("luster unreachable")
    {
        return Some(of(ErrorKind::Denied).hint(
            "the cluster does not know who you are in AWS: whoever created it can let you in by an access entry (`aws eks create-access-entry`)",
        ));
    }
    if said.contains(" is forbidden: User") || said.contains("cannot list resource") || said.contains("cannot create resource") {
        return Some(
            of(ErrorKind::Denied)
                .hint("your access entry (or aws-auth row) gives you too little in the cluster; AmazonEKSClusterAdminPolicy is enough"),
        );
    }
    if said.contains("ubernetes cluster unreachable") {
        return Some(of(ErrorKind::Unreachable).hint(
            "check that the endpoint can be reached from here: a private one needs the VPN, and HTTPS_PROXY and NO_PROXY decide about a proxy",
        ));
    }
    None
}

/// Pulling the chart.
fn of_registry(doing: &str, install: &HelmInstall, said: &str) -> Option<Error> {
    let about_registry =
        ["/manifests/", "/blobs/", "/v2/", "pulling from host", "FetchReference", "/token?", "failed to download", "basic auth"]
            .iter()
            .any(|t| said.contains(t));
    let of = |kind: ErrorKind| Error::new(kind, doing).because(said);
    // What helm says on its other output may come after it.
    let absent = said.lines().any(|line| line.ends_with(": not found")) && !said.contains("release: not found");
    if !about_registry && !absent {
        return None;
    }
    let (chart, version) = (&install.chart, &install.version);
    let unknown_caller = ["basic credential not found", "no basic auth credentials"].iter().any(|t| said.contains(t));
    Some(if unknown_caller || ["401", "403", "denied", "nauthorized"].iter().any(|t| said.contains(t)) {
        of(ErrorKind::Denied).hint(if chart.contains("public.ecr.aws") {
            "public.ecr.aws needs no login, and refuses an expired one: `helm registry logout public.ecr.aws` and `docker logout public.ecr.aws`; or a proxy in between refuses".to_owned()
        } else {
            format!(
                "log in to the registry with `{}`, and name that file: `--registry-config registry.json`, or `chart.registryConfig` in the spec file",
                log_in(chart)
            )
        })
    } else if absent || said.contains("404") {
        of(ErrorKind::NotFound)
            .hint(format!("check that the registry has it: `helm show chart {chart} --version {version}`; a mirror must hold the chart of every release that is installed"))
    } else {
        of(ErrorKind::Unreachable)
            .hint("the registry could not be read: check the network and HTTPS_PROXY; a proxy that ends TLS needs its CA in SSL_CERT_FILE")
    })
}

/// The log-in to the registry of a chart, into a file that only karpctl is given. One of ECR has its password from AWS.
fn log_in(chart: &str) -> String {
    let host = chart.trim_start_matches("oci://").split('/').next().unwrap_or_default();
    let of_ecr = host.split_once(".dkr.ecr.").or_else(|| host.split_once(".dkr.ecr-fips."));
    match of_ecr.and_then(|(_, rest)| rest.split('.').next()) {
        Some(region) => format!(
            "aws ecr get-login-password --region {region} | helm registry login {host} --username AWS --password-stdin --registry-config registry.json"
        ),
        None => format!("helm registry login {host} --registry-config registry.json"),
    }
}
