//! Whether a log-in to the chart registry keeps helm from pulling what anybody may pull.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{LoginOwner, LoginState, RegistryLogin as Login, Topic};
use crate::finding::Area;

pub(super) struct RegistryLogin;

/// The registry of Karpenter's charts: it lets anybody pull, and its log-ins end after twelve hours.
const PUBLIC_ECR: &str = "public.ecr.aws";

impl Check for RegistryLogin {
    fn id(&self) -> &'static str {
        "registry-login"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "Anybody may pull Karpenter's chart, but for somebody whose login to public.ecr.aws has ended: a docker login of last week is enough."
    }

    fn explain(&self) -> &'static str {
        "Reads helm's registry configuration (HELM_REGISTRY_CONFIG, HELM_CONFIG_HOME), then docker's (DOCKER_CONFIG, ~/.docker/config.json), as \
         helm does: `credHelpers`, `credsStore`, `auths`. A credential helper is looked for and asked, as helm would ask it; an ECR token \
         says itself until when it holds.\n\nWhat people see: `unexpected status from HEAD request to https://public.ecr.aws/v2/karpenter/\
         karpenter/manifests/…: 403 Forbidden`, the same with `400 Bad Request`, `error getting credentials`, `docker-credential-…\": \
         executable file not found in $PATH`.\n\nCure: log out of the one whose file it is; then the other's shows, if there is one. `karpctl install` runs helm without any of these files, unless one is \
         named with --registry-config: only then does it fail, else it warns of what helm by hand will meet."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::RegistryLogin]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        Ok(vec![match read("chart registry", &situation.facts.registry_login)? {
            Some(login) => judge(login),
            None => Judgement::pass("chart registry", "helm pulls the chart as anybody does"),
        }])
    }
}

fn judge(login: &Login) -> Judgement {
    let Login { host, owner, named, state, .. } = login;
    let file = login.file.display().to_string();
    let subject = format!("{host}, by {file}");
    let wrong = |message: String| {
        let judgement = if *named {
            Judgement::fail(&subject, message)
        } else {
            Judgement::warn(&subject, format!("{message}: helm by hand cannot pull the chart (karpctl's does not use it)"))
        };
        judgement.at(&file, None)
    };
    let out_or_in = |judgement: Judgement| {
        // Who may pull as anybody needs no log-in.
        let (title, verb) = if host == PUBLIC_ECR || !named { ("log out", "logout") } else { ("log in again", "login") };
        let of = if *named { vec!["--registry-config", &file] } else { Vec::new() };
        match owner {
            LoginOwner::Helm => judgement.run(title, [&["helm", "registry", verb, host][..], &of].concat()),
            LoginOwner::Docker => judgement.run(title, ["docker", verb, host]),
        }
    };
    match state {
        LoginState::Unreadable(why) => wrong(format!("cannot be read: {why}")).fix(format!("mend {file}, or move it away")),
        LoginState::NoHelper { helper } => wrong(format!("names the credential helper {helper}, which is not on PATH"))
            .fix(format!("install {helper}, or take credsStore or credHelpers out of {file}")),
        LoginState::HelperFailed { helper, why } => wrong(format!("{helper} fails: {why}"))
            .run("ask it by hand", ["sh".to_owned(), "-c".to_owned(), format!("echo {host} | {helper} get")])
            .fix(format!("mend it, or take credsStore or credHelpers out of {file}")),
        LoginState::Kept { ended: Some(true), .. } => out_or_in(wrong("keeps a login that has ended".into())),
        LoginState::Kept { ended: Some(false), .. } => Judgement::pass(subject, "keeps a login that holds"),
        LoginState::Kept { ended: None, helper } if host == PUBLIC_ECR => {
            let by = helper.as_ref().map_or(String::new(), |helper| format!(" (in {helper})"));
            let message =
                format!("keeps a login{by}, which nobody needs and which ends after 12 hours; pulls then fail with 403 Forbidden");
            out_or_in(Judgement::warn(&subject, message).at(&file, None))
        }
        LoginState::Kept { .. } if *named => Judgement::pass(subject, "keeps a login"),
        LoginState::Kept { .. } => {
            Judgement::pass(subject, format!("keeps a login, which karpctl uses where it is named: --registry-config {file}"))
        }
    }
}
