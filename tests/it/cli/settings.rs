//! Where a setting comes from: a flag, else the environment under the guide's own names, else the spec file. And who gets colour.

use super::{KARPCTL, OFFLINE, Shell, Variables, ended};
use std::collections::BTreeSet;

/// A setting: its line in the spec file, its variable, its flag, a document, and what that says for each of the three.
type Setting = (&'static str, [&'static str; 2], [&'static str; 2], &'static str, [&'static str; 3]);

const SETTINGS: [Setting; 10] = [
    (
        "clusterName: one",
        ["CLUSTER_NAME", "two"],
        ["--cluster-name", "three"],
        "node-pool",
        ["discovery: \"one\"", "discovery: \"two\"", "discovery: \"three\""],
    ),
    (
        "region: eu-west-1",
        ["AWS_REGION", "eu-west-2"],
        ["--region", "eu-west-3"],
        "cluster-config",
        ["region: \"eu-west-1\"", "region: \"eu-west-2\"", "region: \"eu-west-3\""],
    ),
    (
        "region: eu-west-1",
        ["AWS_DEFAULT_REGION", "eu-west-2"],
        ["--region", "eu-west-3"],
        "cluster-config",
        ["region: \"eu-west-1\"", "region: \"eu-west-2\"", "region: \"eu-west-3\""],
    ),
    (
        "accountId: \"111111111111\"",
        ["AWS_ACCOUNT_ID", "222222222222"],
        ["--account-id", "333333333333"],
        "identity-mapping",
        ["iam::111111111111:role", "iam::222222222222:role", "iam::333333333333:role"],
    ),
    (
        "partition: aws-us-gov",
        ["AWS_PARTITION", "aws-cn"],
        ["--partition", "aws"],
        "identity-mapping",
        [
            "partition aws-us-gov has no region us-west-2",
            "partition aws-cn has no region us-west-2",
            "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo",
        ],
    ),
    (
        "karpenterVersion: 1.14.1",
        ["KARPENTER_VERSION", "v0.37.0"],
        ["--karpenter-version", "0.31.0"],
        "node-pool",
        ["apiVersion: karpenter.sh/v1\n", "apiVersion: karpenter.sh/v1beta1\n", "apiVersion: karpenter.sh/v1alpha5\n"],
    ),
    (
        "kubernetesVersion: \"1.33\"",
        ["K8S_VERSION", "1.34"],
        ["--kubernetes-version", "1.35"],
        "cluster-config",
        ["version: \"1.33\"", "version: \"1.34\"", "version: \"1.35\""],
    ),
    (
        "namespace: one",
        ["KARPENTER_NAMESPACE", "two"],
        ["--namespace", "three"],
        "cluster-config",
        ["namespace: \"one\"", "namespace: \"two\"", "namespace: \"three\""],
    ),
    (
        "zonalShift: true",
        ["ENABLE_ZONAL_SHIFT", "false"],
        ["--zonal-shift", "true"],
        "helm-values",
        ["enableZonalShift: true", "enableZonalShift: false", "enableZonalShift: true"],
    ),
    (
        "nodePool: {amiAlias: bottlerocket@v1.20.0}",
        ["ALIAS_VERSION", "v20250101"],
        ["--ami-alias", "al2023@v20250202"],
        "node-pool",
        ["alias: \"bottlerocket@v1.20.0\"", "alias: \"al2023@v20250101\"", "alias: \"al2023@v20250202\""],
    ),
];

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let base = ["clusterName: demo", "region: us-west-2", "accountId: \"111122223333\""];
    for (line, [name, value], flag, document, says) in SETTINGS {
        let is_other = |other: &&&str| other.split_once(':').map(|(field, _)| field) != line.split_once(':').map(|(field, _)| field);
        let lines: Vec<&str> = base.iter().filter(is_other).copied().chain([line]).collect();
        let said = |shell: &Shell, flag: &[&str]| {
            let ended = shell.run(&[&["render", document], flag].concat());
            if ended.code == 0 { ended.stdout } else { ended.stderr }
        };
        let shell = || Shell::new().file("karpctl.yaml", &lines.join("\n"));
        let of_file = said(&shell(), &[]);
        let of_environment = said(&shell().env(name, value), &[]);
        let of_flag = said(&shell().env(name, value), &flag);
        for (text, wanted, other) in [(of_file, says[0], says[1]), (of_environment, says[1], says[0]), (of_flag, says[2], says[1])] {
            assert!(text.contains(wanted) && !text.contains(other), "{name}: `{wanted}`, not `{other}`:\n{text}");
        }
    }
    let tried: BTreeSet<&str> = SETTINGS.iter().map(|(_, [name, _], ..)| *name).collect();
    let all: BTreeSet<&str> = karpctl::env::SETTINGS.into_iter().chain(["AWS_REGION", "AWS_DEFAULT_REGION"]).collect();
    assert_eq!(tried, all);
    // The shell of somebody whose two names of the region differ: the aws CLI takes the same one.
    let both = Shell::new().env("AWS_DEFAULT_REGION", "eu-west-1").env("AWS_REGION", "eu-west-2");
    let text = both.run(&["render", "cluster-config", "--cluster-name", "demo", "--account-id", "111122223333"]).stdout;
    assert!(text.contains("region: \"eu-west-2\""), "{text}");
}

/// Who reads of a wrong value looks for the variable: the region has two.
#[test]
fn a_variable_is_called_by_its_name() {
    for (_, [name, _], [flag, said], document, _) in SETTINGS {
        let given: Vec<&str> = super::OFFLINE.chunks(2).filter(|pair| pair[0] != flag).flatten().copied().collect();
        let ended = Shell::new().env(name, "no good").run(&[&["render", document], &given[..]].concat());
        let says = if name == "ENABLE_ZONAL_SHIFT" { "ENABLE_ZONAL_SHIFT is `no good`" } else { &format!("(from {name})") };
        super::usage_error(&ended, &[says]);
        // And who reads what it had to give way to.
        let ended = Shell::new()
            .env(name, if name == "ENABLE_ZONAL_SHIFT" { "false" } else { "x" })
            .run(&[&["render", document], &given[..], &[flag, said]].concat());
        assert!(ended.stderr.contains(&format!("wins over {name}, which says `")), "{name}: {}", ended.stderr);
    }
}

/// The same run that says nothing of it keeps the one of an earlier run.
#[test]
fn a_permissions_boundary_is_taken_off_by_a_word() {
    let arn = "arn:aws:iam::111122223333:policy/boundary";
    let shell = Shell::new().file("karpctl.yaml", &format!("permissionsBoundary: {arn}\n"));
    let render = |more: &[&str]| shell.run(&[&["render", "cloudformation"], more, &OFFLINE].concat());
    assert!(render(&[]).stdout.contains(&format!("PermissionsBoundary: \"{arn}\"")), "{}", render(&[]).stdout);
    let ended = render(&["--permissions-boundary", "none"]);
    assert_eq!((ended.code, ended.stdout.contains("PermissionsBoundary")), (0, false), "{}", ended.stderr);
    super::usage_error(&render(&["--permissions-boundary", "None"]), &["None", "arn:<partition>"]);
}

#[test]
fn the_partition_is_the_regions_unless_it_is_named() {
    let render = |more: &[&str]| {
        let words = ["render", "identity-mapping", "--cluster-name", "demo", "--account-id", "111122223333", "--region"];
        Shell::new().run(&[&words[..], more].concat())
    };
    for (region, partition) in [("us-west-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let follows = render(&[region]);
        assert!(follows.stdout.contains(&format!("arn:{partition}:iam::111122223333:role")), "{}{}", follows.stdout, follows.stderr);
        assert_eq!(render(&[region, "--partition", partition]).stdout, follows.stdout);
    }
    super::usage_error(&render(&["us-west-2", "--partition", "aws-cn"]), &["partition aws-cn has no region us-west-2", "--partition"]);
    super::usage_error(&render(&["us-west-2", "--partition", "azure"]), &["azure", "aws-us-gov"]);
}

/// No terminal is here, so that only who asks for colour gets some.
#[test]
fn colour_comes_by_the_flag_then_by_the_environment() {
    let cases: [(&[&str], Variables, bool); 8] = [
        (&[], &[], false),
        (&["--color", "auto"], &[], false),
        (&["--color", "always"], &[], true),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ];
    let shell = Shell::new();
    for (flag, env, coloured) in cases {
        // An answer, and an error: one on each stream.
        for words in [&[&["doctor", "--offline", "--only", "names-and-sizes"], &OFFLINE[..]].concat()[..], &["token"]] {
            let mut command = shell.command(KARPCTL);
            let ended = ended(command.envs(env.iter().copied()).args(words).args(flag));
            let said = ended.stdout + &ended.stderr;
            assert!(!said.is_empty());
            assert_eq!(said.contains('\u{1b}'), coloured, "{flag:?} {env:?} {words:?}:\n{said}");
        }
    }
}
