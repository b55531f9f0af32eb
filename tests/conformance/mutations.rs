//! A template made to mean something else, and made to look otherwise and mean the same: both in every way there is, rather than in
//! those that somebody thought of.

use serde_json::{Map, Value, json};

/// A changed template, and what was done to it.
pub(crate) struct Mutant {
    pub(crate) what: String,
    pub(crate) template: Value,
}

/// A way to write the properties of a resource otherwise.
type Rewrite = fn(&mut Map<String, Value>);

/// What a field is called matters nowhere, or it is for the reader.
const MEANINGLESS: [&str; 3] = ["Sid", "Id", "Description"];

#[derive(Debug, Clone, Copy)]
enum Change {
    /// The field or element is gone.
    Drop,
    /// The field has another name.
    Rename,
    /// The value is another one.
    Alter,
    /// The value is `*`.
    Widen,
    /// The list or object has one more.
    Extend,
}

/// Every mutant that differs in one field, element or value, and means something else. They come for each resource: what the others
/// are, without which a mutant is, and the mutants.
///
/// The controller's policies are first cut to one for each statement, which means the same, so that a mutant is small.
pub(crate) fn meant_otherwise(template: &Value) -> Vec<(Value, Vec<Mutant>)> {
    let cut = cut(template);
    let alone = |id: &str| {
        let mut alone = cut.clone();
        alone["Resources"].as_object_mut().unwrap().retain(|other, _| other == id);
        alone
    };
    let mut without: Vec<(Value, Vec<Mutant>)> = Vec::new();
    for (id, resource) in cut["Resources"].as_object().unwrap() {
        let mut others = cut.clone();
        others["Resources"].as_object_mut().unwrap().remove(id);
        let at = pointer("/Resources", id);
        let mut changes = vec![(at.clone(), Change::Drop), (at.clone(), Change::Extend), (pointer(&at, "Type"), Change::Alter)];
        walk(&resource["Properties"], &pointer(&at, "Properties"), &mut changes);
        if without.is_empty() {
            let parameter = ["Type", "Default"].map(|field| (pointer("/Parameters/ClusterName", field), Change::Alter));
            changes.extend(parameter);
            changes.extend([(String::new(), Change::Extend), ("/Parameters".into(), Change::Extend)]);
        }
        without.push((closed(others), mutants(&alone(id), changes)));
    }
    without
}

fn mutants(template: &Value, changes: Vec<(String, Change)>) -> Vec<Mutant> {
    let mutant = |(at, change): (String, Change)| {
        let mut mutated = template.clone();
        carry_out(&mut mutated, &at, change);
        Mutant { what: format!("{change:?} {at}"), template: closed(mutated) }
    };
    changes.into_iter().map(mutant).collect()
}

/// The template with a policy for each statement.
fn cut(template: &Value) -> Value {
    let mut cut = opened(template);
    for (id, policy) in take_policies(&mut cut) {
        for (index, statement) in statements(&policy).iter().enumerate() {
            let mut part = policy.clone();
            part["Properties"]["PolicyDocument"]["Fn::Sub"]["Statement"] = json!([statement]);
            cut["Resources"][format!("{id}{index}")] = part;
        }
    }
    cut
}

/// Mutants that are cut, ordered or written otherwise, and mean the same.
pub(crate) fn meant_alike(template: &Value) -> Vec<Mutant> {
    let rewritten: [(&str, Rewrite); 7] = [
        ("the statements in reverse", |p| for_each_document(p, |statements| statements.reverse())),
        ("lists in reverse", |p| for_each_statement(p, reversed)),
        ("a statement for each action", |p| split_by(p, "Action")),
        ("a statement for each resource", |p| split_by(p, "Resource")),
        ("a list where one value stands", |p| for_each_statement(p, listed)),
        ("statements without their names", |p| for_each_statement(p, |s| _ = s.remove("Sid"))),
        ("every statement twice", |p| for_each_document(p, |statements| statements.extend(statements.clone()))),
    ];
    let mut mutants: Vec<Mutant> = Vec::new();
    let mut add = |what: &str, template: Value| mutants.push(Mutant { what: what.to_owned(), template: closed(template) });
    for (what, rewrite) in rewritten {
        let mut rewritten = opened(template);
        rewritten["Resources"].as_object_mut().unwrap().values_mut().for_each(|r| rewrite(r["Properties"].as_object_mut().unwrap()));
        add(what, rewritten);
    }
    let mut reversed = opened(template);
    let resources = std::mem::take(reversed["Resources"].as_object_mut().unwrap());
    reversed["Resources"] = Value::Object(resources.into_iter().rev().collect());
    add("resources in reverse", reversed);
    add("a policy for each statement", cut(template));
    let mut joined = opened(template);
    let policies = take_policies(&mut joined);
    let mut whole = policies[0].1.clone();
    let all: Vec<Value> = policies.iter().flat_map(|(_, policy)| statements(policy).clone()).collect();
    whole["Properties"]["PolicyDocument"]["Fn::Sub"]["Statement"] = all.into();
    joined["Resources"]["Whole"] = whole;
    add("one policy for all", joined);
    mutants
}

/// All that can be done to a value and what is in it.
fn walk(value: &Value, at: &str, changes: &mut Vec<(String, Change)>) {
    let mut on = |at: &str, kinds: &[Change]| changes.extend(kinds.iter().map(|kind| (at.to_owned(), *kind)));
    match value {
        Value::Object(fields) => {
            if let Some((function, argument)) = call(fields) {
                return walk(argument, &pointer(at, function), changes);
            }
            on(at, &[Change::Extend]);
            for (name, field) in fields.iter().filter(|(name, _)| !MEANINGLESS.contains(&name.as_str())) {
                let at = pointer(at, name);
                changes.extend([(at.clone(), Change::Drop), (at.clone(), Change::Rename)]);
                walk(field, &at, changes);
            }
        }
        Value::Array(items) => {
            on(at, &[Change::Extend]);
            for (index, item) in items.iter().enumerate() {
                let at = pointer(at, &index.to_string());
                changes.push((at.clone(), Change::Drop));
                walk(item, &at, changes);
            }
        }
        leaf if leaf == "*" => on(at, &[Change::Alter]),
        _ => on(at, &[Change::Alter, Change::Widen]),
    }
}

fn carry_out(template: &mut Value, at: &str, change: Change) {
    let (parent, last) = at.rsplit_once('/').unwrap_or(("", ""));
    let last = last.replace("~1", "/").replace("~0", "~");
    match (change, template.pointer_mut(if matches!(change, Change::Drop | Change::Rename) { parent } else { at }).unwrap()) {
        (Change::Drop, Value::Object(fields)) => _ = fields.remove(&last),
        (Change::Drop, Value::Array(items)) => _ = items.remove(last.parse().unwrap()),
        (Change::Rename, Value::Object(fields)) => {
            let field = fields.remove(&last).unwrap();
            fields.insert(format!("{last}x"), field);
        }
        (Change::Alter, Value::String(text)) => *text = if text == "Allow" { "Deny".into() } else { format!("{text}x") },
        (Change::Alter, Value::Bool(flag)) => *flag = !*flag,
        (Change::Alter, leaf) => *leaf = json!(12345),
        (Change::Widen, leaf) => *leaf = json!("*"),
        (Change::Extend, Value::Array(items)) => items.push(json!("more")),
        (Change::Extend, Value::Object(fields)) => _ = fields.insert("More".into(), json!("more")),
        (change, value) => panic!("{change:?} of {value}"),
    }
}

fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn call(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = fields.iter().next().filter(|_| fields.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

/// The template with its policy documents as objects, within their `Fn::Sub`.
fn opened(template: &Value) -> Value {
    let mut out = template.clone();
    for resource in out["Resources"].as_object_mut().unwrap().values_mut() {
        if let Some(document) = resource["Properties"].pointer_mut("/PolicyDocument/Fn::Sub") {
            *document = serde_json::from_str(document.as_str().unwrap()).unwrap();
        }
    }
    out
}

/// The other way round.
fn closed(mut template: Value) -> Value {
    for resource in template["Resources"].as_object_mut().unwrap().values_mut() {
        // The property may have another name by now.
        let properties = resource["Properties"].as_object_mut().into_iter().flat_map(Map::values_mut);
        for document in properties.filter_map(|property| property.get_mut("Fn::Sub")).filter(|document| document.is_object()) {
            *document = document.to_string().into();
        }
    }
    template
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Properties"]["PolicyDocument"]["Fn::Sub"]["Statement"].as_array().unwrap()
}

/// The controller's policies, taken out of the template.
fn take_policies(template: &mut Value) -> Vec<(String, Value)> {
    let resources = template["Resources"].as_object_mut().unwrap();
    let ids: Vec<String> = resources.iter().filter(|(_, r)| r["Type"] == "AWS::IAM::ManagedPolicy").map(|(id, _)| id.clone()).collect();
    ids.into_iter().map(|id| (id.clone(), resources.remove(&id).unwrap())).collect()
}

fn for_each_document(properties: &mut Map<String, Value>, change: fn(&mut Vec<Value>)) {
    for name in ["PolicyDocument", "AssumeRolePolicyDocument"] {
        let Some(document) = properties.get_mut(name) else { continue };
        let document = if document.get("Fn::Sub").is_some() { &mut document["Fn::Sub"] } else { document };
        change(document["Statement"].as_array_mut().unwrap());
    }
}

fn for_each_statement(properties: &mut Map<String, Value>, change: fn(&mut Map<String, Value>)) {
    for name in ["PolicyDocument", "AssumeRolePolicyDocument"] {
        let Some(document) = properties.get_mut(name) else { continue };
        let document = if document.get("Fn::Sub").is_some() { &mut document["Fn::Sub"] } else { document };
        document["Statement"].as_array_mut().unwrap().iter_mut().for_each(|statement| change(statement.as_object_mut().unwrap()));
    }
}

fn reversed(statement: &mut Map<String, Value>) {
    for name in ["Action", "Resource"] {
        if let Some(Value::Array(items)) = statement.get_mut(name) {
            items.reverse();
        }
    }
    let conditions = statement.get_mut("Condition").and_then(Value::as_object_mut);
    for keys in conditions.into_iter().flat_map(Map::values_mut) {
        for values in keys.as_object_mut().unwrap().values_mut().filter_map(Value::as_array_mut) {
            values.reverse();
        }
    }
}

fn listed(statement: &mut Map<String, Value>) {
    for name in ["Action", "Resource"] {
        if let Some(one) = statement.get_mut(name).filter(|value| !value.is_array()) {
            *one = json!([one]);
        }
    }
}

fn split_by(properties: &mut Map<String, Value>, name: &'static str) {
    let split = if name == "Action" { |all: &mut Vec<Value>| split(all, "Action") } else { |all: &mut Vec<Value>| split(all, "Resource") };
    for_each_document(properties, split);
}

fn split(statements: &mut Vec<Value>, name: &str) {
    let each = |statement: Value| match statement[name].clone() {
        Value::Array(items) => items.into_iter().map(|item| [(name, item)]).map(|change| with(&statement, change)).collect(),
        _ => vec![statement],
    };
    *statements = std::mem::take(statements).into_iter().flat_map(each).collect();
}

fn with(statement: &Value, [(name, item)]: [(&str, Value); 1]) -> Value {
    let mut out = statement.clone();
    out[name] = item;
    out
}
