//! Whether there is an image behind the node class's alias, for the cluster's Kubernetes.

use super::class_selection::unread_classes;
use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{AmiFacts, ObjectFacts, Probed, Topic};
use crate::finding::Area;
use crate::knowledge::{KubernetesVersion, ami_family_ended};
use crate::render;
use crate::spec::{Architecture, Spec};
use serde_json::{Value, json};

pub(super) struct AmiAlias;

impl Check for AmiAlias {
    fn id(&self) -> &'static str {
        "ami-alias"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "EKS publishes images for each Kubernetes version apart; an alias that has none there makes the node class not ready, and no node starts."
    }

    fn explain(&self) -> &'static str {
        "Reads the public SSM parameter that Karpenter itself would read for the alias, the family and the cluster's Kubernetes version, \
         and whether the image behind it is there.\n\nWhat people see otherwise: `AMISelector did not match any AMIs`, `AMIsNotFound`, \
         `AL2 aliases are no longer supported on EKS 1.33+`, `failed to discover any AMIs for alias`. A pinned version \
         (`al2023@v20251103`) exists only for the Kubernetes versions of its day: look before the control plane is upgraded. EKS makes \
         no AL2 images for 1.33 and newer, and none at all since 2025-11-26: those that are there get no fix any more.\n\nCure: an alias \
         that is there: the finding prints the command that lists them.\n\n\
         Looked for is the image of each architecture that the node pool takes, without those for GPUs. Where one of two is missing, \
         Karpenter goes on with the other, and no node of the missing one starts. Of a node class that is there and names an alias the family is judged, \
         and whether the image that it pins is there for any architecture, be it a class of yours or one whose pin karpctl made and keeps."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::AmiImage, Topic::Cluster, Topic::Crds, Topic::Objects]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let alias = spec.node_pool.ami_alias.as_ref().map_or_else(|| format!("{}@latest", render::ami_family(spec)), ToString::to_string);
        let family = render::ami_family(spec);
        let kubernetes = situation.kubernetes(&format!("AMI alias {alias}"))?;
        let subject = format!("AMI alias {alias}, Kubernetes {kubernetes}");
        let mut said = if kubernetes.has_ami_family(&family) {
            let mut images = images(situation, &subject);
            if let Some(words) = ended(situation, &family) {
                images.retain(|judgement| !judgement.is_pass());
                images.push(instead(spec, Judgement::warn(subject, words)));
            }
            images
        } else {
            vec![instead(spec, Judgement::fail(subject, no_longer(&family)))]
        };
        said.extend(situation.facts.objects.known().into_iter().flatten().filter_map(|class| of_class(situation, kubernetes, class)));
        said.extend(unread_classes(spec, situation.facts));
        Ok(said)
    }
}

/// The families that the release knows and EKS makes images of.
fn instead(spec: &Spec, judgement: Judgement) -> Judgement {
    let known = |family: &&str| spec.release.features().ami_families.iter().any(|f| f == family);
    ["al2023", "bottlerocket"]
        .iter()
        .filter(|family| known(family))
        .fold(judgement, |judgement, family| judgement.fix(format!("take images of another family: --ami-alias {family}@latest")))
}

fn no_longer(family: &str) -> String {
    format!("EKS makes no {family} images for it: {family} aliases are no longer supported")
}

/// That no more images are made of a family.
fn ended(situation: &Situation<'_>, family: &str) -> Option<String> {
    let day = ami_family_ended(family).filter(|day| *day <= situation.today)?;
    Some(format!("EKS makes no {family} images since {day}: those that are there get no fix any more"))
}

/// What is said of the images of the architectures that the pool takes.
fn images(situation: &Situation<'_>, subject: &str) -> Vec<Judgement> {
    let Ok(spec) = situation.spec() else { return Vec::new() };
    let of = |architecture| match architecture {
        Architecture::Amd64 => &situation.facts.ami_image,
        Architecture::Arm64 => &situation.facts.ami_image_arm,
    };
    let pool = render::pool_architectures(spec);
    let is_there = |probed: &Probed<AmiFacts>| probed.known().is_some_and(|ami| ami.image.is_some());
    let another = pool.iter().any(|a| is_there(of(*a)));
    let alone = pool.len() == 1;
    let mut said = Vec::new();
    for architecture in pool {
        let subject = if alone { subject.to_owned() } else { format!("{subject}, {}", architecture.as_str()) };
        said.push(match read(&subject, of(architecture)) {
            Err(_) if *of(architecture) == Probed::NotAsked && render::ami_parameter(spec, architecture).is_none() => {
                Judgement::skip(subject, "names no public parameter that could be read")
            }
            Err(skipped) => skipped,
            Ok(None) => Judgement::skip(subject, "was not looked for"),
            Ok(Some(AmiFacts { image: Some(image), .. })) => Judgement::pass(subject, format!("is {image}")),
            Ok(Some(ami)) => missing(spec, subject, ami, another),
        });
    }
    said
}

fn missing(spec: &Spec, subject: String, ami: &AmiFacts, another: bool) -> Judgement {
    let message = format!("there is no image: {} names none", ami.parameter);
    let judgement = if another {
        Judgement::warn(subject, message + "; nodes of this architecture do not start")
    } else {
        Judgement::fail(subject, message)
    };
    let list = |path: &str, names: &str| {
        let rest = ["--path", path, "--recursive", "--query", names, "--output", "text"].map(str::to_owned);
        aws(spec, "ssm", "get-parameters-by-path").into_iter().map(str::to_owned).chain(rest).collect::<Vec<_>>()
    };
    // Those of Windows lie in one folder, and there is only the latest.
    if ami.parameter.starts_with(WINDOWS) {
        let names = format!("Parameters[?contains(Name, `EKS_Optimized-{}`)].Name", spec.kubernetes);
        return judgement.run("see which there are", list(WINDOWS, &names)).fix("take the alias of another Windows: --ami-alias");
    }
    let above = ami.parameter.split('/').take(PATH).collect::<Vec<_>>().join("/");
    judgement
        .run("see which there are", list(&above, "Parameters[].Name"))
        .fix(format!("take one of these, or the newest: --ami-alias {}@latest", render::ami_family(spec)))
}

/// What is said of a node class that is there: of the family of one that karpctl does not write, and whether a pinned image is there.
fn of_class(situation: &Situation<'_>, kubernetes: KubernetesVersion, class: &ObjectFacts) -> Option<Judgement> {
    let spec = situation.spec().ok()?;
    let karpctls = class.name == spec.node_pool.name.as_str() && !spec.node_pool.keep;
    let alias = class.ami_alias.as_deref()?;
    let family = alias.split('@').next()?;
    let subject = format!("{}/{}, AMI alias {alias}, Kubernetes {kubernetes}", class.resource, class.name);
    if !karpctls && !kubernetes.has_ami_family(family) {
        return Some(with_another(class, Judgement::fail(subject, no_longer(family)), "al2023"));
    }
    if let Some(pinned) = class.pinned_alias().filter(|pinned| spec.node_pool.ami_alias.as_ref() != Some(pinned)) {
        match read(&subject, situation.facts.class_images.get(pinned.as_str()).unwrap_or(&Probed::NotAsked)) {
            Ok(Some(AmiFacts { image: None, parameter })) => {
                let message = format!("AMISelector did not match any AMIs: {parameter} names none, and no node starts");
                return Some(with_another(class, Judgement::fail(subject, message), family));
            }
            Ok(_) => {}
            Err(unread) => return Some(unread),
        }
    }
    let ended = ended(situation, family).filter(|_| !karpctls)?;
    Some(with_another(class, Judgement::warn(subject, ended), "al2023"))
}

/// Gives a class the newest image of a family. A family that it names besides must be that of the alias.
fn with_another(class: &ObjectFacts, judgement: Judgement, family: &str) -> Judgement {
    let mut spec = json!({"amiSelectorTerms": [{"alias": format!("{family}@latest")}]});
    if class.images.as_ref().and_then(|images| images.family.as_deref()).is_some_and(|named| named != "Custom") {
        spec["amiFamily"] = Value::Null;
    }
    let patch = json!({"spec": spec}).to_string();
    let command = ["kubectl", "patch", &class.resource, &class.name, "--type", "merge", "--patch", &patch];
    judgement
        .run(format!("give it {family}@latest: its nodes are replaced then"), command)
        .fix("or another alias whose image is there: `kubectl edit` the class")
}

/// How many parts of a parameter's name say family and Kubernetes version: `/aws/service/eks/optimized-ami/1.34`.
const PATH: usize = 6;
/// Where the images of Windows are.
const WINDOWS: &str = "/aws/service/ami-windows-latest";
