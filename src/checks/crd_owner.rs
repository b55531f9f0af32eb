//! Whether helm may touch the CRDs.

use super::crd_schema::{fits, of_auto_mode};
use super::judgement::read;
use super::neighbours::karpenters;
use super::{Check, Judged, Judgement, Situation, whose};
use crate::facts::{CrdFacts, Topic};
use crate::finding::Area;
use crate::knowledge::CRD_CHART;
use crate::spec::{Namespace, Spec};
use std::collections::BTreeMap;

pub(super) struct CrdOwner;

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
         A warning where the Karpenter that is installed has its own CRDs, as after the guide, which installs the chart karpenter alone: it works, and \
         helm refuses only the chart karpenter-crd.\n\n\
         Label and annotate them (all of them: nodeoverlays since 1.7, capacitybuffers since 1.14), or `karpctl install --adopt`. The CRD \
         capacitybuffers.autoscaling.x-k8s.io may be the Cluster Autoscaler's: then both work with one CRD, and one of them owns it. The marks of a CRD that \
         another release has still are not to be changed: its next upgrade would fail with these very words. That release gives it up \
         first, by an upgrade without it and with `helm.sh/resource-policy: keep` on the CRD, so that CRD and objects stay. Never by `helm uninstall`, \
         which goes by its own record, and takes the CRDs away with all their objects. A release karpenter-crd of the namespace that Karpenter was in \
         before has nothing but these CRDs: helm is had forget it."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Crds, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("CRDs of Karpenter {}", spec.release);
        if !spec.release.features().crd_chart {
            return Ok(vec![Judgement::pass(subject, "the chart karpenter brings them; there is no chart of their own")]);
        }
        let Some(crds) = read(&subject, &facts.crds)? else { return Ok(vec![Judgement::pass(subject, "none is there yet")]) };
        of_auto_mode(facts, &subject)?;
        whose::is_elsewhere(spec, facts, &subject)?;
        let owner = format!("{}/{CRD_CHART}", spec.namespace);
        let others: Vec<(&str, &CrdFacts)> =
            crds.iter().filter(|(_, crd)| crd.helm_owner.as_ref() != Some(&owner)).map(|(name, crd)| (name.as_str(), crd)).collect();
        if others.is_empty() {
            return Ok(vec![Judgement::pass(subject, format!("all are of the helm release {owner}"))]);
        }
        let of = |crd: &CrdFacts| match (&crd.helm_owner, crd.held) {
            (None, _) => "of no helm release".to_owned(),
            (Some(of), Some(false)) => format!("of the helm release {of}, which has it no more"),
            (Some(of), _) => format!("of the helm release {of}"),
        };
        let shown: Vec<String> = others.iter().map(|(name, crd)| format!("{name} ({})", of(crd))).collect();
        let message = format!("not of the helm release {owner}: {}", shown.join(", "));
        let fits = fits(situation, spec, crds);
        if fits && whose::is_unrecorded(facts) {
            let left = "they are those of the Karpenter that is there, of which helm has no record: leave them to what installed it";
            return Err(Judgement::skip(subject, left));
        }
        // The Karpenter that is there works with its own CRDs, whoever owns them: only the next install of the chart karpenter-crd is refused.
        let judgement = if fits { Judgement::warn(subject, message) } else { Judgement::fail(subject, message) };
        let (mut free, mut held) = (Vec::new(), BTreeMap::<&str, Vec<&str>>::new());
        for (name, crd) in others {
            match crd.helm_owner.as_deref().filter(|_| crd.held != Some(false)) {
                Some(of) => held.entry(of).or_default().push(name),
                None => free.push(name),
            }
        }
        let judgement = if free.is_empty() { judgement } else { given(judgement, spec, &free) };
        Ok(vec![held.into_iter().fold(judgement, |judgement, (of, names)| match of.split_once('/') {
            Some((namespace, CRD_CHART)) if namespace.parse::<Namespace>().is_ok() => {
                let is_left = facts.neighbours.known().is_some_and(|n| karpenters(n).all(|w| w.namespace != namespace));
                if is_left { forgotten(judgement, spec, namespace, &names) } else { judgement.fix(in_use(namespace)) }
            }
            _ => given_up(judgement, of, &names),
        })])
    }
}

/// The CRDs of a Karpenter that works, or may, are left to it.
fn in_use(namespace: &str) -> String {
    format!(
        "where a Karpenter is in {namespace} they are its own: work with that one (`--namespace {namespace}`), or remove it first and look again"
    )
}

/// A release of the same chart in another namespace has nothing else: its record goes, and what it made gets the marks of ours.
fn forgotten(judgement: Judgement, spec: &Spec, namespace: &str, names: &[&str]) -> Judgement {
    let selector = format!("owner=helm,name={CRD_CHART}");
    given(judgement, spec, names).run(
        format!("have helm forget {namespace}/{CRD_CHART}; never `helm uninstall` it: that takes the CRDs with all their objects"),
        ["kubectl", "--namespace", namespace, "delete", "secret", "--selector", selector.as_str()],
    )
}

/// What nobody has is given helm's marks of the release.
fn given(judgement: Judgement, spec: &Spec, names: &[&str]) -> Judgement {
    let namespace = format!("meta.helm.sh/release-namespace={}", spec.namespace);
    let release = format!("meta.helm.sh/release-name={CRD_CHART}");
    let of = |verb| ["kubectl", verb, "customresourcedefinition"].into_iter().chain(names.iter().copied());
    judgement
        .run("give them to it; no object of theirs is touched", of("label").chain(["app.kubernetes.io/managed-by=Helm", "--overwrite"]))
        .run("and name the release", of("annotate").chain([release.as_str(), namespace.as_str(), "--overwrite"]))
        .fix("or let karpctl take them over: `karpctl install --adopt`")
}

/// Taken from a release that has it, a CRD would break that release's next upgrade.
fn given_up(judgement: Judgement, of: &str, names: &[&str]) -> Judgement {
    let keep = ["kubectl", "annotate", "customresourcedefinition"].into_iter().chain(names.iter().copied());
    let listed = names.join(", ");
    judgement
        .run(
            format!("have the helm release {of} leave {listed} where it is when it gives it up"),
            keep.chain(["helm.sh/resource-policy=keep", "--overwrite"]),
        )
        .fix(format!(
            "then upgrade {of} without its CRDs, by the value that its chart has for that, and ask again; do not `helm uninstall` it, which takes the CRDs with all their objects"
        ))
        .fix(format!("`karpctl install --adopt` takes {listed} all the same: the next upgrade of {of} then fails, and its removal takes them away"))
}
