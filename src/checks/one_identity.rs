//! Whether the controller's service account is given credentials in one way only.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws, whose};
use crate::facts::Topic;
use crate::finding::Area;
use crate::spec::Identity;

pub(super) struct OneIdentity;

impl Check for OneIdentity {
    fn id(&self) -> &'static str {
        "one-identity"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Where a service account has an EKS Pod Identity association, EKS gives its pods that role alone: with both, the annotation of IRSA has no effect, and nothing says so."
    }

    fn explain(&self) -> &'static str {
        "Looks whether the helm release annotates the service account with eks.amazonaws.com/role-arn (IRSA) while an EKS Pod Identity \
         association gives it a role too. What people see: permissions that were added to the one role are denied still, because the \
         controller works under the other: `AccessDenied: … assumed-role/<the associated role>/… is not authorized`. Cure: keep one \
         way; without the association the controller works under the annotated role from its next start on. The annotation goes with `helm upgrade` without the value serviceAccount.annotations; the association with `aws eks \
         delete-pod-identity-association`."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Association, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("service account {}/{}", spec.namespace, spec.service_account());
        let Some(release) = read(&subject, &situation.facts.chart_release)? else {
            whose::has_no_record(spec, situation.facts, &subject)?;
            return Err(Judgement::skip(subject, "the chart is not installed yet"));
        };
        let annotated = release.annotated_role();
        let associated = read(&subject, &situation.facts.association)?;
        let (Some(role), Some(association)) = (annotated, associated) else {
            let how = match (annotated, associated) {
                (Some(_), _) => "is given its role by IRSA alone",
                (None, Some(_)) => "is given its role by Pod Identity alone",
                (None, None) => "is given no role in either way",
            };
            return Ok(vec![Judgement::pass(subject, how)]);
        };
        let judgement = Judgement::warn(
            subject,
            format!("is annotated with {role}, which has no effect beside the association that gives {}", association.role_arn),
        );
        Ok(vec![match spec.identity {
            Identity::Irsa => judgement.run(
                "remove the association: the controller works under the annotated role from its next start on",
                aws(spec, "eks", "delete-pod-identity-association").into_iter().chain([
                    "--cluster-name",
                    spec.cluster_name.as_str(),
                    "--association-id",
                    association.id.as_str(),
                ]),
            ),
            Identity::PodIdentity => {
                judgement.fix("`karpctl install` gives the chart values without the annotation; the controller is then restarted")
            }
        }])
    }
}
