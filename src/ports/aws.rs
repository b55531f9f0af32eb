//! AWS: one trait, grouped by service, for one account and region.

use crate::error::Result;
use crate::facts::{
    AccessEntryFacts, AddonFacts, AssociationFacts, Caller, ClusterFacts, Denial, EbsFacts, EndpointFacts, FargateProfileFacts,
    FargateSelectors, IamSummary, InstanceTypeFacts, KeyFacts, NodeGroupFacts, NodeGroupShape, OidcFacts, QueueFacts, RoleFacts,
    RolePolicies, RoleTies, RouteTableFacts, RuleFacts, Scaling, SecurityGroupFacts, StackFacts, SubnetFacts, VpcFacts,
};
use crate::knowledge::OfferedVersion;
use crate::spec::{Arn, CapacityType};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;

/// Tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// What a stack is created or updated with.
#[derive(Debug, Clone)]
pub struct ChangeStack {
    /// The stack's name.
    pub name: String,
    /// The template.
    pub template: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Stack tags.
    pub tags: Tags,
    /// Makes a repeated request one request (CloudFormation's `ClientRequestToken`).
    pub token: String,
}

/// An event of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// The event's id.
    pub id: String,
    /// The resource in the template (or the stack's own name).
    pub logical_id: String,
    /// `AWS::IAM::Role`, …
    pub kind: String,
    /// `CREATE_IN_PROGRESS`, …
    pub status: String,
    /// Why, where CloudFormation says so.
    pub reason: Option<String>,
}

impl StackEvent {
    /// The states of a stack with which an operation of it begins.
    pub const BEGINS: [&str; 3] = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"];
}

/// A role to create.
#[derive(Debug, Clone)]
pub struct CreateRole {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Who may assume it.
    pub trust: Value,
    /// Tags.
    pub tags: Tags,
    /// Permissions boundary, an ARN.
    pub permissions_boundary: Option<String>,
}

/// An instance profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The names of its roles.
    pub roles: Vec<String>,
}

/// What a list of instance profiles does not say of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileDetails {
    /// The role that it holds; IAM lets it hold one.
    pub role: Option<Arn>,
    /// Its tags.
    pub tags: Tags,
}

/// An EC2 instance that carries a cluster's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchedInstance {
    /// Its id.
    pub id: String,
    /// `pending`, `running`, …
    pub state: String,
    /// Whether EKS Auto Mode launched it, by the tag that it gives and no other Karpenter.
    pub of_auto_mode: bool,
}

/// An instance that runs or starts, as far as it counts to a quota of vCPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningInstance {
    /// `m5.large`.
    pub instance_type: String,
    /// How it was bought.
    pub capacity_type: CapacityType,
}

/// What a principal may be asked for: each action on each resource, under these conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionQuestion {
    /// The actions.
    pub actions: Vec<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// Condition keys and their values.
    pub context: BTreeMap<String, Vec<String>>,
}

/// AWS, for one account and region.
#[async_trait]
pub trait Aws: Send + Sync {
    /// How many seconds this machine's clock is ahead of AWS's, by the answer that told it best. `None`: there was none yet.
    fn clock_ahead(&self) -> Option<i64>;
    /// STS `GetCallerIdentity`.
    async fn caller(&self) -> Result<Caller>;
    /// A bearer token of the cluster's API server: a presigned STS `GetCallerIdentity` URL, good for 15 minutes. It is a secret.
    async fn eks_token(&self, cluster: &str) -> Result<String>;

    /// CloudFormation `DescribeStacks` and, if asked, `GetTemplate` (original).
    async fn stack(&self, name: &str, with_template: bool) -> Result<Option<StackFacts>>;
    /// `CreateStack` with `CAPABILITY_NAMED_IAM`. Returns the stack id.
    async fn create_stack(&self, change: &ChangeStack) -> Result<String>;
    /// `UpdateStack` with `CAPABILITY_NAMED_IAM`. `false`: there was nothing to update.
    async fn update_stack(&self, change: &ChangeStack) -> Result<bool>;
    /// `DeleteStack`. A stack that is not there is fine. `token` makes a repeated request one request.
    async fn delete_stack(&self, name: &str, token: &str) -> Result<()>;
    /// `UpdateTerminationProtection`, off: eksctl protects every stack that it makes.
    async fn unprotect_stack(&self, name: &str) -> Result<()>;
    /// The names of the stacks that are there and begin so: CloudFormation `ListStacks`.
    async fn stack_names(&self, prefix: &str) -> Result<Vec<String>>;
    /// The newest events of a stack (by name or id), oldest first; at most a page of them.
    async fn stack_events(&self, name_or_id: &str) -> Result<Vec<StackEvent>>;

    /// The names of the clusters of this account and region: EKS `ListClusters`.
    async fn cluster_names(&self) -> Result<Vec<String>>;
    /// The Kubernetes versions of which EKS creates clusters: EKS `DescribeClusterVersions`, without those marked unsupported.
    async fn cluster_versions(&self) -> Result<Vec<OfferedVersion>>;
    /// EKS `DescribeCluster`.
    async fn cluster(&self, name: &str) -> Result<Option<ClusterFacts>>;
    /// EKS `DescribeFargateProfile`.
    async fn fargate_profile(&self, cluster: &str, name: &str) -> Result<Option<FargateProfileFacts>>;
    /// EKS `DescribeAccessEntry`.
    async fn access_entry(&self, cluster: &str, principal_arn: &str) -> Result<Option<AccessEntryFacts>>;
    /// EKS `CreateAccessEntry` of this type (`EC2_LINUX`, `EC2_WINDOWS`).
    async fn create_access_entry(&self, cluster: &str, principal_arn: &str, kind: &str, tags: &Tags) -> Result<()>;
    /// EKS `DeleteAccessEntry`. Not there is fine.
    async fn delete_access_entry(&self, cluster: &str, principal_arn: &str) -> Result<()>;
    /// EKS `ListPodIdentityAssociations` and `DescribePodIdentityAssociation`.
    async fn association(&self, cluster: &str, namespace: &str, service_account: &str) -> Result<Option<AssociationFacts>>;
    /// The service accounts that have an association, `namespace/name`: EKS `ListPodIdentityAssociations`.
    async fn association_accounts(&self, cluster: &str) -> Result<Vec<String>>;
    /// EKS `CreatePodIdentityAssociation`.
    async fn create_association(&self, cluster: &str, namespace: &str, service_account: &str, role_arn: &str, tags: &Tags) -> Result<()>;
    /// EKS `UpdatePodIdentityAssociation`.
    async fn update_association(&self, cluster: &str, id: &str, role_arn: &str) -> Result<()>;
    /// EKS `DeletePodIdentityAssociation`. Not there is fine.
    async fn delete_association(&self, cluster: &str, id: &str) -> Result<()>;
    /// EKS `DescribeAddon`.
    async fn addon(&self, cluster: &str, name: &str) -> Result<Option<AddonFacts>>;
    /// EKS `CreateAddon`.
    async fn create_addon(&self, cluster: &str, name: &str, tags: &Tags) -> Result<()>;
    /// EKS `UpdateClusterConfig`: the API server is reached from the VPC only.
    async fn close_public_endpoint(&self, cluster: &str) -> Result<()>;
    /// EKS `DeleteAddon`. Not there is fine.
    async fn delete_addon(&self, cluster: &str, name: &str) -> Result<()>;

    /// IAM `GetRole` and `ListAttachedRolePolicies`.
    async fn role(&self, name: &str) -> Result<Option<RoleFacts>>;
    /// IAM `GetRole`: when a role was made, in seconds since 1970. `None`: there is none of this name.
    async fn role_made(&self, name: &str) -> Result<Option<i64>>;
    /// IAM `ListRolePolicies` and `ListInstanceProfilesForRole`, and EC2 `DescribeInstances` where a profile holds it.
    async fn role_ties(&self, name: &str) -> Result<RoleTies>;
    /// IAM `ListAttachedRolePolicies` and `ListRolePolicies`.
    async fn role_policies(&self, name: &str) -> Result<Option<RolePolicies>>;
    /// IAM `GetPolicy`: to how many roles and users a managed policy is attached. `None`: there is none of this ARN.
    async fn policy_attachments(&self, arn: &str) -> Result<Option<u32>>;
    /// IAM `CreateRole`.
    async fn create_role(&self, role: &CreateRole) -> Result<()>;
    /// IAM `UpdateAssumeRolePolicy`.
    async fn set_trust(&self, role: &str, trust: &Value) -> Result<()>;
    /// IAM `PutRolePermissionsBoundary`, or `DeleteRolePermissionsBoundary` for none.
    async fn set_permissions_boundary(&self, role: &str, arn: Option<&str>) -> Result<()>;
    /// IAM `TagRole`.
    async fn tag_role(&self, role: &str, tags: &Tags) -> Result<()>;
    /// IAM `AttachRolePolicy`.
    async fn attach_policy(&self, role: &str, policy_arn: &str) -> Result<()>;
    /// IAM `DetachRolePolicy`. Not attached is fine.
    async fn detach_policy(&self, role: &str, policy_arn: &str) -> Result<()>;
    /// IAM `DeletePolicy`, and `DeletePolicyVersion` of the versions that are not its default one. Not there is fine.
    async fn delete_policy(&self, arn: &str) -> Result<()>;
    /// IAM `DeleteRole`. Not there is fine.
    async fn delete_role(&self, name: &str) -> Result<()>;
    /// IAM `CreateServiceLinkedRole`. `false`: it was there already.
    async fn create_service_linked_role(&self, service: &str) -> Result<bool>;
    /// IAM `GetOpenIDConnectProvider`.
    async fn oidc_provider(&self, arn: &str) -> Result<Option<OidcFacts>>;
    /// IAM `ListOpenIDConnectProviders`: the ARNs of all of the account.
    async fn oidc_providers(&self) -> Result<Vec<String>>;
    /// IAM `CreateOpenIDConnectProvider` for this issuer URL and audience.
    async fn create_oidc_provider(&self, issuer: &str, audience: &str, tags: &Tags) -> Result<()>;
    /// IAM `DeleteOpenIDConnectProvider`. Not there is fine.
    async fn delete_oidc_provider(&self, arn: &str) -> Result<()>;
    /// IAM `ListInstanceProfiles`: all of the account, since one that lost its role is found by no role.
    async fn instance_profiles(&self) -> Result<Vec<InstanceProfile>>;
    /// IAM `GetInstanceProfile`. `None`: it is not there.
    async fn instance_profile(&self, name: &str) -> Result<Option<ProfileDetails>>;
    /// IAM `RemoveRoleFromInstanceProfile` for each role, then `DeleteInstanceProfile`. Not there is fine.
    async fn delete_instance_profile(&self, profile: &InstanceProfile) -> Result<()>;

    /// The regions that the account may use: EC2 `DescribeRegions`.
    async fn regions(&self) -> Result<Vec<String>>;
    /// EC2 `DescribeSubnets` by id.
    async fn subnets(&self, ids: &[String]) -> Result<Vec<SubnetFacts>>;
    /// EC2 `DescribeSecurityGroups` by id: their tags.
    async fn security_groups(&self, ids: &[String]) -> Result<BTreeMap<String, Tags>>;
    /// EC2 `CreateTags`.
    async fn tag_ec2(&self, ids: &[String], tags: &Tags) -> Result<()>;
    /// EC2 `DeleteTags`, only with this value.
    async fn untag_ec2(&self, ids: &[String], tags: &Tags) -> Result<()>;
    /// The names of the launch templates with any of these tags (key, value).
    async fn launch_templates(&self, any_of: &[(String, String)]) -> Result<Vec<String>>;
    /// EC2 `DeleteLaunchTemplate`. Not there is fine.
    async fn delete_launch_template(&self, name: &str) -> Result<()>;
    /// The instances with all of these tags (an empty value: any value) that are not terminated.
    async fn instances(&self, all_of: &[(String, String)]) -> Result<Vec<LaunchedInstance>>;
    /// The name of the AMI that this public SSM parameter names: SSM `GetParameter`, then EC2 `DescribeImages`.
    async fn ami_name(&self, parameter: &str) -> Result<Option<String>>;

    /// The ids of the subnets of the managed node groups: EKS `ListNodegroups`, of each `DescribeNodegroup`.
    async fn node_group_subnets(&self, cluster: &str) -> Result<Vec<String>>;

    // What only a migration asks and does.

    /// What the managed node groups are made of: EKS `ListNodegroups`, of each `DescribeNodegroup`, EC2
    /// `DescribeLaunchTemplateVersions` where it has a launch template, `DescribeInstanceTypes` and `DescribeSubnets`.
    async fn node_group_shapes(&self, cluster: &str) -> Result<Vec<NodeGroupShape>>;
    /// EKS `UpdateNodegroupConfig`: its size. A conflict where it is being changed already.
    async fn scale_node_group(&self, cluster: &str, group: &str, scaling: Scaling) -> Result<()>;
    /// EKS `TagResource`.
    async fn tag_eks(&self, arn: &str, tags: &Tags) -> Result<()>;
    /// EKS `UntagResource`.
    async fn untag_eks(&self, arn: &str, keys: &[&str]) -> Result<()>;

    // What only a doctor asks.

    /// What of this a principal may not do: IAM `SimulatePrincipalPolicy`.
    async fn denials(&self, principal: &str, question: &PermissionQuestion) -> Result<Vec<Denial>>;
    /// IAM `GetAccountSummary`.
    async fn iam_summary(&self) -> Result<IamSummary>;
    /// The value of a quota, by service and code: Service Quotas `GetServiceQuota`, of IAM's in the region that keeps them. `None`: it knows none
    /// of that code there.
    async fn quota(&self, of: (&str, &str)) -> Result<Option<u64>>;
    /// How many VPCs of this account there are in the region: EC2 `DescribeVpcs`.
    async fn vpc_count(&self, account: &str) -> Result<u64>;
    /// How many Elastic IP addresses of Amazon's there are in the region: EC2 `DescribeAddresses`.
    async fn address_count(&self) -> Result<u64>;
    /// How many rules the region's own event bus has: `EventBridge` `ListRules`.
    async fn rule_count(&self) -> Result<u64>;
    /// EC2 `DescribeInstances`: what runs or starts in the region, without what is on dedicated hosts.
    async fn running_instances(&self) -> Result<Vec<RunningInstance>>;
    /// EC2 `DescribeInstanceTypes`.
    async fn instance_types(&self, names: &[String]) -> Result<Vec<InstanceTypeFacts>>;
    /// EC2 `DescribeSubnets` by a tag, key and value.
    async fn tagged_subnets(&self, tag: (&str, &str)) -> Result<Vec<SubnetFacts>>;
    /// EC2 `DescribeSecurityGroups` by a tag, key and value.
    async fn tagged_security_groups(&self, tag: (&str, &str)) -> Result<Vec<SecurityGroupFacts>>;
    /// EC2 `DescribeNetworkInterfaces`: the ids of those with any of these tags (key, value) that nothing uses.
    async fn unused_interfaces(&self, any_of: &[(String, String)]) -> Result<Vec<String>>;
    /// The ids of the EBS volumes with this tag that nothing uses.
    async fn unused_volumes(&self, tag: &(String, String)) -> Result<Vec<String>>;
    /// EC2 `DescribeVpcs` and, twice, `DescribeVpcAttribute`.
    async fn vpc(&self, id: &str) -> Result<Option<VpcFacts>>;
    /// EC2 `DescribeVpcEndpoints`, and `DescribeSecurityGroups` of what these have.
    async fn vpc_endpoints(&self, vpc: &str) -> Result<Vec<EndpointFacts>>;
    /// Whom these security groups let in at a port, group by group: EC2 `DescribeSecurityGroups`. Those that are not there are not among them.
    async fn let_in(&self, groups: &[String], port: u16) -> Result<BTreeMap<String, Vec<String>>>;
    /// EC2 `DescribeRouteTables`.
    async fn route_tables(&self, vpc: &str) -> Result<Vec<RouteTableFacts>>;
    /// EC2 `GetEbsEncryptionByDefault` and, where it is on, `GetEbsDefaultKmsKeyId`.
    async fn ebs_encryption(&self) -> Result<EbsFacts>;
    /// KMS `DescribeKey`, by ARN, id or alias, and of a key that is not AWS's own `GetKeyPolicy` and `ListGrants`.
    async fn key(&self, id: &str) -> Result<Option<KeyFacts>>;
    /// EKS `ListFargateProfiles` and `DescribeFargateProfile`: what the profiles of a cluster take.
    async fn fargate_selectors(&self, cluster: &str) -> Result<Vec<FargateSelectors>>;
    /// EKS `ListNodegroups`, of each `DescribeNodegroup`, and EC2 `DescribeLaunchTemplateVersions` where it has a launch template.
    async fn node_groups(&self, cluster: &str) -> Result<Vec<NodeGroupFacts>>;
    /// SQS `GetQueueUrl` and `GetQueueAttributes`.
    async fn queue(&self, name: &str) -> Result<Option<QueueFacts>>;
    /// `EventBridge` `ListRuleNamesByTarget`, and of each `DescribeRule`.
    async fn rules_to(&self, target: &str) -> Result<Vec<RuleFacts>>;
}
