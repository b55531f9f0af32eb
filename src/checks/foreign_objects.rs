//! Whether what the bootstrap would change is karpctl's to change.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::plan::{State, StepId};
use crate::spec::{ClusterMode, Spec};
use crate::steps;

pub(super) struct ForeignObjects;

/// The steps whose refusals no other check tells: those of the stack, the cluster, its network and issuer, the association, CRDs and chart
/// have checks of their own.
const STEPS: [StepId; 3] = [StepId::NodeMapping, StepId::ControllerRole, StepId::NodePool];

impl Check for ForeignObjects {
    fn id(&self) -> &'static str {
        "foreign-objects"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "What is there by the name of something that the bootstrap makes, and was not made by karpctl, is not changed unasked: `karpctl bootstrap` refuses to go on."
    }

    fn explain(&self) -> &'static str {
        "Looks at the controller's role, the node pool and the node class by the names that karpctl gives its own. A role without the tag \
         karpctl.dev/cluster, or a pool that the field manager karpctl did not apply, was made by the guide's commands, by eksctl, by another tool or by a \
         person. `karpctl bootstrap` says `… is there and is not karpctl's` and ends with exit code 4 before anything is changed; with \
         --adopt it takes them over as they are; where they are part of a Karpenter that works, `karpctl adopt` finds the settings with which nothing of it is changed. It also tells where --node-access asks for \
         a way in which the cluster's authentication mode does not know (`The cluster's authentication mode must be set to one of [API, \
         API_AND_CONFIG_MAP] to perform this operation`)."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::AccessEntry, Topic::AwsAuth, Topic::ControllerRole, Topic::NodePool]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        let is_there = read(&subject, &facts.cluster)?.is_some();
        let judged = |id: StepId| match id {
            // Where the spec asks for no way in, the mode decides, and the check node-access judges what is there.
            StepId::NodeMapping => is_there && spec.node_access.is_some(),
            StepId::ControllerRole => true,
            _ => is_there,
        };
        let steps = steps::all().into_iter().filter(|step| STEPS.contains(&step.id()) && judged(step.id()));
        let said: Vec<Judgement> = steps.filter_map(|step| refusal(&step.title(spec), step.assess(spec, facts), spec)).collect();
        Ok(if said.is_empty() { vec![Judgement::pass(subject, "nothing of anybody else's is in the way")] } else { said })
    }
}

/// What is said of a state in which the step would be refused, or is not known.
fn refusal(title: &str, state: State, spec: &Spec) -> Option<Judgement> {
    match state {
        State::Foreign { why, .. } => {
            let (cluster, region) = (spec.cluster_name.as_str(), spec.region.as_str());
            let existing = (spec.cluster == ClusterMode::Existing).then_some("--existing-cluster");
            let look = ["karpctl", "bootstrap", "--adopt", "--dry-run", "--cluster-name", cluster, "--region", region];
            let judgement = Judgement::warn(title, format!("{why}: `karpctl bootstrap` refuses to change it"))
                .run("see what would become of it", look.into_iter().chain(existing));
            Some(judgement.fix(
                "without --dry-run, and with the settings that you give bootstrap, it takes it over; or give it another name, or remove it",
            ))
        }
        State::Blocked { why, hints } => {
            Some(hints.iter().fold(Judgement::fail(title, why), |judgement, hint| judgement.fix(of_bootstrap(hint))))
        }
        State::Unknown(reason) => Some(Judgement::skip(title, format!("could not be read: {reason}"))),
        _ => None,
    }
}

/// A step's hint, which speaks of the command that was refused.
fn of_bootstrap(hint: &str) -> String {
    hint.replace("the same command with `", "`karpctl bootstrap ")
}
