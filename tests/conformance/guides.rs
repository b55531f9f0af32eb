//! The documents beside the stack say what the guide of their release says, wherever that changes: `guides.json` has what each guide
//! says, as facts, made from the official tags by `guides.py`. Where a document says otherwise, `knowledge::Difference` explains it, and every
//! explanation is needed.

use super::in_region;
use karpctl::knowledge::{Difference, Release};
use karpctl::render::{self, Document, Inputs};
use karpctl::spec::{ControllerCapacity, Identity, Spec};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

#[derive(Deserialize)]
struct Guides {
    tags: Vec<Release>,
    #[serde(flatten)]
    documents: BTreeMap<String, Vec<Row>>,
}

#[derive(Deserialize)]
struct Row {
    since: Release,
    facts: Value,
}

static GUIDES: LazyLock<Guides> = LazyLock::new(|| serde_json::from_str(include_str!("guides.json")).unwrap());

fn guide(document: &str, release: &Release) -> &'static Value {
    &GUIDES.documents[document].iter().rfind(|row| row.since <= *release).unwrap().facts
}

/// Scalars by where they stand. Lists of scalars are sets; what has a kind, a key or a name stands under it.
fn flat(value: &Value, at: &str, out: &mut BTreeMap<String, String>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, field)| flat(field, &below(key), out)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                let name = ["key", "name", "job_name"].iter().find_map(|field| item[field].as_str());
                let place = match (at.is_empty(), item["kind"].as_str()) {
                    (true, Some("FlowSchema")) => item["metadata"]["name"].as_str().unwrap().to_owned(),
                    (true, Some(kind)) => kind.to_owned(),
                    _ => format!("{at}[{}]", name.map_or_else(|| index.to_string(), str::to_owned)),
                };
                flat(item, &place, out);
            }
        }
        Value::Array(items) => {
            let set: BTreeSet<String> = items.iter().map(scalar).collect();
            out.insert(at.to_owned(), set.into_iter().collect::<Vec<_>>().join(", "));
        }
        _ => _ = out.insert(at.to_owned(), scalar(value)),
    }
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn facts_of_guide(document: &str, spec: &Spec) -> Option<BTreeMap<String, String>> {
    let facts = guide(document, &spec.release);
    // Until the Fargate variant has a command of its own, the chart is installed by the only one there is.
    let facts = if facts.is_null() && document == "helm-values-fargate" { guide("helm-values", &spec.release) } else { facts };
    let mut text = facts.to_string();
    for (variable, value) in [
        ("CLUSTER_NAME", spec.cluster_name.as_str()),
        ("AWS_PARTITION", spec.partition.as_str()),
        ("AWS_DEFAULT_REGION", spec.region.as_str()),
        ("AWS_ACCOUNT_ID", spec.account_id.as_str()),
        ("K8S_VERSION", &spec.kubernetes.to_string()),
        ("KARPENTER_NAMESPACE", spec.namespace.as_str()),
        ("CLUSTER_ENDPOINT", "https://api"),
        ("ENABLE_ZONAL_SHIFT", "true"),
        ("ALIAS_VERSION", "v20260101"),
    ] {
        text = text.replace(&format!("${{{variable}}}"), value);
    }
    let facts: Value = serde_json::from_str(&text).unwrap();
    (!facts.is_null()).then(|| {
        let mut out = BTreeMap::new();
        flat(&facts, "", &mut out);
        out
    })
}

fn facts_of_karpctl(document: Document, spec: &Spec) -> Option<BTreeMap<String, String>> {
    if !Document::of(&spec.release).any(|of| of == document) {
        return None;
    }
    let inputs = Inputs { cluster_endpoint: Some("https://api".into()), ami_version: Some("v20260101".into()), ..Inputs::default() };
    let mut value = render::document_json(document, spec, &inputs).unwrap();
    if value["kind"] == "List" {
        value = value["items"].take();
    }
    if let Some(text) = value["extraScrapeConfigs"].as_str() {
        value["extraScrapeConfigs"] = serde_saphyr::from_str(text).unwrap();
    }
    let mut out = BTreeMap::new();
    flat(&value, "", &mut out);
    Some(out)
}

/// Whether a place is this one or stands below it.
fn stands_in(place: &str, at: &str) -> bool {
    place.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

const DOCUMENTS: [(&str, Document); 9] = [
    ("cluster-config", Document::ClusterConfig),
    ("cluster-config-fargate", Document::ClusterConfig),
    ("helm-values", Document::HelmValues),
    ("helm-values-fargate", Document::HelmValues),
    ("node-pool", Document::NodePool),
    ("inflate", Document::Inflate),
    ("flow-schemas", Document::FlowSchemas),
    ("prometheus-values", Document::PrometheusValues),
    ("grafana-values", Document::GrafanaValues),
];

/// The releases where a guide or the table begins to say something else, and those right before: between them nothing changes.
fn turning_points() -> Vec<Release> {
    let all = Release::all();
    let said = |r: &Release| DOCUMENTS.map(|(name, _)| guide(name, r));
    let turns = (1..all.len()).filter(|n| {
        let (before, after) = (&all[n - 1], &all[*n]);
        said(before) != said(after)
            || before.features() != after.features()
            || Difference::all().iter().any(|d| d.concerns(before) != d.concerns(after))
    });
    let mut points: Vec<Release> = turns.flat_map(|n| [all[n - 1].clone(), all[n].clone()]).collect();
    points.extend(all.first().cloned());
    points.extend(all.last().cloned());
    points.sort();
    points.dedup();
    points
}

#[test]
fn every_document_says_what_the_guide_says_or_why_not() {
    let mut unexplained = Vec::new();
    let mut needed = BTreeSet::new();
    for (release, region) in turning_points().iter().flat_map(|r| [(r, "us-west-2"), (r, "cn-north-1")]) {
        for (name, document) in DOCUMENTS {
            let mut spec = in_region(&release.to_string(), region);
            if name.ends_with("-fargate") {
                spec.capacity = ControllerCapacity::Fargate;
                spec.identity = Identity::Irsa;
            }
            let (ours, theirs) = match (facts_of_karpctl(document, &spec), facts_of_guide(name, &spec)) {
                (Some(ours), Some(theirs)) => (ours, theirs),
                (None, None) => continue,
                _ => panic!("{release}: {name} is in one of them only"),
            };
            let places: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for place in places.into_iter().filter(|place| ours.get(*place) != theirs.get(*place)) {
                // Until Fargate has a command of its own, what is wrong with the only one is wrong there too.
                let shared = name == "helm-values-fargate" && guide(name, release).is_null();
                let named = |of: &str| of == name || shared && of == "helm-values";
                let explains = |d: &Difference| d.concerns(release) && d.documents.iter().any(|of| named(of));
                let why = Difference::all().iter().filter(|d| explains(d)).flat_map(|d| d.at.iter().map(move |at| (d.id.as_str(), at)));
                match why.into_iter().find(|(_, at)| stands_in(place, at)) {
                    Some(reason) => _ = needed.insert(reason),
                    None => unexplained.push(format!(
                        "{release} {region} {name}: {place}: the guide says {:?}, karpctl {:?}",
                        theirs.get(place),
                        ours.get(place)
                    )),
                }
            }
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    // The stack has a conformance test of its own.
    for difference in Difference::all().iter().filter(|d| d.documents != ["cloudformation"]) {
        for at in &difference.at {
            assert!(needed.contains(&(difference.id.as_str(), at)), "{}: nothing differs at {at}", difference.id);
        }
    }
}

#[test]
fn the_table_lists_the_official_tags() {
    assert_eq!(Release::all(), GUIDES.tags);
    assert_eq!(Some(&Release::newest()), GUIDES.tags.iter().rfind(|tag| !tag.to_string().contains('-')));
}

#[test]
fn the_table_says_what_the_tags_say() {
    for release in Release::all() {
        let facts = guide("release", &release);
        let features = release.features();
        assert_eq!(facts["namespace"], features.default_namespace, "{release}");
        assert_eq!(facts["chartVersionPrefix"], features.chart_version_prefix, "{release}");
        assert_eq!(facts["crds"], serde_json::json!(features.crds), "{release}");
        assert_eq!(facts["conversion"], features.conversion_webhook, "{release}");
        assert_eq!(
            facts["eksctlMinimum"].as_str().map(str::to_owned),
            features.eksctl_minimum.as_ref().map(ToString::to_string),
            "{release}"
        );
        if let Some(kubernetes) = facts["latestKubernetes"].as_str() {
            assert_eq!(kubernetes, features.guide_kubernetes.to_string(), "{release}");
        }
        let config = &guide("cluster-config", &release)["metadata"]["version"];
        assert!(config == "${K8S_VERSION}" || *config == features.guide_kubernetes.to_string(), "{release}");
    }
}

#[test]
fn the_comparison_sees_a_change() {
    let mut spec = in_region("1.14.1", "us-west-2");
    let same = |spec: &Spec| facts_of_karpctl(Document::NodePool, spec) == facts_of_guide("node-pool", spec);
    assert!(same(&spec));
    spec.node_pool.cpu_limit = 999;
    assert!(!same(&spec));
}
