//! Whether EKS gives the controller's service account its role.

use super::judgement::{installed, read};
use super::{Check, Judged, Judgement, Situation, aws, helm, missing, whose};
use crate::facts::Topic;
use crate::finding::Area;
use crate::spec::Identity;
use crate::steps::made_by_karpctl;

pub(super) struct ControllerAssociation;

impl Check for ControllerAssociation {
    fn id(&self) -> &'static str {
        "controller-association"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "An association holds for one namespace and one service account; a controller in another namespace gets no credentials, or the nodes'."
    }

    fn explain(&self) -> &'static str {
        "With Pod Identity, looks for the association of <namespace>/karpenter (or the serviceAccount.name of `chart.values`) and the role that it gives.\n\nWhat people see without it: \
         `no EC2 IMDS role found, operation error ec2imds: GetMetadata`, `UnauthorizedOperation: … assumed-role/<node role>/i-…` (the \
         node's role is used instead), after a move from the namespace karpenter to kube-system above all.\n\nCure: `aws eks \
         create-pod-identity-association`, or `karpctl identity`. A pod gets its credentials when it starts: restart the controller \
         afterwards (`kubectl rollout restart deployment karpenter --namespace <namespace>`). `karpctl bootstrap` does both.\n\n\
         An association that gives another role is changed only where the guide's stack and controller role are there: of a Karpenter that another tool \
         made, the role is that tool's, and `karpctl adopt` finds it."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Association, Topic::Stack, Topic::ControllerRole, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("association of {}/{}", spec.namespace, spec.service_account());
        if spec.identity != Identity::PodIdentity {
            return Err(Judgement::skip(subject, "the controller gets its credentials by IRSA"));
        }
        if read(&subject, &situation.facts.cluster)?.is_none() {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        }
        let account = whose::service_account(spec, situation.facts);
        if account != spec.service_account() {
            let name = spec.service_account();
            let message = format!(
                "the controller's service account is {account}, not {name}: say so (chart.values: serviceAccount.name), or `karpctl adopt`"
            );
            return Err(Judgement::skip(subject, message));
        }
        let role = spec.controller_role_arn();
        let of_cluster = |operation| {
            let rest = ["--cluster-name", spec.cluster_name.as_str(), "--role-arn", role.as_str()];
            aws(spec, "eks", operation).into_iter().chain(rest).collect::<Vec<_>>()
        };
        Ok(vec![match read(&subject, &situation.facts.association)? {
            Some(association) if association.role_arn == role.as_str() => Judgement::pass(subject, format!("gives {role}")),
            Some(association) if !whose::has_guides_roles(spec, situation.facts) => {
                let message = format!("gives {}, not {role}: another tool made what Karpenter works with", association.role_arn);
                Judgement::warn(subject, message).run("have karpctl work with that role, as it is", whose::adopt(spec))
            }
            Some(association) => Judgement::fail(subject, format!("gives {}, not {role}", association.role_arn)).run(
                "let it give the controller's role",
                of_cluster("update-pod-identity-association").into_iter().chain(["--association-id", association.id.as_str()]),
            ),
            None => {
                whose::has_role_by_irsa(spec, situation.facts, &subject)?;
                let judgement = missing(situation, subject, "is not there: the controller gets no credentials")?;
                if made_by_karpctl(spec, situation.facts) {
                    // By hand it would lack karpctl's tag, and be somebody else's from then on.
                    let release = situation.facts.chart_release.known().filter(|release| installed(release));
                    let release = release.and_then(|release| release.chart_version.parse().ok()).unwrap_or_else(|| spec.release.clone());
                    let anew = helm::bootstrap(spec, situation.facts, &release);
                    return Err(judgement.run("have karpctl make it, which goes on from there", anew));
                }
                let account = ["--namespace", spec.namespace.as_str(), "--service-account", account];
                judgement.run("make it", of_cluster("create-pod-identity-association").into_iter().chain(account))
            }
        }])
    }
}
