//! What karpctl renders means what the official template of the same release means. `tests/conformance/models` holds the meaning of
//! the official templates, one for each group of releases whose templates mean the same; see [`meaning`] for how a template is
//! reduced to it.

#[path = "../conformance/documents.rs"]
mod documents;
#[path = "../conformance/guides.rs"]
mod guides;
#[path = "../conformance/meaning.rs"]
mod meaning;
#[path = "../conformance/mutations.rs"]
mod mutations;
#[path = "../conformance/names.rs"]
mod names;
#[path = "../conformance/properties.rs"]
mod properties;
#[path = "../conformance/yaml.rs"]
mod yaml;

use karpctl::knowledge::Release;
use karpctl::render;
use karpctl::spec::{Partition, Region, Spec};
use meaning::{Meaning, of_model, of_template};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a person gets who names a release and nothing else, on the Kubernetes of its guide.
pub(crate) fn spec(release: &str) -> Spec {
    let spec = crate::fixture::spec(release);
    Spec { kubernetes: spec.release.features().guide_kubernetes, zonal_shift: None, ..spec }
}

fn in_region(release: &str, region: &str) -> Spec {
    let region: Region = region.parse().unwrap();
    Spec { partition: Partition::of_region(&region), region, ..spec(release) }
}

/// Releases whose official templates mean the same.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    first: Release,
    last: Release,
    releases: usize,
    model: Release,
}

impl Group {
    /// What their templates mean.
    fn model(&self) -> String {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/models");
        std::fs::read_to_string(format!("{directory}/{}.json", self.model.tag())).unwrap()
    }

    /// All of them that karpctl knows.
    fn members(&self) -> Vec<Release> {
        let members: Vec<Release> = Release::all().into_iter().filter(|release| (&self.first..=&self.last).contains(&release)).collect();
        assert_eq!(members.len(), self.releases, "{} to {}", self.first, self.last);
        members
    }
}

pub(crate) fn groups() -> Vec<Group> {
    let mut file: BTreeMap<String, Vec<Group>> = serde_saphyr::from_str(include_str!("../conformance/groups.yaml")).unwrap();
    let groups = file.remove("groups").unwrap();
    assert_eq!((groups.len(), groups.iter().map(|group| group.releases).sum::<usize>()), (19, Release::all().len()));
    groups
}

/// The models, by the release that they are named after.
fn models() -> BTreeMap<Release, String> {
    groups().into_iter().map(|group| (group.model.clone(), group.model())).collect()
}

/// Each partition: a region of it, its name, its domain.
const PARTITIONS: [(&str, &str, &str); 3] =
    [("us-west-2", "aws", "amazonaws.com"), ("cn-north-1", "aws-cn", "amazonaws.com.cn"), ("us-gov-west-1", "aws-us-gov", "amazonaws.com")];

/// A model, moved to a partition: other partitions differ by partition and domain alone.
fn moved(model: &str, (region, partition, domain): (&str, &str, &str)) -> Meaning {
    // Queue policies name the services as SQS and EventBridge are called in every partition.
    let model = model
        .replace("arn:aws:", &format!("arn:{partition}:"))
        .replace("us-west-2", region)
        .replace("Service:ec2.amazonaws.com", &format!("Service:ec2.{domain}"))
        .replace("iam:PassedToService = ec2.amazonaws.com\"", &format!("iam:PassedToService = ec2.{domain}\""));
    of_model(&serde_json::from_str(&model).unwrap())
}

/// What the template of a group means here: what the official one means, but for what the guide's differences say.
fn meant(group: &Group, partition: (&str, &str, &str)) -> Meaning {
    match group.model.to_string().as_str() {
        // both-apis-of-0.32
        "0.32.0" => {
            let before = groups().into_iter().find(|group| group.model.to_string() == "0.31.0").unwrap();
            let mut alpha = moved(&before.model(), partition);
            alpha.retain(|about, _| ["grants", "instance profiles"].contains(about));
            let of_machines = |sentence: &String| sentence.contains("karpenter.sh/managed-by");
            let grants = alpha.get_mut("grants").unwrap();
            grants.retain(|sentence| sentence.contains("karpenter.sh/provisioner-name") && !of_machines(sentence));
            meaning::joined(moved(&group.model(), partition), &alpha)
        }
        // cluster-tag-of-1.0
        "1.0.0" => {
            let (asks, model) = ("StringEquals aws:RequestTag/eks:eks-cluster-name = demo and ", group.model());
            assert!(model.contains(asks));
            moved(&model.replace(asks, ""), partition)
        }
        _ => moved(&group.model(), partition),
    }
}

fn rendered(spec: &Spec) -> Meaning {
    of_template(&meaning::read(&render::cloudformation(spec).unwrap()), spec)
}

#[test]
fn every_release_means_what_its_official_template_means_in_every_partition() {
    let (mut compared, mut texts) = (0, 0);
    for group in groups() {
        for partition in PARTITIONS {
            let official = meant(&group, partition);
            let mut seen = BTreeSet::new();
            for release in group.members() {
                let spec = in_region(&release.to_string(), partition.0);
                let text = render::cloudformation(&spec).unwrap();
                compared += 1;
                // Most releases of a group give the same text.
                if seen.insert(text.clone()) {
                    assert_eq!(of_template(&meaning::read(&text), &spec), official, "{release} in {}", partition.0);
                }
            }
            texts += seen.len();
        }
    }
    assert_eq!(compared, Release::all().len() * PARTITIONS.len());
    say(&format!("conformance: {compared} of {compared} templates mean what the official ones mean ({texts} different texts)"));
}

#[test]
fn the_policies_of_a_short_name_have_the_official_names() {
    for group in groups() {
        let model: Value = serde_json::from_str(&group.model()).unwrap();
        let official: Vec<&String> = model["managed_policies"].as_object().unwrap().keys().collect();
        let official: Vec<String> = official.iter().map(|name| format!("arn:aws:iam::111122223333:policy/{name}")).collect();
        for release in group.members() {
            let spec = spec(&release.to_string());
            let mut arns: Vec<String> = render::controller_policy_arns(&spec).iter().map(ToString::to_string).collect();
            arns.sort();
            assert_eq!(arns, official, "{release}");
            let template = render::cloudformation_json(&spec).unwrap();
            assert_eq!(meaning::policy_arns(&template, &spec), official.iter().cloned().collect(), "{release}");
            assert!(template["Resources"].get("KarpenterNodeRole").is_some(), "{release}");
        }
    }
}

#[test]
fn a_policy_that_is_cut_means_the_same() {
    let name = "a".repeat(100);
    for group in groups() {
        let release = &group.model;
        let spec = Spec { cluster_name: name.parse().unwrap(), ..in_region(&release.to_string(), "us-gov-west-1") };
        let policies = render::controller_policies(&spec);
        for policy in &policies {
            assert!(render::policy_size(&policy.document, &spec) <= render::POLICY_SIZE, "{release} {}", policy.part);
        }
        let (mut cut, whole) = (rendered(&spec), meant(&group, PARTITIONS[0]));
        assert_eq!(cut.remove("grants").unwrap().len(), whole["grants"].len(), "{release}");
        let one_policy = spec.release.features().controller_policies == [""];
        assert!(one_policy || policies.len() == spec.release.features().controller_policies.len(), "{release}");
    }
    let spec = Spec { cluster_name: name.parse().unwrap(), ..in_region("1.8.8", "us-gov-west-1") };
    let parts: Vec<String> = render::controller_policies(&spec).into_iter().map(|policy| policy.part).collect();
    assert_eq!(parts, ["", "2"]);
}

/// A model is worth as much as what it tells apart: every field, element and value of a template that is dropped, changed, widened or
/// added to is seen; what is cut, ordered or written otherwise is not.
#[test]
fn the_comparison_sees_every_mutation_and_no_other_way_to_say_the_same() {
    let (mut different, mut alike) = (0, 0);
    for group in groups() {
        let spec = spec(&group.last.to_string());
        let template = render::cloudformation_json(&spec).unwrap();
        let official = meant(&group, PARTITIONS[0]);
        let names = meaning::policy_arns(&template, &spec);
        for mutant in mutations::meant_alike(&template) {
            assert_eq!(of_template(&mutant.template, &spec), official, "{}: {}", group.last, mutant.what);
            alike += 1;
        }
        for (others, mutants) in mutations::meant_otherwise(&template) {
            different += mutants.len();
            let (rest, other_names) = (of_template(&others, &spec), meaning::policy_arns(&others, &spec));
            let same = |mutant: &&mutations::Mutant| {
                meaning::joined(of_template(&mutant.template, &spec), &rest) == official
                    && &meaning::policy_arns(&mutant.template, &spec) | &other_names == names
            };
            let unseen: Vec<&str> = mutants.iter().filter(same).map(|mutant| mutant.what.as_str()).collect();
            assert!(unseen.is_empty(), "{}: {} of {} mutations are not seen: {unseen:#?}", group.last, unseen.len(), mutants.len());
        }
    }
    say(&format!("conformance: {different} of {different} mutations seen, {alike} of {alike} rewritten templates mean the same"));
}

/// Figures that a person who runs the tests should see.
fn say(figures: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("{figures}\n").as_bytes()).unwrap();
}
