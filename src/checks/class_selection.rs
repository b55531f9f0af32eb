//! What node classes select by selectors of their own, where none goes by the discovery tag.

use super::Judgement;
use super::judgement::read;
use crate::facts::{ClassSelection, Facts, ObjectFacts, Probed};
use crate::spec::{DISCOVERY_TAG, Spec};

/// What is said where the node classes that may be there could not be read.
pub(super) fn unread_classes(spec: &Spec, facts: &Facts) -> Option<Judgement> {
    if facts.cluster == Probed::Absent {
        return None;
    }
    read(&format!("node classes of cluster {}", spec.cluster_name), &facts.objects).err()
}

/// What a class selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selected {
    Subnets,
    SecurityGroups,
}

/// The node classes with what each selects, where there are some and all have selectors of their own: Karpenter then goes by what they find,
/// and by no discovery tag of this cluster.
pub(super) fn own_selections<'f>(spec: &Spec, facts: &'f Facts, what: Selected) -> Option<Vec<(&'f ObjectFacts, &'f ClassSelection)>> {
    let objects = facts.objects.known().map(Vec::as_slice).unwrap_or_default();
    let classes: Vec<_> = objects.iter().filter_map(|object| Some((object, object.selection.as_ref()?))).collect();
    let by_tag = |selection: &ClassSelection| {
        let terms = match what {
            Selected::Subnets => &selection.subnet_terms,
            Selected::SecurityGroups => &selection.group_terms,
        };
        terms.is_empty() || terms.iter().any(|term| term["tags"][DISCOVERY_TAG] == *spec.cluster_name.as_str())
    };
    (!classes.is_empty() && !classes.iter().any(|(_, selection)| by_tag(selection))).then_some(classes)
}

/// What Karpenter itself says of a class's own selector. No tag is proposed: what the class is to find is known to who wrote it.
pub(super) fn by_class(class: &ObjectFacts, found: Option<Vec<String>>, what: &str, error: &str) -> Judgement {
    let subject = format!("{what} of the node class {}", class.name);
    match found {
        None => Judgement::skip(subject, "its status does not say yet what its selector finds"),
        Some(ids) if ids.is_empty() => Judgement::fail(subject, format!("its selector finds none: {error}"))
            .run("see what it selects, and tag these or name others", ["kubectl", "get", &class.resource, &class.name, "--output", "yaml"]),
        Some(ids) => Judgement::pass(subject, format!("its own selector finds {}", ids.join(", "))),
    }
}
