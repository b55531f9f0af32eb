//! Whether PATH holds more than one program of a name.

use super::exec::{clients, name};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ProgramFacts, Topic};
use crate::finding::Area;
use std::path::PathBuf;

pub(super) struct ClientShadowed;

impl Check for ClientShadowed {
    fn id(&self) -> &'static str {
        "client-shadowed"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "Upgrading one helm while PATH finds another first is how the wrong thing gets upgraded."
    }

    fn explain(&self) -> &'static str {
        "Looks for further files of that name behind the one that PATH finds first.\n\nWhat people see: an upgrade after which `helm version` says \
         the old number; or an aws of version 1 that goes before the one of version 2 that was installed, and writes a kubeconfig as it always \
         did. helm, kubectl, eksctl and aws are looked for.\n\nCure: remove the one that is not meant (`type -a helm` lists them), or name the \
         other with --helm, --kubectl or --eksctl."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients, Topic::Programs]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let one = |client: &crate::facts::ClientFacts| {
            let subject = format!("{} ({})", name(client), client.path.display());
            if client.shadowed.is_empty() {
                return Judgement::pass(subject, "is the only one that PATH finds");
            }
            Judgement::warn(subject, goes_before(&client.shadowed)).fix(format!(
                "remove the one that is not meant, or name the other: --{} {}",
                client.tool,
                client.shadowed[0].display()
            ))
        };
        // helm and kubectl are judged as clients, with their versions; the others as programs.
        let programs = situation.facts.programs.known().map(Vec::as_slice).unwrap_or_default();
        let shadowed: Vec<Judgement> =
            programs.iter().filter(|p| matches!(p.name.as_str(), "eksctl" | "aws")).filter_map(program).collect();
        match clients(situation) {
            Ok(clients) => Ok(clients.iter().map(one).chain(shadowed).collect()),
            Err(_) if !shadowed.is_empty() => Ok(shadowed),
            Err(skipped) => Err(skipped),
        }
    }
}

/// What is said of a program that goes before another.
fn program(program: &ProgramFacts) -> Option<Judgement> {
    let path = program.path.as_ref().filter(|_| !program.shadowed.is_empty())?;
    let judgement = Judgement::warn(format!("{} ({})", program.name, path.display()), goes_before(&program.shadowed));
    Some(judgement.fix(format!("remove the one that is not meant: `type -a {}` lists them in their order", program.name)))
}

fn goes_before(others: &[PathBuf]) -> String {
    let others = others.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    format!("goes before {others} on PATH")
}
