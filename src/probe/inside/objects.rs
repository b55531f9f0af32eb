//! Karpenter's own objects, in whatever version they are served: each kind is listed once.

use super::conversion::Crds;
use super::{deleting, items, text};
use crate::error::Result;
use crate::facts::{ClassImages, ClassRef, ClassSelection, ClassSubnet, ObjectFacts, Probed};
use crate::knowledge::pinned_fields;
use crate::ports::{Kube, ObjectKind};
use crate::probe::failed;
use crate::spec::Spec;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The annotation by which 1.0 keeps the kubelet's settings of a node pool (v1-migration.md, "Kubelet Configuration Migration").
const KUBELET: &str = "compatibility.karpenter.sh/v1beta1-kubelet-conversion";
/// The annotation that 1.0 gives a node class of Ubuntu, and its word where nothing selects the images (`pkg/apis/v1/labels.go` there).
const UBUNTU: (&str, &str) = ("compatibility.karpenter.k8s.aws/v1beta1-ubuntu", "incompatible");
/// The taint with which nodes register since v1.
const UNREGISTERED: &str = "karpenter.sh/unregistered";
/// What 1.0 writes in the place of terms where it finds none.
const PLACEHOLDER: &str = "ami-placeholder";

/// The kinds of the API before v1beta1, which no release since 0.33 knows.
const ALPHA: [(&str, &str); 3] =
    [("karpenter.sh/v1alpha5", "provisioners"), ("karpenter.sh/v1alpha5", "machines"), ("karpenter.k8s.aws/v1alpha1", "awsnodetemplates")];

/// The objects of which there is something to say.
pub(crate) async fn objects(spec: &Spec, kube: &dyn Kube, crds: &Probed<Crds>) -> Probed<Vec<ObjectFacts>> {
    let none = Crds::new();
    let crds = match crds {
        Probed::Known(crds) => crds,
        Probed::Absent => &none,
        Probed::NotAsked => return Probed::NotAsked,
        Probed::Unavailable(reason) => return Probed::Unavailable(reason.clone()),
    };
    let known = &spec.release.features().crds;
    let own = crds.iter().filter_map(|(name, crd)| {
        let (plural, group) = name.split_once('.').filter(|(_, group)| group.contains("karpenter"))?;
        // What v1 keeps elsewhere than v1beta1 is told apart in v1 only.
        let version = crd.served.iter().find(|version| *version == "v1").or(crd.served.last())?;
        Some(ObjectKind::new(format!("{group}/{version}"), plural))
    });
    let alpha = ALPHA.map(|(version, plural)| ObjectKind::new(version, plural));
    let kinds = own.chain(alpha.into_iter().filter(|kind| !known.contains(&resource(kind))));
    let answers = join_all(kinds.map(|kind| async move {
        let listed = kube.list(&kind, None, None).await?;
        let is_known = known.contains(&resource(&kind));
        Ok(listed.iter().filter_map(|object| of(&kind, object)).filter(|o| !is_known || is_worth_telling(o)).collect::<Vec<_>>())
    }));
    match answers.await.into_iter().collect::<Result<Vec<_>>>() {
        Ok(found) => Probed::Known(found.into_iter().flatten().collect()),
        Err(e) => failed(&e),
    }
}

/// What kubectl takes for a kind: `nodeclaims.karpenter.sh`.
fn resource(kind: &ObjectKind) -> String {
    let group = kind.api_version.split_once('/').map_or("", |(group, _)| group);
    format!("{}.{group}", kind.plural)
}

fn of(kind: &ObjectKind, object: &Value) -> Option<ObjectFacts> {
    let (metadata, spec) = (&object["metadata"], &object["spec"]);
    let said = |value: &Value| value.as_str().map(text);
    let class = [&spec["template"]["spec"]["nodeClassRef"], &spec["nodeClassRef"]].into_iter().find(|class| class.is_object());
    let class = class.filter(|_| kind.api_version.ends_with("/v1"));
    let empty = String::new;
    Some(ObjectFacts {
        resource: resource(kind),
        name: said(&metadata["name"])?,
        deleting: deleting(object),
        kept_kubelet: if kind.plural == "nodepools" { said(&metadata["annotations"][KUBELET]) } else { None },
        class_ref: class.map(|class| ClassRef {
            group: said(&class["group"]).unwrap_or_else(empty),
            kind: said(&class["kind"]).unwrap_or_else(empty),
            name: said(&class["name"]).unwrap_or_else(empty),
        }),
        role: said(&spec["role"]),
        instance_profile: said(&spec["instanceProfile"]),
        windows: is_windows(spec),
        images: (kind.plural == "ec2nodeclasses").then(|| images(object)),
        selection: match kind.plural.as_str() {
            "ec2nodeclasses" => Some(selection(object, "subnetSelectorTerms", "securityGroupSelectorTerms")),
            "awsnodetemplates" => Some(selection(object, "subnetSelector", "securityGroupSelector")),
            _ => None,
        },
        requirements: items(&spec["template"]["spec"]["requirements"]).to_vec(),
        node_labels: labels(&spec["template"]["metadata"]["labels"]),
        ami_alias: items(&spec["amiSelectorTerms"]).iter().find_map(|term| said(&term["alias"])),
        said: pinned_fields(&kind.plural)
            .into_iter()
            .map(|path| (path.to_owned(), path.split('.').fold(spec, |at, key| &at[key]).clone()))
            .filter(|(_, value)| !value.is_null())
            .collect(),
    })
}

fn labels(labels: &Value) -> BTreeMap<String, String> {
    let labels = labels.as_object().into_iter().flatten();
    labels.filter_map(|(name, value)| Some((text(name), text(value.as_str()?)))).collect()
}

fn images(class: &Value) -> ClassImages {
    let (annotations, spec) = (&class["metadata"]["annotations"], &class["spec"]);
    let marked = annotations[UBUNTU.0].as_str().is_some_and(|words| words.split(',').any(|word| word == UBUNTU.1));
    // Releases after 1.0 read no such mark: there the class is mended by other terms than those that 1.0 put in.
    let of_ubuntu = marked && items(&spec["amiSelectorTerms"]).iter().all(|term| term["id"] == PLACEHOLDER);
    ClassImages {
        family: if of_ubuntu { Some("Ubuntu".to_owned()) } else { spec["amiFamily"].as_str().map(text) },
        selected: !of_ubuntu && !items(&spec["amiSelectorTerms"]).is_empty(),
        marks_unregistered: spec["userData"].as_str().is_some_and(|data| data.contains(UNREGISTERED)),
    }
}

/// What a node class selects, with what its status says that it found.
fn selection(class: &Value, subnets: &str, groups: &str) -> ClassSelection {
    let (spec, status) = (&class["spec"], &class["status"]);
    let id = |found: &Value| found["id"].as_str().map(text);
    let subnet = |found: &Value| Some(ClassSubnet { id: id(found)?, zone: found["zone"].as_str().map(text).unwrap_or_default() });
    ClassSelection {
        subnet_terms: terms(&spec[subnets]),
        group_terms: terms(&spec[groups]),
        subnets: status["subnets"].as_array().map(|found| found.iter().filter_map(subnet).collect()),
        groups: status["securityGroups"].as_array().map(|found| found.iter().filter_map(id).collect()),
    }
}

/// A selector's terms. That of an `AWSNodeTemplate` is one map of tags, and may have ids under a key of its own.
fn terms(selector: &Value) -> Vec<Value> {
    if selector.is_object() { vec![json!({"tags": selector})] } else { items(selector).to_vec() }
}

/// Whether a node class's images are of Windows, by its family (`Windows2022`) or an alias (`windows2022@latest`).
fn is_windows(class: &Value) -> bool {
    let aliases = items(&class["amiSelectorTerms"]).iter().map(|term| &term["alias"]);
    aliases.chain([&class["amiFamily"]]).filter_map(Value::as_str).any(|family| family.to_lowercase().starts_with("windows"))
}

fn is_worth_telling(object: &ObjectFacts) -> bool {
    let vague = |class: &ClassRef| class.group.is_empty() || class.kind.is_empty();
    object.deleting.is_some()
        || object.kept_kubelet.is_some()
        || object.class_ref.as_ref().is_some_and(vague)
        || ["ec2nodeclasses.", "awsnodetemplates.", "nodepools."].iter().any(|kind| object.resource.starts_with(kind))
}
