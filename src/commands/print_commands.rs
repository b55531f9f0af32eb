//! `--print-commands`: the shell that a plan stands for.

use super::answer::json;
use super::session::Session;
use super::way::refused_steps;
use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::plan::Plan;
use crate::ports::ClusterAccess;
use crate::report::{Format, Surroundings, commands, summary};
use crate::shell::quoted;

/// The shell as a document.
#[derive(serde::Serialize)]
struct Printed<'a> {
    schema: &'static str,
    cluster: &'a str,
    shell: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a Error>,
}

/// Prints the shell that the plan stands for, and why it would be refused.
pub(super) fn print_commands(app: &App, output: Format, session: &Session, plan: &Plan, refused: Option<Error>) -> Result<Exit> {
    let refused = refused_steps(plan).or(refused);
    let around =
        Surroundings { aws: &aws_commands(app, session), spec: &spec_file_commands(session)?, access: &kubeconfig_commands(session) };
    let shell = commands(plan, &around);
    if output.is_machine() {
        let document = Printed {
            schema: "karpctl/commands/v1",
            cluster: session.spec.cluster_name.as_str(),
            shell: &shell,
            refused: refused.as_ref(),
        };
        app.printer.document(&json(&document, output.into())?);
        return Ok(Exit::Done);
    }
    if let Some(error) = refused {
        app.printer.warn(&format!("without --print-commands this is refused: {error}"));
        error.hints.iter().for_each(|h| app.printer.status(&format!("  hint: {h}")));
    }
    if shell.is_empty() {
        app.printer.status(&summary(plan));
    } else {
        app.printer.document(&shell);
    }
    Ok(Exit::Done)
}

/// Whose account and which region every command means.
fn aws_commands(app: &App, session: &Session) -> Vec<String> {
    let region = format!("export AWS_REGION={0} AWS_DEFAULT_REGION={0}", session.spec.region);
    let profile = app.globals.profile.as_ref().map(|profile| format!("export AWS_PROFILE={}", quoted(profile)));
    std::iter::once(region).chain(profile).collect()
}

/// Writes down the spec, so that every document below is rendered from the same one, whatever this shell's environment says.
fn spec_file_commands(session: &Session) -> Result<Vec<String>> {
    let spec = &session.spec;
    let text = crate::spec::file::text(spec)?;
    Ok(vec![format!("unset {}", crate::env::SETTINGS.join(" ")), format!("cat > {} <<'END'\n{}\nEND", spec.file_name(), text.trim_end())])
}

/// What makes helm and kubectl speak to this cluster and no other.
fn kubeconfig_commands(session: &Session) -> Vec<String> {
    match &session.kubeconfig {
        Some(ClusterAccess::Kubeconfig { path, context }) => {
            let mut lines: Vec<String> = path.iter().map(|p| format!("export KUBECONFIG={}", quoted(&p.display().to_string()))).collect();
            lines.extend(context.iter().map(|c| format!("kubectl config use-context {}", quoted(c))));
            lines
        }
        _ => vec![format!("aws eks update-kubeconfig --region {} --name {}", session.spec.region, session.spec.cluster_name)],
    }
}
