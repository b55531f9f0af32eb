//! The subnets and security groups of nodes, and the ways out of their VPC.

use super::aws::{broken, known, said};
use super::endpoints::endpoint;
use super::{DAY, bad, exactly, healthy};
use karpctl::facts::{EndpointFacts, Facts, Probed, RouteTableFacts, SubnetFacts};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{ClusterMode, IpFamily, Spec, Vpc};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn subnets_are_those_that_the_selector_finds() {
    let change = async |of: &dyn Fn(&mut karpctl::facts::SelectionFacts)| broken(|f| of(known(&mut f.selection))).await;
    exactly(&change(&|s| s.subnets[0].free_addresses = 3).await, "node-network", Verdict::Warn);
    // Where pods have no address of the subnet, a node takes one.
    let of_pods = async |free: i32, change: &dyn Fn(&mut Facts)| {
        let found = broken(|f| {
            known(&mut f.selection).subnets[0].free_addresses = free;
            change(f);
        });
        found.await.into_iter().filter(|f| f.id == "node-network").count()
    };
    let ipv6 = |f: &mut Facts| known(&mut f.cluster).ip_family = IpFamily::Ipv6;
    let overlay = |f: &mut Facts| known(&mut f.nodes).iter_mut().for_each(|node| node.pod_address = Some("192.168.77.4".into()));
    let in_vpc = |f: &mut Facts| known(&mut f.nodes).iter_mut().for_each(|node| node.pod_address = Some("10.0.1.4".into()));
    assert_eq!((of_pods(27, &ipv6).await, of_pods(3, &ipv6).await), (0, 1));
    assert_eq!((of_pods(27, &overlay).await, of_pods(27, &in_vpc).await), (0, 1));
    exactly(&change(&|s| s.subnets.iter_mut().for_each(|s| s.zone = "us-west-2a".into())).await, "node-network", Verdict::Warn);
    let found = change(&|s| s.subnets[0].vpc_id = "vpc-2".into()).await;
    exactly(&found, "node-network", Verdict::Fail);
    said(&found, "is of vpc-2, not of the cluster's VPC");
    let found = change(&|s| s.subnets.clear()).await;
    exactly(&found, "node-network", Verdict::Fail);
    said(&found, "SubnetSelector did not match any Subnets");
    // A way out for instances with a public address only.
    let by_gateway = |f: &mut Facts| {
        for table in known(&mut f.routes).iter_mut() {
            table.to_internet_gateway = true;
        }
        known(&mut f.selection).subnets[0].gives_address = false;
        known(&mut f.selection).subnets[1].gives_address = true;
    };
    let found = broken(by_gateway).await;
    exactly(&found, "node-network", Verdict::Warn);
    said(&found, "its way out is an internet gateway, and instances get no public address there");
    for leads_out in
        [&(|f: &mut Facts| known(&mut f.node_class)["spec"]["associatePublicIPAddress"] = json!(true)) as &dyn Fn(&mut Facts), &|f| {
            known(&mut f.endpoints).push(endpoint("ecr.api"));
        }]
    {
        let found = broken(|f| {
            by_gateway(f);
            leads_out(f);
        });
        assert_eq!(found.await, []);
    }
    let found = broken(|f| {
        by_gateway(f);
        known(&mut f.endpoints).push(EndpointFacts { state: "failed".into(), ..endpoint("ecr.api") });
    });
    exactly(&found.await, "node-network", Verdict::Warn);
    let tag = |f: &mut Facts| {
        // Where karpctl finds none that is tagged for this cluster, it chooses.
        known(&mut f.network).tagged.clear();
        known(&mut f.network).subnets[0].tags.insert("karpenter.sh/discovery".into(), "other".into());
    };
    // Karpenter works in others that are tagged for it: it is only the next bootstrap that goes wrong.
    let found = broken(tag).await;
    exactly(&found, "node-network", Verdict::Warn);
    said(
        &found,
        "carries karpenter.sh/discovery=other, and nodes run elsewhere; the next `karpctl bootstrap` would tag it too, and refuses",
    );
    let title = &found[0].fixes[0].title;
    assert!(title.starts_with("name those that are tagged: --subnet subnet-") && title.ends_with(" --subnet subnet-0000000c"), "{title}");
    let found = broken(|f| {
        tag(f);
        (f.chart_release, known(&mut f.selection).subnets) = (Probed::Absent, Vec::new());
    });
    assert!(found.await.iter().any(|f| f.id == "node-network" && f.result == Verdict::Fail), "it is refused");
    let found = broken(|f| {
        tag(f);
        f.selection = Probed::Unavailable("ec2:DescribeSubnets".into());
    })
    .await;
    assert!(found.iter().any(|f| f.id == "node-network" && f.result == Verdict::Fail), "what was found stays said: {found:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_subnet_that_is_named_and_is_not_there_is_told() {
    let looked = async |change: &dyn Fn(&mut Facts)| {
        let (mut spec, mut facts) = healthy().await;
        spec.subnets = vec!["subnet-0000000a".parse().unwrap(), "subnet-99999999".parse().unwrap()];
        known(&mut facts.network).subnets.retain(|subnet| subnet.id == "subnet-0000000a");
        change(&mut facts);
        bad(&spec, &facts, DAY)
    };
    let found = looked(&|_| ()).await;
    exactly(&found, "node-network", Verdict::Warn);
    said(&found, "is not in us-west-2 of account 111122223333: InvalidSubnetID.NotFound");
    // Before Karpenter has any.
    for change in [
        (|f| known(&mut f.selection).subnets.clear()) as fn(&mut Facts),
        |f| f.chart_release = Probed::Absent,
        |f| {
            f.selection = Probed::Unavailable("ec2:DescribeSubnets".into());
        },
    ] {
        let found = looked(&change).await;
        let told = found.iter().find(|f| f.id == "node-network").unwrap();
        assert_eq!((told.result, told.subject.as_str()), (Verdict::Fail, "subnet subnet-99999999"), "{found:#?}");
        let listed = "aws ec2 describe-subnets --region us-west-2 --filters Name=vpc-id,Values=vpc-1";
        assert!(told.fixes[0].command.join(" ").starts_with(listed), "{told:#?}");
    }
}

/// Karpenter's nodes and the controller are in subnets of their own.
#[tokio::test(start_paused = true)]
async fn what_one_zone_means_is_said_of_what_is_in_it() {
    let one_zone = async |of_groups: &[&str], nodes: bool| {
        let found = broken(|f| {
            known(&mut f.selection).subnets.truncate(1);
            known(&mut f.network).of_node_groups = Probed::Known(of_groups.iter().map(ToString::to_string).collect());
            if !nodes {
                f.nodes = Probed::Unavailable("the cluster does not answer".into());
            }
        })
        .await;
        exactly(&found, "node-network", Verdict::Warn);
        said(&found, "are all in one zone: nodes come in that zone alone");
        found[0].message.contains("replicas")
    };
    let both = ["subnet-0000000a", "subnet-0000000b"];
    assert!(!one_zone(&both, false).await, "the controller has two zones");
    assert!(one_zone(&both[..1], false).await);
    assert!(!one_zone(&both[..1], true).await, "node-capacity sees where it runs");
}

#[tokio::test(start_paused = true)]
async fn security_groups_are_those_that_the_selector_finds() {
    let change = async |of: &dyn Fn(&mut Vec<karpctl::facts::SecurityGroupFacts>)| {
        broken(|f| of(&mut known(&mut f.selection).security_groups)).await
    };
    let found = change(&|g| g.clear()).await;
    exactly(&found, "node-security-groups", Verdict::Fail);
    assert!(found[0].fixes[0].command.join(" ").contains("create-tags --region us-west-2 --resources sg-0123456789abcdef0"), "{found:#?}");
    exactly(&change(&|g| g[0].vpc_id = "vpc-2".into()).await, "node-security-groups", Verdict::Fail);
    let found = change(&|g| g[0].id = "sg-another".into()).await;
    exactly(&found, "node-security-groups", Verdict::Warn);
    said(&found, "sg-0123456789abcdef0 is not among them");
    // The group that terraform-aws-eks makes for nodes.
    let of_nodes = |g: &mut karpctl::facts::SecurityGroupFacts| {
        g.id = "sg-nodes".into();
        g.tags.insert("kubernetes.io/cluster/demo".into(), "owned".into());
    };
    assert_eq!(change(&|g| of_nodes(&mut g[0])).await, [], "made for nodes, it is enough");
    let found = change(&|g| {
        let own = karpctl::facts::SecurityGroupFacts { id: g[0].id.clone(), ..g[0].clone() };
        of_nodes(&mut g[0]);
        g.push(karpctl::facts::SecurityGroupFacts { id: own.id, ..g[0].clone() });
    })
    .await;
    exactly(&found, "node-security-groups", Verdict::Warn);
    said(&found, "sg-nodes and sg-0123456789abcdef0 carry the tag kubernetes.io/cluster/demo");
    for fix in &found[0].fixes {
        assert!(fix.command.is_empty() || fix.command[2] == "describe-instances", "which one nodes need is not known: {fix:#?}");
    }
    // A node gets all that are found, and EC2 takes five.
    let of = |count: usize| {
        move |g: &mut Vec<karpctl::facts::SecurityGroupFacts>| {
            let first = g[0].clone();
            g.extend((1..count).map(|n| karpctl::facts::SecurityGroupFacts { id: format!("sg-{n}"), ..first.clone() }));
        }
    };
    assert_eq!(change(&of(5)).await, []);
    let found = change(&of(6)).await;
    exactly(&found, "node-security-groups", Verdict::Warn);
    said(&found, "SecurityGroupsPerInterfaceLimitExceeded");
}

#[tokio::test(start_paused = true)]
async fn groups_that_only_the_nodes_of_node_groups_have_are_told() {
    let having = async |ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        broken(|f| known(&mut f.node_groups)[0].security_groups = ids).await
    };
    let found = having(&["sg-nodes", "sg-db"]).await;
    exactly(&found, "node-security-groups", Verdict::Warn);
    said(&found, "the nodes of node group demo-ng have sg-nodes and sg-db, and Karpenter's get none of that");
    let cure = found[0].fixes[0].command.join(" ");
    assert!(
        cure.ends_with("create-tags --region us-west-2 --resources sg-nodes sg-db --tags Key=karpenter.sh/discovery,Value=demo"),
        "{cure}"
    );
    assert_eq!(having(&["sg-0123456789abcdef0", "sg-db"]).await, [], "one in common is enough: it lets itself in");
}

/// Before a bootstrap those count that it tags: as many as an interface takes.
#[tokio::test(start_paused = true)]
async fn groups_that_bootstrap_would_not_tag_are_told_before() {
    let with = async |second: &[&str], is_made: bool| {
        broken(|f| {
            known(&mut f.selection).security_groups.clear();
            let groups = known(&mut f.node_groups);
            groups[0].security_groups = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"].map(str::to_owned).to_vec();
            let second = second.iter().map(ToString::to_string).collect();
            groups.push(karpctl::facts::NodeGroupFacts { name: "db".into(), security_groups: second, ..groups[0].clone() });
            if !is_made {
                (f.stack, f.controller_role) = (Probed::Absent, Probed::Absent);
                (f.chart_release, f.neighbours) = (Probed::Absent, Probed::Absent);
            }
        })
        .await
    };
    let told = |found: &[Finding]| found.iter().filter(|f| f.id == "node-security-groups").cloned().collect::<Vec<_>>();
    assert_eq!(told(&with(&["sg-1"], false).await), [], "it would");
    let found = told(&with(&["sg-6"], false).await);
    exactly(&found, "node-security-groups", Verdict::Warn);
    said(&found, "the nodes of node group db have sg-6, and Karpenter's get none of that");
    let found = told(&with(&["sg-1"], true).await);
    exactly(&found, "node-security-groups", Verdict::Fail);
    let cure = found[0].fixes[0].command.join(" ");
    assert!(cure.contains("--resources sg-1 sg-2 sg-3 sg-4 sg-5 --tags Key=karpenter.sh/discovery,Value=demo"), "{cure}");
}

#[tokio::test(start_paused = true)]
async fn the_cure_tags_the_subnets_that_bootstrap_would() {
    let (spec, mut facts) = healthy().await;
    known(&mut facts.selection).subnets.clear();
    known(&mut facts.network).subnets[1].gives_address = true;
    for (number, table) in known(&mut facts.routes).iter_mut().enumerate() {
        table.subnets = known(&mut facts.network).subnets.get(number).map(|s| s.id.clone()).into_iter().collect();
        table.to_internet_gateway = number == 1;
    }
    let ids: Vec<String> = known(&mut facts.network).subnets.iter().map(|s| s.id.clone()).collect();
    let tagged = |spec: &Spec| {
        let found = bad(spec, &facts, DAY).into_iter().find(|f| f.id == "node-network" && !f.fixes.is_empty()).unwrap();
        found.fixes[0].command.iter().filter(|word| ids.contains(word)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(tagged(&spec), ids[..1]);
    assert_eq!(tagged(&Spec { subnets: ids.iter().map(|id| id.parse().unwrap()).collect(), ..spec.clone() }), ids);
}

/// eksctl closes the endpoint of a private cluster, and makes some of the endpoints only.
#[tokio::test(start_paused = true)]
async fn a_private_cluster_is_made_in_a_vpc_of_ones_own() {
    let (spec, mut facts) = healthy().await;
    facts.cluster = Probed::Absent;
    let of = |private: bool, vpc: bool| {
        let subnets = ["subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60719"].map(|id| id.parse().unwrap()).to_vec();
        let vpc = vpc.then(|| Vpc { id: None, private_subnets: subnets, public_subnets: Vec::new() });
        let spec = Spec { cluster: ClusterMode::Managed, private, vpc, ..spec.clone() };
        bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "private-vpc").collect::<Vec<_>>()
    };
    assert_eq!([of(false, false), of(true, true)], [vec![], vec![]]);
    let found = of(true, false);
    exactly(&found, "private-vpc", Verdict::Warn);
    said(&found, "without endpoints of ");
    said(&found, "eks-auth");
}

/// terraform-aws-eks gives the control plane subnets of its own, from which nothing leads out.
#[tokio::test(start_paused = true)]
async fn before_anything_is_tagged_the_subnets_of_the_node_groups_are_judged() {
    let (spec, mut facts) = healthy().await;
    known(&mut facts.selection).subnets.clear();
    let network = known(&mut facts.network);
    network.tagged.clear();
    let intra: Vec<String> = network.subnets.iter().map(|subnet| subnet.id.clone()).collect();
    for (id, zone) in [("subnet-0000000d", "us-west-2a"), ("subnet-0000000e", "us-west-2b")] {
        network.subnets.push(SubnetFacts { id: id.into(), zone: zone.into(), ..network.subnets[0].clone() });
    }
    network.of_node_groups = Probed::Known(vec!["subnet-0000000d".into(), "subnet-0000000e".into()]);
    let routes = known(&mut facts.routes);
    for table in routes.iter_mut() {
        table.subnets.clear();
    }
    let closed = RouteTableFacts { id: "rtb-intra".into(), main: false, subnets: intra, leads_out: false, ..routes[0].clone() };
    routes.push(closed);
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "node-network", Verdict::Fail);
    let cure = found[0].fixes[0].command.join(" ");
    assert!(cure.contains("--resources subnet-0000000d subnet-0000000e --tags"), "{cure}");
}
