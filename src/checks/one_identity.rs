//! Whether the controller's service account is given credentials in one way only, and in one that works where it will run.

use super::fargate::takes_controller;
use super::given_values::GivenValues;
use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws, whose};
use crate::facts::{Facts, Topic};
use crate::finding::Area;
use crate::spec::{Identity, Spec};

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
         association gives it a role too.\n\nWhat people see: permissions that were added to the one role are denied still, because the \
         controller works under the other: `AccessDenied: … assumed-role/<the associated role>/… is not authorized`.\n\nCure: keep one \
         way; without the association the controller works under the annotated role from its next start on. The annotation goes with `helm upgrade` without the value serviceAccount.annotations; the association with `aws eks \
         delete-pod-identity-association`.\n\n\
         Looks also whether a Fargate profile takes the controller's pods, by their namespace and the labels that the chart gives them, while they \
         are to get their credentials by Pod Identity: its agent runs on no node of Fargate. A \
         controller that works without an association has its credentials in another way."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Cluster, Topic::Association, Topic::FargateSelectors, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("service account {}/{}", spec.namespace, spec.service_account());
        match on_fargate(spec, situation.facts, &subject) {
            Ok(Some(taken)) => Ok(vec![taken]),
            Ok(None) => ways(situation, spec, subject),
            Err(unread) => ways(situation, spec, subject).map(|said| said.into_iter().chain([unread]).collect()),
        }
    }
}

/// A controller that would get its credentials by Pod Identity where no agent runs. One that has them by IRSA keeps them.
fn on_fargate(spec: &Spec, facts: &Facts, subject: &str) -> Result<Option<Judgement>, Judgement> {
    let is_another = whose::is_elsewhere(spec, facts, subject).is_err() || whose::has_role_by_irsa(spec, facts, subject).is_err();
    // Its service account may have its role by IRSA from elsewhere than the chart.
    let has_another_way = facts.association.known().is_none() && whose::works(spec, facts);
    if spec.identity != Identity::PodIdentity || is_another || has_another_way {
        return Ok(None);
    }
    read(subject, &facts.fargate_selectors)?;
    let given = GivenValues::of(spec, facts, subject)?;
    Ok(takes_controller(spec, facts, given.at("podLabels")).map(|profile| {
        let message = format!(
            "takes the controller's pods in the namespace {}, and no Pod Identity agent runs on Fargate: they get no credentials, and `helm --wait` times out",
            spec.namespace
        );
        Judgement::fail(format!("Fargate profile {profile}"), message)
            .fix("have the controller get its credentials by IRSA: --identity irsa")
            .fix("or take a namespace that no Fargate profile takes, for nodes of a node group: --namespace")
    }))
}

/// In which ways the service account is given a role.
fn ways(situation: &Situation<'_>, spec: &Spec, subject: String) -> Judged {
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
            (None, None) => "is given no role by the chart's values, and none by an association",
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
