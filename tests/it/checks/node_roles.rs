//! The roles of nodes: those that node classes name in place of karpctl's own, and those of node groups.

use super::aws::{known, said};
use super::{DAY, bad, exactly, healthy, healthy_world, seen};
use crate::checks_inside::{after, says};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{AccessEntryFacts, Facts, NodeGroupFacts, Probed, RoleFacts, RolePolicies};
use karpctl::finding::Verdict;
use karpctl::ports::{InstanceProfile, Tags};
use karpctl::spec::{Identity, IpFamily, Meant, Partition, Spec};
use serde_json::{Value, json};

/// The role of the nodes with these policies of AWS's.
fn role<'p>(policies: impl IntoIterator<Item = &'p str>) -> RoleFacts {
    RoleFacts {
        arn: "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo".parse().unwrap(),
        trust: json!({"Version": "2012-10-17", "Statement": [of_ec2()]}),
        policies: policies.into_iter().map(|name| format!("arn:aws:iam::aws:policy/{name}")).collect(),
        permissions_boundary: None,
        tags: Tags::new(),
    }
}

/// What lets EC2 in.
fn of_ec2() -> Value {
    json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
}

/// A node class of another role starts nodes of that one.
#[tokio::test(start_paused = true)]
async fn node_access_is_judged_of_the_role_that_a_class_names() {
    let class = |w: &FakeWorld, spec: Value| w.put(&place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "own"), json!({"spec": spec}));
    let role = "arn:aws:iam::111122223333:role/own-nodes";
    let entry = |w: &FakeWorld, kind: &str| {
        let ours = w.inside().entries.values().next().unwrap().clone();
        w.inside().entries.insert(role.into(), AccessEntryFacts { kind: kind.into(), ..ours });
    };
    let own = json!({"role": "own-nodes", "amiSelectorTerms": [{"alias": "al2023@latest"}]});
    let found = after(|w| class(w, own.clone())).await;
    says(&found, "node-access", Verdict::Warn, "neither an access entry nor a row in aws-auth for it, unless the role has a path");
    says(&found, "node-access", Verdict::Warn, &format!("--principal-arn {role} --type EC2_LINUX"));
    assert_eq!(found[0].subject, "cluster demo, role own-nodes of node class own");
    assert_eq!(after(|w| (class(w, own.clone()), entry(w, "EC2_LINUX")).1).await, []);
    // What is in aws-auth does not matter to it then.
    let world = healthy_world().await;
    class(&world, own.clone());
    entry(&world, "EC2_LINUX");
    world.change(&place("v1", "configmaps", Some("kube-system"), "aws-auth"), |map| map["data"]["mapRoles"] = json!("- rolearn: ["));
    let (spec, facts) = seen(&world).await;
    let meant = karpctl::spec::Meant::default();
    let told = judge(&all(), &Situation { spec: Some(&spec), meant: &meant, facts: &facts, today: DAY.parse().unwrap() });
    let of_class: Vec<_> = told.iter().filter(|f| f.id == "node-access" && f.subject.contains("own-nodes")).map(|f| f.result).collect();
    assert_eq!(of_class, [Verdict::Pass], "{told:#?}");
    let standard = after(|w| (class(w, own.clone()), entry(w, "STANDARD")).1).await;
    says(
        &standard,
        "node-access",
        Verdict::Fail,
        &format!("aws eks delete-access-entry --region us-west-2 --cluster-name demo --principal-arn {role}"),
    );
    let windows = json!({"role": "own-nodes", "amiSelectorTerms": [{"alias": "windows2022@latest"}]});
    let found = after(|w| (class(w, windows), entry(w, "EC2_LINUX")).1).await;
    says(&found, "node-access", Verdict::Fail, &format!("--principal-arn {role} --type EC2_WINDOWS"));
    // By rows alone the role is known exactly.
    let by_rows = |rows: &'static str| {
        let own = own.clone();
        after(move |w| {
            class(w, own);
            w.inside().cluster.as_mut().unwrap().authentication_mode = "CONFIG_MAP".into();
            w.change(&place("v1", "configmaps", Some("kube-system"), "aws-auth"), |map| {
                map["data"]["mapRoles"] = json!(format!("{}{rows}", map["data"]["mapRoles"].as_str().unwrap()));
            });
        })
    };
    let found = by_rows("").await;
    says(&found, "node-access", Verdict::Fail, "there is no row for it in aws-auth");
    let title = "rolearn arn:aws:iam::111122223333:role/own-nodes, username system:node:{{EC2PrivateDNSName}}, groups system:bootstrappers and system:nodes";
    assert!(found[0].fixes[0].title.ends_with(title), "{found:#?}");
    let row = "- rolearn: arn:aws:iam::111122223333:role/own-nodes\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n";
    assert_eq!(by_rows(row).await, []);
}

/// Behind a profile there is one role, which IAM names with its path.
#[tokio::test(start_paused = true)]
async fn node_access_is_judged_of_the_role_behind_a_class_s_profile() {
    let with = async |mode: &str, profile: Option<&[&str]>, entry: Option<&str>| {
        after(|w| {
            let own = json!({"spec": {"instanceProfile": "own-profile", "amiSelectorTerms": [{"alias": "al2023@latest"}]}});
            w.put(&place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "own"), own);
            w.inside().cluster.as_mut().unwrap().authentication_mode = mode.into();
            let of = |roles: &[&str]| InstanceProfile {
                name: "own-profile".into(),
                path: "/".into(),
                roles: roles.iter().map(ToString::to_string).collect(),
            };
            w.inside().profiles.extend(profile.map(of));
            let ours = w.inside().entries.values().next().unwrap().clone();
            let entry =
                entry.map(|kind| ("arn:aws:iam::111122223333:role/team/nodes".to_owned(), AccessEntryFacts { kind: kind.into(), ..ours }));
            w.inside().entries.extend(entry);
        })
        .await
    };
    let held: Option<&[&str]> = Some(&["team/nodes"]);
    assert_eq!(with("API", held, Some("EC2_LINUX")).await, []);
    let found = with("API", held, None).await;
    let make = "aws eks create-access-entry --region us-west-2 --cluster-name demo --principal-arn arn:aws:iam::111122223333:role/team/nodes --type EC2_LINUX";
    says(&found, "node-access", Verdict::Fail, make);
    assert_eq!(found[0].subject, "cluster demo, role nodes of the instance profile own-profile of node class own");
    let found = with("CONFIG_MAP", held, None).await;
    says(&found, "node-access", Verdict::Fail, "there is no row for it in aws-auth");
    assert!(found[0].fixes[0].title.contains("rolearn arn:aws:iam::111122223333:role/nodes,"), "a row has no path: {found:#?}");
    says(&with("API", None, None).await, "node-access", Verdict::Fail, "kubectl edit ec2nodeclasses.karpenter.k8s.aws own");
    let add = "aws iam add-role-to-instance-profile --instance-profile-name own-profile --role-name KarpenterNodeRole-demo";
    says(&with("API", Some(&[]), None).await, "node-access", Verdict::Fail, add);
}

/// The role of a node group with policies of one's own: the agent is ready, and may not ask for the roles of pods.
#[tokio::test(start_paused = true)]
async fn the_agent_of_a_node_group_may_ask_for_the_roles_of_pods() {
    let with = async |policies: &[&str], works: bool, identity: Identity| {
        let world = healthy_world().await;
        let attached = policies.iter().map(|name| format!("arn:aws:iam::aws:policy/{name}")).collect();
        world.inside().role_policies.insert("group-role".into(), RolePolicies { attached, inline: vec!["own".into()] });
        if !works {
            world.inside().association = None;
        }
        let (spec, facts) = seen(&world).await;
        let found = bad(&Spec { identity, ..spec }, &facts, DAY).into_iter().filter(|f| f.id == "node-group");
        found.collect::<Vec<_>>()
    };
    let own = ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"];
    let found = with(&own, false, Identity::PodIdentity).await;
    says(&found, "node-group", Verdict::Warn, "unless a policy of your own allows eks-auth:AssumeRoleForPodIdentity");
    let attach = "aws iam attach-role-policy --role-name group-role --policy-arn arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy";
    says(&found, "node-group", Verdict::Warn, attach);
    for enough in ["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy"] {
        assert_eq!(with(&[enough], false, Identity::PodIdentity).await, []);
    }
    // A controller that works by it shows that it may; by IRSA nobody asks the agent.
    assert_eq!(with(&own, true, Identity::PodIdentity).await, []);
    assert_eq!(with(&own, false, Identity::Irsa).await, []);
    // Who may not read one role sees the groups, and what is said of the others.
    let world = healthy_world().await;
    world.inside().association = None;
    world.inside().closed_role = Some("group-role");
    let (spec, mut facts) = seen(&world).await;
    let said = |facts: &Facts| {
        let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts, today: DAY.parse().unwrap() };
        let said = judge(&all(), &situation).into_iter().filter(|f| f.id == "node-group");
        said.map(|f| (f.result, f.subject)).collect::<Vec<_>>()
    };
    let [well, unread] = [(Verdict::Pass, "node group demo-ng"), (Verdict::Skip, "roles of node groups")].map(|(v, s)| (v, s.to_owned()));
    assert_eq!(said(&facts), [well.clone(), unread.clone()]);
    let second = NodeGroupFacts { name: "own".into(), node_role: "own-role".into(), ..known(&mut facts.node_groups)[0].clone() };
    known(&mut facts.node_groups).push(second);
    known(&mut facts.node_group_roles).insert("own-role".into(), Probed::Known(RolePolicies::default()));
    assert_eq!(said(&facts), [well.clone(), (Verdict::Warn, "node group own".into()), unread.clone()]);
    facts.node_group_roles = Probed::Unavailable("iam:ListAttachedRolePolicies is denied".into());
    assert_eq!(said(&facts), [well, (Verdict::Pass, "node group own".into()), unread]);
}

/// A role that lost one of AWS's policies, or never had it.
#[tokio::test(start_paused = true)]
async fn nodes_may_do_what_nodes_do() {
    let all = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"];
    let own_role = Probed::Known("arn:aws:iam::111122223333:role/aws-node".to_owned());
    let with_network = async |names: &[&str], ip_family: IpFamily, change: &dyn Fn(&mut Facts)| {
        let (spec, mut facts) = healthy().await;
        facts.node_role = Probed::Known(role(names.iter().copied()));
        change(&mut facts);
        let found = bad(&Spec { ip_family, ..spec }, &facts, DAY).into_iter().filter(|f| f.id == "node-policies");
        found.collect::<Vec<_>>()
    };
    let with = async |names: &[&str], ip_family: IpFamily| {
        let of_family = |f: &mut Facts| {
            if ip_family == IpFamily::Ipv6 {
                f.network_role = own_role.clone();
            }
        };
        with_network(names, ip_family, &of_family).await
    };
    assert_eq!(with(&all, IpFamily::Ipv4).await, []);
    for (policy, seen) in [(all[0], "nodes do not join"), (all[1], "are not pulled"), (all[2], "cni plugin not initialized")] {
        let others: Vec<&str> = all.into_iter().filter(|name| *name != policy).collect();
        let found = with(&others, IpFamily::Ipv4).await;
        exactly(&found, "node-policies", Verdict::Warn);
        said(&found, seen);
        let command =
            format!("aws iam attach-role-policy --role-name KarpenterNodeRole-demo --policy-arn arn:aws:iam::aws:policy/{policy}");
        assert_eq!(found[0].fixes[0].command.join(" "), command);
    }
    // A network that has a role of its own, or none of AWS's, takes nothing by the nodes' role.
    assert_eq!(with_network(&all[..2], IpFamily::Ipv4, &|f| f.network_role = own_role.clone()).await, []);
    let other = |f: &mut Facts| known(&mut f.neighbours).node_addons.as_mut().unwrap().retain(|addon| addon.name != "aws-node");
    assert_eq!(with_network(&all[..2], IpFamily::Ipv4, &other).await, []);
    exactly(&with_network(&all[..2], IpFamily::Ipv4, &|f| f.network_role = Probed::NotAsked).await, "node-policies", Verdict::Warn);
    // Any of those that pull images does, and pods with IPv6 have another.
    assert_eq!(with(&["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryReadOnly"], IpFamily::Ipv6).await, []);
    // That of Auto Mode's nodes lets nobody read an instance.
    let minimal = with(&["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryReadOnly"], IpFamily::Ipv6).await;
    said(&minimal, "nodes do not join");
}

/// AWS has no policy by which the network add-on gives pods IPv6: it has a role of its own, or the nodes' role a policy of one's own.
#[tokio::test(start_paused = true)]
async fn pods_of_an_ipv6_cluster_get_addresses() {
    let of_aws = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"];
    let with = async |more: &[&str], change: &dyn Fn(&FakeWorld)| {
        let world = healthy_world().await;
        world.inside().cluster.as_mut().unwrap().ip_family = IpFamily::Ipv6;
        change(&world);
        let (spec, mut facts) = seen(&world).await;
        facts.node_role = Probed::Known(role(of_aws.iter().chain(more).copied()));
        bad(&spec, &facts, DAY)
    };
    let found = with(&[], &|_| ()).await;
    exactly(&found, "node-policies", Verdict::Warn);
    said(&found, "the cluster is IPv6, and AWS's policy for the network add-on has no ec2:AssignIpv6Addresses");
    let commands: Vec<String> = found[0].fixes.iter().map(|fix| fix.command.join(" ")).collect();
    assert!(commands[0].starts_with("aws iam create-policy --policy-name AmazonEKS_CNI_IPv6_Policy --policy-document {"), "{commands:#?}");
    let attach =
        "attach-role-policy --role-name KarpenterNodeRole-demo --policy-arn arn:aws:iam::111122223333:policy/AmazonEKS_CNI_IPv6_Policy";
    assert_eq!(commands[1], format!("aws iam {attach}"));
    assert_eq!(with(&["AmazonEKS_CNI_IPv6_Policy"], &|_| ()).await, []);
    let associated = |w: &FakeWorld| {
        let ours = w.inside().association.clone();
        w.inside().network_association = ours;
    };
    assert_eq!(with(&[], &associated).await, []);
    let annotated = |w: &FakeWorld| {
        let role = json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/aws-node"}}});
        w.put(&place("v1", "serviceaccounts", Some("kube-system"), "aws-node"), role);
    };
    assert_eq!(with(&[], &annotated).await, []);
}

/// IAM and EC2 take a role that does not let EC2 in, and its nodes get no credentials.
#[tokio::test(start_paused = true)]
async fn the_role_of_the_nodes_lets_ec2_in() {
    let (spec, facts) = healthy().await;
    let trusting = |partition: Partition, trust: &Value| {
        let of_aws = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"];
        let node_role = Probed::Known(RoleFacts { trust: trust.clone(), ..role(of_aws) });
        let facts = Facts { node_role, ..facts.clone() };
        let spec = Spec { partition, ..spec.clone() };
        let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
        let told = judge(&all(), &situation).into_iter().filter(|f| f.id == "node-trust");
        if partition == Partition::Aws {
            let found = bad(&spec, &facts, DAY);
            assert!(found.iter().all(|f| f.id == "node-trust"), "{found:#?}");
        }
        told.collect::<Vec<_>>()
    };
    let saying = |statements: &[Value]| json!({"Version": "2012-10-17", "Statement": statements});
    let pods =
        json!({"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]});
    let with = |field: &str, value: Value| {
        let mut statement = of_ec2();
        statement[field] = value;
        statement
    };
    let open = json!({"Bool": {"aws:SecureTransport": "true"}});
    let plain = json!({"Bool": {"aws:SecureTransport": "false"}});
    let unknown = json!({"StringEquals": {"aws:SourceAccount": "111122223333"}});
    let denial = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": condition});
    let deny = json!({"Effect": "Deny", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"});
    for (statements, verdict) in [
        (vec![], Verdict::Fail),
        (vec![pods.clone()], Verdict::Fail),
        (vec![with("Principal", json!({"Service": "ec2.amazonaws.com.cn"}))], Verdict::Fail),
        (vec![with("Principal", json!({"AWS": "arn:aws:iam::111122223333:root"}))], Verdict::Fail),
        (vec![with("Action", json!("sts:TagSession"))], Verdict::Fail),
        (vec![with("Condition", plain.clone())], Verdict::Fail),
        (vec![of_ec2(), deny], Verdict::Fail),
        (vec![of_ec2(), denial(open.clone())], Verdict::Fail),
        // Who lets in more lets EC2 in.
        (vec![pods, of_ec2()], Verdict::Pass),
        (vec![with("Principal", json!({"Service": ["ssm.amazonaws.com", "ec2.amazonaws.com"]}))], Verdict::Pass),
        (vec![with("Action", json!(["STS:Assume*"]))], Verdict::Pass),
        (vec![with("Condition", open)], Verdict::Pass),
        (vec![with("Condition", unknown.clone()), of_ec2()], Verdict::Pass),
        (vec![of_ec2(), denial(plain)], Verdict::Pass),
        // What is not known is no finding, and no pass.
        (vec![with("Condition", unknown.clone())], Verdict::Skip),
        (vec![with("Principal", json!("*"))], Verdict::Skip),
        (vec![of_ec2(), denial(unknown)], Verdict::Skip),
    ] {
        let trust = saying(&statements);
        let told = trusting(Partition::Aws, &trust);
        exactly(&told, "node-trust", verdict);
        if verdict == Verdict::Fail {
            says(&told, "node-trust", verdict, "nodes get no credentials, and never join");
            let [.., name, _, document] = told[0].fixes[0].command.as_slice() else { panic!("{told:#?}") };
            assert_eq!(name, "KarpenterNodeRole-demo");
            let mended: Value = serde_json::from_str(document).unwrap();
            exactly(&trusting(Partition::Aws, &mended), "node-trust", Verdict::Pass);
            let kept = statements.iter().filter(|s| s["Effect"] == "Allow");
            assert!(kept.into_iter().all(|s| mended["Statement"].as_array().unwrap().contains(s)), "{mended}");
        }
    }
    // One statement need not be a list.
    exactly(&trusting(Partition::Aws, &json!({"Statement": of_ec2()})), "node-trust", Verdict::Pass);
    // In China AWS takes two names.
    for name in ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"] {
        let trust = saying(&[with("Principal", json!({"Service": name}))]);
        exactly(&trusting(Partition::AwsCn, &trust), "node-trust", Verdict::Pass);
    }
    let found = trusting(Partition::AwsCn, &saying(&[]));
    says(&found, "node-trust", Verdict::Fail, r#""Service":"ec2.amazonaws.com.cn""#);
}
