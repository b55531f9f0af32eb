//! AWS in memory.

use super::account::tagged;
use super::{FakeStack, FakeWorld, Inside, iam, quotas};
use async_trait::async_trait;
use karpctl::error::{Error, ErrorKind, Result};
use karpctl::facts::{
    AccessEntryFacts, AddonFacts, AssociationFacts, Caller, ClusterFacts, Denial, EbsFacts, EndpointFacts, FargateProfileFacts,
    FargateSelectors, IamSummary, InstanceTypeFacts, KeyFacts, NodeGroupFacts, NodeGroupShape, OidcFacts, Probed, QueueFacts, RoleFacts,
    RolePolicies, RoleTies, RouteTableFacts, RuleFacts, Scaling, SecurityGroupFacts, StackFacts, SubnetFacts, VpcFacts,
};
use karpctl::knowledge::OfferedVersion;
use karpctl::ports::{
    Aws, ChangeStack, CreateRole, InstanceProfile, LaunchedInstance, PermissionQuestion, ProfileDetails, RunningInstance, StackEvent, Tags,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// When an association is made, in seconds since 1970.
pub(crate) const MADE_AT: i64 = 1_764_000_000;

pub(super) fn taken(what: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("{what} is there already"))
}

/// An access entry that was just made.
pub(crate) fn new_entry(kind: &str, tags: &Tags) -> AccessEntryFacts {
    AccessEntryFacts { kind: kind.into(), tags: tags.clone(), made: Some(MADE_AT), role_made: Probed::NotAsked }
}

pub(super) fn missing(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("{what} is not there"))
}

/// The name within a stack's id, or the name itself.
pub(super) fn by_name_or_id(name_or_id: &str) -> &str {
    name_or_id.split('/').nth(1).unwrap_or(name_or_id)
}

impl Inside {
    /// The id of a stack by this name (or id): of the one that is there, else of the newest.
    pub(super) fn stack_id(&self, name: &str) -> String {
        let there = self.stacks.get(by_name_or_id(name)).map(|s| s.facts.id.clone());
        there.unwrap_or_else(|| format!("arn:aws:cloudformation:us-west-2:111122223333:stack/{name}/{}", self.stacks_made))
    }

    /// The stack of a name, or of an id if that one is still the one of its name.
    fn stack_of(&mut self, name_or_id: &str) -> Option<&mut FakeStack> {
        let found = self.stacks.get_mut(by_name_or_id(name_or_id))?;
        (!name_or_id.starts_with("arn:") || found.facts.id == name_or_id).then_some(found)
    }
}

#[async_trait]
impl Aws for FakeWorld {
    fn clock_ahead(&self) -> Option<i64> {
        Some(0)
    }

    async fn caller(&self) -> Result<Caller> {
        self.begin("get", "caller").await?;
        Ok(Caller { account: self.spec.account_id.clone(), arn: "arn:aws:iam::111122223333:user/test".parse().unwrap(), good_for: None })
    }

    async fn eks_token(&self, _: &str) -> Result<String> {
        self.pause().await;
        Ok("k8s-aws-v1.test".into())
    }

    async fn stack(&self, name: &str, _: bool) -> Result<Option<StackFacts>> {
        self.begin("describe", format!("stack {name}")).await?;
        self.end("describe stack")?;
        let mut inside = self.inside();
        let Some(stack) = inside.stack_of(name) else { return Ok(None) };
        let answer = stack.facts.clone();
        if let Some(next) = stack.next.pop_front() {
            stack.facts.status = next;
        }
        if stack.facts.status == "GONE" {
            inside.stacks.remove(by_name_or_id(name));
        }
        Ok(Some(answer))
    }

    async fn create_stack(&self, change: &ChangeStack) -> Result<String> {
        self.begin("create_stack", &change.name).await?;
        if self.inside().stacks.contains_key(&change.name) {
            return Err(taken(&change.name));
        }
        self.change_stack(change, "CREATE");
        self.end("create_stack")?;
        Ok(self.inside().stack_id(&change.name))
    }

    async fn update_stack(&self, change: &ChangeStack) -> Result<bool> {
        self.begin("update_stack", &change.name).await?;
        let found = self.inside().stack_of(&change.name).map(|stack| stack.facts.clone());
        let found = found.ok_or_else(|| missing(&change.name))?;
        if (found.template.as_ref(), &found.parameters, &found.tags) == (Some(&change.template), &change.parameters, &change.tags) {
            return Ok(false);
        }
        self.change_stack(change, "UPDATE");
        self.end("update_stack")?;
        Ok(true)
    }

    async fn delete_stack(&self, name: &str, _: &str) -> Result<()> {
        self.begin("delete_stack", name).await?;
        if let Some(stack) = self.inside().stack_of(name) {
            let fails = stack.facts.tags.get("test.fails-to-delete").cloned();
            stack.facts.status = "DELETE_IN_PROGRESS".into();
            stack.next = VecDeque::from([if fails.is_some() { "DELETE_FAILED".into() } else { "GONE".into() }]);
            stack.facts.status_reason = fails;
        }
        self.end("delete_stack")
    }

    async fn unprotect_stack(&self, name: &str) -> Result<()> {
        self.begin("unprotect_stack", name).await
    }

    async fn stack_names(&self, prefix: &str) -> Result<Vec<String>> {
        self.begin("list", "stacks").await?;
        self.end("list stacks")?;
        Ok(self.inside().stacks.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    async fn stack_events(&self, name_or_id: &str) -> Result<Vec<StackEvent>> {
        self.begin("describe", format!("events of {name_or_id}")).await?;
        Ok(self.inside().stacks.get(by_name_or_id(name_or_id)).map(|s| s.events.clone()).unwrap_or_default())
    }

    async fn cluster_names(&self) -> Result<Vec<String>> {
        self.begin("list", "clusters").await?;
        Ok(self.inside().cluster.iter().map(|_| self.spec.cluster_name.to_string()).collect())
    }

    async fn cluster_versions(&self) -> Result<Vec<OfferedVersion>> {
        self.pause().await;
        Ok(vec![self.spec.kubernetes.into()])
    }

    async fn cluster(&self, name: &str) -> Result<Option<ClusterFacts>> {
        self.begin("describe", format!("cluster {name}")).await?;
        self.end("describe cluster")?;
        Ok(self.inside().cluster.clone())
    }

    async fn fargate_profile(&self, _: &str, name: &str) -> Result<Option<FargateProfileFacts>> {
        self.begin("describe", format!("Fargate profile {name}")).await?;
        Ok(self.inside().fargate_profile.clone())
    }

    async fn access_entry(&self, _: &str, principal_arn: &str) -> Result<Option<AccessEntryFacts>> {
        self.begin("describe", "access entry").await?;
        Ok(self.inside().entries.get(principal_arn).cloned())
    }

    async fn create_access_entry(&self, _: &str, principal_arn: &str, kind: &str, tags: &Tags) -> Result<()> {
        self.begin("create_access_entry", format!("{kind} {principal_arn}")).await?;
        if self.inside().entries.contains_key(principal_arn) {
            return Err(taken("the access entry"));
        }
        self.inside().entries.insert(principal_arn.into(), new_entry(kind, tags));
        self.end("create_access_entry")
    }

    async fn delete_access_entry(&self, _: &str, principal_arn: &str) -> Result<()> {
        self.begin("delete_access_entry", principal_arn).await?;
        self.inside().entries.remove(principal_arn);
        Ok(())
    }

    async fn association(&self, _: &str, _: &str, account: &str) -> Result<Option<AssociationFacts>> {
        self.begin("describe", format!("association of {account}")).await?;
        let inside = self.inside();
        Ok(if account == "aws-node" { inside.network_association.clone() } else { inside.association.clone() })
    }

    async fn association_accounts(&self, _: &str) -> Result<Vec<String>> {
        self.begin("list", "associations").await?;
        let inside = self.inside();
        let own = inside.association.iter().map(|_| format!("{}/{}", self.spec.namespace, self.spec.service_account()));
        Ok(own.chain(inside.other_accounts.iter().cloned()).collect())
    }

    async fn create_association(&self, _: &str, namespace: &str, account: &str, role_arn: &str, tags: &Tags) -> Result<()> {
        self.begin("create_association", format!("{namespace}/{account} {role_arn}")).await?;
        if self.inside().association.is_some() {
            return Err(taken("the association"));
        }
        self.inside().association =
            Some(AssociationFacts { id: "a-1".into(), role_arn: role_arn.into(), tags: tags.clone(), changed_at: Some(MADE_AT) });
        self.end("create_association")
    }

    async fn update_association(&self, _: &str, id: &str, role_arn: &str) -> Result<()> {
        self.begin("update_association", id).await?;
        self.inside().association.as_mut().unwrap().role_arn = role_arn.into();
        Ok(())
    }

    async fn delete_association(&self, _: &str, id: &str) -> Result<()> {
        self.begin("delete_association", id).await?;
        self.inside().association = None;
        Ok(())
    }

    async fn addon(&self, _: &str, name: &str) -> Result<Option<AddonFacts>> {
        self.begin("describe", format!("addon {name}")).await?;
        let mut inside = self.inside();
        let answer = inside.addons.get(name).cloned();
        // What is on its way arrives by the next look.
        match answer.as_ref().map(|a| a.status.as_str()) {
            Some("CREATING" | "UPDATING") => inside.addons.get_mut(name).unwrap().status = "ACTIVE".into(),
            Some("DELETING") => drop(inside.addons.remove(name)),
            _ => {}
        }
        Ok(answer)
    }

    async fn create_addon(&self, _: &str, name: &str, tags: &Tags) -> Result<()> {
        self.begin("create_addon", name).await?;
        if self.inside().addons.contains_key(name) {
            return Err(taken(name));
        }
        self.inside().addons.insert(name.into(), AddonFacts { status: "CREATING".into(), version: None, tags: tags.clone() });
        self.end("create_addon")
    }

    async fn close_public_endpoint(&self, cluster: &str) -> Result<()> {
        self.begin("close_public_endpoint", cluster).await?;
        self.inside().cluster.as_mut().unwrap().public_endpoint = false;
        self.end("close_public_endpoint")
    }

    async fn delete_addon(&self, _: &str, name: &str) -> Result<()> {
        self.begin("delete_addon", name).await?;
        if let Some(addon) = self.inside().addons.get_mut(name) {
            addon.status = "DELETING".into();
        }
        Ok(())
    }

    async fn role(&self, name: &str) -> Result<Option<RoleFacts>> {
        iam::role(self, name).await
    }

    async fn role_made(&self, name: &str) -> Result<Option<i64>> {
        iam::role_made(self, name).await
    }

    async fn role_ties(&self, name: &str) -> Result<RoleTies> {
        iam::role_ties(self, name).await
    }

    async fn role_policies(&self, name: &str) -> Result<Option<RolePolicies>> {
        iam::role_policies(self, name).await
    }

    async fn policy_attachments(&self, arn: &str) -> Result<Option<u32>> {
        iam::policy_attachments(self, arn).await
    }

    async fn create_role(&self, role: &CreateRole) -> Result<()> {
        iam::create_role(self, role).await
    }

    async fn set_trust(&self, role: &str, trust: &Value) -> Result<()> {
        iam::set_trust(self, role, trust).await
    }

    async fn set_permissions_boundary(&self, role: &str, arn: Option<&str>) -> Result<()> {
        iam::set_permissions_boundary(self, role, arn).await
    }

    async fn tag_role(&self, role: &str, tags: &Tags) -> Result<()> {
        iam::tag_role(self, role, tags).await
    }

    async fn attach_policy(&self, role: &str, policy_arn: &str) -> Result<()> {
        iam::attach_policy(self, role, policy_arn).await
    }

    async fn detach_policy(&self, role: &str, policy_arn: &str) -> Result<()> {
        iam::detach_policy(self, role, policy_arn).await
    }

    async fn delete_policy(&self, arn: &str) -> Result<()> {
        iam::delete_policy(self, arn).await
    }

    async fn delete_role(&self, name: &str) -> Result<()> {
        iam::delete_role(self, name).await
    }

    async fn create_service_linked_role(&self, service: &str) -> Result<bool> {
        iam::create_service_linked_role(self, service).await
    }

    async fn oidc_provider(&self, arn: &str) -> Result<Option<OidcFacts>> {
        iam::oidc_provider(self, arn).await
    }

    async fn oidc_providers(&self) -> Result<Vec<String>> {
        self.begin("list", "OIDC providers").await?;
        Ok(self.inside().oidc.keys().cloned().collect())
    }

    async fn create_oidc_provider(&self, issuer: &str, audience: &str, tags: &Tags) -> Result<()> {
        iam::create_oidc_provider(self, issuer, audience, tags).await
    }

    async fn delete_oidc_provider(&self, arn: &str) -> Result<()> {
        iam::delete_oidc_provider(self, arn).await
    }

    async fn instance_profiles(&self) -> Result<Vec<InstanceProfile>> {
        iam::instance_profiles(self).await
    }

    async fn instance_profile(&self, name: &str) -> Result<Option<ProfileDetails>> {
        iam::instance_profile(self, name).await
    }

    async fn delete_instance_profile(&self, profile: &InstanceProfile) -> Result<()> {
        iam::delete_instance_profile(self, profile).await
    }

    async fn regions(&self) -> Result<Vec<String>> {
        self.begin("list", "regions").await?;
        Ok(vec![self.spec.region.to_string()])
    }

    async fn subnets(&self, ids: &[String]) -> Result<Vec<SubnetFacts>> {
        self.begin("describe", "subnets").await?;
        Ok(self.inside().subnets.iter().filter(|s| ids.contains(&s.id)).cloned().collect())
    }

    async fn security_groups(&self, ids: &[String]) -> Result<BTreeMap<String, Tags>> {
        self.begin("describe", "security groups").await?;
        Ok(self.inside().security_groups.iter().filter(|(id, _)| ids.contains(id)).map(|(id, t)| (id.clone(), t.clone())).collect())
    }

    async fn tag_ec2(&self, ids: &[String], tags: &Tags) -> Result<()> {
        self.begin("tag_ec2", ids.join(" ")).await?;
        self.each_tagged(ids, |has| has.extend(tags.clone()));
        self.end("tag_ec2")
    }

    async fn untag_ec2(&self, ids: &[String], tags: &Tags) -> Result<()> {
        self.begin("untag_ec2", ids.join(" ")).await?;
        self.each_tagged(ids, |has| has.retain(|k, v| tags.get(k) != Some(v)));
        Ok(())
    }

    async fn launch_templates(&self, any_of: &[(String, String)]) -> Result<Vec<String>> {
        self.begin("describe", "launch templates").await?;
        Ok(tagged(&self.inside().launch_templates, any_of))
    }

    async fn unused_interfaces(&self, any_of: &[(String, String)]) -> Result<Vec<String>> {
        self.begin("describe", "network interfaces").await?;
        Ok(tagged(&self.inside().interfaces, any_of))
    }

    async fn unused_volumes(&self, tag: &(String, String)) -> Result<Vec<String>> {
        self.begin("describe", "volumes").await?;
        Ok(tagged(&self.inside().volumes, std::slice::from_ref(tag)))
    }

    async fn delete_launch_template(&self, name: &str) -> Result<()> {
        self.begin("delete_launch_template", name).await?;
        self.inside().launch_templates.remove(name);
        Ok(())
    }

    async fn instances(&self, all_of: &[(String, String)]) -> Result<Vec<LaunchedInstance>> {
        self.begin("describe", "instances").await?;
        let fits = |tags: &Tags| all_of.iter().all(|(k, v)| tags.get(k).is_some_and(|has| v.is_empty() || has == v));
        let inside = self.inside();
        let found = inside.instances.iter().filter(|(_, tags)| fits(tags));
        let launched = |(id, tags): (&String, &Tags)| LaunchedInstance {
            id: id.clone(),
            state: "running".into(),
            of_auto_mode: tags.contains_key("eks:kubernetes-node-pool-name"),
        };
        Ok(found.map(launched).collect())
    }

    async fn denials(&self, principal: &str, question: &PermissionQuestion) -> Result<Vec<Denial>> {
        self.begin("get", format!("what {principal} may do: {question:?}")).await?;
        self.end("get denials")?;
        let asked = |d: &&Denial| question.actions.contains(&d.action) && question.resources.contains(&d.resource);
        // As IAM does: of all keys that the principal's policies ask for, those that the question has no value for.
        let unknown = |denial: &Denial| {
            let keys = denial.unknown_keys.iter().filter(|key| !question.context.contains_key(*key)).cloned().collect();
            Denial { unknown_keys: keys, ..denial.clone() }
        };
        Ok(self.inside().denied.iter().filter(asked).map(unknown).collect())
    }

    async fn iam_summary(&self) -> Result<IamSummary> {
        self.begin("get", "IAM summary").await?;
        Ok(quotas::iam_summary())
    }

    async fn quota(&self, (service, code): (&str, &str)) -> Result<Option<u64>> {
        self.begin("get", format!("quota {code} of {service}")).await?;
        Ok(Some(quotas::EVERY))
    }

    async fn vpc_count(&self, _: &str) -> Result<u64> {
        self.begin("count", "VPCs").await?;
        Ok(1)
    }

    async fn address_count(&self) -> Result<u64> {
        self.begin("count", "addresses").await?;
        Ok(1)
    }

    async fn rule_count(&self) -> Result<u64> {
        self.begin("count", "rules").await?;
        Ok(1)
    }

    async fn running_instances(&self) -> Result<Vec<RunningInstance>> {
        self.begin("describe", "running instances").await?;
        Ok(quotas::running_instances())
    }

    async fn instance_types(&self, names: &[String]) -> Result<Vec<InstanceTypeFacts>> {
        self.begin("describe", "instance types").await?;
        Ok(names.iter().filter_map(|name| quotas::instance_type(name)).collect())
    }

    async fn tagged_subnets(&self, (key, value): (&str, &str)) -> Result<Vec<SubnetFacts>> {
        self.begin("describe", "subnets by tag").await?;
        Ok(self.inside().subnets.iter().filter(|s| s.tags.get(key).is_some_and(|v| v == value)).cloned().collect())
    }

    async fn tagged_security_groups(&self, (key, value): (&str, &str)) -> Result<Vec<SecurityGroupFacts>> {
        self.begin("describe", "security groups by tag").await?;
        let inside = self.inside();
        let tagged = inside.security_groups.iter().filter(|(_, tags)| tags.get(key).is_some_and(|v| v == value));
        Ok(tagged.map(|(id, tags)| SecurityGroupFacts { id: id.clone(), vpc_id: "vpc-1".into(), tags: tags.clone() }).collect())
    }

    async fn vpc(&self, id: &str) -> Result<Option<VpcFacts>> {
        self.begin("describe", format!("VPC {id}")).await?;
        Ok(Some(VpcFacts {
            id: id.to_owned(),
            ranges: vec!["10.0.0.0/16".into()],
            dns_support: true,
            dns_hostnames: self.inside().dns_hostnames,
        }))
    }

    async fn vpc_endpoints(&self, vpc: &str) -> Result<Vec<EndpointFacts>> {
        self.begin("describe", format!("endpoints of {vpc}")).await?;
        Ok(Vec::new())
    }

    async fn let_in(&self, groups: &[String], port: u16) -> Result<BTreeMap<String, Vec<String>>> {
        self.begin("describe", format!("whom security groups let in at port {port}")).await?;
        Ok(groups.iter().map(|group| (group.clone(), Vec::new())).collect())
    }

    async fn route_tables(&self, vpc: &str) -> Result<Vec<RouteTableFacts>> {
        self.begin("describe", format!("route tables of {vpc}")).await?;
        self.end("describe route tables")?;
        Ok(self.inside().route_tables.clone())
    }

    async fn ebs_encryption(&self) -> Result<EbsFacts> {
        self.begin("get", "EBS encryption").await?;
        Ok(EbsFacts { by_default: false, key: self.inside().default_volume_key.clone() })
    }

    async fn key(&self, id: &str) -> Result<Option<KeyFacts>> {
        self.begin("get", format!("key {id}")).await?;
        Ok(self.inside().keys.get(id).cloned())
    }

    async fn fargate_selectors(&self, cluster: &str) -> Result<Vec<FargateSelectors>> {
        self.begin("list", format!("Fargate profiles of {cluster}")).await?;
        Ok(self.inside().fargate_selectors.clone())
    }

    async fn node_groups(&self, cluster: &str) -> Result<Vec<NodeGroupFacts>> {
        self.begin("list", format!("node groups of {cluster}")).await?;
        let inside = self.inside();
        Ok(vec![NodeGroupFacts {
            name: "demo-ng".into(),
            status: "ACTIVE".into(),
            issues: Vec::new(),
            hop_limit: Some(2),
            security_groups: inside.node_group_security_groups.clone(),
            own_template: true,
            subnets: inside.node_group_subnets.clone(),
            ami_type: "AL2023_x86_64_STANDARD".into(),
            scaling: Some(Scaling { min: 1, desired: 2, max: 10 }),
            node_role: "group-role".into(),
        }])
    }

    async fn node_group_subnets(&self, cluster: &str) -> Result<Vec<String>> {
        self.begin("list", format!("subnets of the node groups of {cluster}")).await?;
        self.end("list subnets of node groups")?;
        Ok(self.inside().node_group_subnets.clone())
    }

    async fn node_group_shapes(&self, cluster: &str) -> Result<Vec<NodeGroupShape>> {
        self.begin("list", format!("what node groups of {cluster} are made of")).await?;
        Ok(self.inside().node_groups.clone())
    }

    async fn scale_node_group(&self, _: &str, group: &str, scaling: Scaling) -> Result<()> {
        self.begin("scale_node_group", format!("{group} {scaling}")).await?;
        self.scaled(group, scaling);
        self.end("scale_node_group")
    }

    async fn tag_eks(&self, arn: &str, tags: &Tags) -> Result<()> {
        self.begin("tag_eks", arn).await?;
        self.inside().node_groups.iter_mut().filter(|g| g.arn == arn).for_each(|g| g.tags.extend(tags.clone()));
        self.end("tag_eks")
    }

    async fn untag_eks(&self, arn: &str, keys: &[&str]) -> Result<()> {
        self.begin("untag_eks", arn).await?;
        self.inside().node_groups.iter_mut().filter(|g| g.arn == arn).for_each(|g| g.tags.retain(|key, _| !keys.contains(&key.as_str())));
        self.end("untag_eks")
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueFacts>> {
        self.begin("get", format!("queue {name}")).await?;
        let statement = json!({"Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]}, "Action": "sqs:SendMessage"});
        let facts = QueueFacts {
            url: format!("https://sqs.us-west-2.amazonaws.com/111122223333/{name}"),
            arn: self.spec.queue_arn().to_string(),
            policy: json!({"Statement": [statement]}),
            key: self.inside().queue_key.clone(),
            key_facts: Box::default(),
        };
        let is_there = self.inside().stacks.contains_key(&self.spec.stack_name()) && name == self.spec.queue_name();
        Ok((is_there || self.inside().other_queues.contains(name)).then_some(facts))
    }

    async fn rules_to(&self, target: &str) -> Result<Vec<RuleFacts>> {
        self.begin("list", format!("rules to {target}")).await?;
        let rule = |rule: karpctl::knowledge::EventRule| RuleFacts {
            name: format!("Karpenter-demo-{}", rule.id),
            enabled: true,
            pattern: json!({"source": [rule.event_source], "detail-type": [rule.detail_type]}),
        };
        let made = self.inside().stacks.contains_key(&self.spec.stack_name());
        Ok(self.spec.release.stack().rules.into_iter().map(rule).filter(|_| made).collect())
    }

    async fn ami_name(&self, parameter: &str) -> Result<Option<String>> {
        self.begin("get", parameter).await?;
        self.end("get ami_name")?;
        let inside = self.inside();
        Ok(inside.ami_name.clone().filter(|_| !inside.no_images.iter().any(|part| parameter.contains(part))))
    }
}
