//! What the checks of kubeconfig and credential plugin have in common: each judges every client for itself.

use super::judgement::read;
use super::{Judged, Judgement, Situation};
use crate::facts::{ChosenFacts, ClientFacts, ExecFacts, KubeconfigFacts, WriterFacts};
use crate::knowledge::{ClientBuild, ExecApiVersion, writers};
use crate::spec::Meant;

/// A client with the context that it uses.
pub(super) struct Used<'a> {
    pub(super) client: &'a ClientFacts,
    pub(super) chosen: &'a ChosenFacts,
    pub(super) build: ClientBuild,
    pub(super) subject: String,
}

/// The clients; a judgement that ends the look where there is none.
pub(super) fn clients<'a>(situation: &Situation<'a>) -> Result<&'a [ClientFacts], Judgement> {
    match read("Kubernetes clients", &situation.facts.clients)? {
        Some(clients) => Ok(clients),
        None => Err(Judgement::skip("Kubernetes clients", "neither helm nor kubectl is on PATH: name one with --helm or --kubectl")),
    }
}

/// What a client is called: "helm 3.9.4".
pub(super) fn name(client: &ClientFacts) -> String {
    format!("{} {}", client.tool, client.version)
}

/// Judges every client whose kubeconfig could be loaded; of the others it is said that there was nothing to look at.
pub(super) fn each_used(situation: &Situation<'_>, judge: impl Fn(&Used<'_>) -> Judgement) -> Judged {
    let clients = clients(situation)?;
    let one = |client: &ClientFacts| match used(client) {
        Some(used) => judge(&used),
        None => Judgement::skip(name(client), "no context of a kubeconfig could be chosen: see exec-kubeconfig"),
    };
    Ok(clients.iter().map(one).collect())
}

/// A client with the context that it uses, where its kubeconfig could be loaded and has that context.
pub(super) fn used(client: &ClientFacts) -> Option<Used<'_>> {
    let KubeconfigFacts::Chosen(chosen) = &client.kubeconfig else { return None };
    let subject = format!("context {}, {}", or_none(&chosen.context), name(client));
    let used = Used { client, chosen, build: crate::knowledge::exec::assumed(client.build.as_ref()), subject };
    chosen.context_is_there.then_some(used)
}

/// As [`each_used`], where the user has a credential plugin.
pub(super) fn each_plugin(situation: &Situation<'_>, judge: impl Fn(&Used<'_>, &ExecFacts) -> Judgement) -> Judged {
    each_used(situation, |used| match &used.chosen.exec {
        Some(exec) => judge(used, exec),
        None => Judgement::skip(used.subject.clone(), "the context's user has no credential plugin"),
    })
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

/// The cluster that the plugin makes a token for, by its arguments: name and region.
pub(super) fn eks_cluster(exec: &ExecFacts) -> Option<(&str, Option<&str>)> {
    let name = exec.flag(&["--cluster-name", "--cluster-id", "-i"])?;
    Some((name, exec.flag(&["--region"])))
}

/// The command that makes a kubeconfig, for the cluster that is meant as far as that is said.
pub(super) fn make(situation: &Situation<'_>) -> [String; 7] {
    let Meant { cluster_name, region, .. } = situation.meant;
    let cluster = situation.spec.map(|spec| &spec.cluster_name).or(cluster_name.as_ref());
    let region = situation.spec.map(|spec| &spec.region).or(region.as_ref());
    let cluster = cluster.map_or_else(|| "CLUSTER".to_owned(), ToString::to_string);
    let region = region.map_or_else(|| "REGION".to_owned(), ToString::to_string);
    ["aws".into(), "eks".into(), "update-kubeconfig".into(), "--name".into(), cluster, "--region".into(), region]
}

/// The words by which a command works on the file that was chosen. None where there are several, which are then KUBECONFIG's.
pub(super) fn in_file(chosen: &ChosenFacts) -> Vec<String> {
    match &chosen.files[..] {
        [file] => vec!["--kubeconfig".to_owned(), file.display().to_string()],
        _ => Vec::new(),
    }
}

/// The command by which karpctl mends the entry of the context that was chosen, for what this check found.
pub(super) fn mend(used: &Used<'_>, check: &str) -> Vec<String> {
    let words = ["karpctl", "doctor", "--fix", "--yes", "--only", check].map(str::to_owned);
    words.into_iter().chain(in_file(used.chosen)).chain(["--context".to_owned(), used.chosen.context.clone()]).collect()
}

/// The command by which aws writes the entry anew.
pub(super) fn update_kubeconfig(chosen: &ChosenFacts, exec: &ExecFacts) -> Option<Vec<String>> {
    let (cluster, region) = eks_cluster(exec)?;
    let mut words = ["aws", "eks", "update-kubeconfig", "--name", cluster].map(str::to_owned).to_vec();
    let mut flag = |name: &str, value: Option<String>| words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    flag("--region", region.map(str::to_owned));
    flag("--profile", exec.profile.clone());
    // Without it the new entry asks as somebody whom the cluster need not know.
    flag("--role-arn", exec.role().map(str::to_owned));
    flag("--kubeconfig", chosen.user_file.as_ref().map(|file| file.display().to_string()));
    words.extend(under_its_names(chosen));
    Some(words)
}

/// Why a plugin does not ask by the profile that is in use.
pub(super) const ALONE: &str = "--profile reaches karpctl alone";

/// The profile that only karpctl is given, and the command by which aws writes the entry anew with it. `None`: the plugin names one itself or asks by
/// the same, keys would go before it, or nothing says which cluster the entry is of.
pub(super) fn by_profile_in_use<'a>(chosen: &ChosenFacts, exec: &'a ExecFacts) -> Option<(&'a str, Vec<String>)> {
    let alone = exec.by_flag_alone && exec.profile.is_none() && !exec.keys_go_first;
    let profile = exec.profile_in_use.as_deref().filter(|_| alone)?;
    let with_it = ExecFacts { profile: Some(profile.to_owned()), ..exec.clone() };
    Some((profile, update_kubeconfig(chosen, &with_it)?))
}

/// The same, where it is another program that the entry runs.
pub(super) fn by_aws(used: &Used<'_>, exec: &ExecFacts) -> Option<Vec<String>> {
    let program = exec.command.rsplit('/').next().unwrap_or_default();
    update_kubeconfig(used.chosen, exec).filter(|_| program != "aws")
}

/// The words by which aws writes the context and the user that were chosen: it names them by the cluster's ARN otherwise, and a person's
/// own stay as they are. An aws that is not known to name users gives the context a user of the ARN's name.
pub(super) fn under_its_names(chosen: &ChosenFacts) -> impl Iterator<Item = String> {
    let at_hand = chosen.exec.iter().flat_map(|exec| &exec.at_hand).filter(|at_hand| at_hand.program == "aws");
    let names_users = at_hand.clone().next().is_some() && at_hand.clone().all(|aws| aws.version.names_users());
    let names = [("--alias", Some(&chosen.context)), ("--user-alias", Some(&chosen.user).filter(|_| names_users))];
    let own = names.into_iter().filter_map(|(flag, name)| Some((flag, name?)));
    let own = own.filter(|(_, name)| !name.is_empty() && !name.starts_with("arn:"));
    own.flat_map(|(flag, name)| [flag.to_owned(), name.clone()])
}

/// What the programs at hand would write into a kubeconfig now: "the aws at hand (2.31.0, /usr/bin/aws) writes v1beta1".
pub(super) fn written_now(exec: &ExecFacts) -> Vec<String> {
    let one = |at_hand: &WriterFacts| {
        let WriterFacts { program, path, version } = at_hand;
        let writes = writers::writes(program, version)?;
        Some(format!("the {program} at hand ({version}, {}) writes {writes}", path.display()))
    };
    exec.at_hand.iter().filter_map(one).collect()
}

/// What is to be upgraded, so that this program writes, and answers, what every client takes. `None`: it does already, or it is not
/// known which it is.
pub(super) fn upgrade(exec: &ExecFacts, program: &str) -> Option<String> {
    let WriterFacts { version, path, .. } = exec.at_hand.iter().find(|at_hand| at_hand.program == program)?;
    let old = writers::writes(program, version) == Some(ExecApiVersion::V1Alpha1)
        || writers::answers_what_is_asked(program, version) == Some(false);
    let since = writers::cured_since(program, version).filter(|_| old)?;
    Some(format!("upgrade {program} {version} ({}) to {since} or newer", path.display()))
}

/// Who wrote such an entry, as far as it shows.
pub(super) fn writer(exec: &ExecFacts) -> String {
    let alpha = exec.api_version.ends_with("/v1alpha1");
    let program = exec.command.rsplit('/').next().unwrap_or_default();
    match program {
        "aws" if exec.args.iter().any(|word| word == "get-token") && alpha => {
            let [aws, eksctl] = ["aws", "eksctl"].map(writers::cured);
            format!("an aws older than {aws} wrote it by `aws eks update-kubeconfig`, or an eksctl older than {eksctl}")
        }
        "aws" if exec.args.iter().any(|word| word == "get-token") => "`aws eks update-kubeconfig` or eksctl wrote it".into(),
        "aws-iam-authenticator" | "heptio-authenticator-aws" => {
            "eksctl, or a person after aws-iam-authenticator's own guide, wrote it".into()
        }
        "karpctl" => "karpctl wrote it".into(),
        _ => format!("it runs {program}"),
    }
}
