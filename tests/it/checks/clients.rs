//! What is seen of the clients and of versions: one broken thing is one finding. And that no check is left out of that.

use super::aws::known;
use super::machine::{at_hand, broken, broken_chosen, broken_client, broken_exec, said};
use super::{DAY, bad, exactly, seen};
use crate::fake::FakeWorld;
use crate::fixture::{existing, spec};
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{Facts, KubeconfigFacts, NeighbourKind, NetworkQuotas, Probed, QuotaUse, Topic};
use karpctl::finding::{Finding, Verdict};
use karpctl::knowledge::{ClientBuild, FittingTools, KubernetesVersion};
use karpctl::plan::StepId;
use karpctl::spec::{Identity, Meant, Spec};
use std::sync::Arc;

#[tokio::test(start_paused = true)]
async fn a_kubeconfig_is_there_and_can_be_loaded() {
    let unloadable =
        KubeconfigFacts::Unloadable { file: "/home/me/.kube/config".into(), line: Some(3), why: "a list is not closed".into() };
    let found = broken_client(|client| client.kubeconfig = unloadable).await;
    exactly(&found, "exec-kubeconfig", Verdict::Fail);
    said(&found, &["/home/me/.kube/config, line 3", "a list is not closed"]);
    let nothing = KubeconfigFacts::Nothing { looked: vec!["/home/me/.kube/config".into()], empty: Vec::new(), in_cluster: false };
    let found = broken_client(|client| client.kubeconfig = nothing).await;
    exactly(&found, "exec-kubeconfig", Verdict::Fail);
    said(&found, &["there is no kubeconfig in /home/me/.kube/config"]);
    let found = broken_chosen(|chosen| chosen.context_is_there = false).await;
    exactly(&found, "exec-kubeconfig", Verdict::Fail);
    said(&found, &["has no context", "get-contexts"]);
    // What chooses one chooses it in the file that was looked at.
    assert_eq!(found[0].fixes[1].command.join(" "), "kubectl config use-context CONTEXT --kubeconfig /home/me/.kube/config");
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_as_far_as_its_plugin() {
    let found = broken_chosen(|chosen| chosen.user_problem = Some("it has a username".into())).await;
    exactly(&found, "exec-credentials", Verdict::Fail);
    // The cure gives the context another user: the very one that is broken where this aws can name it.
    for (plugin, aws, user) in [(true, Some("2.31.0"), " --user-alias me"), (true, Some("2.9.19"), ""), (true, None, ""), (false, None, "")]
    {
        let found = broken_chosen(|chosen| {
            (chosen.context, chosen.user, chosen.user_problem) = ("work".into(), "me".into(), Some("it has a username".into()));
            chosen.exec = chosen.exec.take().filter(|_| plugin);
            if let Some(exec) = &mut chosen.exec {
                exec.at_hand = aws.into_iter().map(|version| at_hand("aws", version)).collect();
            }
        })
        .await;
        exactly(&found, "exec-credentials", Verdict::Fail);
        assert_eq!(
            found[0].fixes[0].command.join(" "),
            format!("aws eks update-kubeconfig --name demo --region us-west-2 --kubeconfig /home/me/.kube/config --alias work{user}")
        );
    }
    let found = broken_exec(|exec| (exec.found, exec.run) = (Err("no such file or directory".into()), None)).await;
    exactly(&found, "exec-command", Verdict::Fail);
    assert!(found[0].fixes[0].title.starts_with("install aws, or name its file by its whole path in "), "{found:#?}");
    let found = broken_exec(|exec| {
        (exec.command, exec.found, exec.run) = ("/opt/nosuch".into(), Err("no such file or directory".into()), None);
    })
    .await;
    exactly(&found, "exec-command", Verdict::Fail);
    assert!(found[0].fixes[0].command.starts_with(&["aws".into(), "eks".into(), "update-kubeconfig".into()]), "{found:#?}");
    assert!(found[0].fixes[1].title.starts_with("have a program at /opt/nosuch that can be run, or name another in "), "{found:#?}");
    let found = broken_exec(|exec| (exec.forbidden, exec.run) = (Some("it is not on the allowlist".into()), None)).await;
    exactly(&found, "exec-plugin-policy", Verdict::Fail);
    said(&found, &["credentialPluginAllowlist"]);
    let v1 = |mode: &'static str| {
        broken_exec(move |exec| {
            exec.api_version = "client.authentication.k8s.io/v1".into();
            (exec.interactive_mode, exec.run) = (mode.into(), None);
        })
    };
    for mode in ["", "Sometimes", "Always"] {
        exactly(&v1(mode).await, "exec-interactive-mode", Verdict::Fail);
    }
    assert_eq!(v1("Never").await, []);
}

#[tokio::test(start_paused = true)]
async fn what_a_plugin_complains_of_is_a_warning() {
    let deprecated = "Kubeconfig user entry is using deprecated API version client.authentication.k8s.io/v1alpha1.";
    let found = broken_exec(|exec| exec.run.as_mut().unwrap().stderr = vec![deprecated.into()]).await;
    exactly(&found, "exec-answer", Verdict::Warn);
    said(&found, &[deprecated]);
}

#[tokio::test(start_paused = true)]
async fn files_are_closed_and_programs_alone() {
    let found = broken_chosen(|chosen| chosen.readable_by_others = chosen.files.clone()).await;
    exactly(&found, "kubeconfig-readable", Verdict::Warn);
    let found = broken_client(|client| client.shadowed = vec!["/opt/bin/helm".into()]).await;
    exactly(&found, "client-shadowed", Verdict::Warn);
    said(&found, &["/opt/bin/helm"]);
    let found = broken(|facts| {
        let aws = known(&mut facts.programs).iter_mut().find(|program| program.name == "aws").unwrap();
        aws.shadowed = vec!["/usr/local/bin/aws".into()];
    })
    .await;
    exactly(&found, "client-shadowed", Verdict::Warn);
    said(&found, &["/usr/local/bin/aws", "type -a aws"]);
    let found = broken(|facts| known(&mut facts.helm).version = "3.7.2".parse().unwrap()).await;
    exactly(&found, "helm-version", Verdict::Fail);
    said(&found, &["3.8"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_client_takes_an_old_entry() {
    let old = |facts: &mut karpctl::facts::ClientFacts| {
        facts.build = Some(ClientBuild { client_go: 23, go: Some(17), mergo: None });
        let KubeconfigFacts::Chosen(chosen) = &mut facts.kubeconfig else { panic!() };
        chosen.exec.as_mut().unwrap().api_version = "client.authentication.k8s.io/v1alpha1".into();
    };
    assert_eq!(broken_client(old).await, []);
}

/// What is found in a world of one release where another one may be wanted, on this Kubernetes, with a helm that fits.
async fn of_releases(wanted: &str, installed: &str, kubernetes: &str, day: &str) -> Vec<Finding> {
    let world = FakeWorld::bootstrapped(existing(wanted)).await;
    world.furnish();
    let (spec, mut facts) = seen(&world).await;
    known(&mut facts.cluster).version = kubernetes.parse().unwrap();
    known(&mut facts.chart_release).chart_version = installed.into();
    let helm = FittingTools::of(kubernetes.parse().unwrap()).helm.remove(0);
    known(&mut facts.helm).version = format!("{helm}.0").parse().unwrap();
    bad(&Spec { kubernetes: kubernetes.parse().unwrap(), ..spec }, &facts, day)
}

#[tokio::test(start_paused = true)]
async fn a_release_is_sound_and_fits_its_kubernetes() {
    let found = of_releases("1.8.4", "1.8.4", "1.34", "2026-06-01").await;
    exactly(&found, "karpenter-release", Verdict::Fail);
    assert_eq!(of_releases("1.8.8", "1.8.8", "1.34", DAY).await, []);
    exactly(&of_releases("1.8.6", "1.8.6", "1.34", DAY).await, "controller-image", Verdict::Warn);
    exactly(&of_releases("1.7.1", "1.8.8", "1.34", "2026-06-01").await, "kubernetes-fit", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_one_hop() {
    // The way back is none, and nothing else is wrong with it.
    exactly(&of_releases("0.37.8", "1.0.14", "1.30", "2025-01-01").await, "upgrade-hops", Verdict::Fail);
    let (spec, mut facts) = super::healthy().await;
    known(&mut facts.chart_release).chart_version = "0.37.8".into();
    let found = bad(&spec, &facts, DAY);
    let hops: Vec<Finding> = found.iter().filter(|f| f.id == "upgrade-hops").cloned().collect();
    exactly(&hops, "upgrade-hops", Verdict::Fail);
    // What an older release lacks beside: it is not the one of the spec, and read other values.
    let others: Vec<&str> = found.iter().map(|f| f.id.as_str()).filter(|id| *id != "upgrade-hops").collect();
    assert!(others.iter().all(|id| ["installed-fit", "controller-image", "upgrade-defaults", "chart-values"].contains(id)), "{others:?}");
    // What somebody applied without helm says by its image which release it is, and nothing of its values.
    facts.chart_release = Probed::Absent;
    for workload in known(&mut facts.neighbours).workloads.iter_mut().filter(|w| w.what == NeighbourKind::Karpenter) {
        (workload.helm_owner, workload.image) = (None, Some("mirror:5000/karpenter/controller:0.37.8@sha256:ab".into()));
    }
    exactly(&bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "upgrade-hops").collect::<Vec<_>>(), "upgrade-hops", Verdict::Fail);
    let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
    let said = judge(&all(), &situation);
    for id in ["chart-values", "chart-names", "private-values"] {
        assert!(said.iter().filter(|f| f.id == id).all(|f| f.result == Verdict::Skip), "{id}: {said:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_upgrade_changes_silently_is_said() {
    let from = |version: &'static str| async move {
        let (spec, mut facts) = super::healthy().await;
        known(&mut facts.chart_release).chart_version = version.into();
        known(&mut facts.cluster).version = spec.kubernetes;
        bad(&spec, &facts, DAY)
    };
    let new = from("1.11.3").await;
    exactly(&new, "upgrade-defaults", Verdict::Warn);
    said(&new, &["since 1.12.0 every node is replaced once", "disruption.budgets"]);
    assert_eq!(from("1.12.2").await, []);
}

/// An account in which a cluster of this name is still to be made.
async fn to_come(name: &str, change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let world = FakeWorld::empty(Spec { cluster_name: name.parse().unwrap(), ..spec("1.14.1") });
    world.apply_ok(StepId::SpotRole).await;
    let (spec, mut facts) = seen(&world).await;
    facts.cluster_versions = Probed::Known(["1.33", "1.34"].map(|version| version.parse::<KubernetesVersion>().unwrap().into()).into());
    change(&mut facts);
    bad(&spec, &facts, DAY)
}

#[tokio::test(start_paused = true)]
async fn a_cluster_can_be_made() {
    assert_eq!(to_come("demo", |_| {}).await, []);
    let found = to_come("demo", |facts| known(&mut facts.eksctl).version = "0.180.0".parse().unwrap()).await;
    exactly(&found, "eksctl-version", Verdict::Fail);
    let found = to_come("demo", |facts| known(&mut facts.cluster_versions).retain(|offered| offered.version.minor() != 34)).await;
    exactly(&found, "kubernetes-offered", Verdict::Fail);
    exactly(&to_come(&"c".repeat(47), |_| {}).await, "names-and-sizes", Verdict::Warn);
    let used = |of: fn(&mut NetworkQuotas) -> &mut QuotaUse, used| {
        move |facts: &mut Facts| {
            let quotas = known(&mut facts.network_quotas);
            of(quotas).used = used;
        }
    };
    let found = to_come("demo", used(|quotas| &mut quotas.vpcs, 64)).await;
    exactly(&found, "network-quotas", Verdict::Fail);
    said(&found, &["64 of 64 are in use, and the cluster takes one: VpcLimitExceeded"]);
    let command = "aws service-quotas request-service-quota-increase --region us-west-2 --service-code vpc --quota-code L-F678F1CE --desired-value 65";
    assert_eq!(found[0].fixes[0].command.join(" "), command);
    let found = to_come("demo", used(|quotas| &mut quotas.addresses, 64)).await;
    exactly(&found, "network-quotas", Verdict::Fail);
    said(&found, &["AddressLimitExceeded"]);
    assert_eq!(to_come("demo", used(|quotas| &mut quotas.addresses, 63)).await, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_made_once_for_each_cluster_has_its_quotas() {
    type Fact = fn(&mut Facts) -> &mut Probed<QuotaUse>;
    let with = async |fact: Fact, used| to_come("demo", |facts| known(fact(facts)).used = used).await;
    let raise = "aws service-quotas request-service-quota-increase --region";
    let refused = async |fact: Fact, used, words: [&str; 2], command: &str| {
        let found = with(fact, used).await;
        exactly(&found, "cluster-quotas", Verdict::Fail);
        said(&found, &words);
        assert_eq!(found[0].fixes[0].command.join(" "), format!("{raise} {command}"));
    };
    let clusters = ["64 of 64 are there, and demo is one more", "Cluster limit exceeded for account"];
    refused(|facts| &mut facts.cluster_quota, 64, clusters, "us-west-2 --service-code eks --quota-code L-1194D53C --desired-value 65")
        .await;
    let providers = ["and that of demo is one more", "OpenIdConnectProvidersPerAccount"];
    refused(|facts| &mut facts.provider_quota, 64, providers, "us-east-1 --service-code iam --quota-code L-858F3967 --desired-value 65")
        .await;
    let rules = ["60 of 64 are there, and stack Karpenter-demo makes 5 more", "exceeds the maximum number allowed"];
    refused(|facts| &mut facts.rule_quota, 60, rules, "us-west-2 --service-code events --quota-code L-244521F2 --desired-value 65").await;
    assert_eq!(with(|facts| &mut facts.cluster_quota, 63).await, []);
    assert_eq!(with(|facts| &mut facts.provider_quota, 63).await, []);
    assert_eq!(with(|facts| &mut facts.rule_quota, 59).await, []);
}

/// What there is already takes no more, and is not counted.
#[tokio::test(start_paused = true)]
async fn quotas_are_asked_only_of_what_is_made() {
    let asked = async |world: &Arc<FakeWorld>| {
        let facts = world.facts(&[Topic::ClusterQuotas, Topic::Cluster, Topic::Stack, Topic::OidcProvider]).await;
        [facts.cluster_quota, facts.provider_quota, facts.rule_quota].map(|quota| quota.known().is_some())
    };
    let of = |change: fn(&mut Spec)| {
        let mut spec = existing("1.14.1");
        change(&mut spec);
        FakeWorld::with_cluster(spec)
    };
    assert_eq!(asked(&FakeWorld::empty(spec("1.14.1"))).await, [true, true, true], "a cluster and its stack");
    assert_eq!(asked(&of(|_| {})).await, [false, false, true], "a stack alone, and Pod Identity");
    assert_eq!(asked(&of(|spec| spec.identity = Identity::Irsa)).await, [false, true, true]);
    assert_eq!(asked(&of(|spec| spec.release = "0.17.0".parse().unwrap())).await, [false, false, false], "a release without a queue");
    assert_eq!(asked(&FakeWorld::bootstrapped(existing("1.14.1")).await).await, [false, false, false]);
}

/// A check whose thing no test breaks alone could be silent for ever, or speak of something else.
#[test]
fn every_check_has_a_thing_that_is_broken_alone() {
    let files = [
        "checks.rs",
        "checks/aws.rs",
        "checks/capacity.rs",
        "checks/clients.rs",
        "checks/crds.rs",
        "checks/earlier.rs",
        "checks/endpoints.rs",
        "checks/identity.rs",
        "checks/keys.rs",
        "checks/machine.rs",
        "checks/network.rs",
        "checks/node_addons.rs",
        "checks/node_roles.rs",
        "checks/objects.rs",
        "checks/permissions.rs",
        "checks/quotas.rs",
        "checks/refusals.rs",
        "checks/typed.rs",
        "checks/webhooks.rs",
        "checks/windows.rs",
        "checks/own_vpc.rs",
        "checks_inside.rs",
    ];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let text: String = files.iter().map(|file| std::fs::read_to_string(folder.join(file)).unwrap()).collect();
    let one_line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for check in all() {
        let alone = ["Fail", "Warn"].iter().any(|verdict| one_line.contains(&format!("\"{}\", Verdict::{verdict}", check.id())));
        assert!(alone, "no test breaks the thing of {} alone", check.id());
    }
}
