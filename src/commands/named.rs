//! What the person named on the command line and is not there: an error, before anything is judged by its absence.

use super::session::kubeconfig_is_there;
use crate::app::App;
use crate::checks::Check;
use crate::error::{Error, Result};
use crate::facts::{Facts, KubeconfigFacts};
use crate::knowledge::Tool;

/// The check that says itself what is wrong with a kubeconfig or a context, in the words of the client.
const SAYS_IT: &str = "exec-kubeconfig";

fn is_said(checks: &[Box<dyn Check>]) -> bool {
    checks.iter().any(|check| check.id() == SAYS_IT)
}

/// The programs and the kubeconfig.
pub(super) fn files_are_there(app: &App, checks: &[Box<dyn Check>]) -> Result<()> {
    let (globals, station) = (&app.globals, app.workstation());
    for (tool, file) in [(Tool::Helm, &globals.helm), (Tool::Kubectl, &globals.kubectl), (Tool::Eksctl, &globals.eksctl)] {
        file.as_ref().map_or(Ok(()), |file| station.named(tool, file).map(drop))?;
    }
    if is_said(checks) { Ok(()) } else { kubeconfig_is_there(app) }
}

/// The context: whether there is one of this name is known only once a kubeconfig has been read.
pub(super) fn context_is_there(app: &App, checks: &[Box<dyn Check>], facts: &Facts) -> Result<()> {
    let Some(context) = app.globals.context.as_ref().filter(|name| !name.is_empty() && !is_said(checks)) else { return Ok(()) };
    let clients = facts.clients.known().map(Vec::as_slice).unwrap_or_default();
    let lacks = clients.iter().find_map(|client| match &client.kubeconfig {
        KubeconfigFacts::Chosen(chosen) if !chosen.context_is_there => Some(chosen),
        _ => None,
    });
    let Some(chosen) = lacks else { return Ok(()) };
    let files = chosen.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let error = Error::usage(match files.as_str() {
        "" => format!("there is no context `{context}`, because there is no kubeconfig"),
        files => format!("there is no context `{context}` in {files}"),
    });
    Err(error.hint("`kubectl config get-contexts` shows which there are, and --kubeconfig names another file"))
}
