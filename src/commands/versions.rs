//! `karpctl versions`: the table. Which Karpenter, Kubernetes and tools fit together, and what each Karpenter is like.

use super::answer::json;
use super::versions_compare::compare;
use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::knowledge::{FittingTools, InvalidKubernetesVersion, InvalidRelease, KubernetesVersion, NodePoolApi, Release, Standing};
use crate::report::{Format, Table, table};
use crate::wording::span;
use clap::Args;
use serde_json::{Map, Value, json};

/// Show which Karpenter, Kubernetes, helm, kubectl and eksctl fit together
///
/// With --karpenter-version or --kubernetes-version: what goes with it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl versions
  karpctl versions --kubernetes-version 1.33
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
    let wanted = Wanted::by(app)?;
    if args.compare {
        if wanted != Wanted::default() {
            return Err(Error::usage("--compare is about the whole table, and takes no --karpenter-version and no --kubernetes-version")
                .hint("leave them out; without --compare they choose what is shown"));
        }
        let compared = app.read(Box::pin(compare(app, args.chart_repository.as_deref()))).await?;
        if args.output.is_machine() {
            app.printer.document(&machine(args.output, &compared.to_json())?);
        } else {
            app.printer.answer(&compared.to_text());
        }
        return Ok(compared.exit(args.exit_code));
    }
    let (releases, kubernetes) = wanted.of_the_table()?;
    if args.output.is_machine() {
        let releases: Vec<Value> = releases.iter().map(release_json).collect();
        let kubernetes: Vec<Value> = kubernetes.into_iter().map(kubernetes_json).collect();
        let answer = json!({ "schema": "karpctl/versions/v1", "releases": releases, "tools": kubernetes });
        app.printer.document(&machine(args.output, &answer)?);
        return Ok(Exit::Done);
    }
    show_releases(app, &releases);
    app.printer.answer("");
    let left_out = show(
        app,
        &table(&KUBERNETES, &["extended", "support ends", "eksctl"], |kept| {
            kubernetes.iter().copied().map(kubernetes_line).map(|line| cells(&line, kept)).collect()
        }),
    );
    let told = [
        ("Karpenter", "the release that karpctl takes by itself"),
        ("kubectl", "the minors that Kubernetes' own policy allows"),
        ("eksctl", "the oldest that makes such a cluster"),
        ("support ends", "the last day of EKS's standard support"),
        ("extended", "the last day of its extended support"),
        ("helm", "the minors that are made for this Kubernetes"),
    ];
    app.printer.told(&format!("\n{}{left_out}", meanings(&told, &left_out)));
    Ok(Exit::Done)
}

/// Of which versions the table is shown. Only flags say so: the shell of somebody who followed the guide has its versions in the environment.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    karpenter: Option<Release>,
    kubernetes: Option<KubernetesVersion>,
}

impl Wanted {
    fn by(app: &App) -> Result<Self> {
        let (karpenter, kubernetes) = (&app.globals.karpenter_version, &app.globals.kubernetes_version);
        let wrong = |flag: &str, e: String| Error::usage(format!("--{flag}: {e}"));
        Ok(Self {
            karpenter: karpenter
                .as_ref()
                .map(|v| v.parse().map_err(|e: InvalidRelease| wrong("karpenter-version", e.to_string())))
                .transpose()?,
            kubernetes: kubernetes
                .as_ref()
                .map(|v| v.parse().map_err(|e: InvalidKubernetesVersion| wrong("kubernetes-version", e.to_string())))
                .transpose()?,
        })
    }

    /// The releases and the versions of Kubernetes that go with them; it is an error where there is none.
    fn of_the_table(&self) -> Result<(Vec<Release>, Vec<KubernetesVersion>)> {
        let supports = |release: &Release, version: KubernetesVersion| {
            let (oldest, newest) = release.kubernetes_range();
            oldest <= version && version <= newest
        };
        let mut releases = Release::all();
        releases.retain(|r| self.karpenter.as_ref().is_none_or(|w| w == r) && self.kubernetes.is_none_or(|version| supports(r, version)));
        let of_release = |version: KubernetesVersion| self.karpenter.as_ref().is_none_or(|release| supports(release, version));
        let kubernetes: Vec<_> =
            KubernetesVersion::all().filter(|v| self.kubernetes.is_none_or(|wanted| wanted == *v) && of_release(*v)).collect();
        if !releases.is_empty() && !kubernetes.is_empty() {
            return Ok((releases, kubernetes));
        }
        let error = match (&self.karpenter, self.kubernetes) {
            (Some(karpenter), Some(version)) => {
                let (oldest, newest) = karpenter.kubernetes_range();
                Error::usage(format!("Karpenter {karpenter} supports Kubernetes {oldest} to {newest}, not {version}"))
            }
            (Some(karpenter), None) => Error::usage(format!("this karpctl's table has no Karpenter {karpenter}")),
            (None, version) => {
                let version = version.map_or_else(String::new, |version| version.to_string());
                Error::usage(format!("this karpctl's table has no Kubernetes {version}"))
            }
        };
        Err(error.hint("`karpctl versions` shows the whole table"))
    }
}

fn machine(format: Format, answer: &Value) -> Result<String> {
    json(answer, format.into())
}

/// The heads of the table of Kubernetes versions.
const KUBERNETES: [&str; 7] = ["Kubernetes", "Karpenter", "kubectl", "eksctl", "support ends", "extended", "helm"];

fn kubernetes_line(version: KubernetesVersion) -> [String; KUBERNETES.len()] {
    let FittingTools { helm, kubectl: [oldest, newest], eksctl } = FittingTools::of(version);
    let day = |day: Option<jiff::civil::Date>| day.map_or_else(|| "not known".to_owned(), |day| day.to_string());
    let (standard, extended) = version.support_ends();
    [
        version.to_string(),
        Release::default_for(version).map_or_else(String::new, |r| r.to_string()),
        format!("{oldest}-{newest}"),
        eksctl.to_string(),
        day(standard),
        day(extended),
        spans(&helm),
    ]
}

/// Minors in a row as one: `3.18-3.20, 4.0`.
fn spans(minors: &[String]) -> String {
    let next = |minor: &str| minor.rsplit_once('.').and_then(|(major, minor)| Some(format!("{major}.{}", minor.parse::<u32>().ok()? + 1)));
    let runs = minors.chunk_by(|a, b| next(a).as_ref() == Some(b));
    let said = runs.map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.concat(),
    });
    said.collect::<Vec<_>>().join(", ")
}

/// The heads of the table of releases.
const RELEASES: [&str; 10] = ["Karpenter", "Kubernetes", "chart", "API", "namespace", "identity", "policies", "events", "CRDs", "eksctl"];

/// What of a release is shown in its line, after its name.
fn release_line(release: &Release) -> [String; RELEASES.len() - 1] {
    let features = release.features();
    let (oldest, newest) = release.kubernetes_range();
    [
        format!("{oldest}-{newest}"),
        if features.chart_version_prefix.is_empty() { "X.Y.Z" } else { "vX.Y.Z" }.to_owned(),
        api(features.node_pool_api).to_owned(),
        features.default_namespace.clone(),
        identity(features.pod_identity).to_owned(),
        features.controller_policies.len().to_string(),
        release.stack().rules.len().to_string(),
        features.crds.len().to_string(),
        features.eksctl_minimum.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string),
    ]
}

/// A line for each of the releases; those in a row that say the same are one.
fn release_lines(lines: &[(&Release, [String; RELEASES.len() - 1])], kept: &[usize]) -> Vec<Vec<String>> {
    let said: Vec<(&Release, Vec<String>)> =
        lines.iter().map(|(release, line)| (*release, kept.iter().skip(1).map(|at| line[at - 1].clone()).collect())).collect();
    let groups = said.chunk_by(|a, b| a.1 == b.1).filter_map(|group| Some((group.first()?, group.last()?)));
    let shown = groups.map(|((first, line), (last, _))| std::iter::once(span(*first, *last)).chain(line.iter().cloned()).collect());
    shown.collect()
}

fn cells(line: &[String], kept: &[usize]) -> Vec<String> {
    kept.iter().map(|at| line[*at].clone()).collect()
}

/// Shows a table; what is to be said of what it leaves out.
fn show(app: &App, table: &Table<'_>) -> String {
    table.lines.iter().for_each(|line| app.printer.answer(line));
    if table.left_out.is_empty() {
        return String::new();
    }
    format!(" Not shown on a terminal that is so narrow: {}; `karpctl versions -o json` has all.", table.left_out.join(", "))
}

/// What the columns that are shown mean.
fn meanings(told: &[(&str, &str)], left_out: &str) -> String {
    let shown = told.iter().filter(|(column, _)| !left_out.contains(column));
    shown.map(|(column, meaning)| format!("{column}: {meaning}.")).collect::<Vec<_>>().join(" ")
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
    let lines: Vec<_> = releases.iter().map(|release| (release, release_line(release))).collect();
    let left_out = show(app, &table(&RELEASES, &["policies", "events", "CRDs", "chart"], |kept| release_lines(&lines, kept)));
    let told = [
        ("Kubernetes", "the minors that the release supports"),
        ("chart", "how the tag of its chart is written"),
        ("API", "that of its node pools"),
        ("namespace, identity", "where and as whom its guide has the controller run"),
        ("policies", "how many the controller has"),
        ("events", "how many kinds it gets from EventBridge"),
        ("CRDs", "how many it reads"),
        ("eksctl", "the oldest that its guide works with"),
    ];
    app.printer.told(&format!("\n{}{left_out}", meanings(&told, &left_out)));
    let faults = releases.iter().filter_map(|release| match release.standing() {
        Standing::Trap { reason, instead } | Standing::Caution { reason, instead } => {
            Some(format!("  {:<8} {reason}; take {instead}", release.to_string()))
        }
        Standing::Known | Standing::Newer => None,
    });
    for (index, fault) in faults.enumerate() {
        if index == 0 {
            app.printer.answer("\nNot to be installed, or with a fault:");
        }
        app.printer.told(&fault);
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
