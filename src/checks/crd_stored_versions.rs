//! Whether objects are still stored in a version that the wanted CRDs drop.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::steps::hops::still_stored;

pub(super) struct CrdStoredVersions;

impl Check for CrdStoredVersions {
    fn id(&self) -> &'static str {
        "crd-stored-versions"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Karpenter 1.1 and later have CRDs without v1beta1, which the API server refuses while it may hold objects of it: `status.storedVersions[0]: Invalid value: \"v1beta1\": must appear in spec.versions`."
    }

    fn explain(&self) -> &'static str {
        "`status.storedVersions` of a CRD names every version in which objects may be stored. The API server refuses a CRD that drops one of them: \
         `CustomResourceDefinition.apiextensions.k8s.io \"nodeclaims.karpenter.sh\" is invalid: status.storedVersions[0]: Invalid value: \
         \"v1beta1\": must appear in spec.versions`; also `spec.conversion.webhookClientConfig: Forbidden`.\n\n\
         On the newest 1.0 with its CRDs the controller writes every object anew and then says so. By hand: write each object anew with \
         kubectl, then patch the status; only where the CRD stores v1 already."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Crds]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("CRDs for Karpenter {}", spec.release);
        if read(&subject, &facts.crds)?.is_none() {
            return Ok(vec![Judgement::pass(subject, "none is there yet")]);
        }
        let held = still_stored(facts, spec.release.features());
        if held.is_empty() {
            return Ok(vec![Judgement::pass(subject, "nothing is stored in a version that they drop")]);
        }
        let mut judgement = Judgement::fail(subject, format!("objects may still be stored as v1beta1: {}", held.join(", ")))
            .fix("run the newest 1.0 with its CRDs: its controller writes them all as v1 and says so in storedVersions");
        for name in held {
            let patch = ["--subresource", "status", "--type", "merge", "--patch", r#"{"status":{"storedVersions":["v1"]}}"#];
            let rewrite = format!("kubectl get {name} --output yaml | kubectl replace --filename -");
            let command = ["kubectl", "patch", "customresourcedefinition", name].into_iter().chain(patch);
            judgement = judgement.run(format!("or by hand, on CRDs that store v1 already: `{rewrite}`, and then"), command);
        }
        Ok(vec![judgement])
    }
}
