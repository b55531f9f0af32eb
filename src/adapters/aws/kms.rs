//! KMS: what a key is, and who may use it.

use super::errors::Call;
use super::{AwsClient, present};
use crate::error::{Error, Result};
use crate::facts::{GrantFacts, KeyFacts};
use aws_sdk_kms::types::{GrantListEntry, KeyManagerType};
use serde_json::Value;

pub(super) async fn key(aws: &AwsClient, id: &str) -> Result<Option<KeyFacts>> {
    let doing = format!("cannot read the KMS key {id}");
    let call = Call::new("kms:DescribeKey", id, &doing);
    let sent = aws.kms.describe_key().key_id(id).send().await;
    let Some(known) = present(sent.map_err(|e| aws.error(&call, &e)))?.and_then(|a| a.key_metadata) else { return Ok(None) };
    let by_aws = known.key_manager() == Some(&KeyManagerType::Aws);
    // The other calls take no alias.
    let arn = known.arn().unwrap_or(id).to_owned();
    let (policy, grants) = if by_aws { (Value::Null, Vec::new()) } else { tokio::try_join!(policy(aws, &arn), grants(aws, &arn))? };
    Ok(Some(KeyFacts {
        state: known.key_state().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        symmetric: known.key_spec().is_none_or(|s| s.as_str() == "SYMMETRIC_DEFAULT"),
        by_aws,
        policy,
        grants,
        arn,
    }))
}

async fn policy(aws: &AwsClient, arn: &str) -> Result<Value> {
    let doing = format!("cannot read the policy of the KMS key {arn}");
    let call = Call::new("kms:GetKeyPolicy", arn, &doing);
    let answer = aws.kms.get_key_policy().key_id(arn).policy_name("default").send().await.map_err(|e| aws.error(&call, &e))?;
    serde_json::from_str(answer.policy().unwrap_or("null")).map_err(|e| Error::failed(doing).because(format!("it is not JSON: {e}")))
}

async fn grants(aws: &AwsClient, arn: &str) -> Result<Vec<GrantFacts>> {
    let call = Call::new("kms:ListGrants", arn, format!("cannot list the grants of the KMS key {arn}"));
    let pages = aws.kms.list_grants().key_id(arn).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let grant = |g: &GrantListEntry| GrantFacts {
        grantee: g.grantee_principal().unwrap_or_default().to_owned(),
        operations: g.operations().iter().map(|o| o.as_str().to_owned()).collect(),
    };
    // One with constraints holds for one encryption context only: that of a volume which is there already.
    Ok(listed.iter().filter(|g| g.constraints().is_none()).map(grant).collect())
}
