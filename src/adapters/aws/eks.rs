//! EKS: the cluster, who may join it, add-ons and Pod Identity.
//!
//! Creates carry a client token that the SDK makes once per call, so that its own retries are one request to EKS.

use super::eks_groups::issue;
use super::errors::Call;
use super::{AwsClient, gone, present};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{AccessEntryFacts, AddonFacts, AssociationFacts, ClusterFacts, Probed};
use crate::knowledge::OfferedVersion;
use crate::ports::Tags;
use crate::spec::IpFamily;
use aws_sdk_eks::types::{SupportType, VersionStatus, VpcConfigRequest};
use aws_smithy_types::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use std::collections::HashMap;

/// EKS answers every question about access entries so, where the cluster knows only `aws-auth`.
const NO_ACCESS_ENTRIES: &str = "authentication mode";

fn owned(tags: Option<&HashMap<String, String>>) -> Tags {
    tags.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn given(tags: &Tags) -> Option<HashMap<String, String>> {
    (!tags.is_empty()).then(|| tags.clone().into_iter().collect())
}

fn text(of: Option<&str>) -> Option<String> {
    of.filter(|t| !t.is_empty()).map(str::to_owned)
}

pub(super) async fn cluster(aws: &AwsClient, name: &str) -> Result<Option<ClusterFacts>> {
    let doing = format!("cannot read the cluster {name}");
    let call = Call::new("eks:DescribeCluster", name, &doing);
    let answer = aws.eks.describe_cluster().name(name).send().await.map_err(|e| aws.error(&call, &e));
    let Some(cluster) = present(answer)?.and_then(|a| a.cluster) else { return Ok(None) };
    if let Some(connector) = cluster.connector_config() {
        let provider = connector.provider().unwrap_or("another place");
        return Err(
            Error::refused(doing).because(format!("the EKS Connector registered it, of {provider}: EKS shows it, and does not run it"))
        );
    }
    let version = cluster.version().unwrap_or_default();
    let vpc = cluster.resources_vpc_config();
    Ok(Some(ClusterFacts {
        status: cluster.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        version: version
            .parse()
            .map_err(|e| Error::failed(&doing).because(format!("EKS answered the Kubernetes version `{version}`: {e}")))?,
        // A cluster from before access entries says nothing.
        authentication_mode: cluster
            .access_config()
            .and_then(|a| a.authentication_mode())
            .map_or_else(|| "CONFIG_MAP".to_owned(), |m| m.as_str().to_owned()),
        endpoint: text(cluster.endpoint()),
        certificate_authority: text(cluster.certificate_authority().and_then(|c| c.data())),
        oidc_issuer: text(cluster.identity().and_then(|i| i.oidc()).and_then(|o| o.issuer())),
        vpc_id: text(vpc.and_then(|v| v.vpc_id())),
        subnet_ids: vpc.map(|v| v.subnet_ids().to_vec()).unwrap_or_default(),
        cluster_security_group_id: text(vpc.and_then(|v| v.cluster_security_group_id())),
        tags: owned(cluster.tags()),
        secrets_key: cluster.encryption_config().iter().find_map(|c| c.provider()?.key_arn()?.parse().ok()),
        standard_support_only: cluster.upgrade_policy().and_then(|policy| policy.support_type()) == Some(&SupportType::Standard),
        zonal_shift: cluster.zonal_shift_config().and_then(aws_sdk_eks::types::ZonalShiftConfigResponse::enabled).unwrap_or_default(),
        public_endpoint: vpc.is_some_and(aws_sdk_eks::types::VpcConfigResponse::endpoint_public_access),
        private_endpoint: vpc.is_some_and(aws_sdk_eks::types::VpcConfigResponse::endpoint_private_access),
        public_ranges: vpc.map(|v| v.public_access_cidrs().to_vec()).unwrap_or_default(),
        auto_mode: cluster.compute_config().and_then(aws_sdk_eks::types::ComputeConfigResponse::enabled).unwrap_or_default(),
        deletion_protection: cluster.deletion_protection().unwrap_or_default(),
        ip_family: match cluster.kubernetes_network_config().and_then(|network| network.ip_family()) {
            Some(aws_sdk_eks::types::IpFamily::Ipv6) => IpFamily::Ipv6,
            _ => IpFamily::Ipv4,
        },
        issues: cluster.health().map(|health| health.issues().iter().map(issue_of).collect()).unwrap_or_default(),
    }))
}

/// What EKS complains of in a cluster.
fn issue_of(found: &aws_sdk_eks::types::ClusterIssue) -> String {
    issue(found.code().map(aws_sdk_eks::types::ClusterIssueCode::as_str), found.message())
}

pub(super) async fn cluster_names(aws: &AwsClient) -> Result<Vec<String>> {
    let call = Call::new("eks:ListClusters", "*", "cannot list the clusters");
    let pages = aws.eks.list_clusters().into_paginator().items().send();
    let mut names = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    names.sort();
    Ok(names)
}

pub(super) async fn cluster_versions(aws: &AwsClient) -> Result<Vec<OfferedVersion>> {
    let call = Call::new("eks:DescribeClusterVersions", "*", "cannot list the Kubernetes versions that EKS offers");
    let pages = aws.eks.describe_cluster_versions().into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let day = |at: Option<&DateTime>| Some(Timestamp::from_second(at?.secs()).ok()?.to_zoned(TimeZone::UTC).date());
    let mut versions: Vec<OfferedVersion> = listed
        .iter()
        .filter(|v| v.version_status() != Some(&VersionStatus::Unsupported))
        .filter_map(|v| {
            Some(OfferedVersion {
                version: v.cluster_version()?.parse().ok()?,
                extended: v.version_status() == Some(&VersionStatus::ExtendedSupport),
                standard_until: day(v.end_of_standard_support_date()),
                extended_until: day(v.end_of_extended_support_date()),
            })
        })
        .collect();
    versions.sort_by_key(|v| v.version);
    versions.dedup_by_key(|v| v.version);
    Ok(versions)
}

pub(super) async fn access_entry(aws: &AwsClient, cluster: &str, principal: &str) -> Result<Option<AccessEntryFacts>> {
    let call = Call::new("eks:DescribeAccessEntry", principal, format!("cannot read the access entry of {principal}"));
    let sent = aws.eks.describe_access_entry().cluster_name(cluster).principal_arn(principal).send().await;
    let answer = match sent.map_err(|e| aws.error(&call, &e)) {
        Err(e) if e.kind == ErrorKind::Failed && e.causes.iter().any(|c| c.contains(NO_ACCESS_ENTRIES)) => return Ok(None),
        other => present(other)?,
    };
    Ok(answer.and_then(|a| a.access_entry).map(|entry| AccessEntryFacts {
        kind: entry.r#type().unwrap_or_default().to_owned(),
        tags: owned(entry.tags()),
        made: entry.created_at().map(aws_smithy_types::DateTime::secs),
        role_made: Probed::NotAsked,
    }))
}

pub(super) async fn create_access_entry(aws: &AwsClient, cluster: &str, principal: &str, kind: &str, tags: &Tags) -> Result<()> {
    let call =
        Call::new("eks:CreateAccessEntry", principal, format!("cannot create the access entry of {principal} in the cluster {cluster}"));
    let request = aws.eks.create_access_entry().cluster_name(cluster).principal_arn(principal).r#type(kind);
    request.set_tags(given(tags)).send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn delete_access_entry(aws: &AwsClient, cluster: &str, principal: &str) -> Result<()> {
    let call = Call::new("eks:DeleteAccessEntry", principal, format!("cannot delete the access entry of {principal}"));
    let sent = aws.eks.delete_access_entry().cluster_name(cluster).principal_arn(principal).send().await;
    gone(sent.map_err(|e| aws.error(&call, &e)))
}

pub(super) async fn association(
    aws: &AwsClient,
    cluster: &str,
    namespace: &str,
    service_account: &str,
) -> Result<Option<AssociationFacts>> {
    let doing = format!("cannot read the Pod Identity association of {namespace}/{service_account}");
    let call = Call::new("eks:ListPodIdentityAssociations", cluster, &doing);
    let request = aws.eks.list_pod_identity_associations().cluster_name(cluster).namespace(namespace).service_account(service_account);
    let listed = request.into_paginator().items().send().collect::<std::result::Result<Vec<_>, _>>().await;
    let listed = present(listed.map_err(|e| aws.error(&call, &e)))?.unwrap_or_default();
    let ours = |a: &aws_sdk_eks::types::PodIdentityAssociationSummary| {
        a.namespace() == Some(namespace) && a.service_account() == Some(service_account)
    };
    let Some(id) = listed.into_iter().find(ours).and_then(|a| a.association_id) else { return Ok(None) };

    let call = Call::new("eks:DescribePodIdentityAssociation", &id, &doing);
    let sent = aws.eks.describe_pod_identity_association().cluster_name(cluster).association_id(&id).send().await;
    let answer = present(sent.map_err(|e| aws.error(&call, &e)))?;
    Ok(answer.and_then(|a| a.association).map(|association| AssociationFacts {
        role_arn: association.role_arn().unwrap_or_default().to_owned(),
        tags: owned(association.tags()),
        changed_at: association.modified_at().or(association.created_at()).map(aws_sdk_eks::primitives::DateTime::secs),
        id: id.clone(),
    }))
}

pub(super) async fn association_accounts(aws: &AwsClient, cluster: &str) -> Result<Vec<String>> {
    let doing = format!("cannot list the Pod Identity associations of the cluster {cluster}");
    let call = Call::new("eks:ListPodIdentityAssociations", cluster, doing);
    let pages = aws.eks.list_pod_identity_associations().cluster_name(cluster).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await;
    let listed = present(listed.map_err(|e| aws.error(&call, &e)))?.unwrap_or_default();
    Ok(listed.into_iter().filter_map(|a| Some(format!("{}/{}", a.namespace?, a.service_account?))).collect())
}

pub(super) async fn create_association(
    aws: &AwsClient,
    cluster: &str,
    namespace: &str,
    service_account: &str,
    role_arn: &str,
    tags: &Tags,
) -> Result<()> {
    let call = Call::new(
        "eks:CreatePodIdentityAssociation",
        cluster,
        format!("cannot create the Pod Identity association of {namespace}/{service_account}"),
    );
    let request = aws
        .eks
        .create_pod_identity_association()
        .cluster_name(cluster)
        .namespace(namespace)
        .service_account(service_account)
        .role_arn(role_arn);
    let sent = request.set_tags(given(tags)).send().await;
    sent.map_err(|e| with_pass_role(aws.error(&call, &e), role_arn))?;
    Ok(())
}

pub(super) async fn update_association(aws: &AwsClient, cluster: &str, id: &str, role_arn: &str) -> Result<()> {
    let call = Call::new("eks:UpdatePodIdentityAssociation", id, format!("cannot update the Pod Identity association {id}"));
    let request = aws.eks.update_pod_identity_association().cluster_name(cluster).association_id(id).role_arn(role_arn);
    request.send().await.map_err(|e| with_pass_role(aws.error(&call, &e), role_arn))?;
    Ok(())
}

/// To give a role to EKS takes a permission on the role, which the name of the call does not show.
fn with_pass_role(error: Error, role_arn: &str) -> Error {
    if error.kind == ErrorKind::Denied {
        error.hint(format!("it also takes `iam:PassRole` and `iam:GetRole` on `{role_arn}`"))
    } else {
        error
    }
}

pub(super) async fn delete_association(aws: &AwsClient, cluster: &str, id: &str) -> Result<()> {
    let call = Call::new("eks:DeletePodIdentityAssociation", id, format!("cannot delete the Pod Identity association {id}"));
    let sent = aws.eks.delete_pod_identity_association().cluster_name(cluster).association_id(id).send().await;
    gone(sent.map_err(|e| aws.error(&call, &e)))
}

pub(super) async fn addon(aws: &AwsClient, cluster: &str, name: &str) -> Result<Option<AddonFacts>> {
    let call = Call::new("eks:DescribeAddon", name, format!("cannot read the add-on {name}"));
    let sent = aws.eks.describe_addon().cluster_name(cluster).addon_name(name).send().await;
    let answer = present(sent.map_err(|e| aws.error(&call, &e)))?;
    Ok(answer.and_then(|a| a.addon).map(|addon| AddonFacts {
        status: addon.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        version: text(addon.addon_version()),
        tags: owned(addon.tags()),
    }))
}

pub(super) async fn create_addon(aws: &AwsClient, cluster: &str, name: &str, tags: &Tags) -> Result<()> {
    let call = Call::new("eks:CreateAddon", cluster, format!("cannot create the add-on {name} in the cluster {cluster}"));
    let request = aws.eks.create_addon().cluster_name(cluster).addon_name(name).set_tags(given(tags));
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn close_public_endpoint(aws: &AwsClient, cluster: &str) -> Result<()> {
    let doing = format!("cannot close the public endpoint of the cluster {cluster}");
    let call = Call::new("eks:UpdateClusterConfig", cluster, doing);
    let private = VpcConfigRequest::builder().endpoint_private_access(true).endpoint_public_access(false).build();
    let request = aws.eks.update_cluster_config().name(cluster).resources_vpc_config(private);
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn delete_addon(aws: &AwsClient, cluster: &str, name: &str) -> Result<()> {
    let call = Call::new("eks:DeleteAddon", name, format!("cannot delete the add-on {name}"));
    let sent = aws.eks.delete_addon().cluster_name(cluster).addon_name(name).send().await;
    gone(sent.map_err(|e| aws.error(&call, &e)))
}
