//! What the doctor finds on this machine and of the chart registry, with the lab's AWS and registry: made for real, and mended as it says.

use super::stage;
use super::ward::Ward;
use base64::Engine as _;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[test]
fn a_clock_a_login_and_a_tag_are_told_before_they_break_anything() {
    let Some(stage) = stage("machine") else { return };
    stage.existing("1.34", "API");
    let ward = Ward::new(stage, &["--existing-cluster"]);
    clock(&ward);
    charts(&ward);
    logins(&ward);
}

fn program(folder: &Path, name: &str, script: &str) {
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The clock of this machine is everybody's: AWS's goes wrong instead, and a timedatectl of ours sets it right.
fn clock(ward: &Ward) {
    let folder = ward.dir().join("time");
    std::fs::create_dir(&folder).unwrap();
    let settings = format!("{}/_lab/settings", ward.lab().ready.gate);
    let set = format!("import urllib.request as r; r.urlopen(r.Request('{settings}', b'{{\"clock\": 0}}', method='POST'))");
    program(&folder, "sudo", "exec \"$@\"");
    program(&folder, "timedatectl", &format!("[ \"$*\" = 'set-ntp true' ] && exec python3 -c \"{}\"", set.replace('"', "\\\"")));
    let ward = ward.first_on_path(&folder);
    ward.passes("clock-skew");
    for (ahead, refusal, result, words) in [
        (600, "Signature expired: ", "fail", "s behind that of AWS, which then refuses what is signed here"),
        (-600, "Signature not yet current: ", "fail", "s ahead of that of AWS, which then refuses what is signed here"),
        (120, "", "warn", "s behind that of AWS; from 5 min on requests are refused"),
    ] {
        ward.lab().post("settings", &json!({"clock": ahead})).unwrap();
        let who = ward.types(&["aws", "sts", "get-caller-identity"]);
        if refusal.is_empty() {
            who.exits(0)
        } else {
            who.exits(255).says(refusal)
        };
        let found = ward.finds("clock-skew", result, words);
        ward.cured(&found, &[0]);
        ward.run(&["aws", "sts", "get-caller-identity"]);
    }
}

/// A release that nobody has made, and a mirror that nobody has filled.
fn charts(ward: &Ward) {
    let check = "chart-tag";
    ward.passes(check);
    let found = ward.with(&["--karpenter-version", "1.13.99"]).finds(check, "fail", "is not in the registry");
    let listed = ward.cure(&found, 0);
    assert!(listed.contains("1.14.1") && !listed.contains("1.13.99"), "{listed}");
    ward.with(&["--karpenter-version", "1.14.1"]).passes(check);

    let mirror = ward.with(&["--karpenter-version", "1.14.1", "--chart-repository", "oci://public.ecr.aws/mirror"]);
    let found = mirror.finds(check, "fail", "is not in the registry");
    assert!(found["fixes"][1]["title"].as_str().unwrap().starts_with("copy the chart to the mirror"), "{found:#}");
    for chart in ["karpenter", "karpenter-crd"] {
        ward.run(&["helm", "pull", &format!("oci://public.ecr.aws/karpenter/{chart}"), "--version", "1.14.1"]);
        ward.run(&["helm", "push", &format!("{chart}-1.14.1.tgz"), "oci://public.ecr.aws/mirror"]);
    }
    mirror.passes(check);
}

/// Log-ins that have ended, as the real helm and docker keep them, and a helper that is not there.
fn logins(ward: &Ward) {
    let check = "registry-login";
    ward.passes(check);
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let ended = base64(&json!({"payload": "x", "version": "2", "type": "DATA_KEY", "expiration": 1_600_000_000}).to_string());
    let login = ["helm", "registry", "login", "public.ecr.aws", "--username", "AWS", "--password", &ended];
    ward.run(&login);
    let found = ward.finds(check, "warn", "keeps a login that has ended");
    ward.cured(&found, &[0]);

    let file = ward.dir().join("login.json").to_str().unwrap().to_owned();
    let named = ward.with(&["--registry-config", &file]);
    ward.run(&[&login[..], &["--registry-config", &file]].concat());
    let found = named.finds(check, "fail", "keeps a login that has ended");
    named.cured(&found, &[0]);
    ward.passes(check);

    let docker = Path::new(&ward.lab().ready.env["HOME"]).join(".docker");
    std::fs::create_dir_all(&docker).unwrap();
    let auth = base64(&format!("AWS:{ended}"));
    std::fs::write(docker.join("config.json"), json!({"auths": {"public.ecr.aws": {"auth": auth}}}).to_string()).unwrap();
    let found = ward.finds(check, "warn", "keeps a login that has ended");
    assert_eq!(found["fixes"][0]["command"], json!(["docker", "logout", "public.ecr.aws"]), "{found:#}");
    if ward.found("docker").is_some() {
        ward.cure(&found, 0);
    } else {
        // Not every machine has one: what it would leave.
        std::fs::write(docker.join("config.json"), r#"{"auths": {}}"#).unwrap();
    }
    ward.passes(check);

    std::fs::write(&file, r#"{"credHelpers": {"public.ecr.aws": "nowhere"}}"#).unwrap();
    let found = named.finds(check, "fail", "docker-credential-nowhere, which is not on PATH");
    assert!(
        found["fixes"][0]["title"].as_str().unwrap().ends_with(&format!("or take credsStore or credHelpers out of {file}")),
        "{found:#}"
    );
    std::fs::write(&file, "{}").unwrap();
    named.passes(check);
}
