//! Why a removal is refused before anything goes: what it would stop at half-way, without the nodes that went first.

use super::session::Session;
use super::way::no_look;
use crate::error::Error;
use crate::facts::{Facts, Probed, ToolFacts};
use crate::plan::{Action, Plan, StepId};
use crate::spec::ClusterMode;

/// The first reason.
pub(super) fn refused(session: &Session, plan: &Plan) -> Option<Error> {
    unreached(session, plan).or_else(|| lacks_tool(&session.facts, plan))
}

fn goes(plan: &Plan, steps: &[StepId]) -> bool {
    plan.steps.iter().any(|step| steps.contains(&step.id) && step.action == Action::Remove)
}

/// A program that takes away what is planned to go, and is not there or does not run.
fn lacks_tool(facts: &Facts, plan: &Plan) -> Option<Error> {
    let programs: [(&str, &[StepId], &Probed<ToolFacts>); 2] =
        [("helm", &[StepId::Chart, StepId::Crds], &facts.helm), ("eksctl", &[StepId::Cluster], &facts.eksctl)];
    let (tool, _, found) = programs.into_iter().find(|(_, steps, found)| found.known().is_none() && goes(plan, steps))?;
    let why = found.unread().map_or_else(|| format!("there is no {tool} on PATH"), str::to_owned);
    Some(
        Error::refused(format!("what is there cannot be taken away without {tool}; nothing was changed"))
            .because(why)
            .hint(format!("install {tool}, or name its file with --{tool}")),
    )
}

/// A cluster whose API server answers nothing: Karpenter's nodes can only be taken away by it, and eksctl too asks it first.
fn unreached(session: &Session, plan: &Plan) -> Option<Error> {
    let (spec, facts) = (&session.spec, &session.facts);
    let cluster = facts.cluster.known().filter(|c| c.endpoint.is_some() && c.status == "ACTIVE")?;
    let reason = facts.node_pool.unread().filter(|_| facts.chart_release.unread().is_some())?;
    if !goes(plan, &[StepId::NodePool, StepId::Chart]) {
        return None;
    }
    let error = no_look(session, cluster, reason);
    if spec.cluster == ClusterMode::Existing {
        return Some(error);
    }
    let (name, region) = (&spec.cluster_name, &spec.region);
    Some(
        error
            .hint(format!(
                "or, where nobody gets in any more: end the instances that Karpenter launched (`aws ec2 describe-instances --region {region} \
                 --filters Name=tag:kubernetes.io/cluster/{name},Values=owned Name=tag-key,Values=karpenter.sh/nodepool,karpenter.sh/provisioner-name`)"
            ))
            .hint(format!("then delete the cluster: `eksctl delete cluster --force --region {region} --name {name}`; the same command then takes what is left")),
    )
}
