//! Works with the Karpenter that is there, by its own release and namespace, where nobody named others.

use super::session::Session;
use crate::adoption::{installed, made_with};
use crate::app::App;
use crate::error::{Error, Result};
use crate::facts::{Probed, Topic};
use crate::knowledge::Standing;
use crate::spec::Spec;
use crate::spec::layer::{Layer, Source};
use crate::steps::{made_by_karpctl, works_by_our_role};

/// What leaves Karpenter in place changes nothing of it that nobody speaks of: neither its release, which is another with each karpctl, nor what only a
/// flag said when it was made.
pub(super) async fn as_it_stands(app: &App, session: &mut Session) -> Result<()> {
    release_stays(app, session).await?;
    // What does not answer is not asked again before the plan says so.
    if session.facts.cluster.known().is_none() || matches!(session.facts.controller, Probed::Unavailable(_)) {
        return Ok(());
    }
    session.read_by(app, [Topic::Stack, Topic::Chart, Topic::Association].into()).await?;
    let facts = &session.facts;
    if !matches!((&facts.stack, &facts.association), (Probed::Unavailable(_), _) | (_, Probed::Unavailable(_))) {
        session.fresh = [Topic::Stack, Topic::StackStatus, Topic::Association].into();
    }
    if session.spec.made_elsewhere.is_some() || !made_by_karpctl(&session.spec, &session.facts) {
        return Ok(());
    }
    let spec = &session.spec;
    let found = made_with(spec, &session.facts);
    let known =
        Layer { karpenter_version: Some(spec.release.to_string()), namespace: Some(spec.namespace.to_string()), ..Layer::default() };
    let mut given = session.layers.clone();
    given.push((Source::Found, known));
    let settings = [
        found.identity.map(|how| (format!("identity {how}"), Layer { identity: Some(how), ..Layer::default() })),
        found.private.map(|private| {
            ("private (`private: false` in the spec file ends it)".to_owned(), Layer { private: Some(private), ..Layer::default() })
        }),
        found.permissions_boundary.map(|arn| {
            let words = format!("permissionsBoundary {arn} (`--permissions-boundary none` takes it off)");
            (words, Layer { permissions_boundary: Some(arn), ..Layer::default() })
        }),
        // Whoever names tags names all of them.
        found.tags.filter(|_| session.layers.iter().all(|(_, layer)| layer.tags.is_none())).map(|tags| {
            let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let words = format!("tags {} (`tags: {{}}` in the spec file takes them off)", pairs.join(", "));
            (words, Layer { tags: Some(tags), ..Layer::default() })
        }),
    ];
    let mut kept = Vec::new();
    for (words, setting) in settings.into_iter().flatten() {
        given.push((Source::Found, setting));
        match session.resolved(&given) {
            Ok(resolved) if resolved != session.spec => {
                kept.push(words);
                session.spec = resolved;
            }
            Ok(_) => {}
            // What does not go together with what is given is not kept.
            Err(_) => drop(given.pop()),
        }
    }
    if !kept.is_empty() {
        app.printer.status(&format!("note: as Karpenter was made, and nothing says otherwise: {}", kept.join(", ")));
    }
    Ok(())
}

/// A newer karpctl would upgrade it, and an older one take it back.
async fn release_stays(app: &App, session: &mut Session) -> Result<()> {
    if session.layers.iter().any(|(_, layer)| layer.karpenter_version.is_some()) {
        return Ok(());
    }
    let usual = session.spec.release.clone();
    as_installed(app, session).await?;
    session.unseen = unseen(session);
    let installed = &session.spec.release;
    if installed.standing() == Standing::Newer {
        let known = installed.last_known_in_words();
        return Err(Error::refused(format!("Karpenter {installed} is installed, which this karpctl's table does not have"))
            .because("what it needs may be taken from it by the rules of an older one")
            .hint("use the karpctl that installed it, or a newer one")
            .hint(format!("or name it, to go by the rules of {known}: `--karpenter-version {installed}`")));
    }
    if *installed < usual {
        app.printer
            .status(&format!("note: Karpenter {usual} fits the Kubernetes of this cluster: `--karpenter-version {usual}` goes to it"));
    }
    Ok(())
}

/// Why nobody knows which release karpctl installed, where it did: what a newer one does without would be taken from it.
fn unseen(session: &Session) -> Option<String> {
    let serves = session.facts.cluster.known().is_some_and(|cluster| cluster.endpoint.is_some() && cluster.status == "ACTIVE");
    match &session.facts.controller {
        Probed::Unavailable(reason) if serves && made_by_karpctl(&session.spec, &session.facts) => Some(reason.clone()),
        _ => None,
    }
}

/// Gives the session the release and the namespace of karpctl's own Karpenter in the cluster. What a release calls its objects, and where they
/// are, is not found by those of another.
pub(super) async fn as_installed(app: &App, session: &mut Session) -> Result<()> {
    let mut given = session.layers.clone();
    let named = |get: fn(&Layer) -> Option<&String>| given.iter().any(|(_, layer)| get(layer).is_some());
    let (release, namespace) = (named(|layer| layer.karpenter_version.as_ref()), named(|layer| layer.namespace.as_ref()));
    if release && namespace || session.facts.cluster.known().is_none() {
        return Ok(());
    }
    session.read_by(app, [Topic::Controller, Topic::StackStatus, Topic::ControllerRole].into()).await?;
    let (spec, facts) = (session.spec.clone(), &session.facts);
    // Somebody else's is not looked for: what is named by default is not theirs.
    if !made_by_karpctl(&spec, facts) {
        return Ok(());
    }
    let Ok((found_release, found_namespace)) = installed(facts) else { return Ok(()) };
    let found = Layer {
        karpenter_version: (!release).then(|| found_release.to_string()),
        namespace: (!namespace).then_some(found_namespace),
        ..Layer::default()
    };
    // What is wanted today may be nothing that the release of yesterday knows; that is no reason not to take it away.
    let by_what_is_there = || {
        let release = if release { spec.release.clone() } else { found_release.clone() };
        let namespace = found.namespace.as_ref().and_then(|name| name.parse().ok()).unwrap_or_else(|| spec.namespace.clone());
        Spec { release, namespace, zonal_shift: None, ..spec.clone() }
    };
    given.push((Source::Found, found.clone()));
    let resolved = session.resolved(&given).unwrap_or_else(|_| by_what_is_there());
    if (&resolved.release, &resolved.namespace) == (&spec.release, &spec.namespace) {
        session.spec = resolved;
        return Ok(());
    }
    let moved = resolved.namespace != spec.namespace;
    session.spec = resolved;
    if moved && session.spec.made_elsewhere.is_none() {
        // Another may have installed one, where karpctl's is no longer or never was.
        session.read_by(app, [Topic::Chart, Topic::Association].into()).await?;
        if !works_by_our_role(&session.spec, &session.facts) {
            // The plan reads all of it anew.
            session.spec = spec;
            return Ok(());
        }
    }
    let (release, namespace) = (&session.spec.release, &session.spec.namespace);
    app.printer.status(&format!("note: it goes by the Karpenter that is there: {release} in the namespace {namespace}"));
    Ok(())
}
