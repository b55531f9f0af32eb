//! Whether the context's user has a credential that each client can use.

use super::exec::{Used, each_used, in_file, make, under_its_names, update_kubeconfig};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::exec::is_asked;

pub(super) struct ExecCredentials;

impl Check for ExecCredentials {
    fn id(&self) -> &'static str {
        "exec-credentials"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "A token, a certificate or a password beside the plugin goes before it, and one that is broken keeps the client from asking at all."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        each_used(situation, |used| judge(situation, used))
    }
}

fn judge(situation: &Situation<'_>, used: &Used<'_>) -> Judgement {
    let chosen = used.chosen;
    if let Some(problem) = &chosen.user_problem {
        let file = chosen.files.first().map(|f| f.display().to_string()).unwrap_or_default();
        let user = if chosen.user.is_empty() { "(none)" } else { &chosen.user };
        let anew = chosen.exec.as_ref().and_then(|exec| update_kubeconfig(used.chosen, exec));
        let made = || make(situation).into_iter().chain(in_file(chosen)).chain(under_its_names(chosen)).collect();
        let place = if file.is_empty() { String::new() } else { format!(" in {file}") };
        return Judgement::fail(used.subject.clone(), format!("users[name={user}]{place}: {problem}"))
            .at(file, None)
            .run("have the user written anew", anew.unwrap_or_else(made));
    }
    let subject = used.subject.clone();
    if chosen.exec.is_none() {
        return Judgement::pass(subject, if chosen.token { "a token is given" } else { "a client certificate is given" });
    }
    if is_asked(chosen.token, chosen.certificate, &used.build) {
        return Judgement::pass(subject, "the plugin is asked");
    }
    let what = if chosen.token { "a token" } else { "a client certificate" };
    let judgement = Judgement::warn(subject, format!("{what} beside the plugin is used instead of it"));
    let Some(file) = chosen.user_file.as_ref().filter(|_| !chosen.beside.is_empty()) else {
        return judgement.fix(format!("take {what} out of the user's entry"));
    };
    chosen.beside.iter().fold(judgement, |judgement, field| {
        let entry = format!("users.{}.{field}", chosen.user);
        let command = ["kubectl", "config", "unset", &entry, "--kubeconfig", &file.display().to_string()];
        judgement.run(format!("take {field} out of the user's entry"), command)
    })
}
