//! Whether the wanted release reads what the objects say that are there.

use super::judgement::{installed_release, read};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ObjectFacts, Topic};
use crate::finding::Area;
use crate::knowledge::{Features, NodePoolApi, Release};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) struct UpgradeObjects;

/// How many objects are named, and how many cures.
const NAMED: usize = 8;
/// The annotation by which 1.0 keeps what v1 took out of the node pool.
const KUBELET: &str = "compatibility.karpenter.sh/v1beta1-kubelet-conversion";
/// A longer text is no kubelet's settings.
const LONGEST: usize = 4096;

impl Check for UpgradeObjects {
    fn id(&self) -> &'static str {
        "upgrade-objects"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A release passes over objects of an API that it does not know, and over what is written where it does not look, without a word: nodes get another kubelet's settings, or nobody looks after them."
    }

    fn explain(&self) -> &'static str {
        "Looks at the objects that are there, in every version that the API server serves them in. 0.33 and later pass over Provisioners, \
         AWSNodeTemplates and Machines. 1.1 and later no longer read the annotation compatibility.karpenter.sh/v1beta1-kubelet-conversion, in \
         which 1.0 keeps a node pool's `kubelet` that has its place in the EC2NodeClass since v1, and cannot work on NodePools and NodeClaims \
         whose nodeClassRef says no group and kind.\n\n\
         What is seen of it: no new node for pending pods though a Provisioner is there, nodes that are `Drifted` and come back with other \
         `maxPods`, `spec.template.spec.nodeClassRef.group: Invalid value: \"\"`.\n\n\
         Move things while the release that reads them runs: its controller then still drains nodes, and does so where settings change. \
         The kubelet's settings come first, the annotation goes last. In what a git repository or a chart writes they must be moved too."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Crds, Topic::Objects, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("objects for Karpenter {}", spec.release);
        let Some(objects) = read(&subject, &situation.facts.objects)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let installed = installed_release(situation, &subject)?;
        let hop = Hop { to: spec.release.features(), from: installed.as_ref().map(Release::features) };
        let said: Vec<Judgement> =
            [unread(&hop, objects), kubelets(&hop, objects), references(&hop, objects)].into_iter().flatten().collect();
        Ok(if said.is_empty() { vec![Judgement::pass(subject, "it reads all that they say")] } else { said })
    }
}

/// An upgrade, or what there is of one.
struct Hop<'a> {
    from: Option<&'a Features>,
    to: &'a Features,
}

impl Hop<'_> {
    /// What is lost by the upgrade is a failure; what was lost before it is only told.
    fn loses(&self, reads: impl Fn(&Features) -> bool, subject: &str, message: String) -> Judgement {
        if self.from.is_some_and(reads) { Judgement::fail(subject, message) } else { Judgement::warn(subject, message) }
    }
}

/// Whether a release reads what only serves to move from v1beta1 to v1.
const fn reads_leftovers(features: &Features) -> bool {
    !matches!(features.node_pool_api, NodePoolApi::V1) || features.conversion_webhook
}

fn named(objects: &[&ObjectFacts]) -> String {
    let mut names: Vec<String> = objects.iter().take(NAMED).map(|o| format!("{}/{}", o.resource, o.name)).collect();
    if objects.len() > NAMED {
        names.push(format!("and {} more", objects.len() - NAMED));
    }
    names.join(", ")
}

/// Objects of kinds that the release does not know.
fn unread(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Judgement> {
    let found: Vec<&ObjectFacts> = objects.iter().filter(|o| !hop.to.crds.contains(&o.resource)).collect();
    (!found.is_empty()).then(|| {
        let message = format!("it passes over them: {}", named(&found));
        let judgement = hop.loses(|from| from.crds.contains(&found[0].resource), "objects of an older API", message);
        let judgement = judgement.fix("write NodePools and EC2NodeClasses that do the same, while the newest 0.32 runs, which knows both");
        found.iter().take(NAMED).fold(judgement, |judgement, object| {
            judgement.run("then delete it, whose nodes are drained", ["kubectl", "delete", &object.resource, &object.name])
        })
    })
}

/// Node pools whose kubelet's settings are in an annotation.
fn kubelets(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Judgement> {
    let found: Vec<&ObjectFacts> = objects.iter().filter(|o| o.kept_kubelet.is_some()).collect();
    if reads_leftovers(hop.to) || found.is_empty() {
        return None;
    }
    let message = format!("their kubelet's settings are in the annotation {KUBELET}, which it does not read: {}", named(&found));
    let judgement = hop.loses(reads_leftovers, "kubelet settings of node pools", message);
    let mut of_class: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for object in &found {
        let settings = object.kept_kubelet.as_deref().filter(|text| text.len() < LONGEST).and_then(|text| serde_json::from_str(text).ok());
        if let Some((class, settings)) = object.class_ref.as_ref().zip(settings) {
            let known = of_class.entry(class.name.as_str()).or_default();
            if !known.contains(&settings) {
                known.push(settings);
            }
        }
    }
    let moved = of_class.into_iter().take(NAMED).fold(judgement, |judgement, (class, settings)| match &settings[..] {
        [one] if one.is_object() => {
            let patch = json!({"spec": {"kubelet": one}}).to_string();
            let command = ["kubectl", "patch", "ec2nodeclasses.karpenter.k8s.aws", class, "--type", "merge", "--patch", &patch];
            judgement.run("write them into the node class", command)
        }
        _ => judgement.fix(format!("its pools do not agree on the settings: give each an EC2NodeClass of its own in place of {class}")),
    });
    Some(found.iter().take(NAMED).fold(moved, |judgement, object| {
        let gone = format!("{KUBELET}-");
        judgement.run("then take the annotation away", ["kubectl", "annotate", &object.resource, &object.name, &gone])
    }))
}

/// Objects that do not say of which kind their node class is.
fn references(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Judgement> {
    let lacks = |object: &&ObjectFacts| object.class_ref.as_ref().is_some_and(|of| of.group.is_empty() || of.kind.is_empty());
    let found: Vec<&ObjectFacts> = objects.iter().filter(lacks).collect();
    if reads_leftovers(hop.to) || found.is_empty() {
        return None;
    }
    let message = format!("their nodeClassRef says no group or kind, without which it cannot work on them: {}", named(&found));
    let judgement = Judgement::fail("node class references", message);
    Some(found.iter().take(NAMED).fold(judgement, |judgement, object| {
        let (resource, name) = (object.resource.as_str(), object.name.as_str());
        if resource.starts_with("nodepools.") {
            let of = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass"});
            let patch = json!({"spec": {"template": {"spec": {"nodeClassRef": of}}}}).to_string();
            judgement.run("say them", ["kubectl", "patch", resource, name, "--type", "merge", "--patch", &patch])
        } else {
            judgement.run("its spec cannot be changed: replace its node", ["kubectl", "delete", resource, name])
        }
    }))
}
