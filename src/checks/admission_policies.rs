//! Whether those who may refuse what is written take what the chart and karpctl write.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, whose};
use crate::facts::{Topic, TrialAnswer, TrialFacts};
use crate::finding::Area;
use crate::knowledge::Objection;
use crate::spec::Spec;
use serde_json::{Value, json};

pub(super) struct AdmissionPolicies;

impl Check for AdmissionPolicies {
    fn id(&self) -> &'static str {
        "admission-policies"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "What a policy of the cluster refuses is not made: helm fails, or waits for pods that nobody may make."
    }

    fn explain(&self) -> &'static str {
        "Gatekeeper, Kyverno, ValidatingAdmissionPolicies, Pod Security levels (the label `pod-security.kubernetes.io/enforce` of a namespace), \
         quotas and limits are asked by showing the API server what is to come: the controller's Deployment and a pod of it, as the chart \
         makes them of these values, and the node class and the node pool, in a server-side dry run (`dryRun=All`). All that have a say \
         are asked as they are when it is real, and nothing is written.\n\n\
         What people see otherwise: `Error: INSTALLATION FAILED: admission webhook \"validation.gatekeeper.sh\" denied the request`, \
         `ValidatingAdmissionPolicy '…' with binding '…' denied request`; or helm waits in vain, and the events of the \
         ReplicaSet say `Error creating: pods \"karpenter-…\" is forbidden: violates PodSecurity \"restricted:latest\"` or `exceeded quota`.\n\n\
         What is shown has not the environment that the chart gives the controller. The chart names its image by a digest that is not known before it is \
         pulled: where no value says which (`controller.image.digest`), another stands in for it, and what is refused with that one is shown by the tag alone, too. \
         Only what is refused both ways is a finding, and where both refusals are about digests or signatures, a skip. The pod is \
         shown by whoever asks, and made by the ReplicaSet's controller: a policy that goes by who asks may say otherwise then. Charts before 1.0 are \
         not known in full, and are not tried; nor is what has no namespace or CRD yet. It takes the rights `get`, `create` and `patch` on deployments, \
         pods, nodepools.karpenter.sh and ec2nodeclasses.karpenter.k8s.aws; without them, or where a webhook does not support dry runs, it is a skip."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Trials, Topic::NodePool, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = "policies of the cluster";
        let Some(trials) = read(subject, &situation.facts.trials)? else { return Err(Judgement::skip(subject, "there is no cluster yet")) };
        whose::is_elsewhere(spec, situation.facts, subject)?;
        let runs = situation.facts.neighbours.known().is_some_and(|n| whose::in_wanted_namespace(spec, n).is_some());
        let taken: Vec<&str> = trials.iter().filter(|t| t.answer == TrialAnswer::Taken).map(|t| t.subject.as_str()).collect();
        let mut said: Vec<Judgement> = trials.iter().filter_map(|trial| not_taken(spec, trial, runs)).collect();
        if !taken.is_empty() {
            said.insert(0, Judgement::pass(subject, format!("they take {}", taken.join(", "))));
        }
        Ok(said)
    }
}

fn not_taken(spec: &Spec, trial: &TrialFacts, runs: bool) -> Option<Judgement> {
    let subject = trial.subject.as_str();
    let why = match &trial.answer {
        TrialAnswer::Taken => return None,
        TrialAnswer::NotTried(why) => return Some(Judgement::skip(subject, why.as_str())),
        TrialAnswer::Refused(why) => why,
    };
    let refused = || Judgement::fail(subject, format!("is refused: {why}"));
    let namespace = spec.namespace.as_str();
    Some(match Objection::read(why) {
        Objection::Policy { policy, binding } => {
            let judgement = match &trial.binding {
                Some(matches) => {
                    let patch = json!({"spec": {"matchResources": left_out(spec, trial, matches)}}).to_string();
                    let command = ["kubectl", "patch", "validatingadmissionpolicybinding", binding, "--type", "merge", "--patch", &patch];
                    refused().run(format!("leave it out of the policy {policy}"), command)
                }
                None => refused().fix(format!("leave it out of the policy {policy}: `matchResources` of its binding {binding}")),
            };
            judgement.fix(KEEP_TO)
        }
        Objection::Webhook(webhook) => refused()
            .fix(format!(
                "leave {} out of what {webhook} judges: `spec.match.excludedNamespaces` of Gatekeeper's constraint, `exclude` of Kyverno's policy \
                 or a PolicyException",
                if trial.in_namespace { format!("the namespace {namespace}") } else { subject.to_owned() }
            ))
            .fix(KEEP_TO),
        Objection::PodSecurity(_) => refused()
            .run(
                format!("have the namespace {namespace} take it"),
                ["kubectl", "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite"],
            )
            .fix(KEEP_TO),
        Objection::Limits => {
            let judgement = refused().run(
                "see what they leave, and raise it",
                ["kubectl", "--namespace", namespace, "describe", "resourcequota,limitrange"],
            );
            // A pod more than those that run.
            if runs { judgement.milder() } else { judgement }
        }
        Objection::NoDryRun(webhook) => Judgement::skip(subject, format!("the webhook {webhook} does not support a dry run, and was not asked")),
        Objection::Rights | Objection::Other => Judgement::skip(subject, format!("could not be tried: {why}")),
    })
}

/// The other way.
const KEEP_TO: &str = "or keep to what it asks for, by values under `chart.values` in karpctl.yaml";

/// What a binding is about, without what Karpenter writes: without its namespace, or without the kind of what has none.
fn left_out(spec: &Spec, trial: &TrialFacts, matches: &Value) -> Value {
    let mut matches = if matches.is_object() { matches.clone() } else { json!({}) };
    let (list, one) = if trial.in_namespace {
        let not_here = json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [spec.namespace]});
        (&mut matches["namespaceSelector"]["matchExpressions"], not_here)
    } else {
        let kind = json!({"apiGroups": [trial.group], "apiVersions": ["*"], "operations": ["*"], "resources": [trial.plural]});
        (&mut matches["excludeResourceRules"], kind)
    };
    let mut all = list.as_array().cloned().unwrap_or_default();
    all.push(one);
    *list = Value::Array(all);
    matches
}
