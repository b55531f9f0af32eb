//! What of a stack that is there no release's template has: its owner has put it in, and an update to the release's would take it away.

use super::cloudformation::cloudformation_over;
use super::deployed::{CREATE_ONLY, parsed, resolved};
use super::policies::substituted;
use crate::error::Result;
use crate::knowledge::Release;
use crate::spec::{Arn, Boundary, Spec};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The type of the controller's policies: a statement may stand in any of them.
const POLICY: &str = "AWS::IAM::ManagedPolicy";

/// What a deployed template has, and neither this spec's nor that of another release, a line each.
pub fn put_in_by_others(spec: &Spec, deployed: &str) -> Result<Vec<String>> {
    let Some(template) = parsed(deployed).filter(Value::is_object) else {
        return Ok(vec!["its template cannot be read".to_owned()]);
    };
    let mut known = Known::default();
    known.learn(spec, deployed)?;
    if !known.others_in(&template, spec).is_empty() {
        known.learn_all(spec, deployed)?;
    }
    Ok(known.others_in(&template, spec).into_keys().collect())
}

/// What the owner of a stack of karpctl's has put into it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// What is more than karpctl renders, for whichever release and by whichever settings, a line each.
    pub lines: Vec<String>,
    /// Whether all else is as the spec says.
    pub is_all: bool,
}

/// The extension of a template that karpctl deployed. A value that is another than karpctl's is none: that is drift.
pub fn extension(spec: &Spec, deployed: &str) -> Result<Option<Extension>> {
    let Some(template) = parsed(deployed).filter(Value::is_object) else {
        return Ok(Some(Extension { lines: vec!["its template cannot be read".to_owned()], is_all: false }));
    };
    let mut wanted = Known::default();
    wanted.learn(spec, deployed)?;
    let beside = wanted.others_in(&template, spec);
    if beside.is_empty() {
        return Ok(None);
    }
    let mut known = wanted.clone();
    // Boundary and tags are settings, which may have been others when it was deployed.
    let boundary = boundary_of(spec, deployed).map(Boundary::Policy).or_else(|| spec.permissions_boundary.clone());
    let told = Spec { permissions_boundary: boundary, tags: tags_of(deployed), ..spec.clone() };
    known.learn_all(&told, deployed)?;
    let drifts = |at: Option<&String>| at.is_some_and(|path| known.said.values().flatten().any(|known| known == path));
    let more = known.others_in(&template, spec);
    let lines: Vec<String> = more.into_iter().filter(|(_, at)| !drifts(at.as_ref())).map(|(line, _)| line).collect();
    let is_all = lines.len() == beside.len() && wanted.is_in(&template, spec);
    Ok((!lines.is_empty()).then_some(Extension { lines, is_all }))
}

/// The resources of a deployed template that no release's has, with their types: they are its owner's, and go with the stack. Those that it
/// says to keep do not.
pub fn resources_of_others(spec: &Spec, deployed: &str) -> Result<BTreeMap<String, String>> {
    let template = parsed(deployed).unwrap_or_default();
    let mut known = Known::default();
    known.learn(spec, deployed)?;
    if !known.resources_beside(&template).is_empty() {
        known.learn_all(spec, deployed)?;
    }
    Ok(known.resources_beside(&template))
}

/// The policies that a deployed template gives the node role: the ARNs of those that it attaches, and the names of those that it writes into roles.
/// `None`: it makes no such role, or cannot be read.
#[must_use]
pub fn node_role_policies(spec: &Spec, deployed: &str) -> Option<(Vec<String>, Vec<String>)> {
    let template = parsed(deployed)?;
    let role = Some(node_role(&template)).filter(|role| role.is_object())?;
    let attached = list(&role["ManagedPolicyArns"]).iter().filter_map(|arn| resolved(arn, spec)).collect();
    let beside = fields(&template["Resources"]).filter(|(_, resource)| WRITTEN.contains(&text(&resource["Type"]).as_str()));
    let of_resources = beside.map(|(_, resource)| &resource["Properties"]["PolicyName"]);
    let names = list(&role["Policies"]).iter().map(|policy| &policy["PolicyName"]).chain(of_resources);
    Some((attached, names.filter_map(|name| resolved(name, spec)).collect()))
}

/// The types of the policies that are written into a role.
const WRITTEN: [&str; 2] = ["AWS::IAM::Policy", "AWS::IAM::RolePolicy"];

/// The permissions boundary of the node role in a deployed template, where its ARN can be known.
#[must_use]
pub fn boundary_of(spec: &Spec, deployed: &str) -> Option<Arn> {
    resolved(node_role(&parsed(deployed)?).get("PermissionsBoundary")?, spec)?.parse().ok()
}

/// The tags that a deployed template gives the node role: of a stack of karpctl's those of the spec that it was deployed by.
#[must_use]
pub fn tags_of(deployed: &str) -> BTreeMap<String, String> {
    let template = parsed(deployed).unwrap_or_default();
    let tags = node_role(&template)["Tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned()))).collect()
}

fn node_role(template: &Value) -> &Value {
    &template["Resources"]["KarpenterNodeRole"]["Properties"]
}

/// What is said, a line each, and of a single value where it stands.
type Said = BTreeMap<String, Option<String>>;

/// What templates of releases have: their resources with their types, and all that is said of these.
#[derive(Clone, Default)]
struct Known {
    kinds: BTreeMap<String, String>,
    said: Said,
}

impl Known {
    fn learn(&mut self, spec: &Spec, deployed: &str) -> Result<()> {
        let template = parsed(&cloudformation_over(spec, deployed)?).unwrap_or_default();
        for (id, resource) in fields(&template["Resources"]) {
            self.kinds.insert(id.clone(), text(&resource["Type"]));
            said_of(id, resource, spec, &mut self.said);
        }
        Ok(())
    }

    fn learn_all(&mut self, spec: &Spec, deployed: &str) -> Result<()> {
        let mut releases = Release::all();
        releases.dedup_by(|a, b| a.features() == b.features() && a.stack() == b.stack());
        releases.into_iter().try_for_each(|release| self.learn(&Spec { release, ..spec.clone() }, deployed))
    }

    fn has(&self, id: &str, resource: &Value) -> bool {
        self.kinds.get(id) == Some(&text(&resource["Type"]))
    }

    fn resources_beside(&self, template: &Value) -> BTreeMap<String, String> {
        let goes = |resource: &Value| !text(&resource["DeletionPolicy"]).starts_with("Retain");
        let beside = fields(&template["Resources"]).filter(|(id, resource)| !self.has(id, resource) && goes(resource));
        beside.map(|(id, resource)| (id.clone(), text(&resource["Type"]))).collect()
    }

    fn others_in(&self, template: &Value, spec: &Spec) -> Said {
        let mut said: Said = fields(&template["Outputs"]).map(|(id, _)| (format!("output {id}"), None)).collect();
        for (id, resource) in fields(&template["Resources"]) {
            if self.has(id, resource) {
                said_of(id, resource, spec, &mut said);
            } else {
                said.insert(format!("resource {id} ({})", text(&resource["Type"])), None);
            }
        }
        said.retain(|line, _| !self.said.contains_key(line));
        said
    }

    fn is_in(&self, template: &Value, spec: &Spec) -> bool {
        let mut said = Said::new();
        fields(&template["Resources"]).for_each(|(id, resource)| said_of(id, resource, spec, &mut said));
        self.kinds.iter().all(|(id, kind)| template["Resources"][id]["Type"] == **kind)
            && self.said.keys().all(|line| said.contains_key(line))
    }
}

fn said_of(id: &str, resource: &Value, spec: &Spec, into: &mut Said) {
    let kind = text(&resource["Type"]);
    let id = if kind == POLICY { "policies of the controller" } else { id };
    let kept = CREATE_ONLY.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, names)| names);
    for (name, property) in fields(&resource["Properties"]).filter(|(name, _)| !kept.contains(&name.as_str())) {
        say(&format!("{id}.{name}"), &carried_out(property, spec), into);
    }
    // What stands beside the properties and changes what becomes of the resource.
    for (name, attribute) in fields(resource).filter(|(name, _)| !["Type", "Properties", "Metadata", "DependsOn"].contains(&name.as_str()))
    {
        say(&format!("{id}.{name}"), &carried_out(attribute, spec), into);
    }
}

/// One sentence for each value, item of a list, and action and resource of a policy's statements.
fn say(path: &str, value: &Value, into: &mut Said) {
    match value {
        Value::Object(document) if document.contains_key("Statement") => {
            for statement in items(&document["Statement"]) {
                let of = |key| items(&statement[key]).iter().map(text).collect::<Vec<_>>();
                let rest = fields(statement).filter(|(key, _)| !["Sid", "Effect", "Action", "Resource"].contains(&key.as_str()));
                let rest: String = rest.map(|(key, value)| format!(", {key} {}", listed(value))).collect();
                for action in of("Action") {
                    let effect = text(&statement["Effect"]);
                    into.extend(of("Resource").iter().map(|on| (format!("{path}: {effect} {action} on {on}{rest}"), None)));
                }
            }
        }
        Value::Object(fields) => fields.iter().for_each(|(key, value)| say(&format!("{path}.{key}"), value, into)),
        Value::Array(items) => into.extend(items.iter().map(|item| (format!("{path}: {}", text(item)), None))),
        _ => {
            into.insert(format!("{path}: {}", text(value)), Some(path.to_owned()));
        }
    }
}

/// A value with the functions carried out that take no more than the stack's own variables, and its fields in the order of their names.
fn carried_out(value: &Value, spec: &Spec) -> Value {
    let attribute = value.get("Fn::GetAtt").map(|name| items(name).iter().map(text).collect::<Vec<_>>().join("."));
    match attribute.map(|name| substituted(&format!("${{{name}}}"), spec)).or_else(|| resolved(value, spec)) {
        // A policy is written as text where a condition's key has a variable.
        Some(text) => serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or_else(|| text.into()),
        None => match value {
            Value::Array(items) => items.iter().map(|item| carried_out(item, spec)).collect(),
            Value::Object(fields) => {
                let sorted: BTreeMap<String, Value> = fields.iter().map(|(key, field)| (key.clone(), carried_out(field, spec))).collect();
                sorted.into_iter().collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        },
    }
}

/// A value whose single items stand in lists, and these in order: IAM takes either.
fn listed(value: &Value) -> Value {
    if value.is_object() {
        return fields(value).map(|(key, value)| (key.clone(), listed(value))).collect::<Map<_, _>>().into();
    }
    let mut items: Vec<String> = items(value).iter().map(text).collect();
    items.sort();
    items.into()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The items of a list; of what is none there are none.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
