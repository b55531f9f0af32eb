//! Who may do what: the controller's role and how it gets it, the nodes' way into the cluster.

use super::inside::daemon_pods;
use super::{NOT_YET, ProbeContext, failed, said, told};
use crate::error::{Error, Result};
use crate::facts::{
    AccessEntryFacts, AddonFacts, AgentPods, AssociationFacts, AwsAuthFacts, ClusterFacts, Facts, OidcFacts, Probed, ProfileFacts,
    RoleFacts, RoleTies,
};
use crate::knowledge::ROLE_ANNOTATION;
use crate::ports::{Aws, Kube, ObjectKind, ObjectRef};
use crate::render;
use crate::spec::Spec;
use futures_util::future::try_join_all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use crate::spec::POD_IDENTITY_AGENT as AGENT;

pub(super) async fn node_role(context: &ProbeContext<'_>) -> Probed<RoleFacts> {
    said(context.ports.aws.role(&context.spec.node_role_name()).await)
}

pub(super) async fn node_role_ties(context: &ProbeContext<'_>) -> Probed<RoleTies> {
    told(context.ports.aws.role_ties(&context.spec.node_role_name()).await)
}

/// Both at once: what must let go of the role before the stack that made it can.
pub(super) async fn node_role_holders(context: &ProbeContext<'_>) -> (Probed<RoleFacts>, Probed<RoleTies>) {
    tokio::join!(node_role(context), node_role_ties(context))
}

pub(super) async fn stack_policies(context: &ProbeContext<'_>) -> Probed<BTreeMap<String, u32>> {
    let asked = try_join_all(render::controller_policy_arns(context.spec).into_iter().map(|arn| async move {
        let attachments = context.ports.aws.policy_attachments(arn.as_str()).await?;
        Ok::<_, Error>(attachments.map(|attachments| (arn.to_string(), attachments)))
    }));
    asked.await.map_or_else(|e| failed(&e), |found| Probed::Known(found.into_iter().flatten().collect()))
}

/// The controller's role, and what another release left beside it.
pub(super) async fn controller_role(context: &ProbeContext<'_>) -> (Probed<RoleFacts>, Probed<Vec<String>>) {
    let role = said(context.ports.aws.role(&context.spec.controller_role_name()).await);
    // An account without the role has nothing that was left, and none is looked for where somebody else makes role and policies.
    let looks = role.known().is_some() && context.spec.made_elsewhere.is_none();
    (role, if looks { Box::pin(left_policies(context)).await } else { Probed::NotAsked })
}

async fn left_policies(context: &ProbeContext<'_>) -> Probed<Vec<String>> {
    let asked = try_join_all(render::other_controller_policy_arns(context.spec).into_iter().map(|arn| async move {
        let attachments = context.ports.aws.policy_attachments(arn.as_str()).await?;
        Ok::<_, Error>((attachments == Some(0)).then(|| arn.to_string()))
    }));
    asked.await.map_or_else(|e| failed(&e), |found| Probed::Known(found.into_iter().flatten().collect()))
}

pub(super) async fn agent(context: &ProbeContext<'_>) -> Probed<AddonFacts> {
    said(context.ports.aws.addon(context.spec.cluster_name.as_str(), AGENT).await)
}

/// The agent's pods, by the name that the add-on and AWS's own chart give it.
pub(super) async fn agent_pods(kube: &dyn Kube) -> Probed<AgentPods> {
    let kind = ObjectKind::new("apps/v1", "daemonsets");
    let object = ObjectRef { kind, namespace: Some("kube-system".into()), name: AGENT.into() };
    said(kube.get(&object).await.map(|found| found.as_ref().map(daemon_pods)))
}

pub(super) async fn agent_users(context: &ProbeContext<'_>) -> Probed<Vec<String>> {
    told(context.ports.aws.association_accounts(context.spec.cluster_name.as_str()).await)
}

pub(super) async fn provider_users(kube: &dyn Kube) -> Probed<Vec<String>> {
    let listed = kube.list(&ObjectKind::new("v1", "serviceaccounts"), None, None).await;
    let goes_by_it = |account: &&Value| account["metadata"]["annotations"][ROLE_ANNOTATION].is_string();
    let of_all = |accounts: Vec<Value>| accounts.iter().filter(goes_by_it).map(place_of).collect();
    listed.map_or_else(|e| failed(&e), |accounts| Probed::Known(of_all(accounts)))
}

/// `namespace/name`.
fn place_of(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

pub(super) async fn association(context: &ProbeContext<'_>) -> Probed<AssociationFacts> {
    let spec = context.spec;
    said(context.ports.aws.association(spec.cluster_name.as_str(), spec.namespace.as_str(), spec.service_account()).await)
}

pub(super) async fn access_entry(context: &ProbeContext<'_>) -> Probed<AccessEntryFacts> {
    said(entry_of_node_role(context.ports.aws.as_ref(), context.spec).await)
}

/// The access entry of the spec's node role, with the age of the role.
pub(crate) async fn entry_of_node_role(aws: &dyn Aws, spec: &Spec) -> Result<Option<AccessEntryFacts>> {
    let Some(entry) = aws.access_entry(spec.cluster_name.as_str(), spec.node_role_arn().as_str()).await? else { return Ok(None) };
    Ok(Some(AccessEntryFacts { role_made: said(aws.role_made(&spec.node_role_name()).await), ..entry }))
}

/// How many roles of node classes are asked for.
const MOST_ROLES: usize = 16;

/// The access entries of the roles that node classes name in place of the spec's.
pub(super) async fn class_entries(context: &ProbeContext<'_>, facts: &Facts) -> BTreeMap<String, Probed<AccessEntryFacts>> {
    if !facts.cluster.known().is_some_and(ClusterFacts::has_access_entries) {
        return BTreeMap::new();
    }
    let objects = facts.objects.known().into_iter().flatten();
    let roles: BTreeSet<&str> = objects.filter_map(|object| object.other_role(context.spec)).collect();
    let specs = roles.into_iter().filter_map(|role| Some((role, context.spec.of_node_role(role)?))).take(MOST_ROLES);
    let asked =
        specs.map(|(role, spec)| async move { (role.to_owned(), said(entry_of_node_role(context.ports.aws.as_ref(), &spec).await)) });
    futures_util::future::join_all(asked).await.into_iter().collect()
}

/// The instance profiles that node classes name in place of the spec's, with the access entries of their roles.
pub(super) async fn class_profiles(context: &ProbeContext<'_>, facts: &Facts) -> BTreeMap<String, Probed<ProfileFacts>> {
    let Some(cluster) = facts.cluster.known() else { return BTreeMap::new() };
    let objects = facts.objects.known().into_iter().flatten();
    let profiles: BTreeSet<&str> = objects.filter_map(|object| object.other_profile(context.spec)).collect();
    let asked = profiles.into_iter().take(MOST_ROLES).map(|name| async move {
        let found = class_profile(context, facts, name, cluster.has_access_entries()).await;
        (name.to_owned(), said(found))
    });
    futures_util::future::join_all(asked).await.into_iter().collect()
}

async fn class_profile(context: &ProbeContext<'_>, facts: &Facts, name: &str, has_entries: bool) -> Result<Option<ProfileFacts>> {
    let aws = context.ports.aws.as_ref();
    let Some(profile) = aws.instance_profile(name).await? else { return Ok(None) };
    let entry = match &profile.role {
        Some(role) if *role == context.spec.node_role_arn() => facts.access_entry.clone(),
        Some(role) if has_entries => said(entry_of_node_role(aws, &context.spec.of_node_profile(role.clone(), name)).await),
        _ => Probed::NotAsked,
    };
    Ok(Some(ProfileFacts { role: profile.role, entry }))
}

pub(super) async fn oidc_provider(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<OidcFacts> {
    match cluster {
        Probed::Known(ClusterFacts { oidc_issuer: Some(issuer), .. }) => {
            said(context.ports.aws.oidc_provider(&context.spec.oidc_provider_arn(issuer)).await)
        }
        Probed::Known(_) => Probed::Unavailable("EKS names no OIDC issuer for the cluster".into()),
        Probed::Unavailable(reason) => Probed::Unavailable(reason.clone()),
        Probed::Absent | Probed::NotAsked => Probed::Unavailable(NOT_YET.into()),
    }
}

/// The role of the network add-on's service account, by IRSA or by Pod Identity.
pub(super) async fn network_role(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<String> {
    let spec = context.spec;
    let (namespace, name) = ("kube-system", "aws-node");
    let account = ObjectRef { kind: ObjectKind::new("v1", "serviceaccounts"), namespace: Some(namespace.into()), name: name.into() };
    let (account, association) =
        tokio::join!(kube.get(&account), context.ports.aws.association(spec.cluster_name.as_str(), namespace, name));
    let annotated = |account: Value| account["metadata"]["annotations"][ROLE_ANNOTATION].as_str().map(str::to_owned);
    let by = || match account?.and_then(annotated) {
        Some(role) => Ok(Some(role)),
        None => Ok(association?.map(|association| association.role_arn)),
    };
    said(by())
}

/// Where the `aws-auth` `ConfigMap` is.
pub(crate) fn aws_auth_ref() -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("v1", "configmaps"), namespace: Some("kube-system".into()), name: "aws-auth".into() }
}

pub(super) async fn aws_auth(kube: &dyn Kube) -> Probed<AwsAuthFacts> {
    said(read_aws_auth(kube).await.map(|found| found.map(|(facts, _)| facts)))
}

/// The `ConfigMap` as a fact, and as it was answered.
pub(crate) async fn read_aws_auth(kube: &dyn Kube) -> Result<Option<(AwsAuthFacts, Value)>> {
    let found = kube.get(&aws_auth_ref()).await?;
    Ok(found.map(|object| {
        let facts = AwsAuthFacts {
            map_roles: object["data"]["mapRoles"].as_str().map(str::to_owned),
            resource_version: object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned(),
        };
        (facts, object)
    }))
}
