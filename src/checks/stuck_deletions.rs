//! Whether something of Karpenter's is being deleted that nobody will end.

use super::judgement::read;
use super::neighbours::karpenters;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Deleting, Topic, Workload};
use crate::finding::Area;
use crate::spec::Spec;
use crate::wording::named;
use jiff::civil::Date;
use serde_json::json;

pub(super) struct StuckDeletions;

/// How many objects are named, and how many cures.
const NAMED: usize = 8;

impl Check for StuckDeletions {
    fn id(&self) -> &'static str {
        "stuck-deletions"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "The finalizers karpenter.sh/termination and karpenter.k8s.aws/termination are taken away by a controller that runs. Without one, what is deleted stays Terminating for ever, and with it every namespace, CRD or node pool above it."
    }

    fn explain(&self) -> &'static str {
        "NodePools, EC2NodeClasses, NodeClaims and Nodes carry the finalizers karpenter.sh/termination or karpenter.k8s.aws/termination, so that the \
         controller can end their instances first. Where it was uninstalled before they were deleted, they stay Terminating for ever.\n\n\
         Let a controller run again and it ends them. Taking the finalizers away by hand is the last resort: the instance goes on running and \
         costs money until you end it. Other finalizers are left in place. Where a controller runs, what has gone on for days is mostly held \
         by a PodDisruptionBudget or the annotation karpenter.sh/do-not-disrupt."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Crds, Topic::Objects, Topic::Capacity, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        let (Some(objects), Some(nodes)) = (read(&subject, &facts.objects)?, read(&subject, &facts.nodes)?) else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let of_nodes = nodes.iter().filter_map(|n| Some(("nodes", n.name.as_str(), n.deleting.as_ref()?)));
        let of_objects = objects.iter().filter_map(|o| Some((o.resource.as_str(), o.name.as_str(), o.deleting.as_ref()?)));
        let held: Vec<Held<'_>> = of_objects.chain(of_nodes).filter(|(_, _, d)| d.finalizers.iter().any(|f| is_karpenters(f))).collect();
        if held.is_empty() {
            return Ok(vec![Judgement::pass(subject, "nothing waits for a Karpenter to end its deletion")]);
        }
        let controllers: Vec<&Workload> = read(&subject, &facts.neighbours)?.into_iter().flat_map(karpenters).collect();
        let names = named(held.iter().map(|(kind, name, _)| format!("{kind}/{name}")), NAMED);
        if controllers.iter().any(|c| c.ready > 0) {
            return Ok(vec![at_work(subject, &held, &names, situation.today)]);
        }
        let judgement = Judgement::fail(subject, format!("being deleted, and no controller is there to end it: {names}"));
        let judgement = bring_back(spec, judgement, controllers.first().copied());
        Ok(vec![held.iter().take(NAMED).fold(judgement, |judgement, (kind, name, deleting)| {
            let kept: Vec<&String> = deleting.finalizers.iter().filter(|f| !is_karpenters(f)).collect();
            let patch = json!({"metadata": {"finalizers": kept}}).to_string();
            let title = "or, as the last resort, let it go; an instance behind it goes on running until you end it";
            judgement.run(title, ["kubectl", "patch", kind, name, "--type", "merge", "--patch", &patch])
        })])
    }
}

/// What is being deleted: kind, name, since when and what keeps it.
type Held<'a> = (&'a str, &'a str, &'a Deleting);

fn is_karpenters(finalizer: &str) -> bool {
    matches!(finalizer, "karpenter.sh/termination" | "karpenter.k8s.aws/termination")
}

/// What brings a controller back.
fn bring_back(spec: &Spec, judgement: Judgement, controller: Option<&Workload>) -> Judgement {
    let (cluster, region) = (spec.cluster_name.as_str(), spec.region.as_str());
    match controller {
        None => {
            let command = ["karpctl", "install", "--cluster-name", cluster, "--region", region, "--existing-cluster"];
            judgement.run("install a controller, which ends it", command)
        }
        Some(found) if found.desired == 0 => {
            let command = ["kubectl", "--namespace", &found.namespace, "scale", &found.resource, &found.name, "--replicas", "2"];
            judgement.run("let the controller run, which ends it", command)
        }
        Some(found) => {
            let command =
                ["kubectl", "--namespace", &found.namespace, "describe", "pods", "--selector", "app.kubernetes.io/name=karpenter"];
            judgement.run("see why the controller is not ready: it ends it once it is", command)
        }
    }
}

/// A controller is at it. What has gone on since before yesterday does not end by itself.
fn at_work(subject: String, held: &[Held<'_>], names: &str, today: Date) -> Judgement {
    let begun = |deleting: &Deleting| deleting.since.get(..10).and_then(|day| day.parse::<Date>().ok());
    let yesterday = today.yesterday().unwrap_or(today);
    if held.iter().any(|(_, _, deleting)| begun(deleting).is_some_and(|day| day < yesterday)) {
        let command = ["kubectl", "get", "events", "--all-namespaces", "--field-selector", "type=Warning"];
        return Judgement::warn(subject, format!("being deleted since before yesterday: {names}"))
            .run("see what holds it up: mostly a PodDisruptionBudget or the annotation karpenter.sh/do-not-disrupt", command);
    }
    Judgement::pass(subject, format!("being deleted, and the controller is at it: {names}"))
}
