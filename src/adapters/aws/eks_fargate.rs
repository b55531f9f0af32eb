//! EKS: Fargate profiles.

use super::errors::Call;
use super::{AwsClient, present};
use crate::error::Result;
use crate::facts::{FargateProfileFacts, FargateSelector, FargateSelectors};
use aws_sdk_eks::types::{FargateProfile, FargateProfileStatus};
use futures_util::future::try_join_all;
use std::collections::HashMap;

pub(super) async fn profile(aws: &AwsClient, cluster: &str, name: &str) -> Result<Option<FargateProfileFacts>> {
    Ok(described(aws, cluster, name).await?.map(|profile| {
        let whole = profile.selectors().iter().filter(|s| s.labels().is_none_or(HashMap::is_empty));
        FargateProfileFacts {
            status: profile.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
            namespaces: whole.filter_map(|s| s.namespace().map(str::to_owned)).collect(),
        }
    }))
}

/// What the profiles take that are there; none where there is no cluster.
pub(super) async fn selectors(aws: &AwsClient, cluster: &str) -> Result<Vec<FargateSelectors>> {
    let call = Call::new("eks:ListFargateProfiles", cluster, format!("cannot list the Fargate profiles of {cluster}"));
    let listed = aws.eks.list_fargate_profiles().cluster_name(cluster).into_paginator().items().send();
    let listed = listed.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e));
    let names = present(listed)?.unwrap_or_default();
    let profiles = try_join_all(names.iter().map(|name| described(aws, cluster, name))).await?;
    let takes = |profile: &FargateProfile| profile.status() == Some(&FargateProfileStatus::Active);
    Ok(profiles.into_iter().flatten().filter(takes).map(|profile| of(&profile)).collect())
}

fn of(profile: &FargateProfile) -> FargateSelectors {
    let selector = |selector: &aws_sdk_eks::types::FargateProfileSelector| FargateSelector {
        namespace: selector.namespace().unwrap_or_default().to_owned(),
        labels: selector.labels().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
    };
    FargateSelectors {
        name: profile.fargate_profile_name().unwrap_or_default().to_owned(),
        selectors: profile.selectors().iter().map(selector).collect(),
    }
}

async fn described(aws: &AwsClient, cluster: &str, name: &str) -> Result<Option<FargateProfile>> {
    let call = Call::new("eks:DescribeFargateProfile", name, format!("cannot read the Fargate profile {name}"));
    let sent = aws.eks.describe_fargate_profile().cluster_name(cluster).fargate_profile_name(name).send().await;
    Ok(present(sent.map_err(|e| aws.error(&call, &e)))?.and_then(|a| a.fargate_profile))
}
