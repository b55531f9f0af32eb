//! `karpctl versions`: which Karpenter, Kubernetes and tools fit together.

use super::way::{Pretty, json};
use crate::app::App;
use crate::error::{Exit, Result};
use crate::knowledge::Release;
use crate::report::Format;
use clap::Args;

/// Show which Karpenter fits which Kubernetes
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
    if args.output.is_machine() {
        let releases: Vec<_> = rows
            .iter()
            .map(|(release, oldest, newest)| {
                serde_json::json!({
                    "karpenter": release,
                    "chartVersion": release.chart_version(),
                    "kubernetes": {"oldest": oldest, "newest": newest},
                })
            })
            .collect();
        let pretty = if args.output == Format::Json { Pretty::Yes } else { Pretty::No };
        app.printer.answer(&json(&serde_json::json!({"schema": "karpctl/versions/v1", "releases": releases}), pretty)?);
        return Ok(Exit::Done);
    }
    app.printer.answer("Karpenter   Kubernetes");
    for (release, oldest, newest) in rows {
        app.printer.answer(&format!("{:<11} {oldest} to {newest}", release.to_string()));
    }
    Ok(Exit::Done)
}
