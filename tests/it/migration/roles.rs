//! What the nodes of a group may do by their role and their launch template, and what becomes of it.

use super::{cluster, rendered, step};
use crate::fake::fleet::group;
use crate::fixture::existing;
use karpctl::facts::{Facts, NodeGroupShape, Probed, RolePolicies};
use karpctl::knowledge::Work;
use karpctl::migration::Wish;
use karpctl::plan::StepId;
use karpctl::render::{Standing, operator_needs};
use serde_json::{Value, json};

#[test]
fn answers_of_the_instance_metadata_make_as_many_hops_as_before() {
    let templated = |hop_limit| NodeGroupShape { launch_template: Some("lt-1".into()), hop_limit, ..group("web", "1/2/3") };
    let of_eks = |ami_type: &str| NodeGroupShape { ami_type: ami_type.into(), ..group("web", "1/2/3") };
    for release in ["1.14.1", "0.37.8"] {
        for (one, wanted) in [
            (templated(Some(2)), json!({"httpPutResponseHopLimit": 2})),
            (templated(Some(1)), json!({"httpPutResponseHopLimit": 1})),
            (templated(None), Value::Null),
            (of_eks("BOTTLEROCKET_x86_64"), json!({"httpPutResponseHopLimit": 2})),
            (of_eks("AL2023_x86_64_STANDARD"), Value::Null),
        ] {
            assert_eq!(rendered(release, one)[0]["spec"]["metadataOptions"], wanted);
        }
    }
}

fn policies(attached: &[&str], inline: &[&str]) -> RolePolicies {
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    RolePolicies { attached: all(attached), inline: all(inline) }
}

#[tokio::test(start_paused = true)]
async fn policies_that_karpenters_role_lacks_are_told_with_what_attaches_them() {
    const DISKS: &str = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy";
    const BUCKET: &str = "arn:aws:iam::111122223333:policy/bucket";
    let world = cluster().await;
    let usual = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryReadOnly", "AmazonEKS_CNI_Policy"];
    let usual = usual.map(|name| format!("arn:aws:iam::aws:policy/{name}"));
    let theirs: Vec<&str> = usual.iter().map(String::as_str).chain([DISKS, BUCKET]).collect();
    world.inside().role_policies.insert("group-role".into(), policies(&theirs, &["PolicyLogs"]));
    world.inside().role_policies.insert(world.spec.node_role_name(), policies(&[DISKS], &[]));
    let step = step(StepId::MigrationPools, &Wish::default());
    let mut facts = world.facts(step.reads()).await;
    let told = |facts: &Facts| step.details(&world.spec, facts).into_iter().filter(|line| line.contains("group-role")).collect::<Vec<_>>();
    let said = told(&facts);
    assert_eq!(said.len(), 4, "two of each group: {said:#?}");
    let attach = format!("`aws iam attach-role-policy --role-name KarpenterNodeRole-demo --policy-arn {BUCKET}`");
    assert!(said[0].contains(&attach), "{said:#?}");
    assert!(said[1].contains("get-role-policy --role-name group-role --policy-name PolicyLogs"), "{said:#?}");
    for (closed, whose) in
        [("group-role", "its nodes, group-role,"), ("KarpenterNodeRole-demo", "Karpenter's nodes, KarpenterNodeRole-demo,")]
    {
        world.inside().closed_role = Some(closed);
        let said = step.details(&world.spec, &world.facts(step.reads()).await);
        let unknown = format!("what the role of {whose} may do is not known: iam:ListRolePolicies of {closed} is denied");
        assert_eq!(said.iter().filter(|line| line.trim() == unknown).count(), 2, "{said:#?}");
    }
    facts.node_group_roles = Probed::Unavailable("iam:ListRolePolicies is denied".into());
    assert!(told(&facts)[0].contains("is not known: iam:ListRolePolicies is denied"), "{:#?}", told(&facts));
}

#[test]
fn what_is_read_of_roles_is_in_the_policies_of_whoever_reads_it() {
    let spec = existing("1.14.1");
    let reads = |work| {
        let asked = ["iam:ListAttachedRolePolicies", "iam:ListRolePolicies"];
        operator_needs(&spec, &[work], Standing::There).iter().any(|grant| grant.resources == ["*"] && grant.actions == asked)
    };
    assert_eq!([Work::Migrate, Work::Bootstrap, Work::Doctor].map(reads), [true, false, true]);
}
