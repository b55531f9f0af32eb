//! A command as whoever asked types it: by their profile, and in the cluster that was looked at, whichever context is the current one.

use super::Situation;
use super::exec::{Used, used};
use super::kubeconfig_cluster::{a_context, way};
use crate::finding::Fix;
use crate::knowledge::Tool;
use crate::kubeconfig::Leads;
use crate::shell::quoted;

/// The cures of a finding as they are typed. Without the profile they would be for another account, without the context for another cluster.
pub(super) fn as_typed(situation: &Situation<'_>, fixes: &mut Vec<Fix>) {
    let mut first = Vec::new();
    for fix in fixes.iter_mut().filter(|fix| !fix.verbatim) {
        let Some(client) = client_of(&fix.command) else { continue };
        let Aim { flags, made } = Aim::of(situation, client);
        insert(&mut fix.command, client.as_str(), &flags);
        first.extend(made.filter(|made| !first.contains(made)));
    }
    fixes.splice(0..0, first);
    for fix in fixes.iter_mut().filter(|fix| !fix.verbatim) {
        with_profile(&mut fix.command, situation.meant.profile.as_deref());
    }
}

/// The client by which a command works on a cluster. `None`: it works on none, or says itself on which.
fn client_of(command: &[String]) -> Option<Tool> {
    let named = |word: &str| [Tool::Kubectl, Tool::Helm].into_iter().find(|tool| tool.as_str() == word);
    let says_which = |word: &String| ["--context", "--kube-context", "--kubeconfig"].contains(&word.as_str());
    match command {
        // What is said of the kubeconfig itself, and to a registry.
        [_, verb, ..] if matches!(verb.as_str(), "config" | "registry") => None,
        [sh, _, script] if sh == "sh" => script.split(' ').find_map(named),
        [program, words @ ..] => named(program).filter(|_| !words.iter().any(says_which)),
        [] => None,
    }
}

/// How a client's commands get to the cluster that was looked at.
#[derive(Default)]
struct Aim {
    /// The flags that lead there. None where its own context does, as far as that is known.
    flags: Vec<String>,
    /// What makes the context that they name.
    made: Option<Fix>,
}

impl Aim {
    fn of(situation: &Situation<'_>, client: Tool) -> Self {
        let meant = situation.meant;
        let flag = if client == Tool::Helm { "--kube-context" } else { "--context" };
        if meant.context.is_some() || meant.kubeconfig.is_some() {
            let given = [(flag, &meant.context), ("--kubeconfig", &meant.kubeconfig)];
            let flags = given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value.clone()?])).flatten().collect();
            return Self { flags, made: None };
        }
        Self::instead_of_another(situation, client, flag).unwrap_or_default()
    }

    /// Where the client's own context is that of another cluster.
    fn instead_of_another(situation: &Situation<'_>, client: Tool, flag: &str) -> Option<Self> {
        let spec = situation.spec?;
        let endpoint = situation.facts.cluster.known()?.endpoint.as_deref()?;
        let clients = situation.facts.clients.known()?;
        // One that is yet to be installed reads the kubeconfig that the other reads.
        let Used { chosen, .. } = &used(clients.iter().find(|seen| seen.tool == client).or_else(|| clients.first())?)?;
        if way(chosen).leads(endpoint) != Leads::Elsewhere {
            return None;
        }
        let (command, context) = a_context(situation, spec, chosen);
        let unset = chosen.server_by.as_ref().map(|variable| format!("leave {variable} unset, and ")).unwrap_or_default();
        let title = format!(
            "{unset}make a context of {} first, which the commands here name: {client} goes to {} by itself",
            spec.cluster_name, chosen.server
        );
        let made = Fix { title, command, safe: false, edit: None, verbatim: false };
        Some(Self { flags: vec![flag.to_owned(), context], made: Some(made) })
    }
}

/// A command with these flags right behind its program.
fn insert(command: &mut Vec<String>, program: &str, flags: &[String]) {
    match command.as_mut_slice() {
        [sh, _, script] if sh == "sh" && !flags.is_empty() => {
            let words = flags.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            let named = |word: &str| if word == program { format!("{word} {words}") } else { word.to_owned() };
            *script = script.split(' ').map(named).collect::<Vec<_>>().join(" ");
        }
        _ => drop(command.splice(1..1, flags.iter().cloned())),
    }
}

fn with_profile(command: &mut Vec<String>, profile: Option<&str>) {
    let Some(profile) = profile else { return };
    let asks_aws = |word: &str| matches!(word, "aws" | "eksctl" | "karpctl");
    match command.as_mut_slice() {
        [program, words @ ..] if asks_aws(program) && !words.iter().any(|word| word == "--profile") => {
            command.extend(["--profile", profile].map(str::to_owned));
        }
        [sh, _, script] if sh == "sh" => {
            let asks = |word: &str| asks_aws(word.trim_start_matches("$("));
            let named = |word| if asks(word) { format!("{word} --profile {}", quoted(profile)) } else { word.to_owned() };
            *script = script.split(' ').map(named).collect::<Vec<_>>().join(" ");
        }
        _ => {}
    }
}
