//! Names that AWS would not take as they are: the longest, and those that YAML reads as something else. They are the same in every
//! document, for each group of templates, in each partition.

use super::{in_region, meaning, models};
use karpctl::render::{self, ConfigScope, EksctlAbilities};
use karpctl::spec::Spec;
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest names of a role, a managed policy or instance profile, and a queue (IAM and SQS API references).
const LIMITS: [(&str, &str, usize); 4] = [
    ("AWS::IAM::Role", "RoleName", 64),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", 128),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName", 128),
    ("AWS::SQS::Queue", "QueueName", 80),
];

/// The names of the resources of a type, as CloudFormation would make them.
fn made(template: &Value, kind: &str, property: &str, spec: &Spec) -> BTreeSet<String> {
    let resources = template["Resources"].as_object().unwrap().values().filter(|r| r["Type"] == kind);
    let name = |value: &Value| match &value["Fn::Sub"] {
        Value::String(text) => render::substituted(text, spec),
        _ => value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned(),
    };
    resources.map(|r| name(&r["Properties"][property])).collect()
}

fn ends(arns: &Value) -> BTreeSet<String> {
    arns.as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

fn one(set: &BTreeSet<String>) -> &str {
    assert_eq!(set.len(), 1, "{set:?}");
    set.first().unwrap()
}

#[test]
fn every_document_has_the_names_that_the_stack_makes() {
    let long = "Z".repeat(100);
    let names = ["1e3", "a_b", &long[..46], &long[..47], &long[..81], &long];
    for release in models().into_keys() {
        for (region, name) in ["us-west-2", "cn-northwest-1", "us-gov-west-1"].into_iter().flat_map(|r| names.map(|n| (r, n))) {
            let spec = Spec { cluster_name: name.parse().unwrap(), private: true, ..in_region(&release.to_string(), region) };
            let at = format!("{release} {region} {name}");
            let template = meaning::read(&render::cloudformation(&spec).unwrap());
            assert_eq!(template["Parameters"]["ClusterName"]["Default"], name, "{at}");
            for (kind, property, longest) in LIMITS {
                let too_long: Vec<String> = made(&template, kind, property, &spec).into_iter().filter(|n| n.len() > longest).collect();
                assert!(too_long.is_empty(), "{at}: {too_long:?}");
            }
            let policies = made(&template, "AWS::IAM::ManagedPolicy", "ManagedPolicyName", &spec);
            let roles = made(&template, "AWS::IAM::Role", "RoleName", &spec);
            let profiles = made(&template, "AWS::IAM::InstanceProfile", "InstanceProfileName", &spec);
            assert!(spec.stack_name().len() <= 128 && spec.node_group_name().len() <= 63 && spec.controller_role_name().len() <= 64);

            let config = render::cluster_config(&spec, ConfigScope::Complete, &EksctlAbilities::default()).unwrap();
            let config: Value = serde_saphyr::from_str(&config).unwrap();
            assert_eq!(config["metadata"]["name"], name, "{at}");
            let attached = match &config["iam"]["serviceAccounts"][0]["attachPolicyARNs"] {
                Value::Null => &config["iam"]["podIdentityAssociations"][0]["permissionPolicyARNs"],
                arns => arns,
            };
            assert_eq!(ends(attached), policies, "{at}");
            assert_eq!(config["iamIdentityMappings"][0]["arn"].as_str().unwrap().rsplit('/').next(), Some(one(&roles)), "{at}");

            let values = render::helm_values(&spec, Some("https://api")).unwrap();
            let queue = [&values["settings"]["interruptionQueue"], &values["settings"]["aws"]["interruptionQueueName"]];
            let queue: BTreeSet<String> = queue.iter().filter_map(|q| q.as_str().map(str::to_owned)).collect();
            // The chart of 0.19.0 has no value for the queue that its stack makes.
            let told = spec.release.features().queue_value;
            let queues = made(&template, "AWS::SQS::Queue", "QueueName", &spec);
            assert_eq!(queue, if told { queues } else { BTreeSet::new() }, "{at}");
            let told = [&values["aws"]["defaultInstanceProfile"], &values["settings"]["aws"]["defaultInstanceProfile"]];
            for profile in told.iter().filter_map(|p| p.as_str()) {
                assert_eq!(profile, one(&profiles), "{at}");
            }
            // Only the newest release of 0.32.0's minor can name a profile in its node class.
            let objects = render::node_pool(&spec, None).unwrap_or_default();
            if let Some(profile) = objects.first().and_then(|class| class["spec"]["instanceProfile"].as_str()) {
                assert_eq!(profile, one(&profiles), "{at}");
            }
            let public = Spec { private: false, ..spec };
            if let Some(role) = render::node_pool(&public, None).unwrap()[0]["spec"]["role"].as_str() {
                assert_eq!(role, one(&roles), "{at}");
            }
        }
    }
}

#[test]
fn names_that_are_cut_stay_apart() {
    let named = |name: String| Spec { cluster_name: name.parse().unwrap(), ..super::spec("1.14.1") };
    let (one, other) = (named("a".repeat(99) + "b"), named("a".repeat(99) + "c"));
    assert_ne!(one.node_role_name(), other.node_role_name());
    assert_ne!(one.controller_role_name(), other.controller_role_name());
    assert_ne!(one.queue_name(), other.queue_name());
    assert_ne!(one.node_group_name(), other.node_group_name());
    // An underscore, which a stack's name cannot have, and a dash stay two names.
    assert_ne!(named("a_b".into()).stack_name(), named("a-b".into()).stack_name());
}
