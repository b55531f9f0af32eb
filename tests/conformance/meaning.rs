//! A template reduced to what it means: sets of sentences that do not depend on how statements are cut or ordered.

use karpctl::render;
use karpctl::spec::Spec;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Sentences by what they are about.
pub(crate) type Meaning = BTreeMap<&'static str, BTreeSet<String>>;

/// The template as JSON.
pub(crate) fn read(template: &str) -> Value {
    super::yaml::read_one(template)
}

/// What a rendered template means in the account and region of the spec. What is not understood is not left out: it is a sentence
/// of its own, which no model has.
pub(crate) fn of_template(template: &Value, spec: &Spec) -> Meaning {
    let mut meaning = empty();
    let template = fields(template);
    let parameter = &template["Parameters"];
    let expected = json!({ "ClusterName": { "Type": "String", "Default": spec.cluster_name } });
    for (name, field) in fields(&expected["ClusterName"]) {
        if parameter["ClusterName"][name] != *field {
            add(&mut meaning, "other", [format!("ClusterName {name} {}", parameter["ClusterName"][name])].into());
        }
    }
    others(&mut meaning, "parameters", parameter, &["ClusterName"]);
    let known = ["AWSTemplateFormatVersion", "Description", "Parameters", "Resources"];
    others(&mut meaning, "template", &Value::Object(template.clone()), &known);
    for resource in fields(&template["Resources"]).values() {
        let p = &resolved(&resource["Properties"], spec);
        let kind = resource["Type"].as_str().unwrap();
        others(&mut meaning, kind, resource, &["Type", "Properties"]);
        let known: &[&str] = match kind {
            "AWS::IAM::Role" => {
                role(&mut meaning, p);
                &["RoleName", "ManagedPolicyArns", "AssumeRolePolicyDocument", "Path"]
            }
            "AWS::IAM::ManagedPolicy" => {
                let document = match &p["PolicyDocument"] {
                    Value::String(text) => serde_json::from_str(text).unwrap(),
                    document => document.clone(),
                };
                // To write the default out is a replacement to CloudFormation.
                let path = if spec.release.features().policy_path { json!("/") } else { Value::Null };
                if p["Path"] != path {
                    add(&mut meaning, "other", [format!("{} in {}", text(&p["ManagedPolicyName"]), p["Path"])].into());
                }
                add(&mut meaning, "grants", grants(&document, Principals::None));
                &["ManagedPolicyName", "PolicyDocument", "Path"]
            }
            "AWS::IAM::InstanceProfile" => {
                let sentence = format!("{} {} {}", text(&p["InstanceProfileName"]), text(&p["Path"]), many(&p["Roles"]).join(" "));
                add(&mut meaning, "instance profiles", [sentence].into());
                &["InstanceProfileName", "Path", "Roles"]
            }
            "AWS::SQS::Queue" => {
                let name = text(&p["QueueName"]);
                let rest = fields(p).iter().filter(|(key, _)| *key != "QueueName" && *key != "Tags");
                add(&mut meaning, "queues", rest.map(|(key, value)| format!("{name} {key} {}", text(value))).collect());
                continue;
            }
            "AWS::SQS::QueuePolicy" => {
                if many(&p["Queues"]) != [spec.queue_name()] {
                    add(&mut meaning, "other", [format!("a queue policy of {:?}", p["Queues"])].into());
                }
                add(&mut meaning, "queue policies", grants(&p["PolicyDocument"], Principals::Named));
                &["Queues", "PolicyDocument"]
            }
            "AWS::Events::Rule" => {
                let pattern = &p["EventPattern"];
                let targets = p["Targets"].as_array().cloned().unwrap_or_default();
                for target in &targets {
                    others(&mut meaning, "target", target, &["Id", "Arn"]);
                }
                others(&mut meaning, "pattern", pattern, &["source", "detail-type"]);
                let targets: Vec<String> = targets.iter().map(|t| text(&t["Arn"])).collect();
                let sentence = format!("{:?} {:?} to {targets:?}", many(&pattern["source"]), many(&pattern["detail-type"]));
                add(&mut meaning, "rules", [sentence].into());
                &["EventPattern", "Targets"]
            }
            _ => &[],
        };
        others(&mut meaning, kind, p, known);
    }
    meaning
}

/// The ARNs of the policies of a template.
pub(crate) fn policy_arns(template: &Value, spec: &Spec) -> BTreeSet<String> {
    let policies = fields(&template["Resources"]).values().filter(|resource| resource["Type"] == "AWS::IAM::ManagedPolicy");
    policies.map(|policy| format!("{}policy/{}", iam(spec), text(&resolved(&policy["Properties"]["ManagedPolicyName"], spec)))).collect()
}

/// A property of a resource, with CloudFormation's functions carried out.
pub(crate) fn property(template: &Value, id: &str, property: &str, spec: &Spec) -> Value {
    resolved(&template["Resources"][id]["Properties"][property], spec)
}

fn iam(spec: &Spec) -> String {
    format!("arn:{}:iam::{}:", spec.partition, spec.account_id)
}

/// A sentence for each field that is not known.
fn others(meaning: &mut Meaning, what: &str, value: &Value, known: &[&str]) {
    let unknown = value.as_object().into_iter().flatten().filter(|(key, _)| !known.contains(&key.as_str()));
    add(meaning, "other", unknown.map(|(key, value)| format!("{what} {key} {value}")).collect());
}

fn fields(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

/// What an official template means, as its model says it.
pub(crate) fn of_model(model: &Value) -> Meaning {
    let mut meaning = empty();
    for nothing in ["other", "attributes", "outputs"] {
        assert_eq!(model[nothing], json!({}));
    }
    assert_eq!(model["parameters"], json!({ "ClusterName": "String" }));
    for policy in model["managed_policies"].as_object().unwrap().values() {
        let sentences = policy["grants"].as_array().unwrap().iter().flat_map(|grant| parsed(grant.as_str().unwrap()));
        add(&mut meaning, "grants", sentences.collect());
    }
    for (name, role) in model["roles"].as_object().unwrap().iter().filter(|(name, _)| *name != "<unattached>") {
        let lists = many(&role["managed"]).into_iter().map(|arn| format!("{name} has {arn}"));
        let trust = many(&role["trust"]).into_iter().map(|sentence| format!("{name} {sentence}"));
        add(&mut meaning, "roles", lists.chain(trust).chain([format!("{name} {}", text(&role["path"]))]).collect());
    }
    for (name, profile) in model["instance_profiles"].as_object().unwrap() {
        let sentence = format!("{name} {} {}", text(&profile["path"]), many(&profile["roles"]).join(" "));
        add(&mut meaning, "instance profiles", [sentence].into());
    }
    for (name, queue) in model["queues"].as_object().unwrap() {
        let properties = queue.as_object().unwrap().iter();
        add(&mut meaning, "queues", properties.map(|(key, value)| format!("{name} {key} {}", text(value))).collect());
    }
    for policy in model["queue_policies"].as_object().unwrap().values().flat_map(|list| list.as_array().unwrap()) {
        add(&mut meaning, "queue policies", many(policy).iter().flat_map(|sentence| parsed(sentence)).collect());
    }
    for rule in model["event_rules"].as_array().unwrap() {
        let targets: Vec<&String> = rule["targets"].as_object().unwrap().keys().collect();
        let pattern = &rule["pattern"];
        let sentence = format!("{:?} {:?} to {targets:?}", many(&pattern["source"]), many(&pattern["detail-type"]));
        add(&mut meaning, "rules", [sentence].into());
    }
    meaning
}

/// What two templates mean together.
pub(crate) fn joined(mut one: Meaning, other: &Meaning) -> Meaning {
    for (about, sentences) in other {
        add(&mut one, about, sentences.clone());
    }
    one
}

fn empty() -> Meaning {
    ["grants", "roles", "instance profiles", "queues", "queue policies", "rules", "other"].map(|key| (key, BTreeSet::new())).into()
}

fn add(meaning: &mut Meaning, about: &'static str, sentences: BTreeSet<String>) {
    meaning.entry(about).or_default().extend(sentences);
}

fn role(meaning: &mut Meaning, p: &Value) {
    let name = text(&p["RoleName"]);
    let lists = many(&p["ManagedPolicyArns"]).into_iter().map(|arn| format!("{name} has {arn}"));
    let trust = &p["AssumeRolePolicyDocument"];
    // The models write a trust without resource and condition.
    let trust = grants(trust, Principals::Named).into_iter().map(|s| s.replace(" on null if {}", "").replace('`', ""));
    let trust = trust.map(|sentence| format!("{name} {sentence}"));
    add(meaning, "roles", lists.chain(trust).chain([format!("{name} {}", text(&p["Path"]))]).collect());
}

/// Whether the statements of a document say to whom they apply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Principals {
    None,
    Named,
}

/// One sentence for each effect, action, principal and resource of a policy document.
fn grants(document: &Value, principals: Principals) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    if document["Version"] != "2012-10-17" {
        out.insert(format!("in the language of {}", document["Version"]));
    }
    let strange = document.as_object().into_iter().flatten().filter(|(key, _)| !matches!(key.as_str(), "Version" | "Statement"));
    out.extend(strange.map(|(key, value)| format!("{key} {value}")));
    for statement in document["Statement"].as_array().into_iter().flatten() {
        let conditions: BTreeSet<String> =
            statement["Condition"].as_object().into_iter().flatten().flat_map(|(operator, keys)| conditions_of(operator, keys)).collect();
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        let who = if principals == Principals::Named { who(&statement["Principal"]) } else { vec![String::new()] };
        let strange = statement
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| !(known.contains(&key.as_str()) || (principals == Principals::Named && *key == "Principal")));
        out.extend(strange.map(|(key, value)| format!("{key} {value} in a statement if {conditions:?}")));
        for action in many(&statement["Action"]) {
            for who in &who {
                for resource in many(&statement["Resource"]) {
                    out.insert(format!("{} {action} by `{who}` on {resource} if {conditions:?}", text(&statement["Effect"])));
                }
            }
        }
    }
    out
}

fn conditions_of(operator: &str, keys: &Value) -> Vec<String> {
    match keys {
        Value::Object(keys) => keys.iter().map(|(key, values)| condition(operator, key, values)).collect(),
        strange => vec![format!("{operator} {strange}")],
    }
}

fn condition(operator: &str, key: &str, values: &Value) -> String {
    let mut values = many(values);
    values.sort();
    format!("{operator} {key} = {}", values.join(" | "))
}

fn who(principal: &Value) -> Vec<String> {
    match principal {
        Value::String(all) => vec![format!("AWS:{all}")],
        kinds => {
            let kinds = kinds.as_object().into_iter().flatten();
            let who: Vec<String> =
                kinds.flat_map(|(kind, names)| many(names).into_iter().map(move |name| format!("{kind}:{name}"))).collect();
            if who.is_empty() { vec!["nobody".into()] } else { who }
        }
    }
}

/// A sentence of a model, cut into those of [`grants`].
fn parsed(sentence: &str) -> Vec<String> {
    let (grant, conditions) = sentence.split_once(" if ").unwrap_or((sentence, ""));
    let conditions: BTreeSet<&str> = conditions.split(" and ").filter(|c| !c.is_empty()).collect();
    let (actions, resources) = grant.split_once(" on ").unwrap();
    let (effect, actions) = actions.split_once(' ').unwrap();
    let (actions, who) = actions.split_once(" by ").unwrap_or((actions, ""));
    let each = |action: &str| -> Vec<String> {
        resources.split(", ").map(|resource| format!("{effect} {action} by `{who}` on {resource} if {conditions:?}")).collect()
    };
    actions.split(", ").flat_map(each).collect()
}

/// The value with CloudFormation's functions carried out.
fn resolved(value: &Value, spec: &Spec) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| resolved(item, spec)).collect(),
        Value::Object(fields) => {
            let call = fields.iter().next().filter(|_| fields.len() == 1).map(|(name, argument)| (name.as_str(), argument));
            match call {
                Some(("Fn::Sub", text)) => render::substituted(text.as_str().unwrap(), spec).into(),
                Some(("Fn::GetAtt", name)) => render::substituted(&format!("${{{}}}", name.as_str().unwrap()), spec).into(),
                Some(("Ref", id)) if id == "KarpenterInterruptionQueue" => spec.queue_name().into(),
                Some(("Ref", id)) if id == "KarpenterNodeRole" => spec.node_role_name().into(),
                _ => fields.iter().map(|(key, field)| (key.clone(), resolved(field, spec))).collect(),
            }
        }
        other => {
            assert!(!text(other).contains("${"), "{other} is not in a function");
            other.clone()
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn many(value: &Value) -> Vec<String> {
    value.as_array().map_or_else(|| vec![text(value)], |items| items.iter().map(text).collect())
}
