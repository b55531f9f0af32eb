//! `karpctl versions`: which Karpenter, Kubernetes and tools fit together.

use super::answer::{Pretty, json};
use crate::app::App;
use crate::error::{Exit, Result};
use crate::knowledge::{FittingTools, KubernetesVersion, Release};
use crate::report::Format;
use clap::Args;

/// Show which Karpenter, Kubernetes, helm, kubectl and eksctl fit together
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl versions
  karpctl versions -o json")]
pub struct VersionsArgs {
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

impl VersionsArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// Runs the command.
pub fn run(app: &App, args: &VersionsArgs) -> Result<Exit> {
    let rows: Vec<_> = Release::all()
        .into_iter()
        .map(|release| {
            let (oldest, newest) = release.kubernetes_range();
            (release, oldest, newest)
        })
        .collect();
    let (oldest, newest) = (rows.iter().map(|r| r.1).min(), rows.iter().map(|r| r.2).max());
    let kubernetes: Vec<KubernetesVersion> = match (oldest, newest) {
        (Some(oldest), Some(newest)) => (oldest.minor()..=newest.minor()).map(KubernetesVersion::new).collect(),
        _ => Vec::new(),
    };
    if args.output.is_machine() {
        let releases: Vec<_> = rows
            .iter()
            .map(|(release, oldest, newest)| {
                serde_json::json!({
                    "karpenter": release,
                    "chartVersion": release.chart_version(),
                    "kubernetes": {"oldest": oldest, "newest": newest},
                    "eksctl": {"oldest": release.features().eksctl_minimum},
                })
            })
            .collect();
        let tools: Vec<_> = kubernetes
            .iter()
            .map(|version| {
                let FittingTools { helm, kubectl: [oldest, newest] } = FittingTools::of(*version);
                serde_json::json!({"kubernetes": version, "helm": helm, "kubectl": {"oldest": oldest, "newest": newest}})
            })
            .collect();
        let pretty = if args.output == Format::Json { Pretty::Yes } else { Pretty::No };
        app.printer.answer(&json(&serde_json::json!({"schema": "karpctl/versions/v1", "releases": releases, "tools": tools}), pretty)?);
        return Ok(Exit::Done);
    }
    app.printer.answer("Karpenter   Kubernetes     eksctl");
    for (release, oldest, newest) in rows {
        let eksctl = release.features().eksctl_minimum.map_or("any".to_owned(), |v| format!("{v} or newer"));
        app.printer.answer(&format!("{:<11} {:<14} {eksctl}", release.to_string(), format!("{oldest} to {newest}")));
    }
    app.printer.answer("\nKubernetes  kubectl        helm");
    for version in kubernetes {
        let FittingTools { helm, kubectl: [oldest, newest] } = FittingTools::of(version);
        app.printer.answer(&format!("{:<11} {:<14} {}", version.to_string(), format!("{oldest} to {newest}"), helm.join(", ")));
    }
    Ok(Exit::Done)
}
