//! What the person named and is not there, or cannot be read: an error, before anything is judged by its absence.

use super::session::{kubeconfig_is_no_pipe, kubeconfig_is_there};
use crate::app::App;
use crate::checks::Check;
use crate::error::{Error, Result};
use crate::facts::{ClientFacts, Facts, KubeconfigFacts};
use crate::knowledge::Tool;
use crate::ports::Workstation as _;

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
    if is_said(checks) { kubeconfig_is_no_pipe(app) } else { kubeconfig_is_there(app) }
}

/// What a kubeconfig holds is known only once it has been read: whether a client can load it, and whether there is such a context.
pub(super) fn kubeconfig_is_sound(app: &App, checks: &[Box<dyn Check>], facts: &Facts) -> Result<()> {
    let clients = facts.clients.known().map(Vec::as_slice).unwrap_or_default();
    if is_said(checks) {
        // Without a client there is nobody to say it.
        return if clients.is_empty() { kubeconfig_is_there(app) } else { Ok(()) };
    }
    if app.globals.kubeconfig.is_some() || app.workstation().variable("KUBECONFIG").is_some() {
        clients.iter().try_for_each(is_loaded)?;
    }
    match &app.globals.context {
        Some(context) if !context.is_empty() => context_is_there(context, clients),
        _ => Ok(()),
    }
}

fn is_loaded(client: &ClientFacts) -> Result<()> {
    let KubeconfigFacts::Unloadable { file, line, why } = &client.kubeconfig else { return Ok(()) };
    let place = line.map_or(String::new(), |line| format!(", line {line}"));
    Err(Error::usage(format!("{} {} cannot load the kubeconfig {}{place}", client.tool, client.version, file.display()))
        .because(why)
        .hint("mend it there, or name another: --kubeconfig FILE, or KUBECONFIG")
        .hint("`karpctl explain exec-kubeconfig` says what a client takes"))
}

fn context_is_there(context: &str, clients: &[ClientFacts]) -> Result<()> {
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
