//! What could not be read is never a pass.

use super::{DAY, healthy};
use crate::fixture::spec;
use karpctl::checks::{Situation, all, judge};
use karpctl::doctor::topics;
use karpctl::facts::{Facts, Topic};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Meant, Spec};

const WHY: &str = "the reader is not allowed to";

fn said(spec: Option<&Spec>, facts: &Facts) -> Vec<Finding> {
    judge(&all(), &Situation { spec, meant: &Meant::default(), facts, today: DAY.parse().unwrap() })
}

#[test]
fn what_could_not_be_read_is_no_pass() {
    let wanted = spec("1.14.1");
    let mut facts = Facts::default();
    for topic in topics(&all()) {
        facts.say_unavailable(topic, WHY);
    }
    // Names are worked out from the spec alone.
    for finding in said(Some(&wanted), &facts).iter().filter(|f| f.id != "names-and-sizes") {
        assert_ne!(finding.result, Verdict::Pass, "{finding:#?}");
    }
    let said = said(None, &Facts::default());
    assert!(said.iter().all(|f| f.result == Verdict::Skip), "{said:#?}");
}

/// The topics without which a check still passes a healthy cluster, and what they are read for.
const REFINES: &[(&str, &[Topic], &str)] = &[
    ("names-and-sizes", &[Topic::Caller, Topic::Stack], "whose spec it is, and whether a changed name is news"),
    (
        "stack-state",
        &[Topic::NodeRole, Topic::StackPolicies, Topic::Queue, Topic::Cluster, Topic::Chart, Topic::Neighbours],
        "what is in the way of a stack that is not there",
    ),
    ("earlier-cluster", &[Topic::Cluster], "what is left is looked for only where there is none"),
    ("controller-permissions", &[Topic::Stack, Topic::Cluster, Topic::Chart, Topic::Neighbours], "what mends it; whose the Karpenter is"),
    (
        "iam-quotas",
        &[Topic::Cluster, Topic::Chart, Topic::Neighbours],
        "where it is not known whether a cluster is made, what it takes is counted; whose the Karpenter is",
    ),
    ("vcpu-quotas", &[Topic::Cluster], "where it is not known whether a cluster is made, what it takes is counted"),
    (
        "interruption-queue",
        &[Topic::Stack, Topic::ControllerRole, Topic::Cluster, Topic::Chart, Topic::Neighbours, Topic::Crds, Topic::Objects],
        "whose the Karpenter is; how bad it is that something is missing",
    ),
    ("ebs-key", &[Topic::Cluster, Topic::ControllerRole, Topic::Chart, Topic::Neighbours], "whose role uses a key of one's own"),
    ("cluster-state", &[Topic::ClusterStacks], "whether eksctl made a cluster that karpctl is to make"),
    ("cluster-entry", &[Topic::Caller, Topic::CallerPermissions, Topic::Clients], "who is to be let in; who is let in already"),
    (
        "kubernetes-support",
        &[Topic::ClusterVersions, Topic::Chart, Topic::Neighbours],
        "karpctl's own table has the dates, and the message says whose they are; what meets a Kubernetes that EKS upgrades to",
    ),
    (
        "node-network",
        &[
            Topic::Endpoints,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::Chart,
            Topic::NodePool,
            Topic::Capacity,
            Topic::CustomNetworking,
            Topic::Vpc,
        ],
        "another way out; how bad it is that something is missing, or one zone is all; how many addresses a node takes",
    ),
    (
        "node-security-groups",
        &[Topic::Stack, Topic::ControllerRole, Topic::Chart, Topic::Neighbours, Topic::NodeGroups],
        "how bad it is that something is missing; node-group tells that its own are not read",
    ),
    (
        "private-endpoints",
        &[Topic::Network, Topic::NodeSubnets, Topic::Vpc, Topic::Chart, Topic::Neighbours, Topic::Association],
        "where no subnet is tagged; whom an endpoint must let in; another way out; whether the controller asks the agent",
    ),
    (
        "node-group",
        &[Topic::Association, Topic::Chart, Topic::Neighbours, Topic::Stack, Topic::ControllerRole, Topic::NodeGroupRoles],
        "whether a hop limit of 1 is in the controller's way; whose the Karpenter is; one that works shows that the agent does",
    ),
    (
        "agent-health",
        &[Topic::Association, Topic::Stack, Topic::ControllerRole, Topic::Chart, Topic::Neighbours],
        "how bad it is that something is missing; whether the controller has its role by IRSA",
    ),
    (
        "controller-association",
        &[Topic::Stack, Topic::ControllerRole, Topic::Chart, Topic::Neighbours],
        "what mends it; the service account is that of the pods, else that of the release",
    ),
    (
        "controller-trust",
        &[Topic::Association, Topic::Stack, Topic::Chart, Topic::Neighbours],
        "how bad it is; whether the controller has its role by IRSA; the service account is that of the pods, else that of the release",
    ),
    (
        "one-identity",
        &[Topic::Cluster, Topic::Neighbours],
        "the endpoint among the values; where helm has no release; whether it is another namespace's",
    ),
    (
        "node-access",
        &[Topic::Chart, Topic::Neighbours, Topic::Stack, Topic::ControllerRole],
        "whose the Karpenter is; how bad it is that a role is not let in",
    ),
    ("windows-ipam", &[Topic::WindowsIpam, Topic::Cluster], "only where Windows nodes will come; whether a cluster is made"),
    ("foreign-objects", &[Topic::AccessEntry, Topic::AwsAuth], "only where the spec asks for a way in; node-access judges them"),
    (
        "node-capacity",
        &[Topic::Cluster, Topic::NodeGroups, Topic::Neighbours, Topic::Stack, Topic::ControllerRole, Topic::FargateSelectors],
        "whether a cluster is made; what mends it; whether the replicas have found their nodes already; whose the Karpenter is; one-identity tells of profiles",
    ),
    ("cluster-dns", &[Topic::Cluster, Topic::Stack, Topic::ControllerRole], "whether a cluster is made; whose the Karpenter is"),
    (
        "node-addons",
        &[Topic::Cluster, Topic::Capacity],
        "whether a cluster is made; what its nodes have in them; who else makes them ready",
    ),
    (
        "custom-networking",
        &[Topic::Selection, Topic::Network, Topic::NodeSubnets, Topic::Routes, Topic::Crds, Topic::Objects],
        "only where pods have subnets of their own",
    ),
    (
        "admission-policies",
        &[Topic::NodePool, Topic::Neighbours],
        "what is shown of them; whether Karpenter is in another namespace, and runs already",
    ),
    (
        "other-karpenter",
        &[Topic::Chart, Topic::Cluster, Topic::Stack, Topic::ControllerRole],
        "whether helm keeps a record of the only one; whether what declares it would put back what is changed",
    ),
    ("auto-mode", &[Topic::Chart, Topic::Neighbours], "how bad it is that it is on"),
    ("auto-mode-api", &[Topic::Cluster], "Auto Mode that is on has its API"),
    (
        "installed-fit",
        &[Topic::Neighbours, Topic::Association, Topic::Stack, Topic::ControllerRole],
        "where helm has no release; what mends it",
    ),
    (
        "controller-image",
        &[Topic::Neighbours, Topic::Association, Topic::Cluster, Topic::Stack, Topic::ControllerRole],
        "where helm has no release; what mends it",
    ),
    (
        "upgrade-hops",
        &[Topic::Cluster, Topic::Neighbours, Topic::Association, Topic::Stack, Topic::ControllerRole],
        "where helm has no release; what mends it",
    ),
    (
        "upgrade-defaults",
        &[Topic::Cluster, Topic::Neighbours, Topic::Crds, Topic::Objects, Topic::Stack, Topic::ControllerRole],
        "where helm has no release; what is said there already, without which a new default is told; whose the Karpenter is",
    ),
    ("upgrade-objects", &[Topic::Neighbours], "where helm has no release"),
    ("crd-owner", &[Topic::Cluster, Topic::Chart, Topic::Neighbours], "how bad it is that another has them"),
    ("crd-schema", &[Topic::Cluster, Topic::Neighbours, Topic::Tools], "where helm has no release; what mends it"),
    ("conversion-webhook", &[Topic::Neighbours], "who converts"),
    (
        "webhook-reach",
        &[
            Topic::Cluster,
            Topic::Neighbours,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::Capacity,
            Topic::Vpc,
            Topic::NodeGroups,
            Topic::WebhookWays,
        ],
        "only of a release that has webhooks",
    ),
    (
        "network-policies",
        &[
            Topic::Crds,
            Topic::Conversion,
            Topic::Webhooks,
            Topic::Neighbours,
            Topic::Cluster,
            Topic::Chart,
            Topic::Stack,
            Topic::ControllerRole,
        ],
        "what policies keep out that are there; whose the Karpenter is",
    ),
    ("admission-webhooks", &[Topic::Chart, Topic::Neighbours], "whose webhooks are there"),
    ("chart-values", &[Topic::Neighbours], "where helm has no release"),
    (
        "chart-names",
        &[Topic::Neighbours, Topic::Cluster, Topic::Queue],
        "where helm has no release; an endpoint that is named; the queue of another tool",
    ),
    (
        "private-values",
        &[Topic::Cluster, Topic::Network, Topic::NodeSubnets, Topic::Neighbours, Topic::Stack, Topic::ControllerRole],
        "where no subnet is tagged; another way out; whose the Karpenter is",
    ),
    ("stuck-deletions", &[Topic::Neighbours], "whether a controller is there to end what is stuck"),
];

/// Of what passes, each topic alone that cannot be read is told with the reason, unless it could not have made a pass of it.
#[tokio::test(start_paused = true)]
async fn each_topic_alone_that_could_not_be_read_is_told() {
    let (spec, facts) = healthy().await;
    let whole = said(Some(&spec), &facts);
    let mut silent: Vec<(&str, Vec<Topic>)> = Vec::new();
    let checks = all();
    for check in &checks {
        // What says nothing of this cluster says nothing that could be wrong.
        if whole.iter().filter(|f| f.id == check.id()).all(|f| f.result == Verdict::Skip) {
            continue;
        }
        let tells = |topic: &Topic| {
            let mut unread = facts.clone();
            unread.say_unavailable(*topic, WHY);
            // What is found by the CRDs is not found without.
            if *topic == Topic::Crds {
                unread.say_unavailable(Topic::Objects, WHY);
                unread.say_unavailable(Topic::Conversion, WHY);
            }
            let said = said(Some(&spec), &unread);
            said.iter().any(|f| f.id == check.id() && f.result != Verdict::Pass && f.message.contains(WHY))
        };
        let of_check: Vec<Topic> = check.reads().iter().copied().filter(|topic| !tells(topic)).collect();
        if !of_check.is_empty() {
            silent.push((check.id(), of_check));
        }
    }
    let refines: Vec<(&str, Vec<Topic>)> = REFINES.iter().map(|(id, topics, _)| (*id, topics.to_vec())).collect();
    assert_eq!(silent, refines);
}
