//! What of a stack that is there no release's template has: its owner has put it in, and an update to the release's would take it away.

use super::cloudformation::cloudformation_over;
use super::deployed::{CREATE_ONLY, parsed, resolved};
use super::policies::substituted;
use crate::error::Result;
use crate::knowledge::Release;
use crate::spec::{Arn, Spec};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The type of the controller's policies: a statement may stand in any of them.
const POLICY: &str = "AWS::IAM::ManagedPolicy";

/// What a deployed template has, and neither this spec's nor that of another release, a line each.
pub fn put_in_by_others(spec: &Spec, deployed: &str) -> Result<Vec<String>> {
    let Some(template) = parsed(deployed).filter(Value::is_object) else {
        return Ok(vec!["its template cannot be read".to_owned()]);
    };
    let mut known = Known::default();
    known.learn(spec, deployed)?;
    let mut own = known.others_in(&template, spec);
    if !own.is_empty() {
        let mut releases = Release::all();
        releases.dedup_by(|a, b| a.features() == b.features() && a.stack() == b.stack());
        for release in releases {
            known.learn(&Spec { release, ..spec.clone() }, deployed)?;
        }
        own = known.others_in(&template, spec);
    }
    Ok(own)
}

/// The permissions boundary of the node role in a deployed template, where its ARN can be known.
#[must_use]
pub fn boundary_of(spec: &Spec, deployed: &str) -> Option<Arn> {
    let template = parsed(deployed)?;
    resolved(template["Resources"]["KarpenterNodeRole"]["Properties"].get("PermissionsBoundary")?, spec)?.parse().ok()
}

/// What templates of releases have: their resources with their types, and all that is said of these.
#[derive(Default)]
struct Known {
    kinds: BTreeMap<String, String>,
    said: BTreeSet<String>,
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

    fn others_in(&self, template: &Value, spec: &Spec) -> Vec<String> {
        let mut said: BTreeSet<String> = fields(&template["Outputs"]).map(|(id, _)| format!("output {id}")).collect();
        for (id, resource) in fields(&template["Resources"]) {
            let kind = text(&resource["Type"]);
            if self.kinds.get(id) == Some(&kind) {
                said_of(id, resource, spec, &mut said);
            } else {
                said.insert(format!("resource {id} ({kind})"));
            }
        }
        said.difference(&self.said).cloned().collect()
    }
}

fn said_of(id: &str, resource: &Value, spec: &Spec, into: &mut BTreeSet<String>) {
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
fn say(path: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(document) if document.contains_key("Statement") => {
            for statement in items(&document["Statement"]) {
                let of = |key| items(&statement[key]).iter().map(text).collect::<Vec<_>>();
                let rest = fields(statement).filter(|(key, _)| !["Sid", "Effect", "Action", "Resource"].contains(&key.as_str()));
                let rest: String = rest.map(|(key, value)| format!(", {key} {}", listed(value))).collect();
                for action in of("Action") {
                    into.extend(of("Resource").iter().map(|on| format!("{path}: {} {action} on {on}{rest}", text(&statement["Effect"]))));
                }
            }
        }
        Value::Object(fields) => fields.iter().for_each(|(key, value)| say(&format!("{path}.{key}"), value, into)),
        Value::Array(items) => into.extend(items.iter().map(|item| format!("{path}: {}", text(item)))),
        _ => {
            into.insert(format!("{path}: {}", text(value)));
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

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
