//! Whether PATH holds more than one client of a name.

use super::exec::{clients, name};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;

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
        "Looks for further files of that name behind the one that PATH finds first. What people see: an upgrade after which `helm version` says \
         the old number. Cure: remove the one that is not meant (`type -a helm` lists them), or name the other with --helm or --kubectl."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let one = |client: &crate::facts::ClientFacts| {
            let subject = format!("{} ({})", name(client), client.path.display());
            if client.shadowed.is_empty() {
                return Judgement::pass(subject, "is the only one that PATH finds");
            }
            let others = client.shadowed.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
            Judgement::warn(subject, format!("goes before {others} on PATH"))
                .fix(format!("remove the one that is not meant, or name the other: --{} PATH", client.tool))
        };
        Ok(clients(situation)?.iter().map(one).collect())
    }
}
