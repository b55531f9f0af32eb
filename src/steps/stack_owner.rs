//! A stack that its owner has extended: nothing of his is taken away.

use super::looked::Refusal;
use crate::error::Result;
use crate::facts::StackFacts;
use crate::plan::State;
use crate::render;
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
