//! IAM: what it judges of a principal's policies, and its quotas.

use super::AwsClient;
use super::errors::Call;
use crate::error::{Error, Result};
use crate::facts::{Denial, DeniedBy, IamSummary};
use crate::ports::PermissionQuestion;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

pub(super) async fn summary(aws: &AwsClient) -> Result<IamSummary> {
    let call = Call::new("iam:GetAccountSummary", "*", "cannot read how much of IAM's quotas is used");
    let answer = aws.iam.get_account_summary().send().await.map_err(|e| aws.error(&call, &e))?;
    let entries = answer.summary_map.unwrap_or_default();
    Ok(entries.into_iter().map(|(key, value)| (key.as_str().to_owned(), i64::from(value))).collect())
}

pub(super) async fn denials(aws: &AwsClient, principal: &str, question: &PermissionQuestion) -> Result<Vec<Denial>> {
    let doing = format!("cannot ask what {principal} may do");
    let call = Call::new("iam:SimulatePrincipalPolicy", principal, &doing);
    let entry = |(key, values): (&String, &Vec<String>)| {
        let several = values.len() > 1 || ["aws:CalledVia", "aws:TagKeys"].contains(&key.as_str());
        let kind = match key.as_str() {
            _ if several => ContextKeyTypeEnum::StringList,
            "aws:SecureTransport" => ContextKeyTypeEnum::Boolean,
            _ => ContextKeyTypeEnum::String,
        };
        ContextEntry::builder().context_key_name(key).set_context_key_values(Some(values.clone())).context_key_type(kind).build()
    };
    let request = aws
        .iam
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(question.actions.clone()))
        .set_resource_arns(Some(question.resources.clone()))
        .set_context_entries(Some(question.context.iter().map(entry).collect()));
    let pages = request.into_paginator().items().send();
    let results = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    if results.is_empty() {
        return Err(Error::failed(doing).because("IAM judged nothing"));
    }
    Ok(results.iter().flat_map(denied).collect())
}

/// The resources for which an action is denied; IAM answers one resource in the result itself, several in a list below it.
fn denied(result: &EvaluationResult) -> Vec<Denial> {
    let organization = result.organizations_decision_detail().is_some_and(|d| !d.allowed_by_organizations());
    let denial = |resource: &str, decision: &PolicyEvaluationDecisionType, boundary: bool, keys: &[String]| {
        let by = match decision {
            PolicyEvaluationDecisionType::Allowed => return None,
            _ if organization => DeniedBy::Organization,
            _ if boundary => DeniedBy::Boundary,
            PolicyEvaluationDecisionType::ExplicitDeny => DeniedBy::Policy,
            _ => DeniedBy::Nobody,
        };
        let action = result.eval_action_name().to_owned();
        Some(Denial { action, resource: resource.to_owned(), by, unknown_keys: keys.to_vec() })
    };
    let each = result.resource_specific_results();
    if each.is_empty() {
        let boundary = result.permissions_boundary_decision_detail().is_some_and(|d| !d.allowed_by_permissions_boundary());
        let resource = result.eval_resource_name().unwrap_or("*");
        return denial(resource, result.eval_decision(), boundary, result.missing_context_values()).into_iter().collect();
    }
    each.iter()
        .filter_map(|r| {
            let boundary = r.permissions_boundary_decision_detail().is_some_and(|d| !d.allowed_by_permissions_boundary());
            denial(r.eval_resource_name(), r.eval_resource_decision(), boundary, r.missing_context_values())
        })
        .collect()
}
