//! Whether there is an image behind the node class's alias, for the cluster's Kubernetes.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{Probed, Topic};
use crate::finding::Area;
use crate::render;

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
         no AL2 images for 1.33 and newer, and none at all since 2025-11-26. Cure: an alias that is there: the finding prints the \
         command that lists them. Looked for: the x86_64 image, and what the spec says, not a node class of your own."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::AmiImage, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let alias = spec.node_pool.ami_alias.as_ref().map_or_else(|| format!("{}@latest", render::ami_family(spec)), ToString::to_string);
        let family = render::ami_family(spec);
        let kubernetes = situation.kubernetes(&format!("AMI alias {alias}"))?;
        let subject = format!("AMI alias {alias}, Kubernetes {kubernetes}");
        if !kubernetes.has_ami_family(&family) {
            return Ok(vec![
                Judgement::fail(subject, format!("EKS makes no {family} images for it: {family} aliases are no longer supported"))
                    .fix("take --ami-alias al2023@latest, or bottlerocket@latest"),
            ]);
        }
        if matches!(situation.facts.ami_image, Probed::NotAsked) && render::ami_parameter(spec).is_none() {
            return Err(Judgement::skip(subject, "names no public parameter that could be read"));
        }
        let Some(ami) = read(&subject, &situation.facts.ami_image)? else {
            return Err(Judgement::skip(subject, "was not looked for"));
        };
        if let Some(image) = &ami.image {
            return Ok(vec![Judgement::pass(subject, format!("is {image}"))]);
        }
        let above = ami.parameter.split('/').take(PATH).collect::<Vec<_>>().join("/");
        let list = aws(spec, "ssm", "get-parameters-by-path").into_iter().map(str::to_owned);
        let rest = ["--path", &above, "--recursive", "--query", "Parameters[].Name", "--output", "text"].map(str::to_owned);
        Ok(vec![
            Judgement::fail(subject, format!("there is no image: {} names none", ami.parameter))
                .run("see which there are", list.chain(rest))
                .fix("take one of these, or @latest: --ami-alias"),
        ])
    }
}

/// How many parts of a parameter's name say family and Kubernetes version: `/aws/service/eks/optimized-ami/1.34`.
const PATH: usize = 6;
