//! The EKS cluster: made by eksctl, or somebody else's that must be there.

use super::cluster_judge::{judge, judge_removal, without_fargate};
use super::cluster_rest::{mend, mend_commands};
use super::cluster_whole::{create, delete, stacks_left, wait_for_api};
use super::shell::render_command;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, OutlivingFacts, Probed, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::probe::{ProbeContext, probe};
use crate::spec::{ClusterMode, Spec};
use crate::wording::named;
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::Instant;

/// See the module.
pub(super) struct Cluster;

/// How long an operation that is not ours may take: a node group of ten takes twenty minutes, a control plane fifteen.
const LONGEST: Duration = Duration::from_mins(45);
/// The most things that are done one after the other: broken, made anew, mended.
const DEEDS: u32 = 4;

#[async_trait]
impl Step for Cluster {
    fn id(&self) -> StepId {
        StepId::Cluster
    }

    fn title(&self, spec: &Spec) -> String {
        format!("cluster {}", spec.cluster_name)
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        Vec::new()
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::ClusterStacks, Topic::EksctlOthers, Topic::MetricsServer, Topic::Chart, Topic::Controller, Topic::Tools]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::ClusterStacks, Topic::EksctlOthers, Topic::Outliving]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        900
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        judge(spec, facts)
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        judge_removal(spec, facts)
    }

    fn leaves(&self, facts: &Facts) -> Vec<String> {
        facts.outliving.known().map(leaves).unwrap_or_default()
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let (cluster, region) = (&spec.cluster_name, &spec.region);
        let mut delete: Vec<String> = stacks_left(spec, facts).iter().map(|(name, _)| delete_stack_command(spec, name)).collect();
        if !matches!(facts.cluster, Probed::Absent) {
            delete.push(format!("eksctl delete cluster --name {cluster} --region {region} --wait --disable-nodegroup-eviction"));
        }
        let config = render_command(spec, "cluster-config --for-bootstrap", "cluster.yaml");
        let create = |what: &str| format!("eksctl create {what} --config-file cluster.yaml");
        match (spec.cluster, direction, judge(spec, facts)) {
            (ClusterMode::Existing, ..) => Vec::new(),
            (ClusterMode::Managed, Direction::Remove, _) => delete,
            (ClusterMode::Managed, Direction::Apply, State::Busy(_)) => {
                vec![format!("aws eks wait cluster-active --region {region} --name {cluster}")]
            }
            (ClusterMode::Managed, Direction::Apply, State::Broken(_)) => {
                std::iter::once(config).chain(delete).chain([create("cluster")]).collect()
            }
            (ClusterMode::Managed, Direction::Apply, State::Drifted(_)) => mend_commands(spec, facts, config),
            (ClusterMode::Managed, Direction::Apply, _) => vec![config, create("cluster")],
        }
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        let deadline = Instant::now() + LONGEST;
        let (mut deeds, mut answers) = (0, false);
        loop {
            // Whether all is there can be said only once the API server answers.
            let topics = WHOLE.into_iter().filter(|topic| answers || !topic.in_cluster());
            let facts = look(context, topics).await;
            let state = judge(context.spec, &facts);
            if !matches!(state, State::Busy(_) | State::Present) {
                deeds += 1;
            }
            match state {
                State::Present if answers => return Ok(()),
                State::Present => {
                    wait_for_api(context, &facts).await?;
                    answers = true;
                }
                _ if deeds > DEEDS => {
                    return Err(Error::failed(format!("the cluster {} does not come to stand", context.spec.cluster_name)));
                }
                State::Absent => create(context).await?,
                State::Broken(_) => delete(context, &facts).await?,
                State::Drifted(_) => mend(context, &facts).await?,
                State::Busy(what) => wait(context, &what, deadline).await?,
                State::Unknown(reason) => {
                    return Err(Error::failed(format!("cannot know how the cluster {} stands", context.spec.cluster_name)).because(reason));
                }
                State::NotWanted => return Ok(()),
                state => return Err(state.into_error()),
            }
        }
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        if context.spec.cluster == ClusterMode::Existing {
            return Ok(());
        }
        let deadline = Instant::now() + LONGEST;
        loop {
            let facts = look(context, OUTSIDE.into_iter()).await;
            match judge_removal(context.spec, &facts) {
                State::Absent => return Ok(()),
                state @ (State::Blocked { .. } | State::Foreign { .. }) => return Err(state.into_error()),
                State::Unknown(reason) => {
                    return Err(Error::failed(format!("cannot know how the cluster {} stands", context.spec.cluster_name)).because(reason));
                }
                State::Busy(what) => wait(context, &what, deadline).await?,
                _ => return delete(context, &facts).await,
            }
        }
    }

    fn kept_on_destroy(&self, spec: &Spec) -> Option<&'static str> {
        match spec.cluster {
            ClusterMode::Existing => Some("the cluster is not karpctl's (--existing-cluster)"),
            ClusterMode::Managed => None,
        }
    }

    fn goes_without(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        if direction == Direction::Apply {
            return without_fargate(spec, facts).into_iter().collect();
        }
        match &facts.eksctl_others {
            Probed::Unavailable(reason) => {
                vec![format!("stacks of eksctl's may be left of the cluster, which is gone: they were not looked for: {reason}")]
            }
            _ => Vec::new(),
        }
    }

    fn explain(&self) -> &'static str {
        "Runs `eksctl create cluster` on the rendered ClusterConfig: control plane, add-ons, OIDC provider and the node group (or \
         Fargate profile) that runs the controller. Roles, policies, mappings and the chart are other steps. With \
         --existing-cluster the cluster must be there, and is never changed or deleted by this step. An eksctl that broke off is \
         gone on with: what holds nothing is deleted and made anew, add-ons, OIDC provider and a node group or Fargate profile that are \
         missing are made while no controller runs, the endpoint of a private cluster is closed, and a cluster that serves is never deleted to mend it. A cluster \
         with EKS Auto Mode is refused: two Karpenters would work against each other; on the way back it is deleted as any other."
    }
}

/// The shell that deletes a stack of eksctl's.
pub(super) fn delete_stack_command(spec: &Spec, name: &str) -> String {
    let stack = format!("--region {} --stack-name {name}", spec.region);
    format!(
        "aws cloudformation update-termination-protection --no-enable-termination-protection {stack} && \
         aws cloudformation delete-stack {stack} && aws cloudformation wait stack-delete-complete {stack}"
    )
}

/// What only controllers of the cluster would delete, and they go with it, a line each.
fn leaves(left: &OutlivingFacts) -> Vec<String> {
    let said = |names: &[String], words: &str, kind: &str| {
        let shown = named(names, NAMED);
        (!names.is_empty()).then(|| format!("{words}: {shown}; delete them first: `kubectl --namespace NAMESPACE delete {kind} NAME`"))
    };
    let balancers = "their load balancers may stay, cost money and hold the network: they go only while the controller that made them runs";
    [
        said(&left.claims, "their EBS volumes stay, and cost money: claims", "persistentvolumeclaim"),
        said(&left.services, &format!("{balancers}: Services"), "service"),
        said(&left.ingresses, &format!("{balancers}: Ingresses"), "ingress"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The most of a kind that a plan names.
const NAMED: usize = 5;

/// What AWS says of the cluster.
const OUTSIDE: [Topic; 3] = [Topic::Cluster, Topic::ClusterStacks, Topic::EksctlOthers];
/// With what shows whether eksctl came to its end, and whether its work is still needed.
const WHOLE: [Topic; 6] =
    [Topic::Cluster, Topic::ClusterStacks, Topic::EksctlOthers, Topic::MetricsServer, Topic::Chart, Topic::Controller];

/// The cluster as it is now.
async fn look(context: &StepContext<'_>, topics: impl Iterator<Item = Topic>) -> Facts {
    let mut facts = context.facts.clone();
    let probing = ProbeContext { spec: context.spec, ports: context.ports, kubeconfig: context.kubeconfig };
    probe(&probing, &topics.collect(), &mut facts).await;
    facts
}

async fn wait(context: &StepContext<'_>, what: &str, deadline: Instant) -> Result<()> {
    if Instant::now() >= deadline {
        return Err(Error::new(ErrorKind::Timeout, format!("the cluster {} does not come to rest", context.spec.cluster_name))
            .because(what)
            .hint("AWS goes on by itself; run karpctl again, which waits for it"));
    }
    context.doing(format!("waiting: {what}"));
    context.pause(Duration::from_secs(10)).await
}
