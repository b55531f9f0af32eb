//! CloudFormation: stacks.

use super::errors::Call;
use super::{AwsClient, gone, present};
use crate::error::{ErrorKind, Result};
use crate::facts::StackFacts;
use crate::ports::{ChangeStack, StackEvent, Tags};
use aws_sdk_cloudformation::types::{Capability, Parameter, ResourceStatus, StackStatus, Tag, TemplateStage};
use std::collections::BTreeMap;

pub(super) async fn stack(aws: &AwsClient, name: &str, with_template: bool) -> Result<Option<StackFacts>> {
    let call = Call::new("cloudformation:DescribeStacks", name, format!("cannot read the stack {name}"));
    let answer = aws.cloudformation.describe_stacks().stack_name(name).send().await.map_err(|e| aws.error(&call, &e));
    let Some(stack) = present(answer)?.and_then(|a| a.stacks.unwrap_or_default().into_iter().next()) else {
        return Ok(None);
    };
    // A stack that is gone is still answered for when it is asked for by its id.
    if stack.stack_status() == Some(&StackStatus::DeleteComplete) {
        return Ok(None);
    }
    let (template, resources) =
        if with_template { (template(aws, name).await?, resources(aws, name).await?) } else { (None, BTreeMap::new()) };
    let pair = |key: Option<&str>, value: Option<&str>| Some((key?.to_owned(), value.unwrap_or_default().to_owned()));
    Ok(Some(StackFacts {
        id: stack.stack_id().unwrap_or_default().to_owned(),
        status: stack.stack_status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        status_reason: stack.stack_status_reason().map(str::to_owned),
        template,
        parameters: stack.parameters().iter().filter_map(|p| pair(p.parameter_key(), p.parameter_value())).collect(),
        tags: stack.tags().iter().filter_map(|t| pair(t.key(), t.value())).collect(),
        protected: stack.enable_termination_protection().unwrap_or_default(),
        resources,
    }))
}

async fn template(aws: &AwsClient, name: &str) -> Result<Option<String>> {
    let call = Call::new("cloudformation:GetTemplate", name, format!("cannot read the template of the stack {name}"));
    let sent = aws.cloudformation.get_template().stack_name(name).template_stage(TemplateStage::Original).send().await;
    Ok(present(sent.map_err(|e| aws.error(&call, &e)))?.and_then(|a| a.template_body))
}

async fn resources(aws: &AwsClient, name: &str) -> Result<BTreeMap<String, String>> {
    let call = Call::new("cloudformation:ListStackResources", name, format!("cannot list the resources of the stack {name}"));
    let pages = aws.cloudformation.list_stack_resources().stack_name(name).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    // Those that are gone are listed for as long as the stack is.
    let there = listed.into_iter().filter(|r| r.resource_status() != Some(&ResourceStatus::DeleteComplete));
    Ok(there.filter_map(|r| Some((r.logical_resource_id?, r.physical_resource_id?))).collect())
}

fn parameters(change: &ChangeStack) -> Vec<Parameter> {
    change.parameters.iter().map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build()).collect()
}

fn tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) async fn create_stack(aws: &AwsClient, change: &ChangeStack) -> Result<String> {
    let name = &change.name;
    let call = Call::new("cloudformation:CreateStack", name, format!("cannot create the stack {name}"));
    let request = aws
        .cloudformation
        .create_stack()
        .stack_name(name)
        .template_body(&change.template)
        .set_parameters(Some(parameters(change)))
        .set_tags(Some(tags(&change.tags)))
        .capabilities(Capability::CapabilityNamedIam)
        .client_request_token(&change.token);
    let answer = request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(answer.stack_id.unwrap_or_else(|| name.clone()))
}

pub(super) async fn update_stack(aws: &AwsClient, change: &ChangeStack) -> Result<bool> {
    let name = &change.name;
    let call = Call::new("cloudformation:UpdateStack", name, format!("cannot update the stack {name}"));
    let request = aws
        .cloudformation
        .update_stack()
        .stack_name(name)
        .template_body(&change.template)
        .set_parameters(Some(parameters(change)))
        .set_tags(Some(tags(&change.tags)))
        .capabilities(Capability::CapabilityNamedIam)
        .client_request_token(&change.token);
    match request.send().await.map_err(|e| aws.error(&call, &e)) {
        Ok(_) => Ok(true),
        // The one code for everything again: only the text tells it from an error.
        Err(e) if e.kind == ErrorKind::Failed && e.causes.iter().any(|c| c.contains("No updates are to be performed")) => Ok(false),
        Err(e) => Err(e),
    }
}

pub(super) async fn delete_stack(aws: &AwsClient, name: &str, token: &str) -> Result<()> {
    let call = Call::new("cloudformation:DeleteStack", name, format!("cannot delete the stack {name}"));
    let sent = aws.cloudformation.delete_stack().stack_name(name).client_request_token(token).send().await;
    gone(sent.map_err(|e| aws.error(&call, &e)))
}

pub(super) async fn unprotect_stack(aws: &AwsClient, name: &str) -> Result<()> {
    let doing = format!("cannot take the termination protection off the stack {name}");
    let call = Call::new("cloudformation:UpdateTerminationProtection", name, doing);
    let request = aws.cloudformation.update_termination_protection().stack_name(name).enable_termination_protection(false);
    request.send().await.map(drop).map_err(|e| aws.error(&call, &e))
}

pub(super) async fn stack_names(aws: &AwsClient, prefix: &str) -> Result<Vec<String>> {
    let call = Call::new("cloudformation:ListStacks", "*", "cannot list the stacks of the region");
    let pages = aws.cloudformation.list_stacks().into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    // Those that are gone are listed for 90 days.
    let there = listed.into_iter().filter(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete));
    Ok(there.filter_map(|stack| stack.stack_name).filter(|name| name.starts_with(prefix)).collect())
}

pub(super) async fn stack_events(aws: &AwsClient, name_or_id: &str) -> Result<Vec<StackEvent>> {
    let call = Call::new("cloudformation:DescribeStackEvents", name_or_id, format!("cannot read the events of the stack {name_or_id}"));
    let request = aws.cloudformation.describe_stack_events().stack_name(name_or_id);
    let mut pages = request.into_paginator().items().send();
    // They come newest first; what came before the last operation is nobody's question.
    let mut events = Vec::new();
    while let Some(event) = pages.next().await {
        let event = event.map_err(|e| aws.error(&call, &e))?;
        let begins = is_of_stack(&event) && event.resource_status().is_some_and(|status| StackEvent::BEGINS.contains(&status.as_str()));
        events.push(event);
        if begins && events.len() >= ONE_PAGE {
            break;
        }
    }
    let event = |e: &aws_sdk_cloudformation::types::StackEvent| StackEvent {
        id: e.event_id().unwrap_or_default().to_owned(),
        logical_id: e.logical_resource_id().unwrap_or_default().to_owned(),
        kind: e.resource_type().unwrap_or_default().to_owned(),
        status: e.resource_status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        reason: e.resource_status_reason().map(crate::error::clean),
    };
    Ok(events.iter().rev().map(event).collect())
}

/// How many events are asked for at least: as many as one answer brings.
const ONE_PAGE: usize = 100;

/// Whether an event is about the stack itself, and not one of its resources.
fn is_of_stack(event: &aws_sdk_cloudformation::types::StackEvent) -> bool {
    event.physical_resource_id().is_some() && event.physical_resource_id() == event.stack_id()
}
