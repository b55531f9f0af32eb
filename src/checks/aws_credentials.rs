//! Whether there are AWS credentials, and whose they are.

use super::{Check, Judged, Judgement, Situation};
use crate::facts::{OFFLINE, Probed, Topic};
use crate::finding::Area;
use crate::knowledge::{Lapsed, MfaProfile, may_be_of_another_partition};
use crate::spec::ClusterMode;

pub(super) struct AwsCredentials;

impl Check for AwsCredentials {
    fn id(&self) -> &'static str {
        "aws-credentials"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "Every other look into AWS stands on them, and those of another account make a second set of everything there."
    }

    fn explain(&self) -> &'static str {
        "Asks STS who the caller is, which takes no permission and no cluster.\n\nWhat people see where there are no credentials or they have \
         ended: `ExpiredToken: The security token included in the request is expired`, `ExpiredTokenException`, \
         `InvalidClientTokenId: The security token included in the request is invalid`, `UnrecognizedClientException`, `Unable to locate \
         credentials. You can configure credentials by running \"aws configure\"`, `Error loading SSO Token: Token for … does not exist`. A job \
         that asks for longer than its role lets it: `The requested DurationSeconds exceeds the MaxSessionDuration set for this role`.\n\n\
         Cure: log in again (`aws sso login`), name a profile (--profile or AWS_PROFILE), or give AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows whose are in use. Where no region is set, us-east-1 is asked, which \
         knows no keys of China or GovCloud: --region or AWS_REGION names one of theirs. A profile with mfa_serial works with aws, which asks for the \
         code, and not with its SDK, which karpctl is built on: aws exports what it gets (`aws configure export-credentials`). Keys in the \
         environment that end within half an hour (AWS_CREDENTIAL_EXPIRATION) end in the middle of a bootstrap that makes a cluster; where none is to be made, \
         or none is looked for, it is ten minutes. A role lends itself for an hour until it is told otherwise: \
         `aws iam update-role --role-name ROLE --max-session-duration 7200`. A clock that is off looks the same: see clock-skew."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Caller]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let who = ["aws", "sts", "get-caller-identity"];
        Ok(vec![match &situation.facts.caller {
            Probed::Known(caller) => {
                let (subject, who) = (format!("account {}", caller.account), format!("the caller is {}", caller.arn));
                // Known where another check reads it: this one asks for nothing that takes a cluster, or a permission.
                let none_yet = situation.facts.cluster == Probed::Absent;
                let makes_one = none_yet && situation.spec.is_some_and(|spec| spec.cluster == ClusterMode::Managed);
                let (whole_way, what) = if makes_one { WITH_A_CLUSTER } else { WITHOUT };
                // Where STS took them though their end is past, it is that of others, which was left over in the environment.
                match caller.good_for.filter(|left| (1..whole_way).contains(left)) {
                    None => Judgement::pass(subject, who),
                    Some(left) => {
                        let minutes = (left + 59) / 60;
                        let message = format!("{who}, whose credentials end within {minutes} min: {what}");
                        Judgement::warn(subject, message)
                            .fix("have whatever gave them (aws-vault, granted, `aws configure export-credentials`) give new ones first")
                    }
                }
            }
            Probed::Absent => Judgement::fail("AWS credentials", "there are none").run("see what aws finds", who),
            Probed::Unavailable(reason) if reason == OFFLINE => return Err(Judgement::skip("AWS credentials", reason)),
            // So reads a question that nobody answered; an answer that says no has no place.
            Probed::Unavailable(reason) if reason.contains("sts:GetCallerIdentity at ") => Judgement::fail("AWS credentials", reason)
                .fix("check the network, the region, HTTPS_PROXY and NO_PROXY, and AWS_ENDPOINT_URL if it is set"),
            Probed::Unavailable(reason) => {
                if let Some(help) = of_profile(reason) {
                    let judgement = Judgement::fail("AWS credentials", reason).fix(help);
                    return Ok(vec![judgement.fix("name another profile: --profile, or AWS_PROFILE")]);
                }
                let judgement = Judgement::fail("AWS credentials", reason);
                let lapsed = Lapsed::read(reason);
                let judgement = match lapsed {
                    Some(Lapsed::Sso) => judgement.run("log in again", ["aws", "sso", "login"]),
                    _ => judgement,
                };
                let judgement = judgement.run("see what aws finds", who);
                let judgement = match lapsed {
                    Some(Lapsed::Others) => {
                        judgement.fix("log in again: `aws sso login`, or whatever gave you the credentials that have ended")
                    }
                    _ => judgement,
                };
                let judgement = judgement.run("see which profiles there are", PROFILES);
                let judgement = if may_be_of_another_partition(reason) {
                    judgement.fix("or, where they are of another partition, name a region of theirs: --region, or AWS_REGION")
                } else {
                    judgement
                };
                match &situation.meant.profile {
                    Some(_) => judgement.fix("name another profile: --profile, or AWS_PROFILE"),
                    None => judgement.fix("name a profile: --profile, or AWS_PROFILE"),
                }
            }
            Probed::NotAsked => return Err(Judgement::skip("AWS credentials", "were not looked at")),
        }])
    }
}

/// How many seconds the whole way may take, a cluster's making and its nodes' included, and what is said where they are not left.
const WITH_A_CLUSTER: (i64, &str) = (30 * 60, "a bootstrap that makes a cluster takes longer");
/// The same where no cluster is made.
const WITHOUT: (i64, &str) = (10 * 60, "a bootstrap may take longer");

const PROFILES: [&str; 3] = ["aws", "configure", "list-profiles"];

/// What helps where it is the profile itself that is wrong, by the words of who read the configuration.
fn of_profile(reason: &str) -> Option<String> {
    if let Some(profile) = MfaProfile::read(reason) {
        return Some(profile.help());
    }
    let helps = [
        ("there is no profile `", "see which there are: `aws configure list-profiles`"),
        (" (source_profile), which is not in ", "see which there are: `aws configure list-profiles`"),
        (" has no section [sso-session ", "`aws configure sso-session` writes one"),
        ("cannot read the AWS configuration", "mend the file there; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name others"),
    ];
    helps.into_iter().find(|(words, _)| reason.contains(words)).map(|(_, help)| help.to_owned())
}
