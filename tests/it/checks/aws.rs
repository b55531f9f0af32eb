//! What AWS says of account and cluster: one broken thing is one finding.

use super::{DAY, bad, exactly, healthy, healthy_world, seen};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::doctor::topics;
use karpctl::facts::{Facts, ObjectFacts, Probed, StackFacts};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Architecture, ClusterMode, Identity, Spec};
use serde_json::{Value, json};

/// The value of a fact that the healthy world knows.
#[track_caller]
pub(super) fn known<T>(probed: &mut Probed<T>) -> &mut T {
    match probed {
        Probed::Known(value) => value,
        _ => panic!("the healthy world does not know it"),
    }
}

pub(super) async fn broken(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let (spec, mut facts) = healthy().await;
    change(&mut facts);
    bad(&spec, &facts, DAY)
}

#[track_caller]
pub(super) fn said(found: &[Finding], words: &str) {
    assert!(found[0].message.contains(words), "`{words}` is not said: {}", found[0].message);
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_one() {
    let china = |f: &mut Facts| known(&mut f.caller).arn = "arn:aws-cn:iam::111122223333:role/me".parse().unwrap();
    exactly(&broken(china).await, "aws-partition", Verdict::Fail);
    let (spec, facts) = healthy().await;
    let found = bad(&Spec { region: "cn-north-1".parse().unwrap(), ..spec }, &facts, DAY);
    assert!(found.iter().any(|f| f.id == "aws-partition" && f.message.contains("is of the partition aws-cn")), "{found:#?}");
}

/// A cluster takes long to make, and what is there does not; what ended before STS took the keys is none of theirs.
#[tokio::test(start_paused = true)]
async fn credentials_last_as_long_as_a_bootstrap() {
    let said = async |minutes: i64, makes: bool| {
        let (mut spec, mut facts) = healthy().await;
        if makes {
            (spec.cluster, facts.cluster) = (ClusterMode::Managed, Probed::Absent);
        }
        known(&mut facts.caller).good_for = Some(minutes * 60);
        let found = bad(&spec, &facts, DAY).into_iter().find(|f| f.id == "aws-credentials");
        found.map(|f| f.message.rsplit_once("within ").unwrap().1.to_owned())
    };
    assert_eq!(said(25, true).await.as_deref(), Some("25 min: a bootstrap that makes a cluster takes longer"));
    assert_eq!(said(5, false).await.as_deref(), Some("5 min: a bootstrap may take longer"));
    for (minutes, makes) in [(35, true), (25, false), (-5, true), (-5, false)] {
        assert_eq!(said(minutes, makes).await, None, "{minutes} {makes}");
    }
}

#[tokio::test(start_paused = true)]
async fn names_end_somewhere() {
    let (spec, there) = healthy().await;
    let facts = Facts { stack: Probed::Absent, ..there.clone() };
    let judge_of = |letters: usize| {
        let spec = Spec { cluster_name: "c".repeat(letters).parse().unwrap(), ..spec.clone() };
        let said = judge(
            &all(),
            &Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() },
        );
        said.into_iter().filter(|f| f.id == "names-and-sizes").collect::<Vec<_>>()
    };
    let warned = |letters| judge_of(letters).iter().filter(|f| f.result == Verdict::Warn).count();
    assert_eq!(
        (warned(46), warned(47), warned(54), warned(55)),
        (0, 1, 2, 3),
        "the node role ends at 46, the node group at 53, the controller's role at 54"
    );
    assert!(judge_of(100).iter().all(|f| f.result != Verdict::Fail), "{:#?}", judge_of(100));
    let spec = Spec { cluster_name: "c".repeat(55).parse().unwrap(), ..spec.clone() };
    assert!(!bad(&spec, &there, DAY).iter().any(|f| f.id == "names-and-sizes"), "what is made is made");
    assert!(judge_of(4)[0].message.contains("a policy may have 6144"), "{:#?}", judge_of(4));
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_at_rest_and_of_this_release() {
    for (status, verdict, words) in [
        ("ROLLBACK_COMPLETE", Verdict::Fail, "it takes no update"),
        ("DELETE_FAILED", Verdict::Fail, "it takes no update"),
        ("UPDATE_ROLLBACK_FAILED", Verdict::Fail, "is UPDATE_ROLLBACK_FAILED: role in use"),
        ("UPDATE_ROLLBACK_COMPLETE", Verdict::Warn, "its last update failed"),
        ("UPDATE_IN_PROGRESS", Verdict::Warn, "changing it now"),
    ] {
        let found = broken(|f| {
            let stack = known(&mut f.stack);
            (stack.status, stack.status_reason) = (status.into(), Some("role in use".into()));
        })
        .await;
        exactly(&found, "stack-state", verdict);
        said(&found, words);
        assert_eq!(found[0].heals, status.ends_with("IN_PROGRESS"), "{status} comes right by itself");
        let deleted = found[0].fixes.iter().any(|fix| fix.command.iter().any(|word| word == "delete-stack"));
        assert_eq!(deleted, status == "ROLLBACK_COMPLETE", "{status}: Karpenter works with what the stack still has");
    }
    let found = broken(|f| known(&mut f.stack).template = Some("Description: another\n".into())).await;
    exactly(&found, "stack-state", Verdict::Warn);
    said(&found, "another template than that of Karpenter 1.14.1");
    let found = broken(|f| known(&mut f.stack).tags.clear()).await;
    exactly(&found, "stack-state", Verdict::Warn);
    said(&found, "without karpctl's tag");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_serves_is_not_deleted_with_its_stack() {
    let (spec, mut facts) = healthy().await;
    let spec = Spec { cluster: ClusterMode::Managed, ..spec };
    let id = "arn:aws:cloudformation:us-west-2:111122223333:stack/eksctl-demo-cluster/1".to_owned();
    let stack = StackFacts { id, status: "DELETE_FAILED".into(), ..known(&mut facts.stack).clone() };
    facts.eksctl_stack = Probed::Known(stack);
    let found = |facts: &Facts| {
        let found: Vec<Finding> = bad(&spec, facts, DAY).into_iter().filter(|f| f.id == "stack-state").collect();
        exactly(&found, "stack-state", Verdict::Fail);
        found[0].fixes.iter().map(|fix| format!("{} {}", fix.title, fix.command.join(" "))).collect::<Vec<_>>().join("\n")
    };
    let kept = found(&facts);
    assert!(!kept.contains("delete-stack") && !kept.contains("makes it anew"), "{kept}");
    assert!(kept.contains("if it holds nothing, `eksctl delete cluster --name demo --region us-west-2 --wait`"), "{kept}");
    facts.cluster = Probed::Absent;
    assert!(found(&facts).contains("delete it aws cloudformation delete-stack --region us-west-2 --stack-name eksctl-demo-cluster"));
}

#[tokio::test(start_paused = true)]
async fn zonal_shift_is_heeded_where_the_controller_can_read_it() {
    let (spec, facts) = healthy().await;
    let of = |spec: &Spec, facts: &Facts| bad(spec, facts, DAY).into_iter().filter(|f| f.id == "zonal-shift").collect::<Vec<_>>();
    let off = Spec { zonal_shift: Some(false), ..spec.clone() };
    let mut shifted = facts.clone();
    known(&mut shifted.cluster).zonal_shift = true;
    let mut by_values = off.clone();
    by_values.chart.values.insert("settings".into(), json!({"enableZonalShift": true}));
    for heeds in [&spec, &by_values] {
        let found = of(
            heeds,
            &Facts {
                cluster: Probed::Known(karpctl::facts::ClusterFacts { zonal_shift: false, ..known(&mut shifted.clone().cluster).clone() }),
                ..facts.clone()
            },
        );
        exactly(&found, "zonal-shift", Verdict::Fail);
        said(&found, "is off for the cluster");
        assert_eq!(of(heeds, &shifted), []);
    }
    assert_eq!(of(&off, &facts), []);
    let old = Spec { release: "1.12.2".parse().unwrap(), ..spec };
    let found = of(&old, &shifted);
    exactly(&found, "zonal-shift", Verdict::Fail);
    said(&found, "the policies of Karpenter 1.12.2 do not let the controller read it");
}

#[tokio::test(start_paused = true)]
async fn what_the_account_and_the_nodes_stand_on() {
    let found = broken(|f| *known(&mut f.iam_summary).get_mut("AttachedPoliciesPerRoleQuota").unwrap() = 3).await;
    exactly(&found, "iam-quotas", Verdict::Fail);
    let found = broken(|f| {
        f.controller_role = Probed::Absent;
        f.controller_permissions = Probed::Absent;
        known(&mut f.iam_summary).insert("RolesQuota".into(), 40);
    })
    .await;
    assert!(found.iter().any(|f| f.id == "iam-quotas" && f.message.contains("40 of 40 are used, and 1 more")), "{found:#?}");
    // A role keeps the policies that its owner attached, and is rid of those of other releases.
    let with = async |others: usize| {
        broken(|f| {
            let of = |name: String| format!("arn:aws:iam::111122223333:policy/{name}");
            let own = (0..others).map(|n| of(format!("own-{n}"))).chain([of("KarpenterControllerPolicy-demo".into())]);
            known(&mut f.controller_role).policies.extend(own);
        })
        .await
    };
    let found = with(5).await;
    exactly(&found, "iam-quotas", Verdict::Fail);
    said(&found, "6 are needed beside 5 of your own, and a role takes 10: PoliciesPerRole");
    assert_eq!(with(4).await, []);
    let (spec, mut facts) = healthy().await;
    known(&mut facts.iam_summary).clear();
    let meant = karpctl::spec::Meant::default();
    let told = judge(&all(), &Situation { spec: Some(&spec), meant: &meant, facts: &facts, today: DAY.parse().unwrap() });
    assert_eq!(told.iter().find(|f| f.id == "iam-quotas").unwrap().result, Verdict::Skip);
    // With a cluster eksctl makes roles of its own.
    let to_come = async || {
        let (mut spec, mut facts) = super::healthy().await;
        (spec.cluster, facts.cluster, facts.stack, facts.controller_role) =
            (ClusterMode::Managed, Probed::Absent, Probed::Absent, Probed::Absent);
        (facts.chart_release, facts.neighbours) = (Probed::Absent, Probed::Absent);
        known(&mut facts.iam_summary).insert("RolesQuota".into(), 40);
        let found = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "iam-quotas");
        found.map(|f| f.message).collect::<Vec<_>>()
    };
    assert_eq!(to_come().await, ["40 of 40 are used, and 5 more are needed: LimitExceeded"]);

    let near = |f: &mut Facts| known(&mut f.node_groups)[0].hop_limit = Some(1);
    assert_eq!(broken(near).await, [], "Pod Identity tells the controller all that it would ask for");
    // Whether a controller by its values, with an association or without, is said to ask there.
    let (spec, facts) = healthy().await;
    let asks = |spec: &Spec, change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        near(&mut facts);
        (facts.association, facts.controller_role) = (Probed::Absent, Probed::Absent);
        change(&mut facts);
        let situation = Situation { spec: Some(spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
        let said = judge(&all(), &situation).into_iter().find(|f| f.id == "node-group").unwrap();
        (said.result, said.message)
    };
    let given = |values: serde_json::Value| {
        let mut spec = spec.clone();
        spec.chart.values.extend(values.as_object().unwrap().clone());
        spec
    };
    let nothing = |_: &mut Facts| {};
    let both = asks(&spec, &nothing);
    assert!(both.0 == Verdict::Warn && both.1.ends_with("the controller asks there for its region and its credentials"), "{both:?}");
    let region = given(json!({"controller": {"env": [{"name": "AWS_REGION", "value": "us-west-2"}]}}));
    assert!(asks(&region, &nothing).1.ends_with("asks there for its credentials"));
    let irsa = json!({"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/own"}});
    for (spec, change) in [
        (&Spec { identity: Identity::Irsa, ..spec.clone() }, &nothing as &dyn Fn(&mut Facts)),
        (&given(json!({"hostNetwork": true})), &nothing),
        (&spec, &|f| known(&mut f.chart_release).values["serviceAccount"] = irsa.clone()),
        (&spec, &|f| {
            f.chart_release = Probed::Absent;
            known(&mut f.neighbours).workloads.clear();
        }),
    ] {
        assert_eq!(asks(spec, change).0, Verdict::Pass);
    }
    assert_eq!(asks(&spec, &|f| f.association = Probed::Unavailable("denied".into())).0, Verdict::Skip);
    let bare = |ami_type: &'static str| {
        move |f: &mut Facts| {
            let group = &mut known(&mut f.node_groups)[0];
            (group.hop_limit, group.own_template, group.ami_type) = (None, false, ami_type.into());
        }
    };
    let found = asks(&spec, &bare("AL2023_ARM_64_STANDARD"));
    assert!(found.0 == Verdict::Warn && found.1.starts_with("is of AL2023 without a launch template"), "{found:?}");
    for other in ["AL2_x86_64", "BOTTLEROCKET_x86_64", ""] {
        assert_eq!(asks(&spec, &bare(other)).0, Verdict::Pass, "{other}: EKS's default lets pods ask, or facts of before do not say");
    }
    let unsaid = |f: &mut Facts| known(&mut f.node_groups)[0].hop_limit = None;
    assert_eq!(asks(&spec, &unsaid).0, Verdict::Pass, "a template that says nothing of it");
    let before = json!({"name": "ng", "status": "ACTIVE", "issues": [], "hop_limit": 2});
    let read: karpctl::facts::NodeGroupFacts = serde_json::from_value(before).unwrap();
    assert_eq!((read.own_template, read.ami_type.as_str()), (false, ""), "what a karpctl of before has saved");
    let found = broken(|f| {
        let group = &mut known(&mut f.node_groups)[0];
        (group.status, group.issues) = ("DEGRADED".into(), vec!["InsufficientFreeAddresses: none left".into()]);
    })
    .await;
    exactly(&found, "node-group", Verdict::Warn);
    exactly(&broken(|f| known(&mut f.node_groups)[0].status = "CREATE_FAILED".into()).await, "node-group", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn there_is_an_image_for_every_node_that_starts() {
    exactly(&broken(|f| known(&mut f.ami_image).image = None).await, "ami-alias", Verdict::Fail);
    let (spec, facts) = healthy().await;
    let with = |of: &Spec, day: &str, change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        bad(of, &facts, day).into_iter().filter(|f| f.id == "ami-alias").collect::<Vec<_>>()
    };
    let image = |name: Option<&str>| {
        let parameter = "/aws/service/eks/optimized-ami/1.34/amazon-linux-2023/arm64/standard/recommended/image_id".into();
        Probed::Known(karpctl::facts::AmiFacts { parameter, image: name.map(str::to_owned) })
    };
    let pool = |architectures: &[Architecture]| {
        let mut spec = spec.clone();
        spec.node_pool.architectures = architectures.to_vec();
        spec
    };
    let both = pool(&[Architecture::Amd64, Architecture::Arm64]);
    assert_eq!(with(&both, DAY, &|f| f.ami_image_arm = image(Some("amazon-eks-node-al2023-arm64"))), []);
    // Karpenter goes on with what it finds.
    let found = with(&both, DAY, &|f| f.ami_image_arm = image(None));
    exactly(&found, "ami-alias", Verdict::Warn);
    said(&found, "arm64/standard/recommended/image_id names none; nodes of this architecture do not start");
    assert!(found[0].subject.ends_with(", arm64"), "{found:#?}");
    let arm = pool(&[Architecture::Arm64]);
    exactly(&with(&arm, DAY, &|f| (f.ami_image, f.ami_image_arm) = (Probed::NotAsked, image(None))), "ami-alias", Verdict::Fail);
    // Asked of the world.
    for (pool, asked) in [(&both, (true, true)), (&arm, (false, true)), (&spec, (true, false))] {
        let facts = FakeWorld::with_cluster(pool.clone()).facts(&[karpctl::facts::Topic::AmiImage]).await;
        let is = |ami: &Probed<karpctl::facts::AmiFacts>, word: &str| ami.known().is_some_and(|ami| ami.parameter.contains(word));
        assert_eq!((is(&facts.ami_image, "/x86_64/"), is(&facts.ami_image_arm, "/arm64/")), asked);
    }

    let mut old = spec.clone();
    old.node_pool.ami_alias = Some("al2@latest".parse().unwrap());
    said(&with(&old, DAY, &|_| {}), "al2 aliases are no longer supported");
    old.kubernetes = "1.32".parse().unwrap();
    assert_eq!(with(&old, "2025-11-25", &|_| {}), [], "they are still made");
    let found = with(&old, DAY, &|_| {});
    exactly(&found, "ami-alias", Verdict::Warn);
    said(&found, "EKS makes no al2 images since 2025-11-26");

    // A class of somebody's own.
    let class = |alias: &str| ObjectFacts {
        resource: "ec2nodeclasses.karpenter.k8s.aws".into(),
        name: "gpu".into(),
        ami_alias: Some(alias.into()),
        ..ObjectFacts::default()
    };
    assert_eq!(with(&spec, DAY, &|f| f.objects = Probed::Known(vec![class("al2023@v20251103")])), []);
    let found = with(&spec, DAY, &|f| f.objects = Probed::Known(vec![class("al2@latest")]));
    exactly(&found, "ami-alias", Verdict::Fail);
    said(&found, "al2 aliases are no longer supported");
    let patch = r#"kubectl patch ec2nodeclasses.karpenter.k8s.aws gpu --type merge --patch {"spec":{"amiSelectorTerms":[{"alias":"al2023@latest"}]}}"#;
    assert_eq!(found[0].fixes[0].command.join(" "), patch);
    let before = Spec { kubernetes: "1.32".parse().unwrap(), ..spec.clone() };
    exactly(&with(&before, DAY, &|f| f.objects = Probed::Known(vec![class("al2@latest")])), "ami-alias", Verdict::Warn);
}

/// A pinned image is of the Kubernetes versions of its day: after an upgrade of the cluster a class finds none.
#[tokio::test(start_paused = true)]
async fn the_image_that_a_class_pins_is_there() {
    let with = async |name: &str, spec: Value, of_pin: Option<&str>| {
        let world = healthy_world().await;
        world.put(&place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, name), json!({"spec": spec}));
        world.inside().no_images.extend(of_pin.map(str::to_owned));
        let (spec, facts) = seen(&world).await;
        bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "ami-alias").collect::<Vec<_>>()
    };
    let pin = json!({"role": "KarpenterNodeRole-demo", "amiSelectorTerms": [{"alias": "al2023@v20240101"}]});
    assert_eq!(with("gpu", pin.clone(), None).await, []);
    assert_eq!(with("gpu", pin.clone(), Some("amazon-eks-node-al2023-x86_64-standard-")).await, [], "nodes of Arm start");
    // karpctl's own, too, whose pin it keeps.
    for name in ["gpu", "default"] {
        let found = with(name, pin.clone(), Some("v20240101")).await;
        exactly(&found, "ami-alias", Verdict::Fail);
        said(&found, "AMISelector did not match any AMIs: /aws/service/eks/optimized-ami/");
        said(&found, "/amazon-linux-2023/x86_64/standard/amazon-eks-node-al2023-x86_64-standard-");
        let patch = format!(
            r#"kubectl patch ec2nodeclasses.karpenter.k8s.aws {name} --type merge --patch {{"spec":{{"amiSelectorTerms":[{{"alias":"al2023@latest"}}]}}}}"#
        );
        assert_eq!(found[0].fixes[0].command.join(" "), patch);
    }
    // A family that the class says besides goes with it.
    let mut named = pin;
    named["amiFamily"] = json!("AL2023");
    let found = with("gpu", named, Some("v20240101")).await;
    assert!(found[0].fixes[0].command.join(" ").contains(r#""amiFamily":null"#), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn no_read_is_made_twice() {
    for spec in [existing("1.14.1"), crate::fixture::spec("1.14.1"), existing("1.0.8")] {
        let world = FakeWorld::bootstrapped(spec).await;
        world.forget_calls();
        // Who asks is known to a doctor before it asks anything else.
        let known = |t: &karpctl::facts::Topic| t.on_this_machine() || *t == karpctl::facts::Topic::Caller;
        world.facts(&topics(&all()).into_iter().filter(|t| !known(t)).collect::<Vec<_>>()).await;
        let looks = world.looks();
        assert!(looks.len() > 30, "{looks:#?}");
        assert_eq!(looks.iter().filter(|look| look.contains("caller")).count(), 1, "by the check of its permissions");
        let mut once = std::collections::BTreeSet::new();
        let twice: Vec<&String> = looks.iter().filter(|look| !once.insert(*look)).collect();
        assert!(twice.is_empty(), "{twice:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn interruptions_get_to_the_queue() {
    exactly(&broken(|f| f.queue = Probed::Absent).await, "interruption-queue", Verdict::Fail);
    let found = broken(|f| known(&mut f.queue).policy = json!(null)).await;
    exactly(&found, "interruption-queue", Verdict::Fail);
    said(&found, "does not let events.amazonaws.com send");
    let attributes: serde_json::Value = serde_json::from_str(found[0].fixes[0].command.last().unwrap()).unwrap();
    assert!(attributes["Policy"].as_str().unwrap().contains("\"sqs:SendMessage\""), "{attributes}");
    let found = broken(|f| known(&mut f.queue_rules).retain(|r| !r.name.contains("Spot"))).await;
    exactly(&found, "interruption-queue", Verdict::Fail);
    assert_eq!(found[0].subject, "event \"EC2 Spot Instance Interruption Warning\"");
    // What only nodes in capacity reservations get is missed only by them.
    let without = |f: &mut Facts| known(&mut f.queue_rules).retain(|r| !r.pattern.to_string().contains("Capacity Reservation"));
    exactly(&broken(without).await, "interruption-queue", Verdict::Warn);
    let found = broken(|f| {
        without(f);
        let class = known(&mut f.objects).iter_mut().find(|o| o.resource.starts_with("ec2nodeclasses")).unwrap();
        class.said.insert("capacityReservationSelectorTerms".into(), json!([{"tags": {"team": "ml"}}]));
    })
    .await;
    exactly(&found, "interruption-queue", Verdict::Fail);
    assert!(found[0].fixes[0].title.contains("`karpctl iam`"), "{found:#?}");
    let found = broken(|f| known(&mut f.queue_rules)[0].enabled = false).await;
    exactly(&found, "interruption-queue", Verdict::Fail);
    assert_eq!(found[0].fixes[0].command[..3], ["aws", "events", "enable-rule"]);
    // What was found is said though the rest could not be read.
    let found = broken(|f| {
        known(&mut f.queue).policy = json!(null);
        f.queue_rules = Probed::Unavailable("events:ListRuleNamesByTarget".into());
    });
    exactly(&found.await, "interruption-queue", Verdict::Fail);
    // Rules of one's own may send more.
    let more = broken(|f| known(&mut f.queue_rules)[0].pattern["detail-type"] = json!(["AWS Health Event", "more"])).await;
    assert!(more.is_empty(), "{more:#?}");
}

/// A spec that makes the cluster, and a world where it is not there yet.
pub(super) async fn to_be_made() -> (Spec, Facts) {
    let (spec, mut facts) = healthy().await;
    facts.cluster = Probed::Absent;
    known(&mut facts.vcpus).node_group_instance = Some(2);
    (Spec { cluster: karpctl::spec::ClusterMode::Managed, ..spec }, facts)
}
