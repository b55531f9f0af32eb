//! What karpctl renders means what the official template of the same release means. `tests/conformance/models` holds the meaning of
//! the official templates, one for each group of releases whose templates mean the same; see [`meaning`] for how a template is
//! reduced to it.

#[path = "../conformance/documents.rs"]
mod documents;
#[path = "../conformance/meaning.rs"]
mod meaning;
#[path = "../conformance/properties.rs"]
mod properties;

use karpctl::knowledge::Release;
use karpctl::render;
use karpctl::spec::{Partition, Region, Spec};
use meaning::{Meaning, of_model, of_template};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a person gets who names a release and nothing else, on the Kubernetes of its guide.
pub(crate) fn spec(release: &str) -> Spec {
    let spec = crate::fixture::spec(release);
    Spec { kubernetes: spec.release.features().guide_kubernetes, zonal_shift: None, ..spec }
}

fn in_region(release: &str, region: &str) -> Spec {
    let region: Region = region.parse().unwrap();
    Spec { partition: Partition::of_region(&region), region, ..spec(release) }
}

/// The models, by the release whose template they are of.
fn models() -> BTreeMap<Release, String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/models");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().parse().unwrap(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The release candidates of 0.28 stand between two groups of the tags that have a model.
fn releases() -> impl Iterator<Item = Release> {
    Release::all().into_iter().filter(|release| !release.to_string().contains('-'))
}

fn rendered(spec: &Spec) -> Meaning {
    of_template(&meaning::read(&render::cloudformation(spec).unwrap()), spec)
}

#[test]
fn every_release_means_what_its_official_template_means() {
    let models = models();
    assert_eq!(models.len(), 19);
    for release in releases() {
        let (_, model) = models.range(..=release.clone()).next_back().unwrap();
        let model: Value = serde_json::from_str(model).unwrap();
        assert_eq!(rendered(&spec(&release.to_string())), of_model(&model), "{release}");
    }
}

#[test]
fn the_policies_of_a_short_name_have_the_official_names() {
    for (release, model) in models() {
        let model: Value = serde_json::from_str(&model).unwrap();
        let spec = spec(&release.to_string());
        let mut arns: Vec<String> = render::controller_policy_arns(&spec).iter().map(ToString::to_string).collect();
        arns.sort();
        let official = model["managed_policies"].as_object().unwrap().keys();
        let official: Vec<String> = official.map(|name| format!("arn:aws:iam::111122223333:policy/{name}")).collect();
        assert_eq!(arns, official, "{release}");
        let template = meaning::read(&render::cloudformation(&spec).unwrap());
        let logical_ids: Vec<&String> = template["Resources"].as_object().unwrap().keys().collect();
        assert!(logical_ids.contains(&&"KarpenterNodeRole".to_owned()), "{release}");
    }
}

#[test]
fn other_partitions_differ_by_partition_and_domain_alone() {
    for (region, partition, suffix) in [("cn-north-1", "aws-cn", "amazonaws.com.cn"), ("us-gov-west-1", "aws-us-gov", "amazonaws.com")] {
        for (release, model) in models() {
            // Queue policies name the services as SQS and EventBridge are called in every partition.
            let model = model
                .replace("arn:aws:", &format!("arn:{partition}:"))
                .replace("us-west-2", region)
                .replace("Service:ec2.amazonaws.com", &format!("Service:ec2.{suffix}"))
                .replace("iam:PassedToService = ec2.amazonaws.com\"", &format!("iam:PassedToService = ec2.{suffix}\""));
            let model: Value = serde_json::from_str(&model).unwrap();
            let spec = in_region(&release.to_string(), region);
            assert_eq!(rendered(&spec), of_model(&model), "{release} in {region}");
        }
    }
}

#[test]
fn a_policy_that_is_cut_means_the_same() {
    let name = "a".repeat(100);
    for (release, model) in models() {
        let spec = Spec { cluster_name: name.parse().unwrap(), ..in_region(&release.to_string(), "us-gov-west-1") };
        let policies = render::controller_policies(&spec);
        for policy in &policies {
            assert!(render::policy_size(&policy.document, &spec) <= render::POLICY_SIZE, "{release} {}", policy.part);
        }
        let (mut cut, whole) = (rendered(&spec), of_model(&serde_json::from_str(&model).unwrap()));
        assert_eq!(cut.remove("grants").unwrap().len(), whole["grants"].len(), "{release}");
        let one_policy = spec.release.features().controller_policies == [""];
        assert!(one_policy || policies.len() == spec.release.features().controller_policies.len(), "{release}");
    }
    let spec = Spec { cluster_name: name.parse().unwrap(), ..in_region("1.8.8", "us-gov-west-1") };
    let parts: Vec<String> = render::controller_policies(&spec).into_iter().map(|policy| policy.part).collect();
    assert_eq!(parts, ["", "2"]);
}

/// A way to make a template mean something else.
type Mutation = (&'static str, fn(&mut Value));

const MUTATIONS: [Mutation; 7] = [
    ("an action less", |t| policy(t, |p| _ = p["Statement"][0]["Action"].as_array_mut().unwrap().pop())),
    ("a wider resource", |t| policy(t, |p| p["Statement"][0]["Resource"] = json!("*"))),
    ("another condition", |t| policy(t, |p| p["Statement"][1]["Condition"]["StringLike"] = json!({ "aws:ResourceTag/x": "*" }))),
    ("a statement less", |t| policy(t, |p| _ = p["Statement"].as_array_mut().unwrap().pop())),
    ("a rule less", |t| _ = resources(t).remove("RebalanceRule")),
    ("another retention", |t| resources(t)["KarpenterInterruptionQueue"]["Properties"]["MessageRetentionPeriod"] = json!(60)),
    ("another trust", |t| {
        let trust = &mut resources(t)["KarpenterNodeRole"]["Properties"]["AssumeRolePolicyDocument"];
        trust["Statement"][0]["Principal"] = json!({ "AWS": "*" });
    }),
];

fn resources(template: &mut Value) -> &mut serde_json::Map<String, Value> {
    template["Resources"].as_object_mut().unwrap()
}

fn policy(template: &mut Value, change: fn(&mut Value)) {
    let text = &mut resources(template)["NodeLifecyclePolicy"]["Properties"]["PolicyDocument"]["Fn::Sub"];
    let mut document: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    change(&mut document);
    *text = json!(document.to_string());
}

#[test]
fn the_comparison_sees_every_mutation() {
    let spec = spec("1.14.1");
    let template = render::cloudformation_json(&spec).unwrap();
    let official = of_template(&template, &spec);
    for (what, mutate) in MUTATIONS {
        let mut mutant = template.clone();
        mutate(&mut mutant);
        assert_ne!(of_template(&mutant, &spec), official, "{what}");
    }
    let mut reordered = template.clone();
    policy(&mut reordered, |p| p["Statement"].as_array_mut().unwrap().reverse());
    assert_eq!(of_template(&reordered, &spec), official);
}
