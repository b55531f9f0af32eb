//! The stack `Karpenter-<cluster>`.

use super::ascii::{in_ascii, is_answered_as};
use super::deployed::{Deployed, Fixed};
use super::policies::{ControllerPolicy, controller_policies};
use super::template::{Functions, fill, read_one};
use crate::error::{Error, Result};
use crate::spec::Spec;
use serde_json::{Value, json};

const TEMPLATE: &str = "cloudformation.yaml.j2";

/// The columns that a policy document is indented by.
const DOCUMENT_INDENT: usize = 8;

/// The template of the stack, deployable as it is where there is no such stack yet.
pub fn cloudformation(spec: &Spec) -> Result<String> {
    filled(spec, Functions::Short, &Deployed::default())
}

/// The template for a stack that is there with the template `deployed`: of its resources is kept what `CloudFormation` changes only by
/// making them anew, which it refuses for those that bear a name; and the instance profile of the nodes.
pub fn cloudformation_over(spec: &Spec, deployed: &str) -> Result<String> {
    filled(spec, Functions::Short, &Deployed::read(deployed))
}

/// The same template as JSON, with CloudFormation's functions in their long form.
pub fn cloudformation_json(spec: &Spec) -> Result<Value> {
    read_one(TEMPLATE, &filled(spec, Functions::Long, &Deployed::default())?)
}

/// Whether a template that karpctl rendered gives what it makes a tag of this key.
#[must_use]
pub fn gives_tag(template: &str, key: &str) -> bool {
    let tags = template.lines().map(str::trim).filter(|line| line.starts_with("- {Key: "));
    let read = |line| serde_saphyr::from_str::<Value>(line).ok();
    tags.filter_map(read).any(|tag| tag[0]["Key"].as_str().is_some_and(|given| is_answered_as(given, key)))
}

fn filled(spec: &Spec, functions: Functions, deployed: &Deployed) -> Result<String> {
    is_made_here(spec)?;
    Ok(in_ascii(&fill(TEMPLATE, functions, &values(spec, functions, deployed))?))
}

/// Where another tool keeps what the stack has, a template would be deployed by nobody, or beside it.
fn is_made_here(spec: &Spec) -> Result<()> {
    let Some(elsewhere) = &spec.made_elsewhere else { return Ok(()) };
    Err(Error::refused(format!("there is no stack {} to render", spec.stack_name()))
        .because(format!("madeElsewhere says that roles and queue are {}'s: karpctl uses them and makes none of its own", elsewhere.by))
        .hint("`karpctl render helm-values` and `karpctl render node-pool` print what is told of them")
        .hint("without madeElsewhere in the spec file karpctl makes roles and queue of its own, by a stack"))
}

/// Whether the stack is made with an instance profile for the nodes. One that has it keeps it.
#[must_use]
pub fn has_instance_profile(spec: &Spec) -> bool {
    spec.release.features().stack_instance_profile || spec.private
}

fn values(spec: &Spec, functions: Functions, deployed: &Deployed) -> Value {
    let features = spec.release.features();
    let stack = spec.release.stack();
    let policies: Vec<Value> = controller_policies(spec).iter().map(|policy| policy_values(policy, spec, functions, deployed)).collect();
    let rules: Vec<Value> = stack
        .rules
        .iter()
        .map(|rule| {
            let fixed = deployed.fixed(&rule.id, "AWS::Events::Rule", &[], spec, functions);
            json!({ "id": rule.id, "event_source": rule.event_source, "detail_type": rule.detail_type, "fixed": fixed })
        })
        .collect();
    let name = |property, prefix, name: String| Fixed { property, text: named(prefix, &name, spec, functions), value: name };
    let profile = [name("InstanceProfileName", "KarpenterNodeInstanceProfile-", spec.instance_profile_name()), in_root()];
    let role = [name("RoleName", "KarpenterNodeRole-", spec.node_role_name()), in_root()];
    let queue = [name("QueueName", "", spec.queue_name())];
    json!({
        "cluster_name": spec.cluster_name,
        // Node classes may name it, and instances have it: IAM does not ask before it goes, and who has none has no role any more.
        "instance_profile": has_instance_profile(spec) || deployed.has("KarpenterNodeInstanceProfile", "AWS::IAM::InstanceProfile"),
        "fixed": {
            "instance_profile": deployed.fixed("KarpenterNodeInstanceProfile", "AWS::IAM::InstanceProfile", &profile, spec, functions),
            "node_role": deployed.fixed("KarpenterNodeRole", "AWS::IAM::Role", &role, spec, functions),
            "queue": deployed.fixed("KarpenterInterruptionQueue", "AWS::SQS::Queue", &queue, spec, functions),
        },
        "queue_encrypted": features.queue_encrypted,
        "queue_tls_only": features.queue_tls_only,
        "permissions_boundary": spec.boundary(),
        "tags": spec.tags.iter().collect::<Vec<_>>(),
        "node_policies": stack.node_policies,
        "policies": policies,
        "rules": rules,
    })
}

fn policy_values(policy: &ControllerPolicy, spec: &Spec, functions: Functions, deployed: &Deployed) -> Value {
    let name = spec.controller_policy_name(&policy.part);
    let text = named(&format!("KarpenterController{}Policy-", policy.part), &name, spec, functions);
    let mut fixed = vec![Fixed { property: "ManagedPolicyName", text, value: name }];
    fixed.extend(spec.release.features().policy_path.then(in_root));
    json!({
        "logical_id": policy.logical_id,
        "fixed": deployed.fixed(&policy.logical_id, "AWS::IAM::ManagedPolicy", &fixed, spec, functions),
        "document": functions.sub_document(&policy.document, DOCUMENT_INDENT),
    })
}

fn in_root() -> Fixed {
    Fixed { property: "Path", text: "/".to_owned(), value: "/".to_owned() }
}

/// A name by the template's parameter where it is the official one, and as it is where it had to be shortened.
fn named(prefix: &str, name: &str, spec: &Spec, functions: Functions) -> String {
    if name.strip_prefix(prefix) == Some(spec.cluster_name.as_str()) {
        functions.sub(&format!("{prefix}${{ClusterName}}"))
    } else {
        Value::from(name).to_string()
    }
}
