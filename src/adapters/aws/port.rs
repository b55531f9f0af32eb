//! The port, call by call: each is in its service's file.

use super::{
    AwsClient, cloudformation, ec2, ec2_network, ec2_vpc, eks, eks_fargate, eks_groups, eks_shapes, eks_token, iam, iam_judged, kms, queue,
    quotas, ssm, sts,
};
use crate::error::Result;
use crate::facts::{
    AccessEntryFacts, AddonFacts, AssociationFacts, Caller, ClusterFacts, Denial, EbsFacts, EndpointFacts, FargateProfileFacts,
    FargateSelectors, IamSummary, InstanceTypeFacts, KeyFacts, NodeGroupFacts, NodeGroupShape, OidcFacts, QueueFacts, RoleFacts,
    RolePolicies, RoleTies, RouteTableFacts, RuleFacts, Scaling, SecurityGroupFacts, StackFacts, SubnetFacts, VpcFacts,
};
use crate::knowledge::OfferedVersion;
use crate::ports::{
    Aws, ChangeStack, CreateRole, InstanceProfile, LaunchedInstance, PermissionQuestion, ProfileDetails, RunningInstance, StackEvent, Tags,
};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;

#[async_trait]
impl Aws for AwsClient {
    fn clock_ahead(&self) -> Option<i64> {
        self.seen.clock_ahead()
    }

    async fn caller(&self) -> Result<Caller> {
        sts::caller(self).await
    }

    async fn eks_token(&self, cluster: &str) -> Result<String> {
        eks_token::token(self, cluster).await
    }

    async fn stack(&self, name: &str, with_template: bool) -> Result<Option<StackFacts>> {
        cloudformation::stack(self, name, with_template).await
    }

    async fn create_stack(&self, change: &ChangeStack) -> Result<String> {
        cloudformation::create_stack(self, change).await
    }

    async fn update_stack(&self, change: &ChangeStack) -> Result<bool> {
        cloudformation::update_stack(self, change).await
    }

    async fn delete_stack(&self, name: &str, token: &str) -> Result<()> {
        cloudformation::delete_stack(self, name, token).await
    }

    async fn unprotect_stack(&self, name: &str) -> Result<()> {
        cloudformation::unprotect_stack(self, name).await
    }

    async fn stack_names(&self, prefix: &str) -> Result<Vec<String>> {
        cloudformation::stack_names(self, prefix).await
    }

    async fn stack_events(&self, name_or_id: &str) -> Result<Vec<StackEvent>> {
        cloudformation::stack_events(self, name_or_id).await
    }

    async fn cluster_names(&self) -> Result<Vec<String>> {
        eks::cluster_names(self).await
    }

    async fn cluster_versions(&self) -> Result<Vec<OfferedVersion>> {
        eks::cluster_versions(self).await
    }

    async fn cluster(&self, name: &str) -> Result<Option<ClusterFacts>> {
        eks::cluster(self, name).await
    }

    async fn fargate_profile(&self, cluster: &str, name: &str) -> Result<Option<FargateProfileFacts>> {
        eks_fargate::profile(self, cluster, name).await
    }

    async fn access_entry(&self, cluster: &str, principal_arn: &str) -> Result<Option<AccessEntryFacts>> {
        eks::access_entry(self, cluster, principal_arn).await
    }

    async fn create_access_entry(&self, cluster: &str, principal_arn: &str, kind: &str, tags: &Tags) -> Result<()> {
        eks::create_access_entry(self, cluster, principal_arn, kind, tags).await
    }

    async fn delete_access_entry(&self, cluster: &str, principal_arn: &str) -> Result<()> {
        eks::delete_access_entry(self, cluster, principal_arn).await
    }

    async fn association(&self, cluster: &str, namespace: &str, service_account: &str) -> Result<Option<AssociationFacts>> {
        eks::association(self, cluster, namespace, service_account).await
    }

    async fn association_accounts(&self, cluster: &str) -> Result<Vec<String>> {
        eks::association_accounts(self, cluster).await
    }

    async fn create_association(&self, cluster: &str, namespace: &str, service_account: &str, role_arn: &str, tags: &Tags) -> Result<()> {
        eks::create_association(self, cluster, namespace, service_account, role_arn, tags).await
    }

    async fn update_association(&self, cluster: &str, id: &str, role_arn: &str) -> Result<()> {
        eks::update_association(self, cluster, id, role_arn).await
    }

    async fn delete_association(&self, cluster: &str, id: &str) -> Result<()> {
        eks::delete_association(self, cluster, id).await
    }

    async fn addon(&self, cluster: &str, name: &str) -> Result<Option<AddonFacts>> {
        eks::addon(self, cluster, name).await
    }

    async fn create_addon(&self, cluster: &str, name: &str, tags: &Tags) -> Result<()> {
        eks::create_addon(self, cluster, name, tags).await
    }

    async fn close_public_endpoint(&self, cluster: &str) -> Result<()> {
        eks::close_public_endpoint(self, cluster).await
    }

    async fn delete_addon(&self, cluster: &str, name: &str) -> Result<()> {
        eks::delete_addon(self, cluster, name).await
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
        iam::oidc_providers(self).await
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
        ec2::regions(self).await
    }

    async fn subnets(&self, ids: &[String]) -> Result<Vec<SubnetFacts>> {
        ec2::subnets(self, ids).await
    }

    async fn security_groups(&self, ids: &[String]) -> Result<BTreeMap<String, Tags>> {
        ec2::security_groups(self, ids).await
    }

    async fn tag_ec2(&self, ids: &[String], tags: &Tags) -> Result<()> {
        ec2::tag(self, ids, tags).await
    }

    async fn untag_ec2(&self, ids: &[String], tags: &Tags) -> Result<()> {
        ec2::untag(self, ids, tags).await
    }

    async fn unused_interfaces(&self, any_of: &[(String, String)]) -> Result<Vec<String>> {
        ec2_network::unused_interfaces(self, any_of).await
    }

    async fn unused_volumes(&self, tag: &(String, String)) -> Result<Vec<String>> {
        ec2_network::unused_volumes(self, tag).await
    }

    async fn launch_templates(&self, any_of: &[(String, String)]) -> Result<Vec<String>> {
        ec2::launch_templates(self, any_of).await
    }

    async fn delete_launch_template(&self, name: &str) -> Result<()> {
        ec2::delete_launch_template(self, name).await
    }

    async fn instances(&self, all_of: &[(String, String)]) -> Result<Vec<LaunchedInstance>> {
        ec2::instances(self, all_of).await
    }

    async fn ami_name(&self, parameter: &str) -> Result<Option<String>> {
        ssm::ami_name(self, parameter).await
    }

    async fn denials(&self, principal: &str, question: &PermissionQuestion) -> Result<Vec<Denial>> {
        iam_judged::denials(self, principal, question).await
    }

    async fn iam_summary(&self) -> Result<IamSummary> {
        iam_judged::summary(self).await
    }

    async fn quota(&self, of: (&str, &str)) -> Result<Option<u64>> {
        quotas::quota(self, of).await
    }

    async fn vpc_count(&self, account: &str) -> Result<u64> {
        quotas::vpc_count(self, account).await
    }

    async fn address_count(&self) -> Result<u64> {
        quotas::address_count(self).await
    }

    async fn rule_count(&self) -> Result<u64> {
        quotas::rule_count(self).await
    }

    async fn running_instances(&self) -> Result<Vec<RunningInstance>> {
        quotas::running_instances(self).await
    }

    async fn instance_types(&self, names: &[String]) -> Result<Vec<InstanceTypeFacts>> {
        ec2_network::instance_types(self, names).await
    }

    async fn tagged_subnets(&self, tag: (&str, &str)) -> Result<Vec<SubnetFacts>> {
        ec2_network::tagged_subnets(self, tag).await
    }

    async fn tagged_security_groups(&self, tag: (&str, &str)) -> Result<Vec<SecurityGroupFacts>> {
        ec2_network::tagged_security_groups(self, tag).await
    }

    async fn vpc(&self, id: &str) -> Result<Option<VpcFacts>> {
        ec2_vpc::vpc(self, id).await
    }

    async fn vpc_endpoints(&self, vpc: &str) -> Result<Vec<EndpointFacts>> {
        ec2_vpc::vpc_endpoints(self, vpc).await
    }

    async fn let_in(&self, groups: &[String], port: u16) -> Result<BTreeMap<String, Vec<String>>> {
        ec2_vpc::let_in(self, groups, port).await
    }

    async fn route_tables(&self, vpc: &str) -> Result<Vec<RouteTableFacts>> {
        ec2_network::route_tables(self, vpc).await
    }

    async fn ebs_encryption(&self) -> Result<EbsFacts> {
        ec2_network::ebs_encryption(self).await
    }

    async fn key(&self, id: &str) -> Result<Option<KeyFacts>> {
        kms::key(self, id).await
    }

    async fn fargate_selectors(&self, cluster: &str) -> Result<Vec<FargateSelectors>> {
        eks_fargate::selectors(self, cluster).await
    }

    async fn node_groups(&self, cluster: &str) -> Result<Vec<NodeGroupFacts>> {
        eks_groups::node_groups(self, cluster).await
    }

    async fn node_group_subnets(&self, cluster: &str) -> Result<Vec<String>> {
        eks_groups::subnets(self, cluster).await
    }

    async fn node_group_shapes(&self, cluster: &str) -> Result<Vec<NodeGroupShape>> {
        eks_shapes::node_group_shapes(self, cluster).await
    }

    async fn scale_node_group(&self, cluster: &str, group: &str, scaling: Scaling) -> Result<()> {
        eks_shapes::scale(self, cluster, group, scaling).await
    }

    async fn tag_eks(&self, arn: &str, tags: &Tags) -> Result<()> {
        eks_shapes::tag(self, arn, tags).await
    }

    async fn untag_eks(&self, arn: &str, keys: &[&str]) -> Result<()> {
        eks_shapes::untag(self, arn, keys).await
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueFacts>> {
        queue::queue(self, name).await
    }

    async fn rules_to(&self, target: &str) -> Result<Vec<RuleFacts>> {
        queue::rules_to(self, target).await
    }
}
