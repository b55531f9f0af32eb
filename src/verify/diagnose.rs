//! Why a phase hangs: what the objects and events say, and what that usually means.

use super::{NAMESPACE, Phase, Proof, Seen, WORKLOAD, has};
use crate::error::{Error, ErrorKind};
use crate::facts::{Facts, Topic};
use crate::plan::{State, StepId};
use crate::ports::ObjectKind;
use crate::probe::controller::complaints_of;
use crate::probe::{ProbeContext, probe};
use crate::steps;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The most causes that are told.
const CAUSES: usize = 8;

/// An event with how often it has come: one that comes again is counted, and not made anew.
pub(super) fn count_of(event: &Value) -> String {
    format!("{} {} {}", event["metadata"]["name"], event["count"], event["series"]["count"])
}

impl Proof<'_> {
    /// The error for a phase that did not end in time.
    pub(super) async fn diagnose(&self, phase: Phase, seen: &Seen, waited: Duration) -> Error {
        let cluster = &self.context.spec.cluster_name;
        let what = match phase {
            Phase::Pending => "Karpenter does not decide on nodes for the pending pods",
            Phase::Launched => "EC2 does not launch the nodes that Karpenter asks for",
            Phase::Registered => "the nodes are launched and do not join the cluster",
            Phase::Ready => "the nodes have joined and do not become ready",
            Phase::Running => "the nodes are ready and the pods do not run",
            Phase::Removed => "Karpenter does not take the empty nodes away",
        };
        let error = Error::new(ErrorKind::Timeout, format!("cannot verify Karpenter on cluster {cluster}: {what}")).because(format!(
            "the phase `{}` has not ended within {} s",
            phase.as_str(),
            waited.as_secs()
        ));
        let mut said = match phase {
            Phase::Pending => self.of_pool().await,
            Phase::Launched => self.of_claims(seen, "Launched").await,
            Phase::Registered => self.of_joining(seen).await,
            Phase::Ready => self.of_nodes(seen),
            Phase::Running => Vec::new(),
            Phase::Removed => self.left(seen),
        };
        if matches!(phase, Phase::Pending | Phase::Running) {
            said.extend(complaints_of(self.kube, NAMESPACE, &format!("app={WORKLOAD}"), WORKLOAD).await.unwrap_or_default());
        }
        said.dedup();
        let text = said.join("\n");
        let error = said.iter().take(CAUSES).fold(error, Error::because);
        self.hints(phase, &text).into_iter().fold(error, Error::hint)
    }

    fn hints(&self, phase: Phase, text: &str) -> Vec<String> {
        let spec = self.context.spec;
        let (cluster, region) = (&spec.cluster_name, &spec.region);
        let mut hints = Vec::new();
        if text.contains("ServiceLinkedRole") {
            hints.push("the account lacks the Spot service-linked role: `aws iam create-service-linked-role --aws-service-name spot.amazonaws.com`".to_owned());
        }
        if text.contains("UnauthorizedOperation") || text.contains("not authorized") || text.contains("AccessDenied") {
            hints.push(format!(
                "the role {} may not do this: `karpctl iam --cluster-name {cluster} --region {region}` makes the release's policies, and `karpctl identity` with the same words attaches them",
                spec.controller_role_name()
            ));
        }
        if text.contains("nsufficientInstanceCapacity") || text.contains("nsufficient capacity") {
            hints.push(
                "EC2 has no such capacity in these zones now: allow more instance types, zones or capacity types in the node pool"
                    .to_owned(),
            );
        }
        if text.contains("VcpuLimitExceeded") || text.contains("MaxSpotInstanceCountExceeded") {
            hints.push(format!(
                "the account's EC2 quota is used up: `aws service-quotas list-service-quotas --region {region} --service-code ec2`"
            ));
        }
        hints.push(match phase {
            Phase::Pending => format!("see what the controller says: `kubectl --namespace {} logs --selector app.kubernetes.io/name=karpenter`", spec.namespace),
            Phase::Launched => format!("see the events: `kubectl describe {}`", self.kinds.claim.plural),
            Phase::Registered => format!(
                "most often the nodes are not let in (kubelet: Unauthorized): `karpctl identity --cluster-name {cluster} --region {region}` makes the mapping; \
                 else subnets without a way to the cluster's endpoint; `journalctl -u kubelet` on an instance (`aws ssm start-session --target <instance>`) says which"
            ),
            Phase::Ready => "most often the network add-on (vpc-cni) does not come up on the node: `kubectl --namespace kube-system get pods --output wide`".into(),
            Phase::Running => format!("see the pods: `kubectl --namespace {NAMESPACE} describe pods --selector app={WORKLOAD}`"),
            Phase::Removed => format!("pods of others, a disruption budget or the annotation karpenter.sh/do-not-disrupt hold them: `kubectl describe {} nodes`", self.kinds.claim.plural),
        });
        hints
    }

    /// What the node pool and its class say of themselves.
    async fn of_pool(&self) -> Vec<String> {
        let mut facts = Facts { cluster: self.context.facts.cluster.clone(), ..Facts::default() };
        self.read(&mut facts, &[Topic::Controller, Topic::NodePool]).await;
        match assess(self, StepId::Ready, &facts) {
            Some(State::Busy(what)) => vec![what],
            Some(State::Absent) => vec!["the controller, the node pool or the node class is not there".to_owned()],
            _ => Vec::new(),
        }
    }

    /// What the claims that lack a condition say, and the warnings about them.
    async fn of_claims(&self, seen: &Seen, condition: &str) -> Vec<String> {
        let mut said = Vec::new();
        for (name, claim) in seen.claims.iter().filter(|(_, claim)| !has(claim, condition)) {
            let conditions = claim["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let why = conditions.iter().find(|c| c["type"] == condition).and_then(|c| c["message"].as_str().or(c["reason"].as_str()));
            said.push(format!("{} {name}: {}", self.kinds.claim_word, why.filter(|w| !w.is_empty()).unwrap_or("it says nothing yet")));
        }
        // A claim that failed to launch is replaced, so all count; what was told before the proof may be mended by now.
        let since = self.warnings().await.into_iter().filter(|event| !self.heard.contains(&count_of(event)));
        said.extend(since.filter_map(|e| Some(format!("{}: {}", e["reason"].as_str()?, e["message"].as_str()?))));
        if said.is_empty() {
            said.extend(self.of_pool().await);
        }
        said
    }

    /// The warnings about claims. Events about what is in no namespace are kept in `default`.
    pub(super) async fn warnings(&self) -> Vec<Value> {
        let events = self.kube.list(&ObjectKind::new("v1", "events"), Some("default"), None).await.unwrap_or_default();
        let about = |e: &Value| e["involvedObject"]["kind"] == self.kinds.claim_word && e["type"] == "Warning";
        events.into_iter().filter(about).collect()
    }

    /// Whether the nodes are let in at all, beside what the claims say.
    async fn of_joining(&self, seen: &Seen) -> Vec<String> {
        let mut facts = self.context.facts.clone();
        self.read(&mut facts, &[Topic::Cluster, Topic::AccessEntry, Topic::AwsAuth]).await;
        let mut said = match assess(self, StepId::NodeMapping, &facts) {
            Some(State::Absent) => vec![format!(
                "the role {} is not let into the cluster: it has no access entry and no row in aws-auth",
                self.context.spec.node_role_name()
            )],
            Some(State::Drifted(changes)) => changes,
            Some(State::Foreign { why, .. } | State::Blocked { why, .. }) => vec![why],
            _ => Vec::new(),
        };
        let instances = seen.claims.values().filter(|c| !has(c, "Registered")).filter_map(|c| c["status"]["providerID"].as_str());
        said.extend(instances.map(|id| format!("instance {} has not joined", id.rsplit('/').next().unwrap_or(id))));
        said.extend(self.of_claims(seen, "Registered").await);
        said
    }

    fn of_nodes(&self, seen: &Seen) -> Vec<String> {
        let mut said = Vec::new();
        for (name, node) in seen.nodes.iter().filter(|(name, node)| self.caused.contains_key(*name) && !has(node, "Ready")) {
            let conditions = node["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let why = conditions.iter().find(|c| c["type"] == "Ready").and_then(|c| c["message"].as_str()).unwrap_or("it says nothing yet");
            said.push(format!("node {name}: {why}"));
        }
        for (name, claim) in seen.claims.iter().filter(|(_, claim)| !has(claim, "Initialized")) {
            let conditions = claim["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(why) = conditions.iter().find(|c| c["type"] == "Initialized").and_then(|c| c["message"].as_str()) {
                said.push(format!("{} {name}: {why}", self.kinds.claim_word));
            }
        }
        said
    }

    fn left(&self, seen: &Seen) -> Vec<String> {
        let nodes = seen.nodes.keys().filter(|name| self.caused.contains_key(*name)).map(|name| format!("node {name} is still there"));
        let claims = seen.claims.keys().filter(|name| !self.before.claims.contains_key(*name));
        nodes.chain(claims.map(|name| format!("{} {name} is still there", self.kinds.claim_word))).collect()
    }

    async fn read(&self, facts: &mut Facts, topics: &[Topic]) {
        let context = ProbeContext { spec: self.context.spec, ports: self.context.ports, kubeconfig: self.context.kubeconfig };
        probe(&context, &topics.iter().copied().collect::<BTreeSet<Topic>>(), facts).await;
    }
}

fn assess(proof: &Proof<'_>, step: StepId, facts: &Facts) -> Option<State> {
    steps::all().iter().find(|s| s.id() == step).map(|s| s.assess(proof.context.spec, facts))
}
