//! A template reduced to what it means: sets of sentences that do not depend on how statements are cut or ordered.

use karpctl::render;
use karpctl::spec::Spec;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Sentences by what they are about.
pub(crate) type Meaning = BTreeMap<&'static str, BTreeSet<String>>;

/// The template as JSON: CloudFormation's short functions are written out, which no YAML reader does.
pub(crate) fn read(template: &str) -> Value {
    let mut out = String::new();
    let mut lines = template.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((head, "|")) = line.split_once("!Sub ") {
            let margin = head.len() - head.trim_start().len();
            let mut block = String::new();
            while let Some(text) = lines.next_if(|next| next.len() - next.trim_start().len() > margin) {
                block += text.trim_start();
            }
            writeln!(out, "{head}{{\"Fn::Sub\": {}}}", Value::from(block)).unwrap();
            continue;
        }
        let mut line = line.to_owned();
        for (short, long) in [("!Sub ", "Fn::Sub"), ("!Ref ", "Ref"), ("!GetAtt ", "Fn::GetAtt")] {
            if let Some((head, text)) = line.clone().split_once(short) {
                line = format!("{head}{{\"{long}\": {text}}}");
            }
        }
        out += &(line + "\n");
    }
    serde_saphyr::from_str(&out).unwrap()
}

/// What a rendered template means in the account and region of the spec.
pub(crate) fn of_template(template: &Value, spec: &Spec) -> Meaning {
    let mut meaning = empty();
    assert_eq!(template["Parameters"]["ClusterName"]["Default"], spec.cluster_name.as_str());
    for resource in template["Resources"].as_object().unwrap().values() {
        let p = &resolved(&resource["Properties"], spec);
        match resource["Type"].as_str().unwrap() {
            "AWS::IAM::Role" => role(&mut meaning, p),
            "AWS::IAM::ManagedPolicy" => {
                let document = serde_json::from_str(p["PolicyDocument"].as_str().unwrap()).unwrap();
                assert_eq!(p["Path"], "/");
                add(&mut meaning, "grants", grants(&document, false));
            }
            "AWS::IAM::InstanceProfile" => {
                let sentence = format!("{} {} {}", text(&p["InstanceProfileName"]), text(&p["Path"]), many(&p["Roles"]).join(" "));
                add(&mut meaning, "instance profiles", [sentence].into());
            }
            "AWS::SQS::Queue" => {
                let name = text(&p["QueueName"]);
                let rest = p.as_object().unwrap().iter().filter(|(key, _)| *key != "QueueName" && *key != "Tags");
                add(&mut meaning, "queues", rest.map(|(key, value)| format!("{name} {key} {}", text(value))).collect());
            }
            "AWS::SQS::QueuePolicy" => {
                assert_eq!(many(&p["Queues"]), [spec.queue_name()]);
                add(&mut meaning, "queue policies", grants(&p["PolicyDocument"], true));
            }
            "AWS::Events::Rule" => {
                let pattern = &p["EventPattern"];
                let targets: Vec<String> = p["Targets"].as_array().unwrap().iter().map(|t| text(&t["Arn"])).collect();
                let sentence = format!("{:?} {:?} to {targets:?}", many(&pattern["source"]), many(&pattern["detail-type"]));
                add(&mut meaning, "rules", [sentence].into());
            }
            other => panic!("a resource of type {other}"),
        }
    }
    meaning
}

/// What an official template means, as its model says it.
pub(crate) fn of_model(model: &Value) -> Meaning {
    let mut meaning = empty();
    assert_eq!(model["other"], serde_json::json!({}));
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

fn empty() -> Meaning {
    ["grants", "roles", "instance profiles", "queues", "queue policies", "rules"].map(|key| (key, BTreeSet::new())).into()
}

fn add(meaning: &mut Meaning, about: &'static str, sentences: BTreeSet<String>) {
    meaning.entry(about).or_default().extend(sentences);
}

fn role(meaning: &mut Meaning, p: &Value) {
    let name = text(&p["RoleName"]);
    let lists = many(&p["ManagedPolicyArns"]).into_iter().map(|arn| format!("{name} has {arn}"));
    let trust = p["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap();
    let trust = trust.iter().flat_map(|s| {
        let who = principals(&s["Principal"]);
        let effect = text(&s["Effect"]);
        many(&s["Action"]).into_iter().flat_map(move |action| {
            let effect = effect.clone();
            who.clone().into_iter().map(move |who| format!("{effect} {action} by {who}"))
        })
    });
    let trust = trust.map(|sentence| format!("{name} {sentence}")).collect::<Vec<_>>();
    add(meaning, "roles", lists.chain(trust).chain([format!("{name} {}", text(&p["Path"]))]).collect());
}

/// One sentence for each effect, action, principal and resource of a policy document.
fn grants(document: &Value, by_whom: bool) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for statement in document["Statement"].as_array().unwrap() {
        let conditions: BTreeSet<String> = statement["Condition"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(operator, keys)| keys.as_object().unwrap().iter().map(move |(key, values)| condition(operator, key, values)))
            .collect();
        let who = if by_whom { principals(&statement["Principal"]) } else { vec![String::new()] };
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

fn condition(operator: &str, key: &str, values: &Value) -> String {
    let mut values = many(values);
    values.sort();
    format!("{operator} {key} = {}", values.join(" | "))
}

fn principals(principal: &Value) -> Vec<String> {
    match principal {
        Value::String(all) => vec![format!("AWS:{all}")],
        kinds => {
            let kinds = kinds.as_object().unwrap().iter();
            kinds.flat_map(|(kind, names)| many(names).into_iter().map(move |name| format!("{kind}:{name}"))).collect()
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
