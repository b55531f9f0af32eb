//! What an upgrade would lose of the objects that are there: what the wanted release passes over, and what takes it away: pure.

use crate::facts::ObjectFacts;
use crate::knowledge::{Features, NodePoolApi};
use crate::wording;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many objects are named, and how many cures.
const NAMED: usize = 8;
/// The annotation by which 1.0 keeps what v1 took out of the node pool.
const KUBELET: &str = "compatibility.karpenter.sh/v1beta1-kubelet-conversion";
/// The kinds of the API before v1beta1.
const ALPHA: [&str; 3] = ["provisioners.", "machines.", "awsnodetemplates."];
/// A longer text is no kubelet's settings.
const LONGEST: usize = 4096;

/// Something that the wanted release does not read as it is meant.
pub(crate) struct Loss {
    /// What it is about.
    pub(crate) subject: &'static str,
    /// What becomes of it, and which objects it is.
    pub(crate) message: String,
    /// When it comes about.
    pub(crate) comes: Comes,
    /// What helps, in this order.
    pub(crate) cures: Vec<Cure>,
}

/// When something is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    /// By this upgrade: the release that is installed reads it.
    ByUpgrade,
    /// It was lost before.
    Before,
    /// The release does not work with it, whatever was installed before.
    Always,
    /// It may be right, by what cannot be seen.
    Perhaps,
}

/// Something to do: a sentence, with its command where there is one.
pub(crate) struct Cure {
    pub(crate) title: String,
    pub(crate) command: Vec<String>,
}

impl Loss {
    fn new(hop: &Hop<'_>, reads: impl Fn(&Features) -> bool, subject: &'static str, message: String) -> Self {
        let comes = if hop.from.is_some_and(reads) { Comes::ByUpgrade } else { Comes::Before };
        Self { subject, message, comes, cures: Vec::new() }
    }

    fn fix(mut self, title: impl Into<String>) -> Self {
        self.cures.push(Cure { title: title.into(), command: Vec::new() });
        self
    }

    fn run<'a>(mut self, title: &str, command: impl IntoIterator<Item = &'a str>) -> Self {
        self.cures.push(Cure { title: title.into(), command: command.into_iter().map(str::to_owned).collect() });
        self
    }
}

/// What the release `to` loses, where `from` is installed.
pub(crate) fn losses(from: Option<&Features>, to: &Features, objects: &[ObjectFacts]) -> Vec<Loss> {
    let hop = Hop { from, to };
    [unread(&hop, objects), kubelets(&hop, objects), references(&hop, objects), ubuntu(&hop, objects), custom(&hop, objects)]
        .into_iter()
        .flatten()
        .collect()
}

/// An upgrade, or what there is of one.
struct Hop<'a> {
    from: Option<&'a Features>,
    to: &'a Features,
}

fn named(objects: &[&ObjectFacts]) -> String {
    wording::named(objects.iter().map(|o| format!("{}/{}", o.resource, o.name)), NAMED)
}

/// Objects of kinds that the release does not know.
fn unread(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Loss> {
    let found: Vec<&ObjectFacts> = objects.iter().filter(|o| !hop.to.crds.contains(&o.resource)).collect();
    (!found.is_empty()).then(|| {
        let reads = |features: &Features| found.iter().any(|object| features.crds.contains(&object.resource));
        let goes =
            if hop.from.is_some_and(reads) { ", and its chart karpenter-crd deletes their kinds, with all that is of them" } else { "" };
        let loss = Loss::new(hop, reads, "objects of an older API", format!("it passes over them{goes}: {}", named(&found)));
        let is_alpha = |object: &&&ObjectFacts| ALPHA.iter().any(|kind| object.resource.starts_with(kind));
        let loss = match found.iter().find(is_alpha) {
            Some(_) => loss.fix("write NodePools and EC2NodeClasses that do the same, while the newest 0.32 runs, which knows both"),
            None => loss,
        };
        found.iter().take(NAMED).fold(loss, |loss, object| {
            loss.run("then delete it, whose nodes are drained", ["kubectl", "delete", object.resource.as_str(), object.name.as_str()])
        })
    })
}

/// Node pools whose kubelet's settings are in an annotation.
fn kubelets(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Loss> {
    let found: Vec<&ObjectFacts> = objects.iter().filter(|o| o.kept_kubelet.is_some()).collect();
    if hop.to.reads_leftovers() || found.is_empty() {
        return None;
    }
    let message = format!("their kubelet's settings are in the annotation {KUBELET}, which it does not read: {}", named(&found));
    let loss = Loss::new(hop, Features::reads_leftovers, "kubelet settings of node pools", message);
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
    let moved = of_class.into_iter().take(NAMED).fold(loss, |loss, (class, settings)| match &settings[..] {
        [one] if one.is_object() => {
            let patch = json!({"spec": {"kubelet": one}}).to_string();
            let command = ["kubectl", "patch", "ec2nodeclasses.karpenter.k8s.aws", class, "--type", "merge", "--patch", patch.as_str()];
            loss.run("write them into the node class", command)
        }
        _ => loss.fix(format!("its pools do not agree on the settings: give each an EC2NodeClass of its own in place of {class}")),
    });
    Some(found.iter().take(NAMED).fold(moved, |loss, object| {
        let gone = format!("{KUBELET}-");
        let command = ["kubectl", "annotate", object.resource.as_str(), object.name.as_str(), gone.as_str()];
        loss.run("then take the annotation away", command)
    }))
}

/// Objects that do not say of which kind their node class is.
fn references(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Loss> {
    let lacks = |object: &&ObjectFacts| object.class_ref.as_ref().is_some_and(|of| of.group.is_empty() || of.kind.is_empty());
    let found: Vec<&ObjectFacts> = objects.iter().filter(lacks).collect();
    if hop.to.reads_leftovers() || found.is_empty() {
        return None;
    }
    let message = format!("their nodeClassRef says no group or kind, without which it cannot work on them: {}", named(&found));
    let comes = if hop.from.is_some_and(Features::reads_leftovers) { Comes::ByUpgrade } else { Comes::Always };
    let loss = Loss { subject: "node class references", message, comes, cures: Vec::new() };
    Some(found.iter().take(NAMED).fold(loss, |loss, object| {
        let (resource, name) = (object.resource.as_str(), object.name.as_str());
        if resource.starts_with("nodepools.") {
            let of = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass"});
            let patch = json!({"spec": {"template": {"spec": {"nodeClassRef": of}}}}).to_string();
            loss.run("say them", ["kubectl", "patch", resource, name, "--type", "merge", "--patch", patch.as_str()])
        } else {
            loss.run("its spec cannot be changed: replace its node", ["kubectl", "delete", resource, name])
        }
    }))
}

/// Node classes of Ubuntu without a selector: v1 has no images for that family.
fn ubuntu(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Loss> {
    let lacks = |object: &&ObjectFacts| object.images.as_ref().is_some_and(|of| of.family.as_deref() == Some("Ubuntu") && !of.selected);
    let found: Vec<&ObjectFacts> = objects.iter().filter(lacks).collect();
    (hop.to.node_pool_api == NodePoolApi::V1 && !found.is_empty()).then(|| {
        let message = format!(
            "their amiFamily is Ubuntu and no amiSelectorTerms name the images, which it does not look up: the class is not ready, and its pools make no node: {}",
            named(&found)
        );
        let loss = Loss::new(hop, has_family, "images of node classes", message);
        edited(loss, &found, "name the images by amiSelectorTerms")
    })
}

/// Node classes that start nodes by their own `userData` alone, which does not name the taint that v1 waits for.
fn custom(hop: &Hop<'_>, objects: &[ObjectFacts]) -> Option<Loss> {
    let lacks =
        |object: &&ObjectFacts| object.images.as_ref().is_some_and(|of| of.family.as_deref() == Some("Custom") && !of.marks_unregistered);
    let found: Vec<&ObjectFacts> = objects.iter().filter(lacks).collect();
    (hop.to.node_pool_api == NodePoolApi::V1 && hop.from.is_some_and(has_family) && !found.is_empty()).then(|| {
        let message = format!(
            "their amiFamily is Custom, and their userData does not name the taint karpenter.sh/unregistered:NoExecute, with which it wants nodes to register: {}",
            named(&found)
        );
        let loss = Loss { subject: "userData of node classes", message, comes: Comes::Perhaps, cures: Vec::new() };
        edited(loss, &found, "let the kubelet register with it (registerWithTaints), unless the image does already")
    })
}

/// Whether it makes nodes of Ubuntu by the family's name, and asks for no taint: all before v1.
fn has_family(features: &Features) -> bool {
    features.node_pool_api != NodePoolApi::V1
}

fn edited(loss: Loss, found: &[&ObjectFacts], title: &str) -> Loss {
    found.iter().take(NAMED).fold(loss, |loss, class| loss.run(title, ["kubectl", "edit", class.resource.as_str(), class.name.as_str()]))
}
