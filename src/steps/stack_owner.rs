//! A stack that its owner has extended: nothing of his is taken away.

use super::looked::{Refusal, drifted_or_present};
use super::shell::pairs;
use super::stack_differences::Differences;
use crate::error::Result;
use crate::facts::StackFacts;
use crate::plan::State;
use crate::render::{self, Extension};
use crate::spec::{Boundary, Spec};
use crate::wording::first;

/// The most things that are named.
const SHOWN: usize = 6;

/// The state of a stack that somebody else made: `foreign`, or the refusal where taking it over would take something away.
pub(super) fn foreign_or_refused(spec: &Spec, stack: &StackFacts, foreign: State) -> State {
    match refused_as_extended(spec, stack) {
        Ok(refusal) => refusal.map_or(foreign, State::from),
        Err(e) => State::Unknown(e.to_string()),
    }
}

/// The state of a stack of karpctl's that differs in this: drift, or the refusal where putting it right would take away what its owner put in.
pub(super) fn drifted_or_refused(spec: &Spec, stack: &StackFacts, found: Differences) -> State {
    match found.extension {
        Some(more) if !found.changes.is_empty() => refused_as_extended_since(spec, stack, more).into(),
        _ => drifted_or_present(found.changes),
    }
}

/// Why a stack of karpctl's is not updated: `more` would go.
pub(super) fn refused_as_extended_since(spec: &Spec, stack: &StackFacts, more: Extension) -> Refusal {
    let (name, region) = (spec.stack_name(), &spec.region);
    Refusal::new(format!(
            "the owner of the stack {name} has extended it since karpctl made it. An update to the template would take away: {}",
            first(more.lines, SHOWN).join("; ")
        ))
        .hint(format!(
            "put what is its owner's into another stack, and run this again; `aws cloudformation get-template --region {region} --stack-name {name}` shows it"
        ))
        .hint(format!("where it may go: {}, and run this again", commands_without_it(spec, stack)))
}

/// The commands that take from a stack of karpctl's what its owner put in.
pub(super) fn commands_without_it(spec: &Spec, stack: &StackFacts) -> String {
    let (name, cluster, region, release) = (spec.stack_name(), &spec.cluster_name, &spec.region, &spec.release);
    // aws takes away the tags that it is not told.
    let tags = stack.tags.iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(key, value)| (key.clone(), value.clone())).collect();
    format!(
        "`karpctl render cloudformation --cluster-name {cluster} --region {region} --karpenter-version {release} > cloudformation.yaml`, \
         then `aws cloudformation deploy --region {region} --stack-name {name} --template-file cloudformation.yaml --capabilities CAPABILITY_NAMED_IAM \
         --tags {}`",
        pairs(&tags)
    )
}

/// Why a stack that somebody else made is not taken over.
pub(super) fn refused_as_extended(spec: &Spec, stack: &StackFacts) -> Result<Option<Refusal>> {
    let template = stack.template.as_deref().unwrap_or_default();
    let boundary = render::boundary_of(spec, template);
    // That which is asked to go does.
    let asked = boundary.clone().filter(|_| spec.permissions_boundary == Some(Boundary::None)).map(Boundary::Policy);
    let permissions_boundary = asked.or_else(|| spec.permissions_boundary.clone());
    let own = render::put_in_by_others(&Spec { permissions_boundary, ..spec.clone() }, template)?;
    if own.is_empty() {
        return Ok(None);
    }
    let (name, cluster, region) = (spec.stack_name(), &spec.cluster_name, &spec.region);
    let refusal = Refusal::new(format!(
        "the stack {name} is there without karpctl's mark, and its owner has extended it. An update to the template would take away: {}",
        first(own, SHOWN).join("; ")
    ));
    let refusal = match boundary.filter(|found| spec.permissions_boundary != Some(Boundary::None) && spec.boundary() != Some(found)) {
        Some(boundary) => refusal.hint(format!("its permissions boundary is kept by `--permissions-boundary {boundary}`")),
        None => refusal,
    };
    Ok(Some(
        refusal
            .hint(format!(
                "`karpctl adopt --cluster-name {cluster} --region {region}` uses its roles and queue as they are, and leaves the stack alone"
            ))
            .hint("or put what is its owner's into another stack, and run this again"),
    ))
}
