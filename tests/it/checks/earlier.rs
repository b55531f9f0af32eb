//! What an earlier cluster of the same name left: a new account with one such thing is one finding.

use super::{DAY, bad, exactly, seen};
use crate::fake::FakeWorld;
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{LeftProfile, LeftoverFacts, OidcFacts, Probed, RoleFacts, RoleTies};
use karpctl::finding::{Finding, Verdict};
use karpctl::plan::StepId;
use karpctl::ports::{InstanceProfile, Tags};
use karpctl::steps::Ownership;

/// What is found where the cluster is not there, and this was left.
async fn left(by: impl FnOnce(&FakeWorld)) -> Vec<Finding> {
    let world = FakeWorld::empty(crate::fixture::spec("1.14.1"));
    world.apply(StepId::SpotRole, Ownership::OursOnly).await.0.unwrap();
    by(&world);
    let (spec, mut facts) = seen(&world).await;
    facts.cluster_versions = Probed::Known(vec![spec.kubernetes.into()]);
    bad(&spec, &facts, DAY)
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn command(found: &[Finding], cure: usize) -> String {
    found[0].fixes[cure].command.join(" ")
}

const OWNED: (&str, &str) = ("kubernetes.io/cluster/demo", "owned");

#[tokio::test(start_paused = true)]
async fn what_an_earlier_clusters_karpenter_left_is_named() {
    assert_eq!(left(|_| ()).await, []);

    for pool in [("karpenter.sh/nodepool", "default"), ("karpenter.sh/provisioner-name", "default")] {
        let found = left(|w| drop(w.inside().instances.insert("i-1".into(), tags(&[OWNED, pool])))).await;
        exactly(&found, "earlier-cluster", Verdict::Warn);
        assert_eq!(command(&found, 0), "aws ec2 terminate-instances --region us-west-2 --instance-ids i-1");
    }
    // A node group's, another cluster's, and one that EKS Auto Mode launched.
    let others = |w: &FakeWorld| {
        let auto = [OWNED, ("karpenter.sh/nodepool", "x"), ("eks:kubernetes-node-pool-name", "x")];
        w.inside().instances.insert("i-3".into(), tags(&auto));
        w.inside().instances.insert("i-1".into(), tags(&[OWNED]));
        w.inside().instances.insert("i-2".into(), tags(&[("kubernetes.io/cluster/other", "owned"), ("karpenter.sh/nodepool", "x")]));
    };
    assert_eq!(left(others).await, []);

    for tag in ["karpenter.k8s.aws/cluster", "eks:eks-cluster-name"] {
        let template = |name: &'static str| left(move |w| drop(w.inside().launch_templates.insert(name.into(), tags(&[(tag, "demo")]))));
        let found = template("karpenter.k8s.aws/4711").await;
        exactly(&found, "earlier-cluster", Verdict::Warn);
        assert_eq!(command(&found, 0), "aws ec2 delete-launch-template --region us-west-2 --launch-template-name karpenter.k8s.aws/4711");
        assert_eq!(template("eks-4711").await, [], "EKS's own");
    }

    let found = left(|w| drop(w.inside().interfaces.insert("eni-1".into(), tags(&[("cluster.k8s.amazonaws.com/name", "demo")])))).await;
    exactly(&found, "earlier-cluster", Verdict::Warn);
    assert_eq!(command(&found, 0), "aws ec2 delete-network-interface --region us-west-2 --network-interface-id eni-1");

    let found = left(|w| drop(w.inside().volumes.insert("vol-1".into(), tags(&[OWNED])))).await;
    exactly(&found, "earlier-cluster", Verdict::Warn);
    assert_eq!(command(&found, 0), "aws ec2 delete-volume --region us-west-2 --volume-id vol-1");
}

/// What karpctl put beside a cluster that others made, and that they deleted before a destroy.
#[tokio::test(start_paused = true)]
async fn what_karpctl_left_beside_a_cluster_is_named() {
    let mark = ("karpctl.dev/discovery", "demo");
    let found = left(|w| drop(w.inside().security_groups.insert("sg-1".into(), tags(&[mark, ("karpenter.sh/discovery", "demo")])))).await;
    exactly(&found, "earlier-cluster", Verdict::Warn);
    assert_eq!(
        command(&found, 0),
        "aws ec2 delete-tags --region us-west-2 --resources sg-1 --tags Key=karpenter.sh/discovery,Value=demo Key=karpctl.dev/discovery,Value=demo"
    );
    let provider = |region: &str, tag: &str, cluster: &str| {
        let arn = format!("arn:aws:iam::111122223333:oidc-provider/oidc.eks.{region}.amazonaws.com/id/LEFT");
        let facts = OidcFacts { arn: arn.parse().unwrap(), audiences: Vec::new(), tags: tags(&[(tag, cluster)]) };
        left(move |w| drop(w.inside().oidc.insert(arn, facts)))
    };
    // eksctl gives the provider that it makes with a cluster its own tag alone.
    for tag in ["karpctl.dev/cluster", "alpha.eksctl.io/cluster-name"] {
        let found = provider("us-west-2", tag, "demo").await;
        exactly(&found, "earlier-cluster", Verdict::Warn);
        let arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/LEFT";
        assert_eq!(command(&found, 0), format!("aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {arn}"));
        for others in [provider("eu-west-1", tag, "demo").await, provider("us-west-2", tag, "demo-2").await] {
            assert_eq!(others, []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_an_earlier_clusters_by_its_path_or_by_its_tags() {
    let profile = |name: &str, path: &str, roles: &[&str], has: &[(&str, &str)]| {
        let roles = roles.iter().map(ToString::to_string).collect();
        let profile = InstanceProfile { name: name.into(), path: path.into(), roles };
        let tags = tags(has);
        left(move |w| {
            w.inside().profile_tags.insert(profile.name.clone(), tags);
            w.inside().profiles.push(profile);
        })
    };
    let role = &["KarpenterNodeRole-demo"][..];
    let found = profile("demo_4711", "/karpenter/us-west-2/demo/uid/", role, &[]).await;
    exactly(&found, "earlier-cluster", Verdict::Warn);
    assert!(found[0].message.contains("it holds the role KarpenterNodeRole-demo"), "{found:#?}");
    assert_eq!(
        [command(&found, 0), command(&found, 1)],
        [
            "aws iam remove-role-from-instance-profile --instance-profile-name demo_4711 --role-name KarpenterNodeRole-demo",
            "aws iam delete-instance-profile --instance-profile-name demo_4711",
        ]
    );
    let here = ("topology.kubernetes.io/region", "us-west-2");
    let found = profile("demo_4711", "/", &[], &[OWNED, here]).await;
    exactly(&found, "earlier-cluster", Verdict::Warn);
    assert_eq!(command(&found, 0), "aws iam delete-instance-profile --instance-profile-name demo_4711");
    // A cluster of that name in another region, and what somebody made by hand.
    for elsewhere in [
        profile("demo_4711", "/karpenter/eu-west-1/demo/uid/", role, &[]).await,
        profile("demo_4711", "/", role, &[OWNED, ("topology.kubernetes.io/region", "eu-west-1")]).await,
        profile("demo_4711", "/", role, &[]).await,
        profile("demo_nodes", "/", role, &[OWNED, here]).await,
    ] {
        assert_eq!(elsewhere, []);
    }
}

/// What is said of a cluster that is not there, of which this was left.
async fn of_leftovers(change: impl FnOnce(&mut LeftoverFacts)) -> Vec<Finding> {
    let (spec, mut facts) = seen(&FakeWorld::empty(crate::fixture::spec("1.14.1"))).await;
    change(super::aws::known(&mut facts.leftovers));
    let meant = karpctl::spec::Meant::default();
    let said = judge(&all(), &Situation { spec: Some(&spec), meant: &meant, facts: &facts, today: DAY.parse().unwrap() });
    said.into_iter().filter(|f| f.id == "earlier-cluster").collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_named_or_counted_and_a_command_has_an_end() {
    let many = |n: usize, stem: &str| (0..n).map(|i| format!("{stem}{i}")).collect::<Vec<_>>();
    let found = of_leftovers(|left| {
        let profile = |name| LeftProfile { name, roles: Vec::new() };
        left.profiles = Probed::Known(many(20, "demo_").into_iter().map(profile).collect());
    })
    .await;
    assert_eq!(found.len(), 9, "{found:#?}");
    assert!(
        found[8].message.starts_with("12 more that its Karpenter made: demo_8, ") && found[8].message.ends_with("and 4 more"),
        "{found:#?}"
    );
    let found = of_leftovers(|left| left.instances = Probed::Known(many(950, "i-"))).await;
    let ids = |fix: &karpctl::finding::Fix| fix.command.iter().filter(|word| word.starts_with("i-")).count();
    assert_eq!(found[0].fixes.iter().map(ids).collect::<Vec<_>>(), [100, 100, 100, 100, 100, 100, 100, 100, 0], "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn instances_are_told_of_where_profiles_could_not_be_read() {
    let found = of_leftovers(|left| {
        left.instances = Probed::Known(vec!["i-1".into()]);
        left.profiles = Probed::Unavailable("iam:ListInstanceProfiles".into());
    })
    .await;
    let said: Vec<_> = found.iter().map(|f| (f.result, f.message.as_str())).collect();
    let running = "its Karpenter launched them, and they run on and cost money: i-1";
    assert_eq!(said, [(Verdict::Warn, running), (Verdict::Skip, "could not be read: iam:ListInstanceProfiles")]);
}

#[tokio::test(start_paused = true)]
async fn a_role_is_in_the_way_of_the_stack_that_makes_it() {
    let role = RoleFacts {
        arn: "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo".parse().unwrap(),
        trust: serde_json::Value::Null,
        policies: vec!["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy".into()],
        permissions_boundary: None,
        tags: Tags::new(),
    };
    let name = || "KarpenterNodeRole-demo".to_owned();
    let with = async |ties: RoleTies| {
        let role = role.clone();
        let found = left(move |w| {
            w.inside().roles.insert(name(), role);
            w.inside().role_ties.insert(name(), ties);
        })
        .await;
        exactly(&found, "stack-state", Verdict::Fail);
        assert!(found[0].message.contains("KarpenterNodeRole-demo already exists"), "{found:#?}");
        found
    };
    let commands = |found: &[Finding]| found[0].fixes.iter().map(|fix| fix.command.join(" ")).collect::<Vec<_>>();
    let detach =
        "aws iam detach-role-policy --role-name KarpenterNodeRole-demo --policy-arn arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";
    let delete = "aws iam delete-role --role-name KarpenterNodeRole-demo";
    let found = with(RoleTies::default()).await;
    assert_eq!(commands(&found), [detach, delete]);
    assert!(found[0].fixes.iter().all(|fix| fix.title.contains("if no node uses it")), "{found:#?}");

    let held = RoleTies { inline_policies: vec!["own".into()], instance_profiles: vec!["nodes".into()], instances: Vec::new() };
    let release = "aws iam remove-role-from-instance-profile --role-name KarpenterNodeRole-demo --instance-profile-name nodes";
    let inline = "aws iam delete-role-policy --role-name KarpenterNodeRole-demo --policy-name own";
    assert_eq!(commands(&with(held.clone()).await), [release, detach, inline, delete]);

    // The stack makes a profile of its own name too.
    let own = RoleTies { instance_profiles: vec!["KarpenterNodeInstanceProfile-demo".into()], ..RoleTies::default() };
    let profile = "aws iam delete-instance-profile --instance-profile-name KarpenterNodeInstanceProfile-demo";
    assert_eq!(commands(&with(own).await)[1], profile);

    // Nodes work under it: nothing is taken from them.
    let found = with(RoleTies { instances: (1..5).map(|n| format!("i-{n}")).collect(), ..held }).await;
    assert!(found[0].message.contains("It is in use by i-1, i-2, i-3, and 1 more"), "{found:#?}");
    assert_eq!(commands(&found), ["", ""]);
    assert!(found[0].fixes[0].title.contains("madeElsewhere"), "there is no release that could be adopted: {found:#?}");
    let group = RoleTies { instance_profiles: vec!["eks-4711".into()], ..RoleTies::default() };
    let found = with(group).await;
    assert!(found[0].message.contains("It is in use by the node group of eks-4711"), "{found:#?}");
    assert_eq!(commands(&found), ["", ""]);

    // Karpenter is there by helm, and can be adopted.
    let (spec, there) = super::healthy().await;
    let known_ties = Probed::Known(RoleTies { instances: vec!["i-1".into()], ..RoleTies::default() });
    let facts =
        karpctl::facts::Facts { stack: Probed::Absent, node_role: Probed::Known(role.clone()), node_role_ties: known_ties, ..there };
    let found: Vec<Finding> =
        bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "stack-state" && f.subject.starts_with("stack")).collect();
    assert_eq!(commands(&found), ["karpctl adopt --cluster-name demo --region us-west-2", ""]);

    // Who may not look is told to look.
    let (spec, mut facts) = seen(&FakeWorld::empty(existing("1.14.1"))).await;
    facts.node_role = Probed::Known(role.clone());
    facts.node_role_ties = Probed::Unavailable("iam:ListInstanceProfilesForRole".into());
    let found: Vec<Finding> = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "stack-state").collect();
    assert!(found[0].message.ends_with("Who has it could not be read: iam:ListInstanceProfilesForRole"), "{found:#?}");
    let look = "aws iam list-instance-profiles-for-role --role-name KarpenterNodeRole-demo";
    assert_eq!(commands(&found), [look, ""]);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_there_has_what_is_its_own() {
    let world = super::healthy_world().await;
    world.inside().instances.insert("i-1".into(), tags(&[OWNED, ("karpenter.sh/nodepool", "default")]));
    world.forget_calls();
    let (spec, facts) = seen(&world).await;
    assert_eq!(bad(&spec, &facts, DAY), []);
    assert!(!world.looks().iter().any(|look| look.contains("instance profiles")), "it is not even asked");
}

#[tokio::test(start_paused = true)]
async fn policies_are_in_the_way_of_the_stack_that_makes_them() {
    let arn = "arn:aws:iam::111122223333:policy/KarpenterControllerNodeLifecyclePolicy-demo";
    let with = async |attachments: u32| {
        let found = left(|w| {
            w.inside().managed_policies.insert(arn.into(), attachments);
        })
        .await;
        exactly(&found, "stack-state", Verdict::Fail);
        assert_eq!(found[0].subject, "policy KarpenterControllerNodeLifecyclePolicy-demo");
        assert!(found[0].message.contains("KarpenterControllerNodeLifecyclePolicy-demo already exists"), "{found:#?}");
        found[0].fixes.iter().map(|fix| fix.command.join(" ")).collect::<Vec<_>>()
    };
    let unused = with(0).await;
    assert!(unused[0].contains("delete-policy-version"), "{unused:#?}");
    assert_eq!(unused[1], format!("aws iam delete-policy --policy-arn {arn}"));
    // Somebody works with it: nothing is taken away.
    assert_eq!(with(2).await, [format!("aws iam list-entities-for-policy --policy-arn {arn}"), String::new()]);
    let others = left(|w| {
        w.inside().managed_policies.insert(arn.replace("demo", "other"), 0);
    })
    .await;
    assert_eq!(others, []);
    let world = super::healthy_world().await;
    world.forget_calls();
    seen(&world).await;
    let own = karpctl::render::controller_policy_arns(&world.spec);
    let asked = |look: &String| own.iter().any(|arn| look.ends_with(arn.as_str()));
    assert!(!world.looks().iter().any(asked), "what the stack made is not asked for");
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_in_the_way_of_the_stack_that_makes_it() {
    let (spec, there) = super::healthy().await;
    let (_, mut facts) = seen(&FakeWorld::empty(spec.clone())).await;
    facts.queue = there.queue;
    let found: Vec<Finding> = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id != "spot-role").collect();
    let said: Vec<_> = found.iter().filter(|f| ["stack-state", "interruption-queue"].contains(&f.id.as_str())).collect();
    assert_eq!(said.len(), 1, "no cure is printed that must fail: {found:#?}");
    assert!(said[0].id == "stack-state" && said[0].message.contains("demo already exists"), "{found:#?}");
    assert!(said[0].fixes[0].command.join(" ").starts_with("aws sqs delete-queue --region us-west-2 --queue-url "), "{found:#?}");
}
