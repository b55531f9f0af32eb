//! What is seen of this machine: one broken thing is one finding.

use super::{DAY, bad, exactly, healthy};
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{
    ChartTag, ChosenFacts, ClientFacts, ExecFacts, Facts, KubeconfigFacts, LoginOwner, LoginState, PluginRun, Probed, ProgramFacts,
    RegistryLogin, WriterFacts,
};
use karpctl::finding::{Finding, Verdict};
use karpctl::knowledge::{ClientBuild, Tool};

const BETA: &str = "client.authentication.k8s.io/v1beta1";

/// A helm whose kubeconfig is as `aws eks update-kubeconfig` writes it, and its plugin answers.
pub(super) fn client() -> ClientFacts {
    let exec = ExecFacts {
        api_version: BETA.into(),
        line: 19,
        command: "aws".into(),
        args: ["--region", "us-west-2", "eks", "get-token", "--cluster-name", "demo", "--output", "json"].map(str::to_owned).into(),
        profile: None,
        env: Vec::new(),
        interactive_mode: "IfAvailable".into(),
        terminal: false,
        found: Ok("/usr/bin/aws".into()),
        forbidden: None,
        preferences: None,
        profile_in_use: None,
        by_flag_alone: false,
        keys_go_first: false,
        profile_account: Probed::NotAsked,
        at_hand: Vec::new(),
        run: Some(PluginRun { ended: None, api_version: Some(BETA.into()), refused: None, stderr: Vec::new() }),
    };
    let arn = "arn:aws:eks:us-west-2:111122223333:cluster/demo";
    let chosen = ChosenFacts {
        files: vec!["/home/me/.kube/config".into()],
        readable_by_others: Vec::new(),
        context: arn.into(),
        context_is_there: true,
        server: "https://0123456789ABCDEF.gr7.us-west-2.eks.amazonaws.com".into(),
        server_by: None,
        tls_server_name: None,
        proxy: None,
        cluster_problem: None,
        user: arn.into(),
        shared_with: Vec::new(),
        user_file: Some("/home/me/.kube/config".into()),
        user_problem: None,
        token: false,
        certificate: false,
        beside: Vec::new(),
        exec: Some(exec),
    };
    ClientFacts {
        tool: Tool::Helm,
        path: "/usr/bin/helm".into(),
        version: "3.17.3".into(),
        build: Some(ClientBuild { client_go: 32, go: Some(23), mergo: None }),
        build_source: "its own build information".into(),
        shadowed: Vec::new(),
        kubeconfig: KubeconfigFacts::Chosen(Box::new(chosen)),
    }
}

/// The healthy world's findings with a healthy machine, one thing of it changed.
pub(super) async fn broken(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let (spec, mut facts) = healthy().await;
    facts.clients = Probed::Known(vec![client()]);
    let program =
        |name: &str| ProgramFacts { name: name.into(), path: Some(format!("/usr/bin/{name}").into()), foreign: None, shadowed: Vec::new() };
    facts.programs = Probed::Known(["helm", "eksctl", "kubectl", "aws"].map(program).into());
    facts.registry_login = Probed::Absent;
    let chart = "oci://public.ecr.aws/karpenter/karpenter".to_owned();
    facts.chart_tag = Probed::Known(Box::new(ChartTag { chart, tag: "1.14.1".into(), is_there: true, instead: None }));
    facts.clock = Probed::Known(2);
    assert!(bad(&spec, &facts, DAY).is_empty(), "{:#?}", bad(&spec, &facts, DAY));
    change(&mut facts);
    bad(&spec, &facts, DAY)
}

/// As [`broken`], with the client changed.
pub(super) async fn broken_client(change: impl FnOnce(&mut ClientFacts)) -> Vec<Finding> {
    broken(|facts| {
        let mut client = client();
        change(&mut client);
        facts.clients = Probed::Known(vec![client]);
    })
    .await
}

/// As [`broken`], with what the client chose changed.
pub(super) async fn broken_chosen(change: impl FnOnce(&mut ChosenFacts)) -> Vec<Finding> {
    broken_client(|client| {
        let KubeconfigFacts::Chosen(chosen) = &mut client.kubeconfig else { panic!() };
        change(chosen);
    })
    .await
}

/// As [`broken`], with the plugin's entry changed.
pub(super) async fn broken_exec(change: impl FnOnce(&mut ExecFacts)) -> Vec<Finding> {
    broken_chosen(|chosen| change(chosen.exec.as_mut().unwrap())).await
}

#[track_caller]
pub(super) fn said(found: &[Finding], words: &[&str]) {
    let text = format!("{} {:?}", found[0].message, found[0].fixes);
    assert!(words.iter().all(|word| text.contains(word)), "{words:?} in {text}");
}

pub(super) fn at_hand(program: &str, version: &str) -> WriterFacts {
    WriterFacts { program: program.into(), path: format!("/usr/bin/{program}").into(), version: version.parse().unwrap() }
}

#[tokio::test(start_paused = true)]
async fn a_stale_entry_names_its_writer_and_what_would_be_written_now() {
    let stale = |version: &'static str| {
        move |exec: &mut ExecFacts| {
            exec.api_version = "client.authentication.k8s.io/v1alpha1".into();
            exec.run = None;
            exec.at_hand = vec![at_hand("aws", version)];
        }
    };
    let found = broken_exec(stale("2.31.0")).await;
    exactly(&found, "exec-api-version", Verdict::Fail);
    said(&found, &["an aws older than 1.23.9", "the aws at hand (2.31.0, /usr/bin/aws) writes v1beta1", "update-kubeconfig"]);
    let found = broken_exec(stale("2.4.1")).await;
    said(&found, &["writes v1alpha1", "upgrade aws 2.4.1 (/usr/bin/aws) to 2.6.3 or newer"]);
    // The line alone does not mend it: this aws answers v1alpha1 to whom asks for v1beta1.
    assert!(found[0].fixes[0].title.ends_with("which this takes too: it answers v1alpha1 whatever it is asked"), "{found:#?}");
    assert!(found[0].fixes[1].title.starts_with("and write client.authentication.k8s.io/v1beta1"), "{found:#?}");
    for (version, alone) in [("0.5.3", false), ("0.5.4", true), ("0.6.14", true)] {
        let found = broken_exec(|exec| {
            by_authenticator(exec);
            stale("2.4.1")(exec);
            exec.at_hand.push(at_hand("aws-iam-authenticator", version));
        });
        assert_eq!(found.await[0].fixes[0].edit.is_some(), alone, "aws-iam-authenticator {version}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_answers_another_version_is_to_be_upgraded() {
    let found = broken_exec(|exec| {
        exec.command = "aws-iam-authenticator".into();
        exec.args = ["token", "-i", "demo"].map(str::to_owned).into();
        exec.at_hand = vec![at_hand("aws", "2.31.0"), at_hand("aws-iam-authenticator", "0.5.3")];
        let run = exec.run.as_mut().unwrap();
        run.api_version = Some("client.authentication.k8s.io/v1alpha1".into());
        run.refused = Some("exec plugin is configured to use API version …, plugin returned version …".into());
    })
    .await;
    exactly(&found, "exec-answer", Verdict::Fail);
    said(&found, &["upgrade aws-iam-authenticator 0.5.3 (/usr/bin/aws-iam-authenticator) to 0.5.6 or newer"]);
}

const ROLE: &str = "arn:aws:iam::111122223333:role/eks-admin";

/// The commands that a finding prints.
fn cures(found: &[Finding]) -> Vec<String> {
    found[0].fixes.iter().map(|fix| fix.command.join(" ")).filter(|command| !command.is_empty()).collect()
}

/// An entry of aws-iam-authenticator's, which takes a role by `-r`.
fn by_authenticator(exec: &mut ExecFacts) {
    exec.command = "aws-iam-authenticator".into();
    exec.args = ["token", "-i", "demo", "-r", ROLE].map(str::to_owned).into();
}

#[tokio::test(start_paused = true)]
async fn the_role_of_an_entry_is_no_region() {
    let found = broken_exec(|exec| {
        by_authenticator(exec);
        (exec.api_version, exec.run) = ("client.authentication.k8s.io/v1alpha1".into(), None);
    })
    .await;
    exactly(&found, "exec-api-version", Verdict::Fail);
    assert!(!cures(&found)[1].contains("--region"), "{found:#?}");
    // It is this cluster's own entry, so what it leads to is gone and not another cluster's.
    let found = broken_chosen(|chosen| {
        by_authenticator(chosen.exec.as_mut().unwrap());
        chosen.server = "https://FEDCBA9876543210.gr7.us-west-2.eks.amazonaws.com".into();
        (chosen.context, chosen.user) = ("work".into(), "me".into());
    })
    .await;
    exactly(&found, "kubeconfig-cluster", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn a_cure_leaves_an_entry_its_role_and_its_profile() {
    const ANEW: &str = "aws eks update-kubeconfig --name demo --profile prod --role-arn arn:aws:iam::111122223333:role/eks-admin \
         --kubeconfig /home/me/.kube/config";
    let pinned = |exec: &mut ExecFacts| (exec.profile, exec.profile_in_use) = (Some("prod".into()), Some("prod".into()));
    let refused = |exec: &mut ExecFacts| exec.run.as_mut().unwrap().refused = Some("exec plugin is configured to use …".into());
    let found = broken_exec(|exec| {
        by_authenticator(exec);
        pinned(exec);
        (exec.api_version, exec.run) = ("client.authentication.k8s.io/v1alpha1".into(), None);
    })
    .await;
    exactly(&found, "exec-api-version", Verdict::Fail);
    assert_eq!(cures(&found)[1], ANEW);
    let found = broken_exec(|exec| {
        by_authenticator(exec);
        pinned(exec);
        refused(exec);
    })
    .await;
    exactly(&found, "exec-answer", Verdict::Fail);
    assert_eq!(cures(&found), [ANEW]);
    // karpctl's own plugin takes no role, so it is a cure only where there is none.
    let found = broken_exec(|exec| {
        pinned(exec);
        refused(exec);
    })
    .await;
    assert_eq!(cures(&found), ["karpctl token --cluster-name demo --region us-west-2 --profile prod"]);
}

#[tokio::test(start_paused = true)]
async fn a_profile_in_the_kubeconfig_is_the_one_in_use() {
    let pinned = |pinned: Option<&'static str>, in_use: Option<&'static str>| {
        move |exec: &mut ExecFacts| (exec.profile, exec.profile_in_use) = (pinned.map(Into::into), in_use.map(Into::into))
    };
    for (here, there) in [(Some("prod"), Some("prod")), (Some("default"), None), (None, Some("prod"))] {
        assert!(broken_exec(pinned(here, there)).await.is_empty(), "{here:?} {there:?}");
    }
    let found = broken_exec(pinned(Some("prod"), Some("dev"))).await;
    exactly(&found, "kubeconfig-profile", Verdict::Warn);
    said(&found, &["the profile prod, and dev is in use here", "AWS_PROFILE=prod"]);
    let found = broken_exec(pinned(Some("prod"), None)).await;
    exactly(&found, "kubeconfig-profile", Verdict::Warn);
    said(&found, &["no profile is in use"]);
    let of = |account: Probed<String>| {
        broken_exec(move |exec| (exec.profile, exec.profile_in_use, exec.profile_account) = (Some("prod".into()), None, account))
    };
    let found = of(Probed::Known("999900001111".into())).await;
    exactly(&found, "kubeconfig-profile", Verdict::Warn);
    said(&found, &["uses the profile prod, which is of account 999900001111, and the cluster is of account 111122223333"]);
    said(&of(Probed::Known("111122223333".into())).await, &["in account 111122223333 as the cluster"]);
    said(&of(Probed::Unavailable("ExpiredToken".into())).await, &["of which account it is could not be read: ExpiredToken"]);
    // Keys in the environment are taken by the plugin and by all else, unless a profile is named beside the kubeconfig.
    let by_keys = |in_use: Option<&'static str>| {
        broken_exec(move |exec| {
            (exec.profile, exec.keys_go_first, exec.profile_in_use) = (Some("prod".into()), true, in_use.map(Into::into));
        })
    };
    assert_eq!(by_keys(None).await, []);
    for named in ["dev", "prod"] {
        let found = by_keys(Some(named)).await;
        exactly(&found, "kubeconfig-profile", Verdict::Warn);
        said(&found, &["go before the profile prod, and ", &format!("{named} is in use here")]);
    }
    // A role that the plugin takes is who it is in the end.
    let role = |arn: &'static str| broken_exec(move |exec| exec.args.extend(["--role-arn".into(), arn.into()]));
    let found = role("arn:aws:iam::999900001111:role/ops").await;
    exactly(&found, "kubeconfig-profile", Verdict::Warn);
    said(&found, &["takes the role arn:aws:iam::999900001111:role/ops, which is of account 999900001111"]);
    assert!(role("arn:aws:iam::111122223333:role/ops").await.is_empty());
    let found = broken(|facts| {
        let mut client = client();
        let KubeconfigFacts::Chosen(chosen) = &mut client.kubeconfig else { panic!() };
        chosen.user = "arn:aws:eks:us-west-2:999900001111:cluster/demo".into();
        facts.clients = Probed::Known(vec![client]);
    })
    .await;
    exactly(&found, "kubeconfig-profile", Verdict::Warn);
    said(&found, &["account 999900001111", "111122223333"]);
}

fn proxy() -> String {
    "http://proxy.example.invalid:3128".into()
}

/// As [`broken`], with what the context says changed.
async fn broken_context(change: impl FnOnce(&mut ChosenFacts)) -> Vec<Finding> {
    broken(|facts| {
        let mut client = client();
        let KubeconfigFacts::Chosen(chosen) = &mut client.kubeconfig else { panic!() };
        change(chosen);
        facts.clients = Probed::Known(vec![client]);
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_context_leads_to_the_cluster() {
    let endpoint = "0123456789abcdef.gr7.us-west-2.eks.amazonaws.com";
    let gone = "https://FEDCBA9876543210.gr7.us-west-2.eks.amazonaws.com";
    let tunnel = |name: Option<&'static str>| {
        move |chosen: &mut ChosenFacts| {
            (chosen.server, chosen.tls_server_name) = ("https://127.0.0.1:8443".into(), name.map(str::to_owned));
        }
    };
    assert!(broken_context(|chosen| chosen.server = format!("https://{endpoint}:443/")).await.is_empty());
    assert!(broken_context(|chosen| (chosen.server, chosen.proxy) = (format!("https://{endpoint}"), Some(proxy()))).await.is_empty());
    // What lies behind a tunnel or a proxy does not show: no finding, and no pass unless the certificate must be the cluster's.
    for change in [tunnel(None), tunnel(Some(endpoint)), tunnel(Some("kubernetes"))] {
        assert!(broken_context(change).await.is_empty());
    }
    assert!(broken_context(|chosen| (chosen.server, chosen.proxy) = (gone.into(), Some(proxy()))).await.is_empty());

    // The cluster was made anew: the entry is its own by name.
    let found = broken_context(|chosen| chosen.server = gone.into()).await;
    exactly(&found, "kubeconfig-cluster", Verdict::Fail);
    said(&found, &["leads to https://FEDCBA9876543210", "is https://0123456789ABCDEF", "that is gone"]);
    assert_eq!(
        found[0].fixes[0].command.join(" "),
        "aws eks update-kubeconfig --name demo --region us-west-2 --kubeconfig /home/me/.kube/config"
    );
    // By its plugin, with names of the person's own, which stay.
    let found = broken_context(|chosen| {
        (chosen.server, chosen.context, chosen.user) = (gone.into(), "work".into(), "me".into());
    })
    .await;
    exactly(&found, "kubeconfig-cluster", Verdict::Fail);
    assert!(found[0].fixes[0].command.join(" ").ends_with("--alias work"), "{found:#?}");
    // Without a plugin, by the name that aws gave.
    let found = broken_context(|chosen| (chosen.server, chosen.exec, chosen.certificate) = (gone.into(), None, true)).await;
    exactly(&found, "kubeconfig-cluster", Verdict::Fail);

    // Another cluster's context.
    let found = broken_context(|chosen| {
        let arn = "arn:aws:eks:us-west-2:111122223333:cluster/other";
        (chosen.server, chosen.context, chosen.user) = (gone.into(), arn.into(), arn.into());
    })
    .await;
    exactly(&found, "kubeconfig-cluster", Verdict::Warn);
    said(&found, &["the context is another cluster's", "--context NAME"]);
    assert_eq!(
        found[0].fixes[0].command.join(" "),
        "aws eks update-kubeconfig --name demo --region us-west-2 --kubeconfig /home/me/.kube/config"
    );
    let found = broken_context(|chosen| (chosen.server, chosen.server_by) = (gone.into(), Some("HELM_KUBEAPISERVER".into()))).await;
    exactly(&found, "kubeconfig-cluster", Verdict::Warn);
    said(&found, &["HELM_KUBEAPISERVER says so", "leave HELM_KUBEAPISERVER unset"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_show_where_it_ends_is_skipped() {
    let (spec, mut facts) = healthy().await;
    let mut verdict = |change: fn(&mut ChosenFacts)| {
        let mut client = client();
        let KubeconfigFacts::Chosen(chosen) = &mut client.kubeconfig else { panic!() };
        change(chosen);
        facts.clients = Probed::Known(vec![client]);
        let said = judge(
            &all(),
            &Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() },
        );
        said.into_iter().find(|f| f.id == "kubeconfig-cluster").unwrap().result
    };
    assert_eq!(verdict(|_| ()), Verdict::Pass);
    assert_eq!(verdict(|chosen| chosen.server = "https://127.0.0.1:8443".into()), Verdict::Skip);
    assert_eq!(verdict(|chosen| chosen.tls_server_name = Some("0123456789ABCDEF.gr7.us-west-2.eks.amazonaws.com".into())), Verdict::Pass);
    let by_proxy = |chosen: &mut ChosenFacts| (chosen.server, chosen.proxy) = ("https://10.0.0.9".into(), Some(proxy()));
    assert_eq!(verdict(by_proxy), Verdict::Skip);
    facts.cluster = Probed::Absent;
    let said = judge(
        &all(),
        &Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() },
    );
    assert_eq!(said.iter().find(|f| f.id == "kubeconfig-cluster").unwrap().result, Verdict::Skip);
}

#[tokio::test(start_paused = true)]
async fn a_program_is_there_and_for_this_machine() {
    let change = |name: &'static str, change: fn(&mut ProgramFacts)| {
        broken(move |facts| {
            let Probed::Known(programs) = &mut facts.programs else { panic!() };
            change(programs.iter_mut().find(|program| program.name == name).unwrap());
        })
    };
    let found = change("helm", |helm| helm.foreign = Some("it is made for arm64, and this machine is x86_64".into())).await;
    exactly(&found, "tool-programs", Verdict::Fail);
    said(&found, &["/usr/bin/helm does not run here: it is made for arm64"]);
    assert!(change("kubectl", |kubectl| kubectl.path = None).await.is_empty(), "karpctl needs none");
    assert!(change("eksctl", |eksctl| eksctl.path = None).await.is_empty(), "no cluster is made here");
}

#[tokio::test(start_paused = true)]
async fn a_login_keeps_nobody_from_pulling() {
    let login = |host: &'static str, named: bool, state: LoginState| {
        broken(move |f| {
            f.registry_login = Probed::Known(Box::new(RegistryLogin {
                host: host.into(),
                file: "/home/me/login.json".into(),
                owner: LoginOwner::Docker,
                named,
                state,
            }));
        })
    };
    let kept = |ended| LoginState::Kept { helper: None, ended };
    let helper = || "docker-credential-nowhere".to_owned();
    for state in [
        kept(Some(true)),
        kept(None),
        LoginState::NoHelper { helper: helper() },
        LoginState::HelperFailed { helper: helper(), why: "it is locked".into() },
        LoginState::Unreadable("it is no JSON".into()),
    ] {
        let found = login("public.ecr.aws", false, state).await;
        exactly(&found, "registry-login", Verdict::Warn);
    }
    said(&login("public.ecr.aws", false, kept(Some(true))).await, &["has ended", "karpctl's does not use it", "docker", "logout"]);
    assert!(login("public.ecr.aws", false, kept(Some(false))).await.is_empty());
    assert!(login("mirror.example.invalid", true, kept(None)).await.is_empty());
    exactly(&login("mirror.example.invalid", true, kept(Some(true))).await, "registry-login", Verdict::Fail);
    exactly(&login("mirror.example.invalid", true, LoginState::NoHelper { helper: helper() }).await, "registry-login", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn a_clock_goes_with_that_of_aws() {
    let ahead = |seconds: i64| broken(move |facts| facts.clock = Probed::Known(seconds));
    assert!(ahead(-59).await.is_empty());
    exactly(&ahead(61).await, "clock-skew", Verdict::Warn);
    exactly(&ahead(-432).await, "clock-skew", Verdict::Fail);
    said(&ahead(-432).await, &["7 min 12 s behind"]);
}

#[tokio::test(start_paused = true)]
async fn a_chart_is_there_under_its_tag() {
    let tag = |instead: Option<&'static str>| {
        broken(move |facts| {
            let Probed::Known(tag) = &mut facts.chart_tag else { panic!() };
            (tag.is_there, tag.instead) = (false, instead.map(Into::into));
        })
    };
    let found = tag(Some("v1.14.1")).await;
    exactly(&found, "chart-tag", Verdict::Fail);
    said(&found, &["which has it as v1.14.1"]);
    exactly(&tag(None).await, "chart-tag", Verdict::Fail);
}
