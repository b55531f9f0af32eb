//! A Karpenter that karpctl did not make, and that works: what is right with it is no finding, and no command that is printed harms it.

use super::aws::known;
use super::{DAY, bad, exactly, healthy_world, seen};
use crate::checks_inside::after;
use crate::fake::FakeWorld;
use crate::fake::inside::{deployment, place};
use karpctl::facts::{ClassSelection, ClassSubnet, Denial, DeniedBy, Facts, Probed, QuotaUse, RouteTableFacts, SubnetFacts, Topic};
use karpctl::finding::{Finding, Verdict};
use karpctl::knowledge::Release;
use karpctl::spec::{Elsewhere, Spec};
use serde_json::{Value, json};

/// A controller of 1.6 with its own CRDs, which no helm put there: another release's would be put under its controller.
#[tokio::test(start_paused = true)]
async fn crds_are_judged_by_the_controller_that_is_there() {
    let with = async |namespace: &str, of: &str| {
        let image = "public.ecr.aws/karpenter/controller:1.6.3@sha256:00";
        let world = healthy_world().await;
        let (object, body) = deployment(namespace, "karpenter", image);
        world.inside().objects.remove(&place("apps/v1", "deployments", Some("kube-system"), "karpenter"));
        world.put(&object, body);
        let (spec, mut facts) = seen(&world).await;
        facts.chart_release = Probed::Absent;
        let Probed::Known(crds) = &mut facts.crds else { panic!() };
        let of: Release = of.parse().unwrap();
        crds.retain(|name, crd| {
            crd.schema = of.crd_fingerprint(name).map(str::to_owned);
            crd.schema.is_some()
        });
        bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "crd-schema").collect::<Vec<_>>()
    };
    assert_eq!(with("kube-system", "1.6.3").await, []);
    assert_eq!(with("karpenter", "1.6.3").await, []);
    let found = with("kube-system", "1.4.0").await;
    exactly(&found, "crd-schema", Verdict::Fail);
    assert!(found[0].fixes[0].command.contains(&"1.6.3".to_owned()), "{found:#?}");
    let found = with("karpenter", "1.4.0").await;
    exactly(&found, "crd-schema", Verdict::Fail);
    assert!(found[0].fixes.iter().all(|fix| fix.command.is_empty()), "it belongs to another namespace: {found:#?}");
}

/// A Karpenter that helm did not install, or of another namespace, is of the release that its image says.
#[tokio::test(start_paused = true)]
async fn admission_webhooks_may_be_those_of_the_controller_that_is_there() {
    let hook = place("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", None, "validation.webhook.karpenter.sh");
    for (namespace, image, left) in [
        ("kube-system", "mirror:5000/karpenter/controller:v0.32.10@sha256:00", false),
        ("karpenter", "mirror:5000/karpenter/controller:v0.32.10", false),
        ("karpenter", "mirror:5000/karpenter/controller", false),
        ("karpenter", "mirror:5000/karpenter/controller:1.6.3", true),
    ] {
        let found = after(|w| {
            let (object, body) = deployment(namespace, "karpenter", image);
            w.put(&object, body);
            w.put(&hook, json!({}));
        })
        .await;
        assert_eq!(found.iter().any(|f| f.id == "admission-webhooks"), left, "{image}: {found:#?}");
    }
}

/// Adopted from the Terraform module without spot termination: no queue, and roles with policies of the module's own.
#[tokio::test(start_paused = true)]
async fn a_role_of_another_tool_keeps_its_own_policies() {
    let (spec, mut facts) = adopted(None).await;
    let Probed::Known(role) = &mut facts.controller_role else { panic!() };
    role.policies = vec!["arn:aws:iam::111122223333:policy/KarpenterController-20260101".into()];
    let of_role = |facts: &Facts| bad(&spec, facts, DAY).into_iter().filter(|f| f.id == "controller-permissions").collect::<Vec<_>>();
    assert_eq!(of_role(&facts), []);
    let Probed::Known(permissions) = &mut facts.controller_permissions else { panic!() };
    permissions.denied = ["ec2:DescribeInstanceStatus", "iam:ListInstanceProfiles"]
        .map(|action| Denial { action: action.into(), resource: "*".into(), by: DeniedBy::Nobody, unknown_keys: Vec::new() })
        .into();
    let found = of_role(&facts);
    exactly(&found, "controller-permissions", Verdict::Fail);
    let cures: Vec<(&str, bool)> = found[0].fixes.iter().map(|fix| (fix.title.as_str(), fix.command.is_empty())).collect();
    let words = "have the tool that made the role allow it ec2:DescribeInstanceStatus, iam:ListInstanceProfiles: karpctl changes no role that is madeElsewhere";
    assert_eq!(cures, [(words, true)], "it has no stack, and no policy of one");

    // A queue that there is none of is asked nothing.
    let asked = async |spec: &Spec| {
        let world = FakeWorld::bootstrapped(spec.clone()).await;
        world.forget_calls();
        world.facts(&[Topic::ControllerPermissions]).await.controller_permissions.known().map(|p| p.asked)
    };
    let (with, without) = (asked(&adopted(Some("Karpenter-demo")).await.0).await, asked(&spec).await);
    assert!(without > Some(60) && without < with, "{without:?} {with:?}");
    // Nor is one asked of zonal shifts that is not to heed them: the Terraform module has let it only since 2026.
    let of_shifts = async |zonal_shift| asked(&Spec { zonal_shift: Some(zonal_shift), ..spec.clone() }).await;
    assert_eq!(of_shifts(true).await, of_shifts(false).await.map(|asked| asked + 1));
}

/// The Terraform module has four rules, and karpctl's stack is not made beside it.
#[tokio::test(start_paused = true)]
async fn a_rule_that_another_tool_left_out_is_made_by_hand() {
    let (spec, mut facts) = adopted(Some("Karpenter-demo")).await;
    let Probed::Known(rules) = &mut facts.queue_rules else { panic!() };
    let all = rules.clone();
    rules.retain(|rule| !rule.pattern.to_string().contains("Capacity Reservation"));
    let of_queue = |facts: &Facts| bad(&spec, facts, DAY).into_iter().filter(|f| f.id == "interruption-queue").collect::<Vec<_>>();
    let found = of_queue(&facts);
    exactly(&found, "interruption-queue", Verdict::Warn);
    let commands: Vec<String> = found[0].fixes.iter().map(|fix| fix.command.join(" ")).collect();
    assert!(commands[1].contains("put-rule --region us-west-2 --name karpctl-CapacityReservationInterruptionRule-demo"), "{commands:#?}");
    assert!(commands[2].contains("Arn=arn:aws:sqs:us-west-2:111122223333:Karpenter-demo"), "{commands:#?}");
    assert!(found[0].fixes.iter().all(|fix| !fix.title.contains("karpctl iam")), "{found:#?}");
    facts.queue_rules = Probed::Known(all);
    assert_eq!(of_queue(&facts), []);
}

/// Of a Karpenter that another tool made, and that was not adopted, nothing is made beside it, however full the account is.
#[tokio::test(start_paused = true)]
async fn nobody_needs_room_for_what_is_not_made() {
    let (spec, mut facts) = seen(&healthy_world().await).await;
    (facts.stack, facts.controller_role) = (Probed::Absent, Probed::Absent);
    known(&mut facts.iam_summary).insert("RolesQuota".into(), 40);
    facts.rule_quota = Probed::Known(QuotaUse { quota: Some(100), used: 100 });
    let quotas = |facts: &Facts| {
        bad(&spec, facts, DAY).into_iter().map(|f| f.id).filter(|id| ["iam-quotas", "cluster-quotas"].contains(&id.as_str())).count()
    };
    assert_eq!(quotas(&facts), 0);
    facts.chart_release = Probed::Absent;
    known(&mut facts.neighbours).workloads.clear();
    assert_eq!(quotas(&facts), 2, "what is made takes room");
}

/// A spoke: endpoints in the VPC of a hub behind a transit gateway, or a proxy.
#[tokio::test(start_paused = true)]
async fn a_way_that_is_not_seen_is_no_reason_to_make_endpoints() {
    let (spec, mut facts) = seen(&healthy_world().await).await;
    let closed = |facts: &Facts| {
        let is_of_ways = |f: &Finding| ["private-endpoints", "private-values"].contains(&f.id.as_str());
        bad(&spec, facts, DAY).into_iter().filter(is_of_ways).collect::<Vec<_>>()
    };
    let Probed::Known(routes) = &mut facts.routes else { panic!() };
    for table in routes.iter_mut() {
        table.leads_out = false;
    }
    let ready = facts.clone();
    let Probed::Known(neighbours) = &mut facts.neighbours else { panic!() };
    neighbours.workloads.iter_mut().for_each(|w| w.ready = 0);
    let stopped = facts.clone();
    assert!(closed(&stopped).iter().any(|f| f.subject == "VPC endpoints" && f.result == Verdict::Fail), "nothing speaks for a way");

    let mut hub = stopped.clone();
    let Probed::Known(routes) = &mut hub.routes else { panic!() };
    routes[0].leads_elsewhere = true;
    let mut proxy = stopped;
    let Probed::Known(live) = &mut proxy.chart_release else { panic!() };
    live.values["controller"]["env"] = json!([{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}]);
    for (facts, way) in
        [(ready, "a Karpenter is ready"), (hub, "a route leads to another network"), (proxy, "the controller is told a proxy")]
    {
        let found = closed(&facts);
        let of_ways: Vec<&Finding> = found.iter().filter(|f| f.id == "private-endpoints").collect();
        assert_eq!(of_ways.len(), 1, "{found:#?}");
        assert!(of_ways[0].message.contains(way), "{found:#?}");
        for finding in &found {
            assert_eq!(finding.result, Verdict::Warn, "{finding:#?}");
            assert!(finding.fixes.iter().all(|fix| fix.command.is_empty()), "{finding:#?}");
        }
    }
}

/// Kept for self-managed node groups, as the check itself says it.
#[tokio::test(start_paused = true)]
async fn a_termination_handler_that_stays_off_karpenters_nodes_is_no_finding() {
    let with = async |pod: Value| {
        let object = place("apps/v1", "daemonsets", Some("kube-system"), "nth");
        let labels = json!({"app.kubernetes.io/name": "aws-node-termination-handler"});
        let body = json!({"metadata": {"labels": labels}, "spec": {"template": {"spec": pod}}, "status": {"desiredNumberScheduled": 2}});
        after(|w| w.put(&object, body)).await
    };
    let affinity = |terms: Value| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}});
    let without = json!({"matchExpressions": [{"key": "karpenter.sh/nodepool", "operator": "DoesNotExist"}]});
    for pod in [
        json!({"nodeSelector": {"kubernetes.io/os": "linux", "eks.amazonaws.com/nodegroup": "self"}}),
        json!({"nodeSelector": {"lifecycle": "self-managed"}}),
        affinity(json!([without])),
    ] {
        assert_eq!(with(pod).await, []);
    }
    let linux = json!({"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]});
    for pod in [
        json!({}),
        json!({"nodeSelector": {"kubernetes.io/os": "linux", "karpenter.sh/capacity-type": "spot"}}),
        affinity(json!([without, linux])),
    ] {
        let found = with(pod).await;
        exactly(&found, "termination-handler", Verdict::Warn);
        let cures: Vec<bool> = found[0].fixes.iter().map(|fix| fix.command.is_empty()).collect();
        assert_eq!(cures, [true, false], "what removes it comes last: {found:#?}");
    }
}

/// A Deployment that works by a queue: where its pods run does not say whose nodes it drains.
#[tokio::test(start_paused = true)]
async fn a_termination_handler_of_a_queue_drains_what_carries_its_tag() {
    let with = async |container: Value| {
        let object = place("apps/v1", "deployments", Some("kube-system"), "nth");
        let labels = json!({"app.kubernetes.io/name": "aws-node-termination-handler"});
        let pod = json!({"nodeSelector": {"eks.amazonaws.com/nodegroup": "self"}, "containers": [container]});
        let body = json!({"metadata": {"labels": labels}, "spec": {"replicas": 1, "template": {"spec": pod}}});
        after(|w| w.put(&object, body)).await
    };
    let variable = |name: &str, value: &str| json!({"env": [{"name": "NODE_NAME"}, {"name": name, "value": value}]});
    for container in [
        json!({}),
        variable("CHECK_TAG_BEFORE_DRAINING", "true"),
        variable("CHECK_ASG_TAG_BEFORE_DRAINING", "true"),
        json!({"args": ["--check-tag-before-draining"]}),
    ] {
        assert_eq!(with(container).await, []);
    }
    for container in [
        variable("CHECK_TAG_BEFORE_DRAINING", "false"),
        variable("CHECK_ASG_TAG_BEFORE_DRAINING", "False"),
        json!({"args": ["--node-name=x", "--check-tag-before-draining=false"]}),
    ] {
        let found = with(container).await;
        exactly(&found, "termination-handler", Verdict::Warn);
        assert!(found[0].fixes[0].title.contains("checkTagBeforeDraining"), "{found:#?}");
    }
}

/// A node class that selects by ids, or by a tag of a VPC that clusters share.
#[tokio::test(start_paused = true)]
async fn node_classes_with_selectors_of_their_own_are_judged_by_what_they_find() {
    fn selection(facts: &mut Facts) -> &mut ClassSelection {
        let Probed::Known(objects) = &mut facts.objects else { panic!() };
        objects.iter_mut().find_map(|o| o.selection.as_mut()).unwrap()
    }
    let with = async |change: &dyn Fn(&mut Facts)| {
        let (mut spec, mut facts) = seen(&healthy_world().await).await;
        spec.node_pool.keep = true;
        let Probed::Known(selection) = &mut facts.selection else { panic!() };
        (selection.subnets, selection.security_groups) = (Vec::new(), Vec::new());
        let Probed::Known(network) = &mut facts.network else { panic!() };
        network.subnets.iter_mut().for_each(|s| drop(s.tags.insert("karpenter.sh/discovery".into(), "shared-vpc".into())));
        // The subnets of the control plane, which no node is launched into.
        let Probed::Known(routes) = &mut facts.routes else { panic!() };
        let intra = RouteTableFacts {
            id: "rtb-intra".into(),
            main: false,
            subnets: network.subnets.iter().map(|s| s.id.clone()).collect(),
            leads_out: false,
            leads_elsewhere: false,
            to_internet_gateway: false,
        };
        routes.push(intra);
        let Probed::Known(objects) = &mut facts.objects else { panic!() };
        let class = objects.iter_mut().find(|o| o.resource.starts_with("ec2nodeclasses")).unwrap();
        let subnet = |id: &str, zone: &str| ClassSubnet { id: id.into(), zone: zone.into() };
        class.selection = Some(ClassSelection {
            subnet_terms: vec![json!({"tags": {"karpenter.sh/discovery": "shared-vpc"}})],
            group_terms: vec![json!({"id": "sg-nodes"})],
            subnets: Some(vec![subnet("subnet-private-a", "us-west-2a"), subnet("subnet-private-b", "us-west-2b")]),
            groups: Some(vec!["sg-nodes".into()]),
        });
        change(&mut facts);
        let ids = ["node-network", "node-security-groups", "private-endpoints", "private-values"];
        bad(&spec, &facts, DAY).into_iter().filter(|f| ids.contains(&f.id.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(with(&|_| {}).await, []);
    let none = [
        ("node-network", with(&|f| selection(f).subnets = Some(Vec::new())).await),
        ("node-security-groups", with(&|f| selection(f).groups = Some(Vec::new())).await),
    ];
    for (id, found) in none {
        exactly(&found, id, Verdict::Fail);
        assert!(found[0].message.contains("its selector finds none"), "{found:#?}");
        assert_eq!(found[0].fixes[0].command[..2], ["kubectl", "get"], "what it is to find is not known: {found:#?}");
    }
    // They are looked at like those that the tag finds.
    let subnet = |f: &mut Facts, change: &dyn Fn(&mut SubnetFacts)| {
        let mut of_class = known(&mut f.network).subnets[0].clone();
        (of_class.id, of_class.free_addresses) = ("subnet-private-a".into(), 4000);
        change(&mut of_class);
        f.class_subnets = Probed::Known(vec![of_class]);
    };
    assert_eq!(with(&|f| subnet(f, &|_| {})).await, []);
    let full = with(&|f| subnet(f, &|s| s.free_addresses = 3)).await;
    exactly(&full, "node-network", Verdict::Warn);
    assert_eq!(
        (full[0].subject.as_str(), full[0].message.as_str()),
        ("subnet subnet-private-a (us-west-2a) of the node class default", "has 3 free addresses")
    );
    let apart = with(&|f| subnet(f, &|s| s.vpc_id = "vpc-other".into())).await;
    exactly(&apart, "node-network", Verdict::Fail);
    assert!(apart[0].message.contains("is of vpc-other"), "{apart:#?}");
    assert_eq!(apart[0].fixes[0].command, ["kubectl", "edit", "ec2nodeclasses.karpenter.k8s.aws", "default"]);
    // What Karpenter has not said yet is no failure, and no reason to make anything.
    let unsaid = with(&|f| (selection(f).subnets, selection(f).groups) = (None, None)).await;
    assert_eq!(unsaid, []);
    // A class that goes by the cluster's tag is judged by what carries it.
    let by_tag = with(&|f| selection(f).group_terms = vec![json!({"tags": {"karpenter.sh/discovery": "demo"}})]).await;
    exactly(&by_tag, "node-security-groups", Verdict::Fail);

    // As it is read.
    let world = healthy_world().await;
    let class = place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "default");
    world.change(&class, |class| {
        class["status"]["subnets"] = json!([{"id": "subnet-0000000b", "zone": "us-west-2b"}]);
        class["status"]["securityGroups"] = json!([{"id": "sg-1", "name": "nodes"}]);
    });
    let (_, mut facts) = seen(&world).await;
    let ids = |f: &mut Facts| known(&mut f.class_subnets).iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    assert!(ids(&mut facts).contains(&"subnet-0000000b".to_owned()), "its subnets are asked for by their ids: {:?}", facts.class_subnets);
    let read = selection(&mut facts);
    assert_eq!(read.subnets, Some(vec![ClassSubnet { id: "subnet-0000000b".into(), zone: "us-west-2b".into() }]));
    assert_eq!(read.groups, Some(vec!["sg-1".into()]));
    assert_eq!(read.subnet_terms[0]["tags"]["karpenter.sh/discovery"], "demo");
}

/// What is seen of a healthy cluster whose roles and queue another tool made.
async fn adopted(queue: Option<&str>) -> (Spec, Facts) {
    let (mut spec, facts) = seen(&healthy_world().await).await;
    spec.made_elsewhere = Some(Box::new(Elsewhere {
        by: "Terraform".into(),
        node_role: spec.node_role_arn(),
        controller_role: spec.controller_role_arn(),
        instance_profile: None,
        queue: queue.map(|name| name.parse().unwrap()),
    }));
    (spec, facts)
}
