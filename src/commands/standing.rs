//! What the table says of the release at hand, where no check is asked.

use crate::app::App;
use crate::error::{Error, Result};
use crate::knowledge::{Difference, DifferenceKind, Release, Standing};
use crate::render::Document;
use crate::spec::{ControllerCapacity, Spec};

/// Warns of a release that should not be installed, or that the table does not have; refuses it with `--strict`.
pub(super) fn judge(app: &App, spec: &Spec) -> Result<()> {
    let (release, kubernetes) = (&spec.release, spec.kubernetes);
    let take = |instead: &Release| format!("take {instead} instead: --karpenter-version {instead}");
    let (what, hint) = match release.standing_on(kubernetes) {
        Standing::Newer => newer(release),
        Standing::Trap { reason, instead } => (format!("Karpenter {release} should not be installed: {reason}"), take(&instead)),
        Standing::Caution { reason, instead } => (format!("Karpenter {release} has a fault: {reason}"), take(&instead)),
        Standing::Known if release.fits(kubernetes) => return Ok(()),
        Standing::Known => {
            let (oldest, newest) = release.kubernetes_range();
            let hint = match Release::default_for(kubernetes) {
                Some(fitting) => take(&fitting),
                None => "`karpctl versions` shows which fit".to_owned(),
            };
            (format!("Karpenter {release} supports Kubernetes {oldest} to {newest}, not {kubernetes}"), hint)
        }
    };
    if app.globals.strict {
        return Err(Error::refused(what).because("--strict takes no release that the table warns of or does not have").hint(hint));
    }
    app.printer.warn(&what);
    app.printer.status(&format!("  fix: {hint}"));
    Ok(())
}

/// Refuses with `--strict` a release that the table does not have. Everything else is for the checks to say.
pub(super) fn refuse_newer(app: &App, release: &Release) -> Result<()> {
    if !app.globals.strict || release.standing() != Standing::Newer {
        return Ok(());
    }
    let (what, hint) = newer(release);
    Err(Error::refused(what).because("--strict takes only releases of the table").hint(hint))
}

fn newer(release: &Release) -> (String, String) {
    (
        format!("this karpctl's table does not have Karpenter {release}: it goes by the rules of {}", release.last_known_in_words()),
        "`karpctl versions --compare` shows what else is newer; a newer karpctl may know it".to_owned(),
    )
}

/// Says that a document does not follow the guide of its release, where that is wrong.
pub(super) fn note_differences(app: &App, spec: &Spec, documents: impl IntoIterator<Item = Document>) {
    let fargate = if spec.capacity == ControllerCapacity::Fargate { "-fargate" } else { "" };
    let rendered: Vec<String> = documents.into_iter().flat_map(|d| [d.id().to_owned(), format!("{}{fargate}", d.id())]).collect();
    let wrong = |d: &&Difference| d.kind == DifferenceKind::Wrong && d.concerns(&spec.release);
    if Difference::all().iter().filter(wrong).any(|d| d.documents.iter().any(|of| rendered.contains(of))) {
        let release = &spec.release;
        app.printer.status(&format!(
            "note: the guide of Karpenter {release} is wrong here and not followed: `karpctl explain guide --karpenter-version {release}`"
        ));
    }
}
