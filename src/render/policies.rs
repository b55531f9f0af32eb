//! The managed policies of the controller: what the release needs, cut so that IAM takes them.

use crate::knowledge::{Condition, Release, Statement};
use crate::spec::{Arn, Spec};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The longest managed policy, not counting white space (IAM quotas).
pub const POLICY_SIZE: usize = 6_144;

/// A managed policy of the stack.
#[derive(Debug, Clone, PartialEq)]
pub struct ControllerPolicy {
    /// Its part: `NodeLifecycle`, …; empty for the first of the releases that have one policy; with a number where a policy had
    /// to be cut.
    pub part: String,
    /// Its logical id in the stack.
    pub logical_id: String,
    /// Its document, with the variables of CloudFormation's `Fn::Sub`.
    pub document: Value,
}

/// The managed policies of the controller, in the order of the release's guide.
#[must_use]
pub fn controller_policies(spec: &Spec) -> Vec<ControllerPolicy> {
    let (variables, mut policies) = (Variables::of(spec), Vec::new());
    for policy in spec.release.stack().policies {
        let statements: Vec<Value> = policy.statements.iter().map(statement).collect();
        for (index, group) in groups(&statements, &variables).into_iter().enumerate() {
            let number = if index == 0 { String::new() } else { (index + 1).to_string() };
            let logical_id = match policy.part.as_str() {
                "" => format!("KarpenterControllerPolicy{number}"),
                part => format!("{part}Policy{number}"),
            };
            policies.push(ControllerPolicy { part: format!("{}{number}", policy.part), logical_id, document: document(&group) });
        }
    }
    policies
}

/// The ARNs of the managed policies of the controller: what its role gets, whoever makes the role.
#[must_use]
pub fn controller_policy_arns(spec: &Spec) -> Vec<Arn> {
    controller_policies(spec).iter().map(|policy| spec.controller_policy_arn(&policy.part)).collect()
}

/// The ARNs that policies of the controller have with other releases and not with this one.
#[must_use]
pub fn other_controller_policy_arns(spec: &Spec) -> Vec<Arn> {
    let own = controller_policy_arns(spec);
    // What a policy is cut into is that of the last release that has policies of these names.
    let last: BTreeMap<Vec<String>, Release> =
        Release::all().into_iter().map(|release| (release.features().controller_policies.clone(), release)).collect();
    let all: BTreeSet<Arn> = last.into_values().flat_map(|release| controller_policy_arns(&Spec { release, ..spec.clone() })).collect();
    all.into_iter().filter(|arn| !own.contains(arn)).collect()
}

/// The variables of `Fn::Sub`, and what CloudFormation puts in their places in the spec's account and region.
struct Variables([(&'static str, String); 7]);

impl Variables {
    fn of(spec: &Spec) -> Self {
        Self([
            ("AWS::Partition", spec.partition.to_string()),
            ("AWS::Region", spec.region.to_string()),
            ("AWS::AccountId", spec.account_id.to_string()),
            ("AWS::URLSuffix", spec.partition.url_suffix().to_owned()),
            ("ClusterName", spec.cluster_name.to_string()),
            ("KarpenterNodeRole.Arn", spec.node_role_arn().to_string()),
            ("KarpenterInterruptionQueue.Arn", spec.queue_arn().to_string()),
        ])
    }

    fn replace(&self, text: &str) -> String {
        let mut pieces = text.split("${");
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let known = piece.split_once('}').and_then(|(name, rest)| Some((self.0.iter().find(|(n, _)| *n == name)?, rest)));
            match known {
                Some(((_, value), rest)) => out.extend([value, rest]),
                None => out.extend(["${", piece]),
            }
        }
        out
    }

    /// How IAM counts a policy: without white space, after substitution.
    fn size(&self, document: &Value) -> usize {
        self.replace(&document.to_string()).chars().filter(|c| !c.is_whitespace()).count()
    }
}

/// A text with the variables of `Fn::Sub` replaced, as CloudFormation does in the spec's account and region.
#[must_use]
pub fn substituted(text: &str, spec: &Spec) -> String {
    Variables::of(spec).replace(text)
}

/// How IAM counts a policy: without white space, after substitution.
#[must_use]
pub fn policy_size(document: &Value, spec: &Spec) -> usize {
    Variables::of(spec).size(document)
}

/// Statements of this spec as so few policies as IAM takes.
pub(super) fn cut(statements: &[Value], spec: &Spec) -> Vec<Value> {
    groups(statements, &Variables::of(spec)).iter().map(|group| document(group)).collect()
}

/// The statements in as few groups as fit, in their order.
fn groups(statements: &[Value], variables: &Variables) -> Vec<Vec<Value>> {
    // A policy is as long as its frame, its statements, and a comma between two of them.
    let frame = variables.size(&document(&[])) - 1;
    let mut groups: Vec<Vec<Value>> = Vec::new();
    let mut size = POLICY_SIZE;
    for statement in statements {
        let own = variables.size(statement) + 1;
        if size + own > POLICY_SIZE {
            groups.push(Vec::new());
            size = frame;
        }
        size += own;
        if let Some(last) = groups.last_mut() {
            last.push(statement.clone());
        }
    }
    groups
}

fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn statement(row: &Statement) -> Value {
    let mut out = json!({
        "Sid": row.sid,
        "Effect": "Allow",
        "Action": one_or_many(&row.actions),
        "Resource": one_or_many(&row.resources),
    });
    add_conditions(&mut out, &row.conditions);
    out
}

/// A statement with conditions, all of which must hold.
pub(super) fn add_conditions(statement: &mut Value, conditions: &[Condition]) {
    let mut all = Map::new();
    for condition in conditions {
        let operator = all.entry(condition.operator.clone()).or_insert_with(|| json!({}));
        operator[&condition.key] = one_or_many(&condition.values);
    }
    if !all.is_empty() {
        statement["Condition"] = Value::Object(all);
    }
}

/// A single value without its list, as people write policies.
fn one_or_many(values: &[String]) -> Value {
    match values {
        [one] => json!(one),
        many => json!(many),
    }
}
