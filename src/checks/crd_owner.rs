//! Whether helm may touch the CRDs.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct CrdOwner;

/// The helm release of the chart that holds only the CRDs.
pub(super) const CRD_RELEASE: &str = "karpenter-crd";

impl Check for CrdOwner {
    fn id(&self) -> &'static str {
        "crd-owner"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "helm installs nothing over an object that another release, or nobody, owns: `invalid ownership metadata; label validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \"Helm\"`. CRDs that came with the chart karpenter, or by kubectl, have no owner."
    }

    fn explain(&self) -> &'static str {
        "helm takes over only what carries its marks: the label app.kubernetes.io/managed-by=Helm and the annotations meta.helm.sh/release-name and \
         release-namespace. CRDs that came with crds/ of the chart karpenter, by kubectl or by another release have none or others.\n\n\
         What helm says: `Unable to continue with install: CustomResourceDefinition \"nodepools.karpenter.sh\" in namespace \"\" exists and cannot \
         be imported into the current release: invalid ownership metadata; label validation error: missing key \
         \"app.kubernetes.io/managed-by\": must be set to \"Helm\"`.\n\n\
         Label and annotate them (all of them: nodeoverlays since 1.7, capacitybuffers since 1.14), or `karpctl install --adopt`. The CRD \
         capacitybuffers.autoscaling.x-k8s.io may be the Cluster Autoscaler's: then both work with one CRD, and one of them owns it."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Crds]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("CRDs of Karpenter {}", spec.release);
        if !spec.release.features().crd_chart {
            return Ok(vec![Judgement::pass(subject, "the chart karpenter brings them; there is no chart of their own")]);
        }
        let Some(crds) = read(&subject, &facts.crds)? else { return Ok(vec![Judgement::pass(subject, "none is there yet")]) };
        let owner = format!("{}/{CRD_RELEASE}", spec.namespace);
        let others: Vec<(&str, Option<&String>)> = crds
            .iter()
            .filter(|(_, crd)| crd.helm_owner.as_ref() != Some(&owner))
            .map(|(n, crd)| (n.as_str(), crd.helm_owner.as_ref()))
            .collect();
        if others.is_empty() {
            return Ok(vec![Judgement::pass(subject, format!("all are of the helm release {owner}"))]);
        }
        let shown: Vec<String> = others
            .iter()
            .map(|(name, of)| of.map_or_else(|| format!("{name} (of no helm release)"), |of| format!("{name} (of the helm release {of})")))
            .collect();
        let names = || others.iter().map(|(name, _)| *name);
        let namespace = format!("meta.helm.sh/release-namespace={}", spec.namespace);
        let release = format!("meta.helm.sh/release-name={CRD_RELEASE}");
        let label = ["kubectl", "label", "customresourcedefinition"].into_iter().chain(names());
        let annotate = ["kubectl", "annotate", "customresourcedefinition"].into_iter().chain(names());
        Ok(vec![
            Judgement::fail(subject, format!("not of the helm release {owner}: {}", shown.join(", ")))
                .run("give them to it; no object of theirs is touched", label.chain(["app.kubernetes.io/managed-by=Helm", "--overwrite"]))
                .run("and name the release", annotate.chain([release.as_str(), namespace.as_str(), "--overwrite"]))
                .fix("or let karpctl take them over: `karpctl install --adopt`"),
        ])
    }
}
