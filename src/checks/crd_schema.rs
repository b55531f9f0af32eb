//! Whether the CRDs are those of the controller that works with them.

use super::helm::install_crds;
use super::judgement::{installed_release, read};
use super::neighbours::{self, release_of};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{CrdFacts, Facts, Topic, Workload};
use crate::finding::Area;
use crate::knowledge::{Release, Standing};
use crate::spec::Spec;
use crate::wording::span;
use std::collections::BTreeMap;

pub(super) struct CrdSchema;

impl Check for CrdSchema {
    fn id(&self) -> &'static str {
        "crd-schema"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "helm never upgrades what lies in a chart's crds/. A controller on CRDs of another release looks healthy and launches nothing, because what it writes is refused or cut: `strict decoding error: unknown field`, `Unsupported value: \"Gte\"`."
    }

    fn explain(&self) -> &'static str {
        "The versions and schemas of each CRD are compared, without descriptions, by a fingerprint with those of every official release: with the \
         release that is installed (by its helm release, else by the tag of its image), else the wanted one. What the API server answers for the files of all releases was compared once on \
         a real one and is the same.\n\n\
         What is seen where they are of another release: `strict decoding error: unknown field \"spec.template.spec.expireAfter\"`, \
         `Unsupported value: \"Gte\"`; the controller is Ready and launches nothing.\n\n\
         Install the chart karpenter-crd of that release before the controller. helm 4 stops at a field that kubectl wrote, so its command \
         says --force-conflicts. A release newer than karpctl's table is not judged."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Crds, Topic::Chart, Topic::Neighbours, Topic::Tools]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = "CRDs of Karpenter".to_owned();
        let Some(crds) = read(&subject, &facts.crds)? else { return Ok(vec![Judgement::pass(subject, "none is there yet")]) };
        of_auto_mode(facts, &subject)?;
        let elsewhere = facts.neighbours.known().and_then(|neighbours| neighbours::elsewhere(spec, neighbours));
        let live = elsewhere.map_or_else(|| installed_release(situation, &subject), |other| Ok(release_of(other)))?;
        // What is not installed yet will be of the release that is wanted.
        let release = live.clone().unwrap_or_else(|| spec.release.clone());
        let subject = format!("CRDs for Karpenter {release}");
        if release.standing() == Standing::Newer {
            return Err(Judgement::skip(subject, "its CRDs are not among those that this karpctl knows"));
        }
        let wrong = wrong(crds, &release, &spec.release, live.is_some());
        if wrong.is_empty() {
            return Ok(vec![Judgement::pass(subject, "their schemas are its own")]);
        }
        let judgement = Judgement::fail(subject, wrong.join("; "));
        if let Some(Workload { namespace, .. }) = elsewhere {
            return Err(judgement.fix(format!("Karpenter works in the namespace {namespace}: ask again with --namespace {namespace}")));
        }
        Err(if release.features().crd_chart {
            let judgement = judgement.run("install its CRDs, before any change of the controller", install_crds(spec, &release, facts));
            judgement.fix("where helm says `invalid ownership metadata`, the check crd-owner has the cure")
        } else {
            judgement.fix(format!(
                "apply the files of its chart: `helm show crds {} --version {}`",
                spec.chart_reference(),
                release.chart_version()
            ))
        })
    }
}

/// With Auto Mode on the CRDs are AWS's too, whose page of the migration says to leave them as they are.
pub(super) fn of_auto_mode(facts: &Facts, subject: &str) -> Result<(), Judgement> {
    if facts.cluster.known().is_some_and(|cluster| cluster.auto_mode) {
        return Err(Judgement::skip(subject, "EKS Auto Mode works with them too, so that they stay as they are: see the check auto-mode"));
    }
    Ok(())
}

/// Whether a Karpenter is installed whose own CRDs these are: it works, whoever owns them.
pub(super) fn fits(situation: &Situation<'_>, spec: &Spec, crds: &BTreeMap<String, CrdFacts>) -> bool {
    let live = installed_release(situation, "").ok().flatten();
    live.is_some_and(|release| release.standing() != Standing::Newer && wrong(crds, &release, &spec.release, true).is_empty())
}

/// In what the CRDs are not those of a release. Those of the release that is wanted may be there before its controller is.
fn wrong(crds: &BTreeMap<String, CrdFacts>, release: &Release, wanted: &Release, is_installed: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, crd) in crds {
        let Some(schema) = crd.schema.as_deref() else {
            wrong.push(format!("{name} has no schema"));
            continue;
        };
        let of = |release: &Release| release.crd_fingerprint(name).is_none_or(|print| print == schema);
        if of(release) || wanted.crd_fingerprint(name) == Some(schema) {
            continue;
        }
        wrong.push(match Release::with_crd(name, schema) {
            Some((first, last)) => format!("{name} is of Karpenter {}", span(&first, &last)),
            None => format!("{name} is of no official release: it was changed, or was built from other sources"),
        });
    }
    if is_installed {
        let missing = release.features().crds.iter().filter(|name| !crds.contains_key(*name) && wanted.features().crds.contains(name));
        wrong.extend(missing.map(|name| format!("{name} is not there")));
    }
    wrong
}
