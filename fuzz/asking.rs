//! Every question to AWS and to an API server, a call each, for whoever gives the answers.

use karpctl::adapters::aws::AwsClient;
use karpctl::error::Result;
use karpctl::ports::{Aws as _, Kube, ObjectKind, ObjectRef};
use std::fmt::Debug;

fn shown<T: Debug>(result: Result<T>) {
    if let Err(error) = result {
        let safe = |text: &str| text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control());
        assert!(error.causes.iter().chain(&error.hints).chain([&error.message]).all(|said| safe(said)), "{error:?}");
    }
}

/// One call, the next at each turn.
pub(crate) async fn ask_aws(aws: &AwsClient, turn: usize) {
    let tag = ("karpenter.sh/discovery".to_owned(), "demo".to_owned());
    let ids = |id: &str| vec![id.to_owned()];
    match turn % 33 {
        0 => shown(aws.caller().await),
        1 => shown(aws.stack("demo", true).await),
        2 => shown(aws.stack_events("demo").await),
        3 => shown(aws.cluster("demo").await),
        4 => shown(aws.cluster_names().await),
        5 => shown(aws.cluster_versions().await),
        6 => shown(aws.access_entry("demo", "arn:aws:iam::111122223333:role/x").await),
        7 => shown(aws.association("demo", "kube-system", "karpenter").await),
        8 => shown(aws.addon("demo", "eks-pod-identity-agent").await),
        9 => shown(aws.node_groups("demo").await),
        10 => shown(aws.role("demo").await),
        11 => shown(aws.oidc_provider("arn:aws:iam::111122223333:oidc-provider/x").await),
        12 => shown(aws.instance_profiles().await),
        13 => shown(aws.iam_summary().await),
        14 => shown(aws.regions().await),
        15 => shown(aws.subnets(&ids("subnet-1")).await),
        16 => shown(aws.security_groups(&ids("sg-1")).await),
        17 => shown(aws.tagged_subnets((&tag.0, &tag.1)).await),
        18 => shown(aws.tagged_security_groups((&tag.0, &tag.1)).await),
        19 => shown(aws.launch_templates(std::slice::from_ref(&tag)).await),
        20 => shown(aws.instances(std::slice::from_ref(&tag)).await),
        21 => shown(aws.vpc_endpoints("vpc-1").await),
        22 => shown(aws.route_tables("vpc-1").await),
        23 => shown(aws.ebs_encryption().await),
        24 => shown(aws.ami_name("/aws/service/x").await),
        25 => shown(aws.quota(("ec2", "L-1216C47A")).await),
        26 => shown(aws.running_instances().await),
        27 => shown(aws.instance_types(&ids("m5.large")).await),
        28 => shown(aws.key("alias/x").await),
        29 => shown(aws.queue("demo").await),
        30 => shown(aws.instance_profile("demo_1").await),
        31 => shown(aws.unused_interfaces(std::slice::from_ref(&tag)).await),
        _ => shown(aws.rules_to("arn:aws:sqs:us-west-2:111122223333:demo").await),
    }
}

pub(crate) async fn ask_kubernetes(kube: &dyn Kube, turn: usize) {
    let kind = ObjectKind::new("karpenter.sh/v1", "nodepools");
    let place = ObjectRef { kind: kind.clone(), namespace: None, name: "default".into() };
    match turn % 4 {
        0 => shown(kube.list(&kind, None, None).await),
        1 => shown(kube.get(&place).await),
        2 => shown(kube.merge_patch(&place, &serde_json::json!({"spec": {}})).await),
        _ => shown(kube.delete(&place).await),
    }
}
