//! `karpctl versions`: the table. Which Karpenter, Kubernetes and tools fit together, and what each Karpenter is like.

use super::answer::{Pretty, json};
use super::versions_compare::compare;
use crate::app::App;
use crate::error::{Exit, Result};
use crate::knowledge::{FittingTools, KubernetesVersion, NodePoolApi, Release, Standing};
use crate::report::Format;
use clap::Args;
use serde_json::{Map, Value, json};

/// Show which Karpenter, Kubernetes, helm, kubectl and eksctl fit together
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl versions
  karpctl versions -o json
  karpctl versions --compare")]
pub struct VersionsArgs {
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Compare the table with the charts in the registry and with what EKS offers
    #[arg(long)]
    compare: bool,
    /// With --compare: end with 3 where the table is behind
    #[arg(long, requires = "compare")]
    exit_code: bool,
    /// With --compare: the OCI repository of the charts
    #[arg(long, value_name = "OCI", requires = "compare")]
    chart_repository: Option<String>,
}

impl VersionsArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: VersionsArgs) -> Result<Exit> {
    if args.compare {
        let compared = compare(app, args.chart_repository.as_deref()).await?;
        if args.output.is_machine() {
            app.printer.document(&machine(args.output, &compared.to_json())?);
        } else {
            app.printer.answer(&compared.to_text());
        }
        return Ok(compared.exit(args.exit_code));
    }
    let releases = Release::all();
    if args.output.is_machine() {
        let releases: Vec<Value> = releases.iter().map(release_json).collect();
        let kubernetes: Vec<Value> = KubernetesVersion::all().map(kubernetes_json).collect();
        let answer = json!({ "schema": "karpctl/versions/v1", "releases": releases, "tools": kubernetes });
        app.printer.document(&machine(args.output, &answer)?);
        return Ok(Exit::Done);
    }
    show_releases(app, &releases);
    app.printer.answer("\nKubernetes  Karpenter  kubectl        eksctl   support ends  extended    helm");
    for version in KubernetesVersion::all() {
        let FittingTools { helm, kubectl: [oldest, newest], eksctl } = FittingTools::of(version);
        let day = |day: Option<jiff::civil::Date>| day.map_or_else(|| "not known".to_owned(), |day| day.to_string());
        let (standard, extended) = version.support_ends();
        let karpenter = Release::default_for(version).map_or_else(String::new, |r| r.to_string());
        let kubectl = format!("{oldest} to {newest}");
        app.printer.answer(&format!(
            "{:<11} {karpenter:<10} {kubectl:<14} {:<8} {:<13} {:<11} {}",
            version.to_string(),
            eksctl.to_string(),
            day(standard),
            day(extended),
            helm.join(", ")
        ));
    }
    app.printer.told(
        "\nKarpenter: the release that karpctl takes by itself. kubectl: the minors that Kubernetes' own policy allows. eksctl: \
         the oldest that makes such a cluster. support ends, extended: the last days of EKS's standard and extended support. helm: the minors that \
         are made for this Kubernetes.",
    );
    Ok(Exit::Done)
}

fn machine(format: Format, answer: &Value) -> Result<String> {
    json(answer, if format == Format::Json { Pretty::Yes } else { Pretty::No })
}

/// What of a release is shown in its line: releases in a row that say the same are one line.
#[derive(PartialEq)]
struct Line {
    kubernetes: String,
    chart_tag: &'static str,
    api: &'static str,
    namespace: String,
    identity: &'static str,
    policies: usize,
    events: usize,
    crds: usize,
    eksctl: String,
}

impl Line {
    fn of(release: &Release) -> Self {
        let features = release.features();
        let (oldest, newest) = release.kubernetes_range();
        Self {
            kubernetes: format!("{oldest} to {newest}"),
            chart_tag: if features.chart_version_prefix.is_empty() { "X.Y.Z" } else { "vX.Y.Z" },
            api: api(features.node_pool_api),
            namespace: features.default_namespace.clone(),
            identity: identity(features.pod_identity),
            policies: features.controller_policies.len(),
            events: release.stack().rules.len(),
            crds: features.crds.len(),
            eksctl: features.eksctl_minimum.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string),
        }
    }
}

const fn api(api: NodePoolApi) -> &'static str {
    match api {
        NodePoolApi::V1Alpha5 => "v1alpha5",
        NodePoolApi::V1Beta1 => "v1beta1",
        NodePoolApi::V1 => "v1",
    }
}

const fn identity(pod_identity: bool) -> &'static str {
    if pod_identity { "pod-identity" } else { "irsa" }
}

fn show_releases(app: &App, releases: &[Release]) {
    app.printer.answer("Karpenter              Kubernetes    chart   API       namespace    identity      policies  events  CRDs  eksctl");
    let lines: Vec<(&Release, Line)> = releases.iter().map(|release| (release, Line::of(release))).collect();
    for group in lines.chunk_by(|a, b| a.1 == b.1) {
        let (Some((first, line)), Some((last, _))) = (group.first(), group.last()) else { continue };
        let span = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let Line { kubernetes, chart_tag, api, namespace, identity, policies, events, crds, eksctl } = line;
        app.printer.answer(&format!(
            "{span:<22} {kubernetes:<13} {chart_tag:<7} {api:<9} {namespace:<12} {identity:<13} {policies:<9} {events:<7} {crds:<5} {eksctl}"
        ));
    }
    app.printer.told(
        "\nKubernetes: the minors that the release supports. chart: how the tag of its chart is written. API: that of its node pools. \
         namespace, identity: where and as whom its guide has the controller run. policies, events, CRDs: how many the controller has, \
         gets from EventBridge, and reads. eksctl: the oldest that its guide works with.",
    );
    app.printer.answer("\nNot to be installed, or with a fault:");
    for release in releases {
        if let Standing::Trap { reason, instead } | Standing::Caution { reason, instead } = release.standing() {
            app.printer.told(&format!("  {:<8} {reason}; take {instead}", release.to_string()));
        }
    }
}

fn release_json(release: &Release) -> Value {
    let (oldest, newest) = release.kubernetes_range();
    let features = release.features();
    let standing = match release.standing() {
        Standing::Trap { reason, instead } => json!({ "is": "trap", "reason": reason, "instead": instead }),
        Standing::Caution { reason, instead } => json!({ "is": "caution", "reason": reason, "instead": instead }),
        Standing::Known | Standing::Newer => json!({ "is": "known" }),
    };
    json!({
        "karpenter": release,
        "standing": standing,
        "chartVersion": release.chart_version(),
        "kubernetes": { "oldest": oldest, "newest": newest },
        "eksctl": { "oldest": features.eksctl_minimum },
        "nodePoolApi": api(features.node_pool_api),
        "namespace": features.default_namespace,
        "identity": identity(features.pod_identity),
        "controllerPolicies": features.controller_policies.iter().map(|part| format!("KarpenterController{part}Policy")).collect::<Vec<_>>(),
        "events": release.stack().rules.iter().map(|rule| &rule.detail_type).collect::<Vec<_>>(),
        "crds": features.crds,
        "crdVersions": crd_versions(release),
        "crdChart": features.crd_chart,
        "conversionWebhook": features.conversion_webhook,
        "zonalShift": features.zonal_shift,
        "flowSchemas": features.flow_schemas,
    })
}

/// What each CRD serves and stores.
fn crd_versions(release: &Release) -> Map<String, Value> {
    let crds = &release.features().crds;
    crds.iter().filter_map(|crd| Some((crd.clone(), json!(release.crd_versions(crd)?)))).collect()
}

fn kubernetes_json(version: KubernetesVersion) -> Value {
    let FittingTools { helm, kubectl: [oldest, newest], eksctl } = FittingTools::of(version);
    let (standard, extended) = version.support_ends();
    json!({
        "kubernetes": version,
        "karpenter": Release::default_for(version),
        "helm": helm,
        "kubectl": { "oldest": oldest, "newest": newest },
        "eksctl": { "oldest": eksctl },
        "support": { "standardUntil": standard, "extendedUntil": extended },
    })
}
