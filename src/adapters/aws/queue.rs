//! SQS and `EventBridge`: the interruption queue and the rules that feed it.

use super::errors::Call;
use super::{AwsClient, present};
use crate::error::Result;
use crate::facts::{QueueFacts, RuleFacts};
use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::future::try_join_all;
use serde_json::Value;

pub(super) async fn queue(aws: &AwsClient, name: &str) -> Result<Option<QueueFacts>> {
    let doing = format!("cannot read the queue {name}");
    let call = Call::new("sqs:GetQueueUrl", name, &doing);
    let answer = present(aws.sqs.get_queue_url().queue_name(name).send().await.map_err(|e| aws.error(&call, &e)))?;
    let Some(url) = answer.and_then(|a| a.queue_url) else { return Ok(None) };
    let call = Call::new("sqs:GetQueueAttributes", name, &doing);
    let wanted = [QueueAttributeName::QueueArn, QueueAttributeName::Policy, QueueAttributeName::KmsMasterKeyId];
    let sent = aws.sqs.get_queue_attributes().queue_url(&url).set_attribute_names(Some(wanted.to_vec())).send().await;
    let Some(answer) = present(sent.map_err(|e| aws.error(&call, &e)))? else { return Ok(None) };
    let mut attributes = answer.attributes.unwrap_or_default();
    Ok(Some(QueueFacts {
        url,
        arn: attributes.remove(&QueueAttributeName::QueueArn).unwrap_or_default(),
        policy: attributes.remove(&QueueAttributeName::Policy).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null),
        key: attributes.remove(&QueueAttributeName::KmsMasterKeyId).filter(|key| !key.is_empty()),
        key_facts: Box::default(),
    }))
}

pub(super) async fn rules_to(aws: &AwsClient, target: &str) -> Result<Vec<RuleFacts>> {
    let call = Call::new("events:ListRuleNamesByTarget", target, format!("cannot list the rules that send to {target}"));
    let mut names = Vec::new();
    let mut next = None;
    loop {
        let sent = aws.events.list_rule_names_by_target().target_arn(target).set_next_token(next).send().await;
        let page = sent.map_err(|e| aws.error(&call, &e))?;
        names.extend(page.rule_names.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    let rules = try_join_all(names.iter().map(|name| rule(aws, name))).await?;
    Ok(rules.into_iter().flatten().collect())
}

async fn rule(aws: &AwsClient, name: &str) -> Result<Option<RuleFacts>> {
    let call = Call::new("events:DescribeRule", name, format!("cannot read the rule {name}"));
    let Some(rule) = present(aws.events.describe_rule().name(name).send().await.map_err(|e| aws.error(&call, &e)))? else {
        return Ok(None);
    };
    Ok(Some(RuleFacts {
        name: name.to_owned(),
        enabled: rule.state().is_some_and(|state| state.as_str().starts_with("ENABLED")),
        pattern: rule.event_pattern().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null),
    }))
}
