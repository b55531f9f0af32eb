//! IAM in memory: roles, their policies, instance profiles and OIDC providers.

use super::FakeWorld;
use super::aws::{missing, taken};
use karpctl::error::{Error, ErrorKind, Result};
use karpctl::facts::{OidcFacts, RoleFacts, RolePolicies, RoleTies};
use karpctl::ports::{CreateRole, InstanceProfile, ProfileDetails, Tags};
use serde_json::Value;

pub(super) async fn role(world: &FakeWorld, name: &str) -> Result<Option<RoleFacts>> {
    world.begin("get", format!("role {name}")).await?;
    world.end("get role")?;
    Ok(world.inside().roles.get(name).cloned())
}

pub(super) async fn role_made(world: &FakeWorld, name: &str) -> Result<Option<i64>> {
    world.begin("get", format!("age of the role {name}")).await?;
    world.end("get age")?;
    Ok(world.inside().node_role_made)
}

pub(super) async fn role_ties(world: &FakeWorld, name: &str) -> Result<RoleTies> {
    world.begin("get", format!("what holds the role {name}")).await?;
    Ok(world.inside().role_ties.get(name).cloned().unwrap_or_default())
}

pub(super) async fn role_policies(world: &FakeWorld, name: &str) -> Result<Option<RolePolicies>> {
    world.begin("get", format!("policies of the role {name}")).await?;
    if world.inside().closed_role == Some(name) {
        return Err(Error::new(ErrorKind::Denied, format!("iam:ListRolePolicies of {name} is denied")));
    }
    Ok(world.inside().role_policies.get(name).cloned())
}

pub(super) async fn policy_attachments(world: &FakeWorld, arn: &str) -> Result<Option<u32>> {
    world.begin("get", format!("policy {arn}")).await?;
    world.end("get policy")?;
    Ok(world.inside().managed_policies.get(arn).copied())
}

pub(super) async fn create_role(world: &FakeWorld, role: &CreateRole) -> Result<()> {
    world.begin("create_role", &role.name).await?;
    if world.inside().roles.contains_key(&role.name) {
        return Err(taken(&role.name));
    }
    let arn = format!("arn:aws:iam::111122223333:role/{}", role.name).parse().unwrap();
    let facts = RoleFacts {
        arn,
        trust: role.trust.clone(),
        policies: Vec::new(),
        permissions_boundary: role.permissions_boundary.clone(),
        tags: role.tags.clone(),
    };
    world.inside().roles.insert(role.name.clone(), facts);
    world.end("create_role")
}

pub(super) async fn set_trust(world: &FakeWorld, role: &str, trust: &Value) -> Result<()> {
    world.begin("set_trust", role).await?;
    world.inside().roles.get_mut(role).ok_or_else(|| missing(role))?.trust = trust.clone();
    Ok(())
}

pub(super) async fn set_permissions_boundary(world: &FakeWorld, role: &str, arn: Option<&str>) -> Result<()> {
    world.begin("set_permissions_boundary", role).await?;
    world.inside().roles.get_mut(role).ok_or_else(|| missing(role))?.permissions_boundary = arn.map(str::to_owned);
    Ok(())
}

pub(super) async fn tag_role(world: &FakeWorld, role: &str, tags: &Tags) -> Result<()> {
    world.begin("tag_role", role).await?;
    world.inside().roles.get_mut(role).ok_or_else(|| missing(role))?.tags.extend(tags.clone());
    Ok(())
}

pub(super) async fn attach_policy(world: &FakeWorld, role: &str, policy_arn: &str) -> Result<()> {
    world.begin("attach_policy", policy_arn).await?;
    let mut inside = world.inside();
    let facts = inside.roles.get_mut(role).ok_or_else(|| missing(role))?;
    facts.policies.push(policy_arn.into());
    facts.policies.sort();
    facts.policies.dedup();
    Ok(())
}

pub(super) async fn detach_policy(world: &FakeWorld, role: &str, policy_arn: &str) -> Result<()> {
    world.begin("detach_policy", policy_arn).await?;
    let mut inside = world.inside();
    let Some(facts) = inside.roles.get_mut(role) else { return Ok(()) };
    let before = facts.policies.len();
    facts.policies.retain(|p| p != policy_arn);
    let was_attached = facts.policies.len() < before;
    if let Some(count) = inside.managed_policies.get_mut(policy_arn).filter(|_| was_attached) {
        *count -= 1;
    }
    drop(inside);
    world.end("detach_policy")
}

pub(super) async fn delete_policy(world: &FakeWorld, arn: &str) -> Result<()> {
    world.begin("delete_policy", arn).await?;
    if world.inside().managed_policies.get(arn).is_some_and(|attachments| *attachments > 0) {
        return Err(Error::new(ErrorKind::Conflict, "it is attached"));
    }
    world.inside().managed_policies.remove(arn);
    world.end("delete_policy")
}

pub(super) async fn delete_role(world: &FakeWorld, name: &str) -> Result<()> {
    world.begin("delete_role", name).await?;
    if world.inside().roles.get(name).is_some_and(|r| !r.policies.is_empty()) {
        return Err(Error::new(ErrorKind::Conflict, "policies are attached"));
    }
    world.inside().roles.remove(name);
    Ok(())
}

pub(super) async fn create_service_linked_role(world: &FakeWorld, service: &str) -> Result<bool> {
    world.begin("create_service_linked_role", service).await?;
    let name = "AWSServiceRoleForEC2Spot";
    let arn = format!("arn:aws:iam::111122223333:role/aws-service-role/{service}/{name}").parse().unwrap();
    let facts = RoleFacts { arn, trust: Value::Null, policies: Vec::new(), permissions_boundary: None, tags: Tags::new() };
    Ok(world.inside().roles.insert(name.into(), facts).is_none())
}

pub(super) async fn oidc_provider(world: &FakeWorld, arn: &str) -> Result<Option<OidcFacts>> {
    world.begin("get", "oidc provider").await?;
    Ok(world.inside().oidc.get(arn).cloned())
}

pub(super) async fn create_oidc_provider(world: &FakeWorld, issuer: &str, audience: &str, tags: &Tags) -> Result<()> {
    world.begin("create_oidc_provider", issuer).await?;
    let arn = format!("arn:aws:iam::111122223333:oidc-provider/{}", issuer.trim_start_matches("https://"));
    if world.inside().oidc.contains_key(&arn) {
        return Err(taken(&arn));
    }
    let facts = OidcFacts { arn: arn.parse().unwrap(), audiences: vec![audience.into()], tags: tags.clone() };
    world.inside().oidc.insert(arn, facts);
    world.end("create_oidc_provider")
}

pub(super) async fn delete_oidc_provider(world: &FakeWorld, arn: &str) -> Result<()> {
    world.begin("delete_oidc_provider", arn).await?;
    world.inside().oidc.remove(arn);
    Ok(())
}

pub(super) async fn instance_profiles(world: &FakeWorld) -> Result<Vec<InstanceProfile>> {
    world.begin("instance_profiles", "all").await?;
    Ok(world.inside().profiles.clone())
}

pub(super) async fn instance_profile(world: &FakeWorld, name: &str) -> Result<Option<ProfileDetails>> {
    world.begin("get", format!("instance profile {name}")).await?;
    let inside = world.inside();
    let found = inside.profiles.iter().find(|profile| profile.name == name);
    let arn = |role: &String| format!("arn:aws:iam::111122223333:role/{role}").parse().unwrap();
    Ok(found.map(|profile| ProfileDetails {
        role: profile.roles.first().map(arn),
        tags: inside.profile_tags.get(name).cloned().unwrap_or_default(),
    }))
}

pub(super) async fn delete_instance_profile(world: &FakeWorld, profile: &InstanceProfile) -> Result<()> {
    world.begin("delete_instance_profile", &profile.name).await?;
    world.inside().profiles.retain(|p| p.name != profile.name);
    Ok(())
}
