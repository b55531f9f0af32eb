//! `karpctl versions --compare`: the table against the charts in the registry and the Kubernetes versions that EKS offers.

use super::anywhere::{anywhere, partition_of};
use super::waiting::{SOON, patiently};
use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::knowledge::{ChartComparison, KubernetesComparison, Release};
use crate::ports::Registry as _;
use crate::spec::ChartSource;
use crate::wording::span;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What came of it. A part that could not be compared says why.
pub(super) struct Compared {
    chart: String,
    charts: Result<ChartComparison>,
    kubernetes: Result<KubernetesComparison>,
}

/// Asks the registry and EKS.
pub(super) async fn compare(app: &App, repository: Option<&str>) -> Result<Compared> {
    let repository = repository.map_or_else(|| ChartSource::default().repository, |r| r.trim_end_matches('/').to_owned());
    if !repository.starts_with("oci://") {
        return Err(Error::usage(format!("--chart-repository `{repository}` is not an OCI reference"))
            .hint("for example: --chart-repository oci://public.ecr.aws/karpenter"));
    }
    let chart = format!("{repository}/karpenter");
    let registry = app.registry();
    let say = |line: &str| app.printer.status(line);
    let what = format!("the chart registry, {repository}");
    let (tags, kubernetes) = tokio::join!(
        patiently(say, SOON, &what, registry.tags(&chart)),
        patiently(say, SOON, "the answer of AWS to eks:DescribeClusterVersions", kubernetes(app)),
    );
    Ok(Compared { chart, charts: tags.map(|tags| ChartComparison::of(&tags)), kubernetes })
}

async fn kubernetes(app: &App) -> Result<KubernetesComparison> {
    // What EKS offers is the same in every region of a partition.
    let region = app.globals.region.as_deref().or(app.env.region.as_deref());
    let place = anywhere(app, region, partition_of(app), app.globals.profile.as_deref()).await?;
    let offered = place.ports.aws.cluster_versions().await.map_err(|e| place.told(e))?;
    Ok(KubernetesComparison::of(&offered, jiff::Zoned::now().date()))
}

impl Compared {
    fn is_behind(&self) -> bool {
        self.charts.as_ref().is_ok_and(ChartComparison::is_behind) || self.kubernetes.as_ref().is_ok_and(KubernetesComparison::is_behind)
    }

    /// 1 where nothing could be compared; 3 where the table is behind and that was asked for.
    pub(super) fn exit(&self, asked: bool) -> Exit {
        match (self.charts.is_err() && self.kubernetes.is_err(), asked && self.is_behind()) {
            (true, _) => Exit::Failed,
            (_, true) => Exit::Pending,
            _ => Exit::Done,
        }
    }

    /// For a person.
    pub(super) fn to_text(&self) -> String {
        let mut out = format!("This karpctl's table ends with Karpenter {}.\n\nCharts of {}\n", Release::newest(), self.chart);
        match &self.charts {
            Err(why) => not_compared(&mut out, why),
            Ok(charts) => {
                let _ = writeln!(out, "  not in the table:       {}", names(&charts.unlisted));
                let _ = writeln!(out, "  table without a chart:  {}", names(&runs(&charts.without_chart)));
            }
        }
        let _ = write!(out, "\nKubernetes versions of EKS\n");
        match &self.kubernetes {
            Err(why) => not_compared(&mut out, why),
            Ok(kubernetes) => {
                let _ = writeln!(out, "  not in the table:       {}", names(&kubernetes.unlisted));
                let _ = writeln!(out, "  no longer offered:      {}", names(&kubernetes.not_offered));
                for date in &kubernetes.other_dates {
                    let _ = writeln!(out, "  {date}");
                }
            }
        }
        let end = match (self.is_behind(), self.charts.is_ok() && self.kubernetes.is_ok()) {
            (true, _) => "The table is behind. Releases that it does not have are rendered by its newest rules.",
            (false, true) => "The table is up to date.",
            (false, false) if self.charts.is_err() && self.kubernetes.is_err() => {
                "Nothing could be compared. `karpctl versions` shows the table without asking anybody."
            }
            (false, false) => "What could be compared is up to date. `karpctl versions` shows the table without asking anybody.",
        };
        out + "\n" + end
    }

    /// For a machine.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "schema": "karpctl/versions-compare/v1",
            "newest": Release::newest(),
            "behind": self.is_behind(),
            "charts": part(&self.charts, "repository", &self.chart),
            "kubernetes": part(&self.kubernetes, "service", "eks"),
        })
    }
}

fn part(compared: &Result<impl serde::Serialize>, name: &str, value: &str) -> Value {
    match compared {
        Ok(found) => json!({ name: value, "compared": true, "found": found }),
        Err(why) => json!({ name: value, "compared": false, "reason": why.to_string() }),
    }
}

fn not_compared(out: &mut String, why: &Error) {
    let _ = writeln!(out, "  not compared: {why}");
    for hint in &why.hints {
        let _ = writeln!(out, "  hint: {hint}");
    }
}

/// Releases that follow each other in the table, as `0.18.0 to 1.0.7`.
fn runs(releases: &[Release]) -> Vec<String> {
    let all = Release::all();
    let place = |release: &Release| all.binary_search(release).unwrap_or_default();
    let run = |run: &[Release]| match run {
        [first, .., last] => span(first, last),
        _ => names(run),
    };
    releases.chunk_by(|a, b| place(a) + 1 == place(b)).map(run).collect()
}

fn names(list: &[impl ToString]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ") }
}
