//! What caller and controller may do, by asking IAM to judge their policies: nothing is tried out.

use super::{ProbeContext, failed};
use crate::error::{Error, ErrorKind};
use crate::facts::{Caller, ClusterFacts, Denial, PermissionFacts, Probed, role_of_session};
use crate::knowledge::Work;
use crate::ports::{Aws, PermissionQuestion};
use crate::render::{self, Standing};
use crate::spec::Spec;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many questions IAM is asked at the same time: it throttles an account that asks faster.
pub(super) const AT_ONCE: usize = 8;

/// What the caller may do of what a bootstrap of this spec calls for: the policy that `render operator-policy` prints, without what
/// eksctl needs for a cluster that is there already.
pub(super) async fn of_caller(
    context: &ProbeContext<'_>,
    known: &Probed<Caller>,
    cluster: &Probed<ClusterFacts>,
) -> Probed<PermissionFacts> {
    let aws = context.ports.aws.as_ref();
    let caller = match known {
        Probed::Known(caller) => Ok(caller.clone()),
        _ => aws.caller().await,
    };
    let (principal, unread) = match caller {
        Ok(caller) => principal_and_unread(aws, caller.arn.as_str()).await,
        Err(error) => return failed(&error),
    };
    match principal {
        Ok(root) if root.ends_with(":root") => {
            Probed::Known(PermissionFacts { principal: root, asked: 0, denied: Vec::new(), untold: None })
        }
        Ok(principal) => {
            let standing = if cluster.known().is_some() { Standing::There } else { Standing::ToCome };
            let policy = render::operator_policy(context.spec, &[Work::Bootstrap], standing);
            match (answered(&principal, ask(aws, &principal, questions(&policy, context.spec, &principal)).await), unread) {
                (Probed::Absent, Some(why)) => Probed::Unavailable(format!(
                    "{why}; by it IAM would be asked about the role with its path, and it knows none of that name without one. \
                     `karpctl render operator-policy --for doctor` prints what lets the doctor read it"
                )),
                (answer, _) => answer,
            }
        }
        Err(reason) => Probed::Unavailable(reason),
    }
}

/// Whose policies IAM is asked about: those of the role, for a session of it.
pub(super) async fn principal(aws: &dyn Aws, arn: &str) -> Result<String, String> {
    principal_and_unread(aws, arn).await.0
}

/// The same, and why the path of the role is not known, where it could not be read.
async fn principal_and_unread(aws: &dyn Aws, arn: &str) -> (Result<String, String>, Option<Error>) {
    let is_federated = arn.rsplit_once(':').is_some_and(|(_, resource)| resource.starts_with("federated-user/"));
    match role_of_session(arn) {
        // The session's ARN leaves the role's path out (`/aws-reserved/sso.amazonaws.com/…`).
        Some((role, without_path)) => match aws.role(role).await {
            Ok(known) => (Ok(known.map_or(without_path, |facts| facts.arn.to_string())), None),
            Err(unread) => (Ok(without_path), Some(unread)),
        },
        None if is_federated => (Err(format!("IAM tells nothing of a federated user: {arn}")), None),
        None => (Ok(arn.to_owned()), None),
    }
}

/// What the controller's role may do of what the release's policies allow.
pub(super) async fn of_controller(context: &ProbeContext<'_>) -> Probed<PermissionFacts> {
    let spec = context.spec;
    let policies = render::controller_policies(spec);
    let role = spec.controller_role_arn();
    let questions = policies.iter().flat_map(|policy| questions(&policy.document, spec, role.as_str()));
    // A queue that there is none of is asked nothing, and zonal shifts only by a controller that heeds them: karpctl's own stack lets it all
    // the same, another tool's role need not.
    let asks_of = |service: &str| match service {
        "sqs" => spec.has_queue(),
        "arc-zonal-shift" => spec.made_elsewhere.is_none() || spec.heeds_zonal_shift(),
        _ => true,
    };
    let questions = questions.filter(|q| q.actions.iter().any(|action| action.split(':').next().is_some_and(asks_of))).collect();
    answered(role.as_str(), ask(context.ports.aws.as_ref(), role.as_str(), questions).await)
}

/// That IAM may not be asked is something to tell of, unlike that it could not be reached.
fn answered(principal: &str, asked: Result<PermissionFacts, Error>) -> Probed<PermissionFacts> {
    match asked {
        Ok(facts) => Probed::Known(facts),
        Err(error) if error.kind == ErrorKind::Denied => Probed::Known(PermissionFacts {
            principal: principal.to_owned(),
            asked: 0,
            denied: Vec::new(),
            untold: Some(error.to_string()),
        }),
        Err(error) => failed(&error),
    }
}

async fn ask(aws: &dyn Aws, principal: &str, questions: Vec<PermissionQuestion>) -> Result<PermissionFacts, Error> {
    let asked = questions.iter().map(|q| q.actions.len() * q.resources.len()).sum();
    let all_keys: BTreeMap<String, Vec<String>> = questions.iter().flat_map(|question| question.context.clone()).collect();
    let all_keys = &all_keys;
    let answers = stream::iter(questions).map(|question| async move { denials(aws, principal, &question, all_keys).await });
    let denied: Vec<Vec<Denial>> = answers.buffer_unordered(AT_ONCE).try_collect().await?;
    let denied: BTreeSet<Denial> = denied.into_iter().flatten().collect();
    Ok(PermissionFacts { principal: principal.to_owned(), asked, denied: denied.into_iter().collect(), untold: None })
}

/// What of a question is denied. IAM names as unknown the keys of every statement of the principal's policies that the question has no value
/// for, whatever action they are about (boto/boto3#3111, aws/aws-sdk-java-v2#1751). So what is denied is asked again with the keys of all
/// questions: what is denied then too is denied, and keys of conditions that are none of the release's are left unknown.
async fn denials(
    aws: &dyn Aws,
    principal: &str,
    question: &PermissionQuestion,
    all_keys: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<Denial>, Error> {
    let denied = aws.denials(principal, question).await?;
    if denied.iter().all(|denial| denial.unknown_keys.is_empty()) {
        return Ok(denied);
    }
    let mut context = all_keys.clone();
    context.extend(question.context.clone());
    let again = aws.denials(principal, &PermissionQuestion { context, ..question.clone() }).await?;
    let surer = |denial: Denial| {
        let same = again.iter().find(|other| other.action == denial.action && other.resource == denial.resource);
        let unknown_keys = same.map_or(denial.unknown_keys, |same| same.unknown_keys.clone());
        Denial { unknown_keys, ..denial }
    };
    Ok(denied.into_iter().map(surer).collect())
}

/// What a policy document allows, as questions: its conditions are the context of the question, beside what every request has.
fn questions(document: &Value, spec: &Spec, principal: &str) -> Vec<PermissionQuestion> {
    let resolved = |value: &Value| -> Vec<String> { texts(value).into_iter().map(|text| render::substituted(text, spec)).collect() };
    let statements = document["Statement"].as_array().into_iter().flatten();
    let question = |statement: &Value| {
        let actions = resolved(&statement["Action"]);
        let mut context = context(&statement["Condition"], &resolved);
        context.extend(by_older_names(&context));
        for (key, value) in of_request(spec, principal, &actions) {
            context.entry(key.to_owned()).or_insert_with(|| vec![value]);
        }
        let resources = resolved(&statement["Resource"]).iter().map(|resource| concrete(resource, spec)).collect();
        PermissionQuestion { actions, resources, context }
    };
    statements.map(question).collect()
}

/// The keys that every request has, and that boundaries and organisations' policies often ask for.
fn of_request(spec: &Spec, principal: &str, actions: &[String]) -> [(&'static str, String); 4] {
    let of_iam = actions.iter().all(|action| action.starts_with("iam:"));
    let region = if of_iam { spec.partition.region_of_iam() } else { spec.region.as_str() };
    [
        ("aws:PrincipalAccount", spec.account_id.to_string()),
        ("aws:PrincipalArn", principal.to_owned()),
        ("aws:RequestedRegion", region.to_owned()),
        ("aws:SecureTransport", "true".to_owned()),
    ]
}

/// Values for which the conditions of a statement hold.
fn context(conditions: &Value, resolved: &dyn Fn(&Value) -> Vec<String>) -> BTreeMap<String, Vec<String>> {
    // That a key is there is so by its value.
    let operators = conditions.as_object().into_iter().flatten().filter(|(operator, _)| *operator != "Null");
    let keys =
        operators.flat_map(|(operator, keys)| keys.as_object().into_iter().flatten().map(move |(key, value)| (operator, key, value)));
    keys.map(|(operator, key, value)| {
        let mut values: Vec<String> = resolved(value).iter().map(|value| value.replace('*', EXAMPLE)).collect();
        // Of several values one is so, but for a key that has several.
        if !operator.starts_with("ForA") {
            values.truncate(1);
        }
        (render_key(key, resolved), values)
    })
    .collect()
}

/// The tags of what is asked about by EC2's own key too, which policies have that are older than `aws:ResourceTag`: so has that of the guide
/// for leaving the Cluster Autoscaler.
fn by_older_names(context: &BTreeMap<String, Vec<String>>) -> Vec<(String, Vec<String>)> {
    let tags = context.iter().filter_map(|(key, values)| Some((key.strip_prefix("aws:ResourceTag/")?, values)));
    tags.map(|(tag, values)| (format!("ec2:ResourceTag/{tag}"), values.clone())).collect()
}

fn render_key(key: &str, resolved: &dyn Fn(&Value) -> Vec<String>) -> String {
    resolved(&Value::String(key.to_owned())).pop().unwrap_or_default()
}

/// Stands for any name.
const EXAMPLE: &str = "example";

/// A resource that fits the pattern.
fn concrete(pattern: &str, spec: &Spec) -> String {
    if pattern == "*" {
        return pattern.to_owned();
    }
    pattern.replace(":*:", &format!(":{}:", spec.account_id)).replace('*', EXAMPLE)
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec() -> Spec {
        let layer = crate::spec::layer::Layer {
            cluster_name: Some("demo".into()),
            region: Some("us-west-2".into()),
            account_id: Some("111122223333".into()),
            ..crate::spec::layer::Layer::default()
        };
        let layers = [(crate::spec::layer::Source::Flag, layer)];
        crate::spec::resolve::resolve(&layers, &crate::spec::resolve::Discovered::default()).unwrap().spec
    }

    #[test]
    fn a_statement_is_a_question_whose_context_its_conditions_hold_for() {
        let spec = spec();
        let document = json!({"Statement": [{
            "Action": ["ec2:RunInstances", "ec2:CreateFleet"],
            "Resource": ["arn:${AWS::Partition}:ec2:${AWS::Region}:*:instance/*", "*"],
            "Condition": {
                "StringEquals": {"aws:RequestTag/kubernetes.io/cluster/${ClusterName}": "owned", "iam:PassedToService": ["a", "b"]},
                "StringLike": {"aws:RequestTag/karpenter.sh/nodepool": "*"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["x", "y"]},
                "Null": {"aws:TagKeys": "false"},
            },
        }]});
        let me = "arn:aws:iam::111122223333:role/me";
        let asked = questions(&document, &spec, me).pop().unwrap();
        assert_eq!(asked.actions, ["ec2:RunInstances", "ec2:CreateFleet"]);
        assert_eq!(asked.resources, ["arn:aws:ec2:us-west-2:111122223333:instance/example", "*"]);
        let context: Vec<(&str, String)> = asked.context.iter().map(|(k, v)| (k.as_str(), v.join(" "))).collect();
        assert_eq!(
            context,
            [
                ("aws:PrincipalAccount", "111122223333".to_owned()),
                ("aws:PrincipalArn", me.to_owned()),
                ("aws:RequestTag/karpenter.sh/nodepool", "example".to_owned()),
                ("aws:RequestTag/kubernetes.io/cluster/demo", "owned".to_owned()),
                ("aws:RequestedRegion", "us-west-2".to_owned()),
                ("aws:SecureTransport", "true".to_owned()),
                ("aws:TagKeys", "x y".to_owned()),
                ("iam:PassedToService", "a".to_owned()),
            ]
        );
        // A tag of EC2 has two keys.
        let condition = json!({"StringLike": {"aws:ResourceTag/karpenter.sh/nodepool": "*"}});
        let ends = json!({"Statement": [{"Action": "ec2:TerminateInstances", "Resource": "*", "Condition": condition}]});
        let of_tags = questions(&ends, &spec, me).pop().unwrap();
        for key in ["aws:ResourceTag/karpenter.sh/nodepool", "ec2:ResourceTag/karpenter.sh/nodepool"] {
            assert_eq!(of_tags.context[key], ["example"]);
        }
        // IAM is in one region of the partition.
        let of_iam = questions(&json!({"Statement": [{"Action": "iam:GetRole", "Resource": "*"}]}), &spec, me).pop().unwrap();
        assert_eq!(of_iam.context["aws:RequestedRegion"], ["us-east-1"]);
    }
}
