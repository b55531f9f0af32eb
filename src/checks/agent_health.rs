//! Whether the agent is there that hands the controller its credentials.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, missing, whose};
use crate::facts::{AgentPods, Topic};
use crate::finding::Area;
use crate::spec::{Identity, POD_IDENTITY_AGENT};

pub(super) struct AgentHealth;

impl Check for AgentHealth {
    fn id(&self) -> &'static str {
        "agent-health"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Without the Pod Identity agent nothing says an error: the controller hangs until its first call to AWS times out, and ends."
    }

    fn explain(&self) -> &'static str {
        "With Pod Identity, looks for the EKS add-on eks-pod-identity-agent and its state.\n\nWhat people see without it: the controller's \
         pod is restarted with exit code 1 and no log line, or `failed to refresh cached credentials, no EC2 IMDS role found`, or \
         `dial tcp 169.254.170.23:80: i/o timeout`. DEGRADED means that its DaemonSet's pods have no room or no node. The agent never \
         lands on Fargate: a controller on Fargate needs --identity irsa. An agent that was installed other than as an add-on is as \
         good, and is left as it is: where there is no add-on, its DaemonSet is looked for in the cluster. ACTIVE is \
         what EKS says of an add-on whose DaemonSet wants no pod, too: of that one pods are counted as well."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::PodIdentityAgent,
            Topic::AgentPods,
            Topic::Association,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::Chart,
            Topic::Neighbours,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("add-on {POD_IDENTITY_AGENT}");
        if spec.identity != Identity::PodIdentity {
            return Err(Judgement::skip(subject, "the controller gets its credentials by IRSA"));
        }
        let Some(cluster) = read(&subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        whose::has_role_by_irsa(spec, situation.facts, &subject)?;
        let auto_mode = cluster.auto_mode;
        let of_addon = |operation: &[&'static str]| {
            let rest = ["--region", spec.region.as_str(), "--cluster-name", spec.cluster_name.as_str(), "--addon-name", POD_IDENTITY_AGENT];
            ["aws", "eks"].into_iter().chain(operation.iter().copied()).chain(rest).collect::<Vec<_>>()
        };
        let daemon_set = format!("daemonset kube-system/{POD_IDENTITY_AGENT}");
        Ok(vec![match read(&subject, &situation.facts.pod_identity_agent)?.map(|addon| addon.status.as_str()) {
            // One that could not be looked for may be there.
            None => match read(&daemon_set, &situation.facts.agent_pods)? {
                Some(pods) => by_others(*pods),
                None => missing(situation, subject, "is not there: the controller gets no credentials")?
                    .run("make it", of_addon(&["create-addon"])),
            },
            Some("ACTIVE") => match read(&daemon_set, &situation.facts.agent_pods) {
                // The nodes of Auto Mode have the agent in them, and no pod of it.
                Ok(Some(pods)) if pods.ready == 0 && !(auto_mode && pods.desired == 0) => without_pods(subject, *pods),
                Ok(_) => Judgement::pass(subject, "is ACTIVE"),
                Err(unread) => return Ok(vec![Judgement::pass(subject, "is ACTIVE"), unread]),
            },
            Some(status @ ("CREATE_FAILED" | "DELETE_FAILED" | "DELETING")) => Judgement::fail(subject, format!("is {status}"))
                .run("see why", of_addon(&["describe-addon"]))
                .fix("`karpctl identity` deletes what failed and makes it anew"),
            Some(status @ ("CREATING" | "UPDATING")) => {
                Judgement::warn(subject, format!("is {status}")).heals().run("wait for it", of_addon(&["wait", "addon-active"]))
            }
            Some("DEGRADED") => Judgement::warn(subject, "is DEGRADED: its pods wait for room or for nodes")
                .heals()
                .run("see why", of_addon(&["describe-addon"])),
            Some(status) => Judgement::warn(subject, format!("is {status}")).run("see why", of_addon(&["describe-addon"])),
        }])
    }
}

/// EKS calls an add-on ACTIVE whose `DaemonSet` finds no node.
fn without_pods(subject: String, pods: AgentPods) -> Judgement {
    let message = format!("is ACTIVE, and {} of {} pods are ready: the controller gets no credentials", pods.ready, pods.desired);
    let judgement = Judgement::fail(subject, message)
        .run("see why", ["kubectl", "--namespace", "kube-system", "describe", "daemonset", POD_IDENTITY_AGENT]);
    if pods.desired > 0 {
        return judgement;
    }
    judgement.fix("give the cluster a node that is not Fargate's, for agent and controller, or take --identity irsa")
}

/// An agent that is no add-on is judged by its pods.
fn by_others(pods: AgentPods) -> Judgement {
    let subject = format!("daemonset kube-system/{POD_IDENTITY_AGENT}");
    let message = format!("{} of {} pods are ready; it is no add-on", pods.ready, pods.desired);
    if pods.ready > 0 {
        return Judgement::pass(subject, message);
    }
    Judgement::fail(subject, format!("{message}: the controller gets no credentials"))
        .heals()
        .run("see why", ["kubectl", "--namespace", "kube-system", "describe", "daemonset", POD_IDENTITY_AGENT])
}
