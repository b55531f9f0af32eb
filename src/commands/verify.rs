//! `karpctl verify`: the live proof, a workload that makes Karpenter launch nodes.

use super::answer::json;
use super::args::{ClusterArgs, VariantArgs, parse_duration};
use super::installed::as_installed;
use super::migrated::pools_stay;
use super::session::Session;
use crate::app::App;
use crate::error::{Exit, Result};
use crate::plan::{Progress, StepId};
use crate::report::{Format, ProofReporter};
use crate::steps::{self, Ownership, StepContext};
use crate::verify::Workload;
use crate::wording::counted;
use clap::Args;
use std::time::Duration;

/// Prove that Karpenter launches nodes: inflate up, watch, inflate down
///
/// It ends with 1 where no node was proved: also where the pods found room on nodes that were there before.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl verify --cluster-name demo --region us-west-2
  karpctl verify --cluster-name demo --region us-west-2 \\
      --replicas 10 --timeout 20m -o json")]
pub struct VerifyArgs {
    /// How many pods of one vCPU each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    replicas: u32,
    /// The pods' image, where nodes cannot reach the guide's in public.ecr.aws: any that runs without being told what
    #[arg(long, value_name = "IMAGE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    image: Option<String>,
    /// How long one phase may take, such as 90s or 15m
    #[arg(long = "timeout", visible_alias = "wait-timeout", value_name = "DURATION", default_value = "15m", value_parser = parse_duration)]
    timeout: Duration,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// The cluster is not karpctl's
    #[arg(long, help_heading = "Variants")]
    existing_cluster: bool,
}

impl VerifyArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: VerifyArgs) -> Result<Exit> {
    let cluster = ClusterArgs { existing_cluster: args.existing_cluster, ..ClusterArgs::default() };
    let mut session = Session::open(app, &VariantArgs { cluster, ..VariantArgs::default() }).await?;
    session.cluster_is_there()?;
    as_installed(app, &mut session).await?;
    let steps = steps::all();
    let ready = steps.iter().filter(|s| s.id() == StepId::Ready);
    session.read_by(app, ready.flat_map(|s| s.reads().iter().copied()).collect()).await?;
    pools_stay(app, &mut session).await?;
    let title = format!("Karpenter on {}: a proof with {}", session.spec.cluster_name, counted(args.replicas as usize, "pod"));
    let reporter = ProofReporter::new(&app.printer, args.output, &title, crate::verify::USUAL_SECONDS);
    let say = |progress: Progress| reporter.show(progress);
    let context = StepContext {
        spec: &session.spec,
        facts: &session.facts,
        ports: &session.ports,
        say: &say,
        cancel: &app.cancel,
        ownership: Ownership::OursOnly,
        kubeconfig: session.kubeconfig.as_ref(),
        timeout: args.timeout,
    };
    let report = crate::verify::verify(&context, Workload { replicas: args.replicas, image: args.image.as_deref() }).await;
    drop(reporter);
    let report = report?;
    match args.output {
        Format::Human => app.printer.told(&report.to_string()),
        machine => app.printer.document(&json(&report, machine.into())?),
    }
    report.unproved().map_or(Ok(Exit::Done), Err)
}
