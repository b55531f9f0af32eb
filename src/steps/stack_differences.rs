//! In what a stack that is there is not as the spec says.

use super::context::owner_tags;
use super::looked::missing_tags;
use super::stack::is_foreign;
use crate::error::Result;
use crate::facts::{StackFacts, StackStanding};
use crate::ports::Tags;
use crate::render::{self, Extension};
use crate::spec::Spec;
use crate::wording::first;
use std::collections::BTreeMap;

pub(super) fn parameters(spec: &Spec) -> BTreeMap<String, String> {
    BTreeMap::from([("ClusterName".to_owned(), spec.cluster_name.to_string())])
}

/// What an update names: a tag that it does not name is taken from the stack and all that is in it. AWS's own tags nobody may name; one
/// that the template gives, too, came from a spec, and goes with it.
pub(super) fn with_those_of_others(stack: Option<&StackFacts>, own: Tags) -> Tags {
    let template = stack.and_then(|found| found.template.as_deref()).unwrap_or_default();
    let others = stack.into_iter().flat_map(|found| found.tags.clone());
    others.filter(|(key, _)| !key.starts_with("aws:") && !render::gives_tag(template, key)).chain(own).collect()
}

/// The template of a stack that is there.
pub(super) fn wanted(spec: &Spec, stack: &StackFacts) -> Result<String> {
    render::cloudformation_over(spec, stack.template.as_deref().unwrap_or_default())
}

/// The most changed lines of a template that are shown.
const SHOWN: usize = 6;

/// In what a stack is not as the spec says.
pub(super) struct Differences {
    /// What is to become another, a line each.
    pub(super) changes: Vec<String>,
    /// What the owner of a stack of karpctl's has put into it, and an update would take away.
    pub(super) extension: Option<Extension>,
}

pub(super) fn differences(spec: &Spec, stack: &StackFacts) -> Result<Differences> {
    let mut changes = Vec::new();
    let wanted = wanted(spec, stack)?;
    let template = stack.template.as_deref();
    let is_same = template.is_some_and(|template| render::is_answered_as(wanted.trim_end(), template.trim_end()));
    // That of somebody else's stack is looked at when it is taken over.
    let extension = if is_same || is_foreign(spec, stack) { None } else { render::extension(spec, template.unwrap_or_default())? };
    match template {
        Some(_) if is_same || extension.as_ref().is_some_and(|more| more.is_all) => {}
        Some(template) => changes.extend(template_changes(template, &wanted)),
        None => changes.push("its template cannot be read".into()),
    }
    for (key, value) in parameters(spec) {
        if let Some(other) = stack.parameters.get(&key).filter(|other| **other != value) {
            changes.push(format!("parameter {key}: {other} -> {value}"));
        }
    }
    // What else CloudFormation answers of a stack may be in ASCII, too.
    let has = |key: &str, value: &str| stack.tags.iter().any(|(k, v)| render::is_answered_as(key, k) && render::is_answered_as(value, v));
    let missing = owner_tags(spec).into_iter().filter(|(key, value)| !has(key, value)).collect();
    changes.extend(missing_tags(&missing, &stack.tags));
    let failed = match stack.standing() {
        // One that has gone back to what is wanted now needs no update, and CloudFormation makes none: its status stays.
        StackStanding::WentBack => !changes.is_empty(),
        standing => standing == StackStanding::HalfUpdated,
    };
    if failed {
        changes.insert(0, format!("its last update failed ({})", stack.status));
    }
    Ok(Differences { changes, extension })
}

fn template_changes(template: &str, wanted: &str) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(template, wanted);
    let lines = diff.iter_all_changes().filter_map(|change| match change.tag() {
        similar::ChangeTag::Equal => None,
        similar::ChangeTag::Delete => Some(format!("- {}", change.value().trim())),
        similar::ChangeTag::Insert => Some(format!("+ {}", change.value().trim())),
    });
    first(lines, SHOWN).into_iter().map(|line| format!("template: {line}")).collect()
}
