//! The EKS Pod Identity agent add-on (Pod Identity only).

use super::context::owner_tags;
use super::looked::{left_unread, looked, made_by, used_by_others};
use super::shell::{is_to_be_made, map};
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::probe::identity::AGENT;
use crate::spec::{ClusterMode, Identity, Spec};
use async_trait::async_trait;
use std::time::Duration;

/// See the module.
pub(super) struct PodIdentityAgent;

#[async_trait]
impl Step for PodIdentityAgent {
    fn id(&self) -> StepId {
        StepId::PodIdentityAgent
    }

    fn title(&self, _: &Spec) -> String {
        format!("add-on {AGENT}")
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::Cluster]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::PodIdentityAgent, Topic::AgentPods]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[Topic::PodIdentityAgent, Topic::AgentUsers]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        20
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.identity != Identity::PodIdentity {
            return State::NotWanted;
        }
        let addon = match looked(&facts.pod_identity_agent) {
            Ok(Some(addon)) => addon,
            // One that was put there otherwise does the same, and EKS makes no add-on over it.
            Ok(None) if facts.agent_pods.known().is_some() => return State::Present,
            Ok(None) => return State::Absent,
            Err(state) => return state,
        };
        match addon.status.as_str() {
            "CREATING" | "UPDATING" | "DELETING" => State::Busy(format!("the add-on is {}", addon.status)),
            "CREATE_FAILED" | "DELETE_FAILED" => State::Broken(format!("the add-on is {}", addon.status)),
            // DEGRADED: its DaemonSet waits for nodes, which may come later; UPDATE_FAILED: the version before goes on working.
            _ => State::Present,
        }
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        let state = match looked(&facts.pod_identity_agent) {
            // A cluster of ours takes its add-ons along.
            _ if spec.cluster == ClusterMode::Managed => State::NotWanted,
            Ok(Some(addon)) if spec.owns(&addon.tags) => {
                let removal = format!("aws eks delete-addon {}", of(spec));
                used_by_others(spec, &facts.agent_users, &removal).map_or(State::Present, State::from)
            }
            Ok(_) => State::Absent,
            Err(state) => state,
        };
        made_by(Identity::PodIdentity, spec, state)
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let of = of(spec);
        match direction {
            Direction::Apply => {
                let wait = format!("aws eks wait addon-active {of}");
                // eksctl makes it with the cluster.
                if is_to_be_made(spec, facts) {
                    return vec![wait];
                }
                vec![format!("aws eks create-addon {of} --tags {}", map(&owner_tags(spec))), wait]
            }
            Direction::Remove => vec![format!("aws eks delete-addon {of}"), format!("aws eks wait addon-deleted {of}")],
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let (aws, cluster) = (&context.ports.aws, context.spec.cluster_name.as_str());
        if action == Action::Replace {
            context.doing(format!("deleting the add-on {AGENT}, which failed"));
            aws.delete_addon(cluster, AGENT).await?;
            wait(context, "deleted", |status| status.is_none()).await?;
        }
        if aws.addon(cluster, AGENT).await?.is_none() {
            match aws.create_addon(cluster, AGENT, &context.tags()).await {
                Err(e) if e.kind != ErrorKind::Conflict => return Err(e),
                _ => {}
            }
        }
        let status = wait(context, "active", |status| !matches!(status, None | Some("CREATING" | "UPDATING" | "DELETING"))).await?;
        match status.as_deref() {
            Some("DEGRADED") => {
                context.warn(format!("the add-on {AGENT} is DEGRADED: its pods wait for nodes that can run them"));
                Ok(())
            }
            Some("CREATE_FAILED") => Err(Error::failed(format!("cannot create the add-on {AGENT}: it is CREATE_FAILED")).hint(format!(
                "see why: `aws eks describe-addon --region {} --cluster-name {cluster} --addon-name {AGENT} --query addon.health`",
                context.spec.region
            ))),
            _ => Ok(()),
        }
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let (aws, cluster) = (&context.ports.aws, context.spec.cluster_name.as_str());
        match aws.addon(cluster, AGENT).await? {
            Some(addon) if context.spec.owns(&addon.tags) => {
                aws.delete_addon(cluster, AGENT).await?;
                wait(context, "deleted", |status| status.is_none()).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    fn goes_without(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        left_unread((Identity::PodIdentity, spec), facts, "the add-on eks-pod-identity-agent", &facts.pod_identity_agent, direction)
    }

    fn explain(&self) -> &'static str {
        "Makes sure that the add-on eks-pod-identity-agent is there: it hands the controller its credentials (Pod Identity only). \
         Without it nothing fails loudly; the controller hangs and ends. A new cluster gets it from eksctl. An agent that was installed \
         other than as an add-on is left as it is. On the way back only an \
         add-on that karpctl put into an existing cluster is removed, and that stays, too, while others in the cluster have associations: \
         they would be left without credentials."
    }
}

/// The add-on, as aws is told of it.
fn of(spec: &Spec) -> String {
    format!("--region {} --cluster-name {} --addon-name {AGENT}", spec.region, spec.cluster_name)
}

async fn wait(context: &StepContext<'_>, until: &str, settled: impl Fn(Option<&str>) -> bool + Send + Sync) -> Result<Option<String>> {
    context.doing(format!("waiting until the add-on {AGENT} is {until}"));
    let timed_out = || {
        Error::new(ErrorKind::Timeout, format!("the add-on {AGENT} is not {until} in time")).hint("run karpctl again, which waits for it")
    };
    let settled = &settled;
    context
        .wait_for(Duration::from_secs(3), timed_out, || async move {
            let status = context.ports.aws.addon(context.spec.cluster_name.as_str(), AGENT).await?.map(|a| a.status);
            Ok(settled(status.as_deref()).then_some(status))
        })
        .await
}
