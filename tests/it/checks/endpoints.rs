//! The ways out of the VPC of nodes, its endpoints and its DNS.

use super::aws::{known, said};
use super::{DAY, bad, exactly, healthy};
use karpctl::facts::{EndpointFacts, Facts, Probed, RouteTableFacts};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Elsewhere, Partition, Region, Spec, Vpc};
use serde_json::Value;

/// An endpoint that works, and that the whole VPC gets to.
pub(super) fn endpoint(service: &str) -> EndpointFacts {
    EndpointFacts {
        service: service.to_owned(),
        state: "available".into(),
        kind: "Interface".into(),
        private_dns: true,
        id: format!("vpce-{service}"),
        route_tables: Vec::new(),
        security_groups: vec!["sg-endpoints".into()],
        lets_in: vec!["10.0.0.0/16".into()],
    }
}

fn of_ways(spec: &Spec, facts: &Facts) -> Vec<Finding> {
    bad(spec, facts, DAY).into_iter().filter(|f| f.id == "private-endpoints").collect()
}

/// The template of the stack that a finding has one make.
fn template(found: &[Finding]) -> Value {
    let command = &found[0].fixes[0].command;
    assert_eq!(command[..3], ["aws", "cloudformation", "create-stack"], "{found:#?}");
    serde_json::from_str(command.last().unwrap()).unwrap()
}

/// The names of the services that a template makes endpoints of.
fn services(template: &Value) -> Vec<&str> {
    let resources = template["Resources"].as_object().unwrap().values();
    resources.filter_map(|resource| resource["Properties"]["ServiceName"].as_str()).collect()
}

/// A VPC from which nothing leads out, with a controller that does not work there.
async fn closed() -> (Spec, Facts) {
    let (mut spec, mut facts) = healthy().await;
    spec.zonal_shift = Some(false);
    known(&mut facts.neighbours).workloads.iter_mut().for_each(|w| w.ready = 0);
    for table in known(&mut facts.routes).iter_mut() {
        table.leads_out = false;
    }
    (Spec { private: true, ..spec }, facts)
}

#[tokio::test(start_paused = true)]
async fn a_closed_vpc_gets_the_endpoints_that_are_needed_by_one_stack() {
    let (spec, facts) = closed().await;
    let found = of_ways(&spec, &facts);
    exactly(&found, "private-endpoints", Verdict::Fail);
    let made = template(&found);
    let needed = ["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "s3", "sqs", "ssm", "sts"];
    assert_eq!(services(&made).len(), needed.len(), "{made:#}");
    for service in needed {
        assert!(services(&made).contains(&format!("com.amazonaws.us-west-2.{service}").as_str()), "{service}: {made:#}");
    }
    let group = &made["Resources"]["Group"]["Properties"];
    assert_eq!(group["SecurityGroupIngress"][0]["CidrIp"], "10.0.0.0/16", "private DNS holds for the whole VPC");
    let sts = &made["Resources"]["Tosts"]["Properties"];
    assert_eq!(sts["SecurityGroupIds"][0]["Fn::GetAtt"][0], "Group");
    assert_eq!(sts["SubnetIds"], serde_json::json!(["subnet-0000000a", "subnet-0000000c"]));
    assert_eq!(made["Resources"]["Tos3"]["Properties"]["RouteTableIds"], serde_json::json!(["rtb-1"]));

    let heeding = Spec { zonal_shift: Some(true), ..spec.clone() };
    assert!(found[0].message.contains("sts") && of_ways(&heeding, &facts)[0].message.contains("arc-zonal-shift"));
    let beijing: Region = "cn-north-1".parse().unwrap();
    let chinese = template(&of_ways(&Spec { partition: Partition::AwsCn, region: beijing, ..spec.clone() }, &facts));
    for name in [
        "cn.com.amazonaws.cn-north-1.ec2",
        "cn.com.amazonaws.cn-north-1.sqs",
        "com.amazonaws.cn-north-1.s3",
        "com.amazonaws.cn-north-1.ssm",
    ] {
        assert!(services(&chinese).contains(&name), "{name} is not among {chinese:#}");
    }

    // Without the addresses of the VPC nobody can say whom to let in.
    let unread = Facts { vpc: Probed::Unavailable("no".into()), ..facts.clone() };
    let found = of_ways(&spec, &unread);
    exactly(&found, "private-endpoints", Verdict::Fail);
    assert!(found[0].fixes.iter().all(|fix| fix.command.is_empty()), "{found:#?}");

    // One that lets the VPC in has a group for another.
    let mut some = facts.clone();
    *known(&mut some.endpoints) = needed.iter().filter(|s| **s != "sqs").map(|service| endpoint(service)).collect();
    let found = of_ways(&spec, &some);
    exactly(&found, "private-endpoints", Verdict::Fail);
    let command = found[0].fixes[0].command.join(" ");
    assert!(
        command.contains(".sqs --vpc-endpoint-type Interface --private-dns-enabled --security-group-ids sg-endpoints --subnet-ids "),
        "{command}"
    );
    known(&mut some.endpoints).push(EndpointFacts { state: "pending".into(), ..endpoint("sqs") });
    let found = of_ways(&spec, &some);
    exactly(&found, "private-endpoints", Verdict::Warn);
    said(&found, "is pending");

    *known(&mut some.endpoints) = needed.iter().map(|service| endpoint(service)).collect();
    assert_eq!(of_ways(&spec, &some), []);
    known(&mut some.endpoints)[4].private_dns = false;
    exactly(&of_ways(&spec, &some), "private-endpoints", Verdict::Warn);
    known(&mut some.endpoints)[4].private_dns = true;
    // An interface of S3 beside its gateway, by which nodes go.
    known(&mut some.endpoints).push(EndpointFacts { private_dns: false, ..endpoint("s3") });
    assert_eq!(of_ways(&spec, &some).len(), 1, "nothing but the interface leads there");
    known(&mut some.endpoints).push(EndpointFacts { kind: "Gateway".into(), ..endpoint("s3") });
    assert_eq!(of_ways(&spec, &some), []);
    // The spec does not say so, and the routes do.
    let found = of_ways(&Spec { private: false, ..spec }, &some);
    exactly(&found, "private-endpoints", Verdict::Warn);
    said(&found, "2 of 2 subnets (subnet-0000000a, subnet-0000000c) have no route that leads out");
}

/// What an existing Karpenter does without is not missed: the agent where it has its role by IRSA, the queue where it has none.
#[tokio::test(start_paused = true)]
async fn endpoints_that_nobody_asks_are_not_missed() {
    let (spec, mut facts) = closed().await;
    *known(&mut facts.endpoints) = spec.vpc_endpoints().into_iter().filter(|service| *service != "eks-auth").map(endpoint).collect();
    let found = of_ways(&spec, &facts);
    exactly(&found, "private-endpoints", Verdict::Fail);
    said(&found, "the VPC has none of eks-auth");
    assert!(found[0].message.ends_with("has a way out: the controller does not get there"), "{found:#?}");
    let mut by_irsa = facts.clone();
    by_irsa.association = Probed::Absent;
    let annotation = serde_json::json!({"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/own"}});
    known(&mut by_irsa.chart_release).values["serviceAccount"] = annotation;
    assert_eq!(of_ways(&spec, &by_irsa), []);

    known(&mut facts.endpoints).retain(|endpoint| endpoint.service != "sqs");
    known(&mut facts.endpoints).push(endpoint("eks-auth"));
    said(&of_ways(&spec, &facts), "the VPC has none of sqs");
    let without_queue = Elsewhere {
        by: "eksctl".into(),
        node_role: spec.node_role_arn(),
        controller_role: spec.controller_role_arn(),
        instance_profile: None,
        queue: None,
    };
    assert_eq!(of_ways(&Spec { made_elsewhere: Some(Box::new(without_queue)), ..spec.clone() }, &facts), []);

    known(&mut facts.endpoints).retain(|endpoint| endpoint.service != "ecr.dkr");
    assert!(of_ways(&spec, &facts)[0].message.ends_with("no node joins"));
}

/// Private DNS holds for the whole VPC: an endpoint that lets in nodes alone cuts off what works there.
#[tokio::test(start_paused = true)]
async fn no_command_makes_an_endpoint_where_something_leads_out() {
    let makes_nothing = |found: &[Finding]| {
        for fix in found.iter().flat_map(|finding| &finding.fixes) {
            assert!(!fix.command.iter().any(|word| word.starts_with("create-")), "{found:#?}");
        }
    };
    let (spec, mut facts) = healthy().await;
    let intra = RouteTableFacts {
        id: "rtb-intra".into(),
        main: false,
        subnets: vec!["subnet-0000000c".into()],
        leads_out: false,
        leads_elsewhere: false,
        to_internet_gateway: false,
    };
    known(&mut facts.routes).push(intra);
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "private-endpoints", Verdict::Warn);
    said(&found, "1 of 2 subnets (subnet-0000000c) have no route that leads out, and the others have");
    makes_nothing(&found);
    let cure = found[0].fixes[0].command.join(" ");
    assert!(
        cure.contains("delete-tags --region us-west-2 --resources subnet-0000000c --tags Key=karpenter.sh/discovery,Value=demo"),
        "{cure}"
    );
    assert!(found[0].fixes[1].title.ends_with("--subnet subnet-0000000a"), "{found:#?}");

    // Every subnet of nodes is closed, and the public one leads out.
    let (spec, mut facts) = closed().await;
    known(&mut facts.routes)[1].leads_out = true;
    let found = of_ways(&spec, &facts);
    exactly(&found, "private-endpoints", Verdict::Fail);
    makes_nothing(&found);
    assert!(found[0].fixes[0].title.ends_with("--subnet subnet-0000000b"), "{found:#?}");

    // The spec is private, and the VPC is not.
    known(&mut facts.routes)[0].leads_out = true;
    let found = of_ways(&spec, &facts);
    exactly(&found, "private-endpoints", Verdict::Warn);
    said(&found, "every subnet of nodes has a route that leads out");
    makes_nothing(&found);
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_nodes_do_not_get_to_are_no_way() {
    let (spec, mut facts) = closed().await;
    let gateway = EndpointFacts {
        kind: "Gateway".into(),
        route_tables: vec!["rtb-1".into()],
        security_groups: Vec::new(),
        lets_in: Vec::new(),
        ..endpoint("s3")
    };
    *known(&mut facts.endpoints) = spec.vpc_endpoints().into_iter().map(endpoint).filter(|e| e.service != "s3").chain([gateway]).collect();
    let with = |change: &dyn Fn(&mut Vec<EndpointFacts>)| {
        let mut facts = facts.clone();
        change(known(&mut facts.endpoints));
        of_ways(&spec, &facts)
    };
    let s3 = facts.endpoints.known().unwrap().len() - 1;
    assert_eq!(with(&|_| {}), []);
    let found = with(&|e| e[s3].route_tables = vec!["rtb-9".into()]);
    exactly(&found, "private-endpoints", Verdict::Fail);
    said(&found, "is no way from the route table rtb-1 of nodes");
    let cure = found[0].fixes[0].command.join(" ");
    assert!(cure.ends_with("modify-vpc-endpoint --region us-west-2 --vpc-endpoint-id vpce-s3 --add-route-table-ids rtb-1"), "{cure}");

    let found = with(&|e| e[0].lets_in = vec!["sg-others".into(), "192.168.0.0/16".into()]);
    exactly(&found, "private-endpoints", Verdict::Fail);
    said(&found, "let in neither sg-0123456789abcdef0 nor addresses of vpc-1 at port 443");
    let cure = found[0].fixes[0].command.join(" ");
    assert!(cure.ends_with("--group-id sg-endpoints --protocol tcp --port 443 --cidr 10.0.0.0/16"), "{cure}");
    for enough in ["sg-0123456789abcdef0", "10.0.32.0/19", "0.0.0.0/0", "pl-1"] {
        assert_eq!(with(&|e| e[0].lets_in = vec![enough.into()]), [], "{enough}");
    }
    // Facts of an older karpctl do not say.
    let old = with(&|e| {
        for endpoint in e.iter_mut() {
            (endpoint.id, endpoint.route_tables, endpoint.security_groups, endpoint.lets_in) = Default::default();
        }
    });
    assert_eq!(old, []);
}

#[tokio::test(start_paused = true)]
async fn a_public_endpoint_for_some_addresses_alone_is_none_for_nodes() {
    let (spec, mut facts) = healthy().await;
    known(&mut facts.cluster).public_ranges = vec!["203.0.113.0/24".into()];
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "private-endpoints", Verdict::Warn);
    said(&found, "answers 203.0.113.0/24 alone, and has no private endpoint");
    assert_eq!(
        found[0].fixes[0].command.join(" "),
        "aws eks update-cluster-config --region us-west-2 --name demo --resources-vpc-config endpointPrivateAccess=true"
    );
    known(&mut facts.cluster).private_endpoint = true;
    assert_eq!(bad(&spec, &facts, DAY), []);
}

#[tokio::test(start_paused = true)]
async fn dns_of_the_vpc_is_on() {
    let (spec, mut facts) = healthy().await;
    known(&mut facts.vpc).dns_hostnames = false;
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "vpc-dns", Verdict::Warn);
    assert_eq!(
        found[0].fixes[0].command.join(" "),
        "aws ec2 modify-vpc-attribute --region us-west-2 --vpc-id vpc-1 --enable-dns-hostnames"
    );
    known(&mut facts.cluster).private_endpoint = true;
    known(&mut facts.vpc).dns_support = false;
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "vpc-dns", Verdict::Fail);
    assert_eq!(found[0].fixes.len(), 2, "{found:#?}");

    // A VPC of one's own, before a cluster is made in it.
    let vpc = Vpc { id: None, private_subnets: vec!["subnet-0000000a".parse().unwrap()], public_subnets: Vec::new() };
    let wanted = Spec { vpc: Some(vpc), ..crate::fixture::spec("1.14.1") };
    let world = crate::fake::FakeWorld::empty(wanted.clone());
    world.inside().dns_hostnames = false;
    let facts = world.facts(&[karpctl::facts::Topic::Cluster, karpctl::facts::Topic::Vpc]).await;
    let found: Vec<Finding> = bad(&wanted, &facts, DAY).into_iter().filter(|f| f.id == "vpc-dns").collect();
    exactly(&found, "vpc-dns", Verdict::Fail);
    said(&found, "enableDnsHostnames of vpc-1 is off");
}
