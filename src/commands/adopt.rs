//! `karpctl adopt`: takes over a Karpenter that somebody else made, as it is.

use super::args::{KarpenterArgs, VariantArgs};
use super::init;
use super::session::{Session, layers};
use super::way::{Selection, WayArgs, go, topics};
use crate::adoption::{Adoption, installed, recognise, settle, told_account};
use crate::app::App;
use crate::engine::plan;
use crate::error::{Error, Exit, Result};
use crate::facts::Topic;
use crate::plan::{Direction, StepId};
use crate::report::Format;
use crate::spec::file::DEFAULT_FILE;
use crate::spec::layer::{ChartLayer, Layer, Source};
use crate::spec::{ChartSource, ClusterMode, Spec, draft};
use crate::steps::{self, Ownership};
use clap::Args;
use std::collections::BTreeSet;

/// Take over a Karpenter that the guide's commands, eksctl or Terraform made
///
/// Recognises who made it, says what is not as the guide of its release makes it, shows the plan, asks, and carries it out: what is
/// there is marked as karpctl's, and nothing is made anew. Roles and queue of eksctl and Terraform stay theirs. Then it writes the
/// settings by which karpctl finds everything as it is to karpctl.yaml.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl adopt --cluster-name legacy-apps --dry-run
  karpctl adopt --cluster-name legacy-apps")]
pub struct AdoptArgs {
    #[command(flatten)]
    way: WayArgs,
    /// Overwrite a spec file that says something else
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    karpenter: KarpenterArgs,
}

impl AdoptArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.way.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: AdoptArgs) -> Result<Exit> {
    // The file may be the one that is to be written.
    let path = app.globals.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let variant = VariantArgs::of_existing(args.karpenter);
    let mut session = open(app, &variant).await?;
    let given = layers(app, &variant)?;
    let adoption = app.read(Box::pin(look(&mut session, &given))).await?;
    for line in said(&adoption, &session.spec) {
        app.printer.status(&line);
    }
    let text = draft::text(&settings(&session.spec), &draft::Reasons::new(), None)?;
    let writes = !args.way.dry_run && !args.way.print_commands;
    if writes {
        init::refuse_other(&path, &text, args.force)?;
    } else if args.way.output == Format::Human {
        app.printer.copied(&format!("It writes {}:\n\n{text}", path.display()));
    }
    let selection = Selection { name: "adopt", steps: StepId::ALL.into(), direction: Direction::Apply, ownership: Ownership::Adopt };
    let steps = steps::all();
    let exit = go(app, &args.way, &mut session, &steps, &selection).await?;
    if !writes || exit != Exit::Done {
        return Ok(exit);
    }
    // Whoever said no has nothing adopted, and gets no file that says so.
    let facts = session.look_again(topics(&steps, &session, &selection)).await;
    if plan(&steps, &session.spec, &facts, &selection.goal()).has_changes() {
        return Ok(exit);
    }
    init::write(app, &[(path, text)], args.force)?;
    Ok(exit)
}

/// A session for a cluster that is there.
async fn open(app: &App, variant: &VariantArgs) -> Result<Session> {
    let mut session = Session::open(app, variant).await?;
    // What somebody else made is not made here.
    session.spec.cluster = ClusterMode::Existing;
    session.cluster_is_there()?;
    let spec = &session.spec;
    if session.facts.cluster.known().is_some_and(|cluster| spec.owns(&cluster.tags)) {
        return Err(Error::refused(format!("karpctl made cluster {} and its Karpenter: there is nothing to adopt", spec.cluster_name))
            .hint("see how it stands: `karpctl status`"));
    }
    Ok(session)
}

/// Finds out by which settings karpctl finds what is there as it is. The session then has that spec.
async fn look(session: &mut Session, given: &[(Source, Layer)]) -> Result<Adoption> {
    session.read(BTreeSet::from([Topic::Controller])).await;
    let (release, namespace) = installed(&session.facts)?;
    let found = Layer {
        karpenter_version: Some(release.to_string()),
        namespace: Some(namespace),
        existing_cluster: Some(true),
        ..Layer::default()
    };
    session.spec = resolved(session, &found, given)?;
    let topics = [Topic::Controller, Topic::Chart, Topic::Association, Topic::Stack, Topic::Origin];
    session.read(topics.into()).await;
    if let Some(chart) = told_account(&session.facts) {
        // The controller's role is that of the service account which it has.
        session.spec = resolved(session, &Layer { chart: Some(chart), ..found }, given)?;
        session.read([Topic::Association, Topic::Origin].into()).await;
    }
    let mut adoption = recognise(&session.spec, &session.facts)?;
    session.spec = resolved(session, &adoption.layer, given)?;
    session.read([Topic::AccessEntry, Topic::AwsAuth, Topic::NodePool, Topic::Ami].into()).await;
    settle(&mut adoption, &session.spec.clone(), &session.facts)?;
    session.spec = resolved(session, &adoption.layer, given)?;
    Ok(adoption)
}

fn resolved(session: &Session, found: &Layer, given: &[(Source, Layer)]) -> Result<Spec> {
    let mut layers = vec![(Source::Found, found.clone())];
    layers.extend(given.iter().cloned());
    session.resolved(&layers)
}

/// The settings as a file has them: all but those that follow from the cluster.
fn settings(spec: &Spec) -> Layer {
    let chart = &spec.chart;
    let usual = ChartSource::default();
    let chart = ChartLayer {
        repository: (chart.repository != usual.repository).then(|| chart.repository.clone()),
        ..Layer::from(spec).chart.unwrap_or_default()
    };
    Layer {
        partition: None,
        kubernetes_version: None,
        node_group: None,
        chart: (chart != ChartLayer::default()).then_some(chart),
        ..Layer::from(spec)
    }
}

fn said(adoption: &Adoption, spec: &Spec) -> Vec<String> {
    let mut lines =
        vec![format!("Karpenter {} in {} of {} was made by {}.", spec.release, spec.namespace, spec.cluster_name, adoption.maker.word())];
    if adoption.differs.is_empty() {
        lines.push("It is as the guide of its release makes it.".into());
    } else {
        lines.push("Not as the guide of its release makes it:".into());
        lines.extend(adoption.differs.iter().map(|line| format!("  - {line}")));
    }
    lines
}
