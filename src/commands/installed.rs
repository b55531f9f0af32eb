//! Works with the Karpenter that is there, by its own release and namespace, where nobody named others.

use super::args::VariantArgs;
use super::session::{Session, layers};
use crate::adoption::installed;
use crate::app::App;
use crate::error::Result;
use crate::facts::Topic;
use crate::spec::layer::{Layer, Source};

/// Gives the session the release and the namespace of karpctl's own Karpenter in the cluster. What a release calls its objects, and where they
/// are, is not found by those of another.
pub(super) async fn as_installed(app: &App, variant: &VariantArgs, session: &mut Session) -> Result<()> {
    let mut given = layers(app, variant)?;
    let named = |get: fn(&Layer) -> Option<&String>| given.iter().any(|(_, layer)| get(layer).is_some());
    let (release, namespace) = (named(|layer| layer.karpenter_version.as_ref()), named(|layer| layer.namespace.as_ref()));
    if release && namespace || session.facts.cluster.known().is_none() {
        return Ok(());
    }
    session.read_by(app, [Topic::Controller, Topic::StackStatus, Topic::ControllerRole].into()).await?;
    let (spec, facts) = (&session.spec, &session.facts);
    let stack = facts.stack.known().is_some_and(|stack| spec.owns(&stack.tags));
    // Somebody else's is not looked for: what is named by default is not theirs.
    if !stack && !facts.controller_role.known().is_some_and(|role| spec.owns(&role.tags)) {
        return Ok(());
    }
    let Ok((found_release, found_namespace)) = installed(facts) else { return Ok(()) };
    let found = Layer {
        karpenter_version: (!release).then(|| found_release.to_string()),
        namespace: (!namespace).then_some(found_namespace),
        ..Layer::default()
    };
    given.push((Source::Found, found));
    let resolved = session.resolved(&given)?;
    if (&resolved.release, &resolved.namespace) != (&spec.release, &spec.namespace) {
        let (release, namespace) = (&resolved.release, &resolved.namespace);
        app.printer.status(&format!("note: it goes by the Karpenter that is there: {release} in the namespace {namespace}"));
    }
    session.spec = resolved;
    Ok(())
}
