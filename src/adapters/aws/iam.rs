//! IAM: roles, policies on them, OIDC providers, instance profiles.

use super::errors::Call;
use super::{AwsClient, ec2, gone, present};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{OidcFacts, RoleFacts, RolePolicies, RoleTies};
use crate::ports::{CreateRole, InstanceProfile, ProfileDetails, Tags};
use aws_sdk_iam::types::Tag;
use serde_json::Value;

fn given(doing: &str, tags: &Tags) -> Result<Option<Vec<Tag>>> {
    let tag = |(key, value): (&String, &String)| {
        Tag::builder().key(key).value(value).build().map_err(|e| Error::failed(doing).because(e.to_string()))
    };
    let tags: Vec<Tag> = tags.iter().map(tag).collect::<Result<_>>()?;
    Ok((!tags.is_empty()).then_some(tags))
}

fn owned(tags: &[Tag]) -> Tags {
    tags.iter().map(|t| (t.key().to_owned(), t.value().to_owned())).collect()
}

pub(super) async fn role(aws: &AwsClient, name: &str) -> Result<Option<RoleFacts>> {
    let doing = format!("cannot read the role {name}");
    let call = Call::new("iam:GetRole", name, &doing);
    let answer = present(aws.iam.get_role().role_name(name).send().await.map_err(|e| aws.error(&call, &e)))?;
    let Some(role) = answer.and_then(|a| a.role) else { return Ok(None) };

    // The policies of a service-linked role are AWS's alone, and those of IAM Identity Center's its own: nothing follows from them.
    let policies = if ["/aws-service-role/", "/aws-reserved/"].iter().any(|path| role.path().starts_with(path)) {
        Vec::new()
    } else {
        // It may have been deleted in between.
        let Some(policies) = attached_policies(aws, name, &doing).await? else { return Ok(None) };
        policies
    };

    let odd = |why: String| Error::failed(&doing).because(format!("IAM answered what is not a role: {why}"));
    let trust = percent_decoded(role.assume_role_policy_document().unwrap_or_default());
    Ok(Some(RoleFacts {
        arn: role.arn().parse().map_err(|e| odd(format!("{e}")))?,
        trust: serde_json::from_str(&trust).map_err(|e| odd(e.to_string()))?,
        policies,
        permissions_boundary: role.permissions_boundary().and_then(|b| b.permissions_boundary_arn()).map(str::to_owned),
        tags: owned(role.tags()),
    }))
}

/// Only its age: who may look at a role may not always look at its policies.
pub(super) async fn role_made(aws: &AwsClient, name: &str) -> Result<Option<i64>> {
    let call = Call::new("iam:GetRole", name, format!("cannot read the role {name}"));
    let answer = present(aws.iam.get_role().role_name(name).send().await.map_err(|e| aws.error(&call, &e)))?;
    Ok(answer.and_then(|a| a.role).map(|role| role.create_date().secs()))
}

async fn attached_policies(aws: &AwsClient, role: &str, doing: &str) -> Result<Option<Vec<String>>> {
    let call = Call::new("iam:ListAttachedRolePolicies", role, doing);
    let pages = aws.iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e));
    Ok(present(listed)?.map(|listed| {
        let mut policies: Vec<String> = listed.into_iter().filter_map(|p| p.policy_arn).collect();
        policies.sort();
        policies
    }))
}

/// The names of the policies that are written into a role.
async fn inline_policies(aws: &AwsClient, role: &str, doing: &str) -> Result<Option<Vec<String>>> {
    let call = Call::new("iam:ListRolePolicies", role, doing);
    let pages = aws.iam.list_role_policies().role_name(role).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await;
    present(listed.map_err(|e| aws.error(&call, &e)))
}

pub(super) async fn role_ties(aws: &AwsClient, role: &str) -> Result<RoleTies> {
    let doing = format!("cannot see what holds the role {role}");
    let holding = Call::new("iam:ListInstanceProfilesForRole", role, &doing);
    let profiles = aws.iam.list_instance_profiles_for_role().role_name(role).into_paginator().items().send();
    let (policies, profiles) = tokio::join!(inline_policies(aws, role, &doing), profiles.collect::<std::result::Result<Vec<_>, _>>());
    // It may have been deleted in between.
    let inline_policies = policies?.unwrap_or_default();
    let profiles = present(profiles.map_err(|e| aws.error(&holding, &e)))?.unwrap_or_default();
    let arns: Vec<String> = profiles.iter().map(|p| p.arn.clone()).collect();
    let instances = ec2::instances_of_profiles(aws, &arns).await?;
    Ok(RoleTies { inline_policies, instance_profiles: profiles.into_iter().map(|p| p.instance_profile_name).collect(), instances })
}

/// Only its policies: its trust is nobody's question where they are shown.
pub(super) async fn role_policies(aws: &AwsClient, role: &str) -> Result<Option<RolePolicies>> {
    let doing = format!("cannot see the policies of the role {role}");
    let Some(attached) = attached_policies(aws, role, &doing).await? else { return Ok(None) };
    Ok(inline_policies(aws, role, &doing).await?.map(|inline| RolePolicies { attached, inline }))
}

pub(super) async fn policy_attachments(aws: &AwsClient, arn: &str) -> Result<Option<u32>> {
    let call = Call::new("iam:GetPolicy", arn, format!("cannot read the policy {arn}"));
    let sent = aws.iam.get_policy().policy_arn(arn).send().await.map_err(|e| aws.error(&call, &e));
    let policy = present(sent)?.and_then(|answer| answer.policy);
    Ok(policy.map(|policy| policy.attachment_count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default()))
}

/// IAM answers policy documents percent-encoded (RFC 3986). What is not an escape is left as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) async fn create_role(aws: &AwsClient, role: &CreateRole) -> Result<()> {
    let name = &role.name;
    let call = Call::new("iam:CreateRole", name, format!("cannot create the role {name}"));
    let request = aws
        .iam
        .create_role()
        .role_name(name)
        .description(&role.description)
        .assume_role_policy_document(role.trust.to_string())
        .set_permissions_boundary(role.permissions_boundary.clone())
        .set_tags(given(&call.doing, &role.tags)?);
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn set_trust(aws: &AwsClient, role: &str, trust: &Value) -> Result<()> {
    let call = Call::new("iam:UpdateAssumeRolePolicy", role, format!("cannot change who may assume the role {role}"));
    let request = aws.iam.update_assume_role_policy().role_name(role).policy_document(trust.to_string());
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn set_permissions_boundary(aws: &AwsClient, role: &str, arn: Option<&str>) -> Result<()> {
    let Some(arn) = arn else {
        let doing = format!("cannot take the permissions boundary off the role {role}");
        let call = Call::new("iam:DeleteRolePermissionsBoundary", role, doing);
        aws.iam.delete_role_permissions_boundary().role_name(role).send().await.map_err(|e| aws.error(&call, &e))?;
        return Ok(());
    };
    let call = Call::new("iam:PutRolePermissionsBoundary", role, format!("cannot set the permissions boundary of the role {role}"));
    let request = aws.iam.put_role_permissions_boundary().role_name(role).permissions_boundary(arn);
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn tag_role(aws: &AwsClient, role: &str, tags: &Tags) -> Result<()> {
    let call = Call::new("iam:TagRole", role, format!("cannot tag the role {role}"));
    let Some(tags) = given(&call.doing, tags)? else { return Ok(()) };
    aws.iam.tag_role().role_name(role).set_tags(Some(tags)).send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn attach_policy(aws: &AwsClient, role: &str, policy_arn: &str) -> Result<()> {
    let call = Call::new("iam:AttachRolePolicy", role, format!("cannot attach the policy {policy_arn} to the role {role}"));
    let request = aws.iam.attach_role_policy().role_name(role).policy_arn(policy_arn);
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn detach_policy(aws: &AwsClient, role: &str, policy_arn: &str) -> Result<()> {
    let call = Call::new("iam:DetachRolePolicy", role, format!("cannot detach the policy {policy_arn} from the role {role}"));
    let sent = aws.iam.detach_role_policy().role_name(role).policy_arn(policy_arn).send().await;
    gone(sent.map_err(|e| aws.error(&call, &e)))
}

/// IAM deletes no policy that has other versions than its default one.
pub(super) async fn delete_policy(aws: &AwsClient, arn: &str) -> Result<()> {
    let doing = format!("cannot delete the policy {arn}");
    let call = Call::new("iam:ListPolicyVersions", arn, &doing);
    let pages = aws.iam.list_policy_versions().policy_arn(arn).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e));
    let Some(versions) = present(listed)? else { return Ok(()) };
    for version in versions.iter().filter(|v| !v.is_default_version()).filter_map(|v| v.version_id()) {
        let call = Call::new("iam:DeletePolicyVersion", arn, &doing);
        let sent = aws.iam.delete_policy_version().policy_arn(arn).version_id(version).send().await;
        gone(sent.map_err(|e| aws.error(&call, &e)))?;
    }
    let call = Call::new("iam:DeletePolicy", arn, &doing);
    gone(aws.iam.delete_policy().policy_arn(arn).send().await.map_err(|e| aws.error(&call, &e)))
}

pub(super) async fn delete_role(aws: &AwsClient, name: &str) -> Result<()> {
    let call = Call::new("iam:DeleteRole", name, format!("cannot delete the role {name}"));
    gone(aws.iam.delete_role().role_name(name).send().await.map_err(|e| aws.error(&call, &e)))
}

pub(super) async fn create_service_linked_role(aws: &AwsClient, service: &str) -> Result<bool> {
    let call = Call::new("iam:CreateServiceLinkedRole", service, format!("cannot create the service-linked role of {service}"));
    let sent = aws.iam.create_service_linked_role().aws_service_name(service).send().await;
    match sent.map_err(|e| aws.error(&call, &e)) {
        Ok(_) => Ok(true),
        Err(e) if e.kind == ErrorKind::Conflict => Ok(false),
        // What IAM says where it is there: InvalidInput, "Service role name … has been taken in this account".
        Err(e) if e.kind == ErrorKind::Failed && e.causes.iter().any(|c| c.contains("has been taken")) => Ok(false),
        Err(e) => Err(e),
    }
}

pub(super) async fn oidc_provider(aws: &AwsClient, arn: &str) -> Result<Option<OidcFacts>> {
    let doing = format!("cannot read the OIDC provider {arn}");
    let call = Call::new("iam:GetOpenIDConnectProvider", arn, &doing);
    let sent = aws.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send().await;
    let Some(provider) = present(sent.map_err(|e| aws.error(&call, &e)))? else { return Ok(None) };
    Ok(Some(OidcFacts {
        arn: arn.parse().map_err(|e| Error::failed(&doing).because(format!("{e}")))?,
        audiences: provider.client_id_list().to_vec(),
        tags: owned(provider.tags()),
    }))
}

pub(super) async fn oidc_providers(aws: &AwsClient) -> Result<Vec<String>> {
    let call = Call::new("iam:ListOpenIDConnectProviders", "*", "cannot list the OIDC providers of the account");
    let answer = aws.iam.list_open_id_connect_providers().send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(answer.open_id_connect_provider_list.unwrap_or_default().into_iter().filter_map(|provider| provider.arn).collect())
}

pub(super) async fn create_oidc_provider(aws: &AwsClient, issuer: &str, audience: &str, tags: &Tags) -> Result<()> {
    let call = Call::new("iam:CreateOpenIDConnectProvider", issuer, format!("cannot create the OIDC provider of {issuer}"));
    // No thumbprint: IAM trusts EKS issuers by their public CA, and fills it in itself.
    let request = aws.iam.create_open_id_connect_provider().url(issuer).client_id_list(audience);
    request.set_tags(given(&call.doing, tags)?).send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn delete_oidc_provider(aws: &AwsClient, arn: &str) -> Result<()> {
    let call = Call::new("iam:DeleteOpenIDConnectProvider", arn, format!("cannot delete the OIDC provider {arn}"));
    let sent = aws.iam.delete_open_id_connect_provider().open_id_connect_provider_arn(arn).send().await;
    gone(sent.map_err(|e| aws.error(&call, &e)))
}

pub(super) async fn instance_profiles(aws: &AwsClient) -> Result<Vec<InstanceProfile>> {
    let call = Call::new("iam:ListInstanceProfiles", "*", "cannot list the instance profiles of the account");
    let pages = aws.iam.list_instance_profiles().into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let profile = |p: aws_sdk_iam::types::InstanceProfile| InstanceProfile {
        roles: p.roles().iter().map(|r| r.role_name().to_owned()).collect(),
        name: p.instance_profile_name,
        path: p.path,
    };
    Ok(listed.into_iter().map(profile).collect())
}

pub(super) async fn instance_profile(aws: &AwsClient, name: &str) -> Result<Option<ProfileDetails>> {
    let call = Call::new("iam:GetInstanceProfile", name, format!("cannot read the instance profile {name}"));
    let sent = aws.iam.get_instance_profile().instance_profile_name(name).send().await.map_err(|e| aws.error(&call, &e));
    Ok(present(sent)?.and_then(|answer| answer.instance_profile).map(|profile| ProfileDetails {
        role: profile.roles().iter().find_map(|role| role.arn().parse().ok()),
        tags: owned(profile.tags()),
    }))
}

pub(super) async fn delete_instance_profile(aws: &AwsClient, profile: &InstanceProfile) -> Result<()> {
    let name = &profile.name;
    let doing = format!("cannot delete the instance profile {name}");
    for role in &profile.roles {
        let call = Call::new("iam:RemoveRoleFromInstanceProfile", name, &doing);
        let sent = aws.iam.remove_role_from_instance_profile().instance_profile_name(name).role_name(role).send().await;
        gone(sent.map_err(|e| aws.error(&call, &e)))?;
    }
    let call = Call::new("iam:DeleteInstanceProfile", name, &doing);
    gone(aws.iam.delete_instance_profile().instance_profile_name(name).send().await.map_err(|e| aws.error(&call, &e)))
}
