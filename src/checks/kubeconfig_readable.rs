//! Whether others may read the kubeconfig.

use super::exec::{clients, name};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ClientFacts, KubeconfigFacts, Topic};
use crate::finding::{Area, Edit};

pub(super) struct KubeconfigReadable;

impl Check for KubeconfigReadable {
    fn id(&self) -> &'static str {
        "kubeconfig-readable"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "A kubeconfig may hold tokens and keys; helm up to 3.16 warns each time about one that others can read, newer ones keep silent."
    }

    fn explain(&self) -> &'static str {
        "What people see: `WARNING: Kubernetes configuration file is group-readable. This is insecure.`, the same with `world-readable`. helm up to \
         3.16 says it and goes on; 3.17 and newer do not look.\n\nCure: `chmod 600` on the file, which --fix does too."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let mut said: Vec<Judgement> = Vec::new();
        let mut seen = Vec::new();
        for client in clients(situation)? {
            for file in open_files(client) {
                if seen.contains(&file) {
                    continue;
                }
                seen.push(file);
                let shown = file.display().to_string();
                said.push(Judgement::warn(&shown, "others on this machine may read it").at(&shown, None).edit(
                    "close it",
                    ["chmod", "600", &shown],
                    Edit::Close { file: file.clone() },
                    &[],
                ));
            }
        }
        if said.is_empty() {
            let clients = clients(situation)?;
            let (seen, unseen): (Vec<&ClientFacts>, Vec<&ClientFacts>) = clients.iter().partition(|client| has_files(client));
            let names = |clients: &[&ClientFacts]| clients.iter().map(|client| name(client)).collect::<Vec<_>>().join(", ");
            said.push(match (seen.as_slice(), unseen.as_slice()) {
                ([], unseen) => Judgement::skip(names(unseen), "no kubeconfig was read: see exec-kubeconfig"),
                (seen, _) => Judgement::pass(names(seen), "nobody else may read the kubeconfig"),
            });
        }
        Ok(said)
    }
}

fn open_files(client: &ClientFacts) -> impl Iterator<Item = &std::path::PathBuf> {
    match &client.kubeconfig {
        KubeconfigFacts::Chosen(chosen) => chosen.readable_by_others.iter(),
        _ => [].iter(),
    }
}

/// Whether this client has a kubeconfig whose mode was seen.
fn has_files(client: &ClientFacts) -> bool {
    matches!(&client.kubeconfig, KubeconfigFacts::Chosen(chosen) if !chosen.files.is_empty())
}
