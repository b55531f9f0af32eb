//! Whether the credential plugin, run as the client runs it, answers what the client takes.

use super::exec::{ALONE, Used, by_aws, by_profile_in_use, each_plugin, eks_cluster, update_kubeconfig, upgrade};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ExecFacts, PluginRun, Topic};
use crate::finding::Area;
use crate::knowledge::{Lapsed, writers};

pub(super) struct ExecAnswer;

impl Check for ExecAnswer {
    fn id(&self) -> &'static str {
        "exec-answer"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "A client refuses every answer that is not of the version it asked for, and an old aws answers v1alpha1 whatever it is asked."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        each_plugin(situation, |used, exec| match &exec.run {
            Some(run) => judge(used, exec, run),
            None => Judgement::skip(used.subject.clone(), "the client does not get to run the plugin, or uses another credential"),
        })
    }
}

fn judge(used: &Used<'_>, exec: &ExecFacts, run: &PluginRun) -> Judgement {
    let complaint = if run.stderr.is_empty() { String::new() } else { format!("; it says: {}", run.stderr.join(" / ")) };
    let fail = |message: String| Judgement::fail(used.subject.clone(), format!("getting credentials: {message}{complaint}"));
    if let Some(how) = &run.ended {
        // An end that the program itself came to, in the words of client-go; else why it came to none.
        let by_itself = ["exit code ", "signal "].iter().any(|end| how.starts_with(end));
        let judgement =
            fail(if by_itself { format!("exec: executable {} failed with {how}", exec.command) } else { format!("exec: {how}") });
        let command = std::iter::once(exec.command.clone()).chain(exec.args.iter().cloned());
        let judgement = log_in(exec, run, judgement);
        let judgement = match &exec.profile {
            Some(profile) => {
                judgement.run_verbatim("run it by hand: it uses the profile that the kubeconfig names", by_hand(profile, command))
            }
            None => judgement.run_verbatim("run it by hand, and mend what it complains of", command),
        };
        return match by_profile_in_use(used.chosen, exec) {
            Some((profile, anew)) => judgement.run(format!("or have the entry written anew with the profile {profile}: {ALONE}"), anew),
            None => judgement,
        };
    }
    let Some(why) = &run.refused else {
        let pass = format!("the plugin answers {}", run.api_version.as_deref().unwrap_or("a credential"));
        if run.stderr.is_empty() {
            return Judgement::pass(used.subject.clone(), pass);
        }
        return Judgement::warn(used.subject.clone(), format!("{pass}, and complains{complaint}"))
            .fix("clients pass this on; a script that reads their standard error may stumble over it");
    };
    let judgement = fail(why.clone());
    let old = run.api_version.as_deref().is_some_and(|v| v.ends_with("/v1alpha1")) && !exec.api_version.ends_with("/v1alpha1");
    let program = exec.command.rsplit('/').next().unwrap_or_default();
    let judgement = match program {
        _ if upgrade(exec, program).is_some() => {
            judgement.fix(upgrade(exec, program).unwrap_or_default() + ": older ones do not answer the version that they are asked for")
        }
        "aws" if old => {
            judgement.fix(format!("upgrade aws to {} or newer: older ones answer v1alpha1 whatever they are asked", writers::cured("aws")))
        }
        "aws-iam-authenticator" if old => {
            judgement.fix(format!("upgrade {program} to {} or newer, or use `aws eks get-token`", writers::cured(program)))
        }
        _ => judgement.fix(format!("mend or replace the plugin {}", exec.command)),
    };
    let judgement = match by_aws(used, exec) {
        Some(anew) => judgement.run("have the entry written anew: it then runs aws", anew),
        None => judgement,
    };
    match (eks_cluster(exec), update_kubeconfig(used.chosen, exec)) {
        (Some((cluster, region)), _) if exec.role().is_none() => {
            let mut command = ["karpctl", "token", "--cluster-name", cluster].map(str::to_owned).to_vec();
            let flags = [("--region", region), ("--profile", exec.profile.as_deref())];
            command.extend(flags.into_iter().filter_map(|(flag, value)| Some([flag, value?])).flatten().map(str::to_owned));
            judgement.run("or let the kubeconfig run karpctl, which answers every version: these words are its command and args", command)
        }
        // `karpctl token` takes no role.
        (_, Some(anew)) if program == "aws" => {
            judgement.run(format!("or have the entry written anew by aws {} or newer", writers::cured("aws")), anew)
        }
        _ => judgement,
    }
}

/// Where the plugin complains of credentials that have ended: what gives new ones to the profile by which it asks.
fn log_in(exec: &ExecFacts, run: &PluginRun, judgement: Judgement) -> Judgement {
    match run.stderr.iter().find_map(|line| Lapsed::read(line)) {
        Some(Lapsed::Sso) => {
            let profile = exec.profile.as_ref().or(exec.profile_in_use.as_ref().filter(|_| !exec.by_flag_alone));
            let of = profile.into_iter().flat_map(|profile| ["--profile", profile]);
            judgement.run_verbatim("log in again", ["aws", "sso", "login"].into_iter().chain(of))
        }
        Some(Lapsed::Others) => judgement.fix("log in again: `aws sso login`, or whatever gave you the credentials that have ended"),
        None => judgement,
    }
}

fn by_hand(profile: &str, command: impl Iterator<Item = String>) -> Vec<String> {
    ["env".to_owned(), format!("AWS_PROFILE={profile}")].into_iter().chain(command).collect()
}
