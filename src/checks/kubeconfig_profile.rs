//! Whether the kubeconfig's plugin works with the AWS profile that everything else here works with.

use super::exec::{ALONE, Used, each_plugin};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ExecFacts, Probed, Topic};
use crate::finding::Area;
use crate::spec::Spec;

pub(super) struct KubeconfigProfile;

impl Check for KubeconfigProfile {
    fn id(&self) -> &'static str {
        "kubeconfig-profile"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "`aws eks update-kubeconfig` writes the profile of that moment into the kubeconfig: helm then goes to the cluster as somebody else than you are in AWS."
    }

    fn explain(&self) -> &'static str {
        "Compares the profile that the kubeconfig's plugin is given (AWS_PROFILE in its `env`, or --profile in its `args`) with the one in use \
         (--profile, else keys in the environment, else AWS_PROFILE), and the account in the names that aws gives its entries with the account of the credentials. The \
         kubeconfig's goes before the environment's, and a --profile of karpctl's is not heard by a plugin that names none. Of a profile that is not the one in use STS is asked which account it is of, and of a \
         role that the plugin takes its ARN says it: that must be the cluster's account.\n\nWhat people see: `The config profile (…) could not be found` in a pipeline, or `You \
         must be logged in to the server`, `the server has asked for the client to provide credentials`.\n\nCure: have aws write the entry with \
         the profile that is meant, or take it out of the entry in a pipeline. `karpctl install` has a kubeconfig of its own and does not care."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        each_plugin(situation, |used, exec| judge(situation.spec, used, exec))
    }
}

fn judge(spec: Option<&Spec>, used: &Used<'_>, exec: &ExecFacts) -> Judgement {
    let file = used.chosen.user_file.as_ref().map(|f| f.display().to_string()).unwrap_or_default();
    let subject = used.subject.clone();
    let of_account = [&used.chosen.user, &used.chosen.context].into_iter().find_map(|name| account_in(name));
    if let Some((spec, account)) = spec.zip(of_account).filter(|(spec, account)| spec.account_id.as_str() != *account) {
        return Judgement::warn(
            subject,
            format!("is a cluster of account {account}, and the credentials are of account {}", spec.account_id),
        )
        .at(file, Some(exec.line))
        .fix("name the context of the cluster that is meant: --context; or a profile of that account: --profile");
    }
    if let Some(elsewhere) = of_other_account(spec, of_account, exec) {
        return Judgement::warn(subject, elsewhere)
            .at(file, Some(exec.line))
            .fix("have the entry written anew with a profile of the cluster's account: `aws eks update-kubeconfig --profile PROFILE`")
            .fix("or have the cluster let that role in: an access entry, or a row in aws-auth, may name one of another account");
    }
    let Some(pinned) = &exec.profile else {
        return match super::exec::by_profile_in_use(used.chosen, exec) {
            Some((profile, anew)) => {
                let message = format!("names no profile, so the plugin asks without {profile}: {ALONE}");
                Judgement::warn(subject, message)
                    .at(file, Some(exec.line))
                    .run("have the entry written anew with that profile", anew)
                    .fix(format!("or use the same everywhere: AWS_PROFILE={profile} in place of --profile"))
            }
            None => Judgement::pass(subject, "names no profile of its own"),
        };
    };
    let in_use = exec.profile_in_use.as_deref();
    if exec.keys_go_first {
        let message = format!("the keys in AWS_ACCESS_KEY_ID go before the profile {pinned}");
        return match in_use {
            None => Judgement::pass(subject, message),
            Some(profile) => Judgement::warn(subject, format!("{message}, and {profile} is in use here"))
                .at(file, Some(exec.line))
                .fix("unset AWS_ACCESS_KEY_ID, or do without --profile: the plugin and all else then ask as the same"),
        };
    }
    if exec.other_profile().is_none() {
        return Judgement::pass(subject, format!("uses the profile {pinned}, as everything here does"));
    }
    let other = in_use.map_or_else(|| "no profile is in use here".to_owned(), |profile| format!("{profile} is in use here"));
    let account = match &exec.profile_account {
        Probed::Known(account) => format!(", in account {account} as the cluster"),
        Probed::Unavailable(reason) => format!("; of which account it is could not be read: {reason}"),
        Probed::Absent | Probed::NotAsked => String::new(),
    };
    let message = format!("{file} has the plugin use the profile {pinned}, and {other}{account}");
    let judgement = Judgement::warn(subject, message).at(file, Some(exec.line));
    let judgement = match super::exec::eks_cluster(exec) {
        Some(_) => {
            let here = ExecFacts { profile: in_use.map(str::to_owned), ..exec.clone() };
            let anew = super::exec::update_kubeconfig(used.chosen, &here).unwrap_or_default();
            judgement
                .run(format!("have the entry written anew with {}", in_use.map_or("no profile", |_| "the profile that is in use")), anew)
        }
        None => judgement,
    };
    judgement.fix(format!("or use the same everywhere: --profile {pinned}, or AWS_PROFILE={pinned}"))
}

/// That the plugin asks as somebody of another account than the cluster's: by the role that it takes, else by the kubeconfig's profile.
fn of_other_account(spec: Option<&Spec>, named: Option<&str>, exec: &ExecFacts) -> Option<String> {
    let cluster = named.or(spec.map(|spec| spec.account_id.as_str()))?;
    let (who, account) = match (exec.role(), &exec.profile_account) {
        (Some(role), _) => (format!("takes the role {role}"), role.split(':').nth(4)?),
        (None, Probed::Known(account)) => (format!("uses the profile {}", exec.profile.as_deref()?), account.as_str()),
        (None, _) => return None,
    };
    let of_another = account != cluster && !account.is_empty();
    of_another.then(|| format!("{who}, which is of account {account}, and the cluster is of account {cluster}: its API server lets in no other's roles that it does not know"))
}

/// The account in the name that aws gives: `arn:aws:eks:us-west-2:111122223333:cluster/demo`.
fn account_in(name: &str) -> Option<&str> {
    let mut parts = name.strip_prefix("arn:")?.split(':');
    let (service, account) = (parts.nth(1)?, parts.nth(1)?);
    (service == "eks").then_some(account)
}

#[cfg(test)]
mod tests {
    use super::account_in;

    #[test]
    fn an_account_is_found_in_the_names_that_aws_gives() {
        assert_eq!(account_in("arn:aws-cn:eks:cn-north-1:111122223333:cluster/demo"), Some("111122223333"));
        for name in ["demo", "arn:aws:iam::111122223333:role/x", "arn:aws:eks", ""] {
            assert_eq!(account_in(name), None, "{name}");
        }
    }
}
