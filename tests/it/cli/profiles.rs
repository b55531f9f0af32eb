//! A profile that is not there, or whose credentials come from what is not: said before a region is missed.

use super::{Ended, Shell};
use crate::adapters::serve;

const CONFIG: &str = "[profile dev]
region = us-west-2
aws_access_key_id = k
aws_secret_access_key = s
[profile none]
region = us-west-2
[profile chain]
region = us-west-2
role_arn = arn:aws:iam::111122223333:role/other
source_profile = devv
[profile sso]
region = us-west-2
sso_session = crop
sso_account_id = 111122223333
sso_role_name = admin
[sso-session corp]
sso_region = us-west-2
sso_start_url = https://127.0.0.1:9/start
";

fn shell(config: &str) -> Shell {
    let shell = Shell::new().env("AWS_MAX_ATTEMPTS", "1");
    std::fs::create_dir(shell.dir.path().join(".aws")).unwrap();
    shell.file(".aws/config", config)
}

#[track_caller]
fn says(ended: &Ended, lines: &[&str]) {
    let lines = [lines, &["hint: `karpctl explain credentials` says what is meant by such an error"]].concat();
    assert_eq!((ended.code, ended.stderr.lines().collect::<Vec<_>>()), (1, lines));
}

#[test]
fn a_profile_that_is_not_there_is_named_with_the_nearest() {
    let lines = |by: &str, rest: &[&'static str]| {
        let first = format!("error: there is no profile `dve` ({by}) in ~/.aws/config or ~/.aws/credentials");
        [vec![first], rest.iter().map(|&line| line.to_owned()).collect()].concat()
    };
    let hints = ["hint: did you mean `dev`?", "hint: see which there are: `aws configure list-profiles`"];
    for words in [&["bootstrap", "--cluster-name", "demo"][..], &["status", "--cluster-name", "demo"], &["init", "--defaults"]] {
        let ended = shell(CONFIG).env("AWS_PROFILE", "dve").run(words);
        says(&ended, &lines("AWS_PROFILE", &hints).iter().map(String::as_str).collect::<Vec<_>>());
        let ended = shell(CONFIG).run(&[words, &["--profile", "dve"]].concat());
        says(&ended, &lines("--profile", &hints).iter().map(String::as_str).collect::<Vec<_>>());
    }
    let nothing = ["hint: there is no profile at all: `aws configure sso`, or `aws configure` for keys, makes one"];
    let ended = Shell::new().env("AWS_PROFILE", "dve").run(&["status", "--cluster-name", "demo"]);
    says(&ended, &lines("AWS_PROFILE", &nothing).iter().map(String::as_str).collect::<Vec<_>>());
    let elsewhere = shell(CONFIG).file("mine", "").env("AWS_CONFIG_FILE", "mine").env("AWS_PROFILE", "dev");
    let ended = elsewhere.run(&["status", "--cluster-name", "demo"]);
    assert!(ended.stderr.contains("`dev` (AWS_PROFILE) in mine (AWS_CONFIG_FILE) or ~/.aws/credentials"), "{}", ended.stderr);
}

/// aws asks for the profile all the same; its SDKs take the keys.
#[test]
fn keys_beside_a_profile_that_is_not_there_are_taken() {
    let keys = || shell(CONFIG).env("AWS_PROFILE", "dve").env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s");
    let ended = keys().run(&["status", "--cluster-name", "demo", "--region", "us-west-2"]);
    assert!(ended.stderr.contains("sts:GetCallerIdentity at "), "{}", ended.stderr);
    // What the profile was to say is missing.
    let ended = keys().run(&["status", "--cluster-name", "demo"]);
    assert!(ended.stderr.starts_with("error: there is no profile `dve`"), "{}", ended.stderr);
}

#[test]
fn what_a_profile_takes_its_credentials_from_must_be_there() {
    let status = |profile: &str| shell(CONFIG).env("AWS_PROFILE", profile).run(&["status", "--cluster-name", "demo"]);
    says(
        &status("chain"),
        &[
            "error: the profile `chain` takes its credentials from the profile `devv` (source_profile), which is not in ~/.aws/config or ~/.aws/credentials",
            "hint: did you mean `dev`?",
            "hint: see which there are: `aws configure list-profiles`",
        ],
    );
    says(
        &status("sso"),
        &[
            "error: the profile `sso` names the sso-session `crop`, and ~/.aws/config has no section [sso-session crop]",
            "hint: did you mean `corp`?",
            "hint: `aws configure sso-session` writes one",
        ],
    );
    assert!(status("none").stderr.contains("there are no AWS credentials: the profile `none` of AWS_PROFILE has none"));
    let named = shell(CONFIG).run(&["status", "--cluster-name", "demo", "--profile", "none"]);
    assert!(named.stderr.contains("caused by: the profile `none` names no credentials\nhint: give it some: "), "{}", named.stderr);
}

#[test]
fn a_configuration_that_cannot_be_read_is_shown_where() {
    let broken = shell("# mine\n[profile dev\nregion = us-west-2\n").env("AWS_PROFILE", "dev");
    let file = broken.dir.path().join(".aws/config");
    let ended = broken.run(&["status", "--cluster-name", "demo"]);
    let said = format!("error: cannot read the AWS configuration\n  caused by: {}, line 2: ", file.display());
    assert!(ended.code == 1 && ended.stderr.starts_with(&said), "{}", ended.stderr);
}

#[test]
fn a_doctor_finds_it_and_says_what_helps_there() {
    for (profile, said, helps) in [
        ("dve", "there is no profile `dve`", "see which there are: `aws configure list-profiles`"),
        ("chain", "the profile `devv` (source_profile)", "see which there are: `aws configure list-profiles`"),
        ("sso", "no section [sso-session crop]", "`aws configure sso-session` writes one"),
    ] {
        let ended = shell(CONFIG).run(&["doctor", "--only", "aws-credentials", "--profile", profile, "-o", "json"]);
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let finding = &report["checks"][0];
        assert!(finding["message"].as_str().unwrap().contains(said), "{finding}");
        assert_eq!(finding["fixes"][0]["title"], helps);
        assert!(!finding.to_string().contains("aws sso login"), "{finding}");
    }
}

/// What STS answers who asks for a role without the code that its trust policy wants.
const REFUSED: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
<Message>User: arn:aws:iam::111122223333:user/me is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/Admin\
</Message></Error></ErrorResponse>";

/// aws asks for the code at the terminal; the SDK passes over the setting.
#[test]
fn a_profile_that_wants_an_mfa_code_is_told_with_the_command_that_has_it_asked() {
    let mfa = "[profile prod]\nregion = us-west-2\nrole_arn = arn:aws:iam::111122223333:role/Admin\nsource_profile = dev\n";
    let mfa = format!("{CONFIG}{mfa}mfa_serial = arn:aws:iam::111122223333:mfa/me\n");
    let beyond =
        format!("{mfa}[profile beyond]\nregion = us-west-2\nrole_arn = arn:aws:iam::444455556666:role/Admin\nsource_profile = prod\n");
    let (url, _) = serve(|_| ("403 Forbidden".into(), REFUSED.into()));
    let at = |config: &str| shell(config).env("AWS_ENDPOINT_URL", &url);
    for profile in ["prod", "beyond"] {
        let help = format!(
            "have aws (2.9 or newer) ask for it: `eval \"$(aws configure export-credentials --profile {profile} --format env)\"`, then \
             `export AWS_PROFILE={profile}` in place of --profile"
        );
        let said = format!("the role of the profile `{profile}` wants an MFA code (mfa_serial), for which karpctl cannot ask");
        for words in [["bootstrap", "--cluster-name", "demo"], ["status", "--cluster-name", "demo"], ["token", "--cluster-name", "demo"]] {
            for ended in
                [at(&beyond).env("AWS_PROFILE", profile).run(&words), at(&beyond).run(&[&words[..], &["--profile", profile]].concat())]
            {
                let (cause, hint) = (format!("  caused by: {said}\n  caused by: "), format!("hint: {help}\n"));
                assert!(ended.code == 1 && ended.stderr.contains(&cause) && ended.stderr.contains(&hint), "{}", ended.stderr);
                assert!(ended.stderr.contains("not authorized to perform: sts:AssumeRole"), "{}", ended.stderr);
            }
        }
        let ended = at(&beyond).run(&["doctor", "--only", "aws-credentials", "--profile", profile, "-o", "json"]);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let finding = &report["checks"][0];
        assert!(finding["message"].as_str().unwrap().contains(&said), "{finding}");
        assert_eq!(finding["fixes"][0]["title"], help.as_str());
    }
    // Whom a role refuses that wants no code is not told of one.
    let plain = mfa.replace("mfa_serial", "external_id");
    let ended = at(&plain).run(&["status", "--cluster-name", "demo", "--profile", "prod"]);
    assert!(ended.stderr.contains("sts:AssumeRole") && !ended.stderr.contains("MFA"), "{}", ended.stderr);
}

const WHO: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
    <Arn>arn:aws:iam::111122223333:user/me</Arn><UserId>AIDA</UserId><Account>111122223333</Account></GetCallerIdentityResult>\
    </GetCallerIdentityResponse>";

/// A log-in program writes a profile's keys anew when they end; what asks goes on with those.
#[test]
fn keys_of_a_profile_that_are_renewed_in_the_middle_of_a_run_are_taken() {
    // The account stands in the key: the first two are of 111122223333, the last of 444455556666.
    let [old_key, new_key, other_key] = ["ASIARTX3GSDSQUOLDOLD", "ASIARTX3GSDSQUNEWNEW", "ASIAWO645SY5AUNEWNEW"];
    // Once the old ones have ended, whoever asks by them is refused; the answer to that is what has them written anew.
    let run = |to: &'static str, by: &[&str]| {
        let profile = by.last().unwrap_or(&"default");
        let keys = format!("[{profile}]\naws_access_key_id = {old_key}\naws_secret_access_key = s\naws_session_token = t\n");
        let shell = shell("").file(".aws/credentials", &keys);
        let file = shell.dir.path().join(".aws/credentials");
        let (url, asked) = serve(move |asked| {
            if asked.line().starts_with("GET /clusters/demo ")
                && asked.headers().contains(&format!("credential={}/", old_key.to_lowercase()))
            {
                let text = std::fs::read_to_string(&file).unwrap();
                std::fs::write(&file, text.replace(old_key, to)).unwrap();
                return (
                    "403 Forbidden".into(),
                    r#"{"__type": "ExpiredTokenException", "message": "The security token is expired"}"#.into(),
                );
            }
            match asked.line() {
                line if line.starts_with("GET /clusters/demo ") => ("200 OK".into(), super::destroy::CLUSTER.into()),
                line if line.starts_with("POST / ") => ("200 OK".into(), WHO.into()),
                _ => ("200 OK".into(), "{}".into()),
            }
        });
        let shell = shell.env("AWS_ENDPOINT_URL", &url).env("AWS_MAX_ATTEMPTS", "3");
        let ended = shell.run(&[&["destroy", "--dry-run"], &super::OFFLINE[..], by].concat());
        let signed = |key: &str| format!("credential={}/", key.to_lowercase());
        let by = |key: &str| asked.lock().unwrap().iter().filter(|a| a.headers().contains(&signed(key))).count();
        (ended, by(old_key), by(to))
    };
    for by in [&[][..], &["--profile", "dev"]] {
        let (ended, old, new) = run(new_key, by);
        assert_eq!(ended.code, 0, "{by:?}: {}", ended.stderr);
        assert!(old == 2 && new > 2, "who asks, the cluster, and all the rest by new ones: {old} {new}");
        let (ended, old, _) = run(old_key, by);
        assert!(ended.code == 1 && ended.stderr.contains("expired"), "{by:?}: {} {}", ended.code, ended.stderr);
        assert_eq!(old, 4, "asked for again, and given up");
        // Whoever logs in to another account meanwhile does not take the run there.
        let (ended, old, other) = run(other_key, by);
        assert_eq!((ended.code, old, other), (1, 4, 0), "{by:?}: {}", ended.stderr);
    }
}

/// Nobody gives new ones in the place of keys in the environment.
#[test]
fn keys_that_end_in_the_middle_of_a_bootstrap_are_told() {
    let (url, _) = serve(|_| ("200 OK".into(), WHO.into()));
    let asked = |minutes: i64, by: &str, profile: &[&str]| {
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
        let keys = shell(CONFIG).env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_REGION", "us-west-2");
        let ended = keys.env("AWS_ENDPOINT_URL", &url).env(by, &end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let ended = ended.run(&[&["doctor", "--only", "aws-credentials", "-o", "json"], profile].concat());
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        report["checks"][0]["message"].as_str().unwrap().to_owned()
    };
    for by in ["AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION"] {
        let said = asked(6, by, &[]);
        assert!(said.contains("whose credentials end within 6 min: a bootstrap may take longer"), "{said}");
        // An hour's session goes on being good for what is there; and STS took these, whatever ended before.
        for minutes in [25, -5] {
            assert_eq!(asked(minutes, by, &[]), "the caller is arn:aws:iam::111122223333:user/me");
        }
        assert_eq!(asked(6, by, &["--profile", "dev"]), "the caller is arn:aws:iam::111122223333:user/me");
    }
}
