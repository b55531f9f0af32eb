//! Whether there is an image behind the node class's alias, for the cluster's Kubernetes.

use super::class_selection::unread_classes;
use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{AmiFacts, ObjectFacts, Probed, Topic};
use crate::finding::Area;
use crate::knowledge::{KubernetesVersion, ami_family_ended};
use crate::render;
use crate::spec::{Architecture, Spec};

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
         and whether the image behind it is there. What people see otherwise: `AMISelector did not match any AMIs`, `AMIsNotFound`, \
         `AL2 aliases are no longer supported on EKS 1.33+`, `failed to discover any AMIs for alias`. A pinned version \
         (`al2023@v20251103`) exists only for the Kubernetes versions of its day: look before the control plane is upgraded. EKS makes \
         no AL2 images for 1.33 and newer, and none at all since 2025-11-26: those that are there get no fix any more. Cure: an alias \
         that is there: the finding prints the command that lists them.\n\n\
         Looked for is the image of each architecture that the node pool takes, without those for GPUs. Where one of two is missing, \
         Karpenter goes on with the other, and no node of the missing one starts. Of node classes of your own that name an alias the family is judged, \
         not whether their pinned image is there; nor is that of a pin that karpctl made and keeps."
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
                images.push(Judgement::warn(subject, words).fix(instead(spec)));
            }
            images
        } else {
            vec![Judgement::fail(subject, no_longer(&family)).fix(instead(spec))]
        };
        said.extend(situation.facts.objects.known().into_iter().flatten().filter_map(|class| of_class(situation, kubernetes, class)));
        said.extend(unread_classes(spec, situation.facts));
        Ok(said)
    }
}

fn instead(spec: &Spec) -> String {
    let known = |family: &&str| spec.release.features().ami_families.iter().any(|f| f == family);
    let others: Vec<_> = ["al2023", "bottlerocket"].iter().filter(|f| known(f)).map(|family| format!("{family}@latest")).collect();
    format!("take --ami-alias {}", others.join(", or "))
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
    judgement.run("see which there are", list(&above, "Parameters[].Name")).fix("take one of these, or @latest: --ami-alias")
}

/// What is said of the family of a node class that is there, other than the one that karpctl writes.
fn of_class(situation: &Situation<'_>, kubernetes: KubernetesVersion, class: &ObjectFacts) -> Option<Judgement> {
    let spec = situation.spec().ok()?;
    let karpctls = class.name == spec.node_pool.name.as_str() && !spec.node_pool.keep;
    let alias = class.ami_alias.as_deref().filter(|_| !karpctls)?;
    let family = alias.split('@').next()?;
    let subject = format!("{}/{}, AMI alias {alias}, Kubernetes {kubernetes}", class.resource, class.name);
    let edit = ["kubectl", "edit", class.resource.as_str(), class.name.as_str()];
    let judgement = if kubernetes.has_ami_family(family) {
        Judgement::warn(subject, ended(situation, family)?)
    } else {
        Judgement::fail(subject, no_longer(family))
    };
    Some(judgement.run("give it another alias, al2023@latest or bottlerocket@latest: its nodes are replaced then", edit))
}

/// How many parts of a parameter's name say family and Kubernetes version: `/aws/service/eks/optimized-ami/1.34`.
const PATH: usize = 6;
/// Where the images of Windows are.
const WINDOWS: &str = "/aws/service/ami-windows-latest";
