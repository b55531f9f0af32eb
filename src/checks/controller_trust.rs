//! Whether the controller's role lets the controller in.

use super::judgement::read;
use super::policy::{allowing, beside, denying, fits, has_action, holds, texts, without};
use super::{Check, Judged, Judgement, Situation, missing, whose};
use crate::facts::{RoleFacts, Topic};
use crate::finding::Area;
use crate::knowledge::{POD_IDENTITY_ACTIONS, POD_IDENTITY_SERVICE, STS_AUDIENCE, WEB_IDENTITY_ACTION, token_subject};
use crate::render;
use crate::spec::{Identity, Spec};
use serde_json::Value;

pub(super) struct ControllerTrust;

impl Check for ControllerTrust {
    fn id(&self) -> &'static str {
        "controller-trust"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A trust policy names one issuer, namespace and service account (IRSA), or the Pod Identity service with two actions; a letter amiss \
         and the controller is let in nowhere."
    }

    fn explain(&self) -> &'static str {
        "Reads the trust policy of the controller's role and judges it as IAM does. With IRSA a statement must trust the OIDC provider \
         of this cluster's issuer, and its conditions must hold for `<issuer>:sub` = `system:serviceaccount:<namespace>:karpenter` (or the service account that the chart is told) and \
         `<issuer>:aud` = `sts.amazonaws.com`.\n\nWhat people see otherwise: `WebIdentityErr … AccessDenied: Not authorized to perform \
         sts:AssumeRoleWithWebIdentity`: after the move from the namespace karpenter to kube-system, with the provider's ARN as the \
         condition key, or with another cluster's issuer. With Pod Identity a statement must let the service pods.eks.amazonaws.com \
         do sts:AssumeRole and sts:TagSession; without the second the agent says `AccessDeniedException: Unauthorized Exception! EKS \
         does not have permissions to assume the associated role`. A Deny that holds goes before all of them.\n\nCure: the statement, beside those \
         that are there and without such a Deny, as the finding prints it. Conditions are judged by what the request says of cluster, namespace and service \
         account; of a Deny with another one it is said that it is not known. NotPrincipal, NotAction, and with IRSA other conditions of an Allow \
         are not judged."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::ControllerRole, Topic::Association, Topic::Stack, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("trust policy of {}", spec.controller_role_name());
        match spec.identity {
            Identity::PodIdentity => whose::has_role_by_irsa(spec, situation.facts, &subject)?,
            Identity::Irsa => whose::is_elsewhere(spec, situation.facts, &subject)?,
        }
        let Some(role) = read(&subject, &situation.facts.controller_role)? else {
            return Err(missing(situation, subject, "there is no such role: the controller has nothing to work under")?
                .fix("`karpctl identity` makes it, after `karpctl iam`"));
        };
        let Some(cluster) = read(&subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let issuer = cluster.oidc_issuer.as_deref();
        let account = whose::service_account(spec, situation.facts);
        let known = |key: &str| of_request(spec, account, issuer, key);
        let (lacks, denying) = match (spec.identity, issuer) {
            (Identity::PodIdentity, _) => {
                (pod_identity(role, &known), denying(&role.trust, "Service", POD_IDENTITY_SERVICE, &POD_IDENTITY_ACTIONS))
            }
            (Identity::Irsa, Some(url)) => {
                let issuer = url.trim_start_matches("https://");
                (
                    irsa(spec, account, role, issuer),
                    denying(&role.trust, "Federated", &spec.oidc_provider_arn(issuer), &[WEB_IDENTITY_ACTION]),
                )
            }
            (Identity::Irsa, None) => return Err(Judgement::skip(subject, "EKS names no OIDC issuer for the cluster")),
        };
        let of = |is: Option<bool>| denying.iter().copied().filter(|s| holds(s, &known) == is).collect::<Vec<_>>();
        let (shut_out, unknown) = (of(Some(true)), of(None));
        let denied = (!shut_out.is_empty()).then(|| "shuts it out by a Deny, which goes before all that lets it in".to_owned());
        let problems: Vec<String> = denied.into_iter().chain(lacks.clone()).collect();
        if problems.is_empty() && !unknown.is_empty() {
            return Err(Judgement::skip(subject, "lets the controller in, unless a Deny holds whose condition is not judged"));
        }
        if problems.is_empty() {
            return Ok(vec![Judgement::pass(subject, "lets the controller in")]);
        }
        let name = spec.controller_role_name();
        let mut wanted = render::trust_policy(spec, issuer).unwrap_or_default();
        if let (Identity::Irsa, Some(issuer)) = (spec.identity, issuer) {
            let key = format!("{}:sub", issuer.trim_start_matches("https://"));
            wanted["Statement"][0]["Condition"]["StringEquals"][key] = token_subject(spec.namespace.as_str(), account).into();
        }
        let added = if lacks.is_some() { allowing(&wanted) } else { Vec::new() };
        let whole = beside(&without(&role.trust, &shut_out), added.into_iter().cloned()).to_string();
        let command = ["aws", "iam", "update-assume-role-policy", "--role-name", &name, "--policy-document", &whole];
        let title = "let it in, beside whom the policy lets in already";
        Ok(vec![Judgement::fail(subject, problems.join("; ")).run(title, command)])
    }
}

/// What the request by which the controller gets its credentials says by a condition's key, in lower case. `None`: it is not known.
fn of_request(spec: &Spec, account: &str, issuer: Option<&str>, key: &str) -> Option<String> {
    let cluster = spec.cluster_name.to_string();
    let arn = format!("arn:{}:eks:{}:{}:cluster/{cluster}", spec.partition, spec.region, spec.account_id);
    if key == "aws:securetransport" {
        return Some("true".into());
    }
    if spec.identity == Identity::Irsa {
        let of_token = key.strip_prefix(issuer?.trim_start_matches("https://").to_lowercase().as_str())?;
        return match of_token {
            ":sub" => Some(token_subject(spec.namespace.as_str(), account)),
            ":aud" => Some(STS_AUDIENCE.into()),
            _ => None,
        };
    }
    // EKS User Guide, pod-id-role and pod-id-abac: the tags that Pod Identity gives a session.
    match key {
        "aws:requesttag/eks-cluster-arn" => Some(arn),
        "aws:requesttag/eks-cluster-name" => Some(cluster),
        "aws:requesttag/kubernetes-namespace" => Some(spec.namespace.to_string()),
        "aws:requesttag/kubernetes-service-account" => Some(account.to_owned()),
        _ => None,
    }
}

fn pod_identity(role: &RoleFacts, known: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let service = POD_IDENTITY_SERVICE;
    let ours: Vec<&Value> = allowing(&role.trust).into_iter().filter(|s| texts(&s["Principal"]["Service"]).contains(&service)).collect();
    if ours.is_empty() {
        return Some(format!("does not let in {service}"));
    }
    let ours: Vec<&Value> = ours.into_iter().filter(|s| holds(s, known) != Some(false)).collect();
    if ours.is_empty() {
        return Some(format!("lets in {service} on a condition that does not hold for this cluster, namespace and service account"));
    }
    let allows = |action: &str| ours.iter().any(|s| has_action(s, action));
    let lacks: Vec<&str> = POD_IDENTITY_ACTIONS.into_iter().filter(|action| !allows(action)).collect();
    (!lacks.is_empty()).then(|| format!("does not let {service} do {}", lacks.join(" and ")))
}

fn irsa(spec: &Spec, account: &str, role: &RoleFacts, issuer: &str) -> Option<String> {
    let provider = spec.oidc_provider_arn(issuer);
    let statements = allowing(&role.trust);
    let (ours, others): (Vec<&Value>, Vec<&Value>) =
        statements.into_iter().partition(|s| texts(&s["Principal"]["Federated"]).contains(&provider.as_str()));
    if ours.is_empty() {
        let other = others.iter().flat_map(|s| texts(&s["Principal"]["Federated"])).next();
        return Some(match other {
            Some(other) => format!("trusts {other}, which is not the issuer of this cluster"),
            None => format!("does not trust the cluster's issuer {issuer}"),
        });
    }
    let account = token_subject(spec.namespace.as_str(), account);
    let problems: Vec<String> = ours.iter().filter_map(|s| refused(s, issuer, &account)).collect();
    // One statement that lets it in is enough.
    if problems.len() < ours.len() { None } else { problems.into_iter().next() }
}

/// Why the conditions of a statement do not hold for this service account.
fn refused(statement: &Value, issuer: &str, account: &str) -> Option<String> {
    if !has_action(statement, WEB_IDENTITY_ACTION) {
        return Some(format!("does not allow {WEB_IDENTITY_ACTION}"));
    }
    for operator in ["StringEquals", "StringLike"] {
        for (key, value) in statement["Condition"][operator].as_object().into_iter().flatten() {
            let is = match key.strip_prefix(issuer) {
                Some(":sub") => account,
                Some(":aud") => STS_AUDIENCE,
                _ if key.ends_with(":sub") || key.ends_with(":aud") => {
                    return Some(format!("has a condition on `{key}`, which no token of this cluster has: its key is `{issuer}:sub`"));
                }
                _ => continue,
            };
            let holds = texts(value).iter().any(|v| if operator == "StringLike" { fits(v, is) } else { *v == is });
            if !holds {
                return Some(format!("lets in {}, not {is}", texts(value).join(", ")));
            }
        }
    }
    None
}
