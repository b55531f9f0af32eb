//! The controller's statement in the trust policy of its role, beside what others put there.

use super::compare::same_policy;
use crate::error::Result;
use crate::knowledge::token_subject;
use crate::render;
use crate::spec::{Identity, Spec};
use serde_json::{Value, json};

/// The trust policy that the role is to have while the chart is put in place: what is found, with the controller's statement in it. Of karpctl's
/// own statements only those go that it wrote for another namespace, and those that grant less of the same: the controller that runs may still get
/// its credentials by the other identity.
pub(super) fn wanted(spec: &Spec, issuer: Option<&str>, found: Option<&Value>) -> Result<Value> {
    let ours = render::trust_policy(spec, issuer)?;
    let Some(found) = found.filter(|policy| policy.is_object()) else { return Ok(ours) };
    let statement = &ours["Statement"][0];
    let mut kept: Vec<Value> = Vec::new();
    let mut has = false;
    for there in statements(found) {
        let plain = in_namespace(spec, unnamed(there));
        if !has && same_policy(&unnamed(there), statement) {
            has = true;
        } else if same_policy(&plain, statement) || grants_less(&plain, statement) {
            continue;
        }
        kept.push(there.clone());
    }
    if !has {
        kept.push(statement.clone());
    }
    let mut whole = found.clone();
    whole["Statement"] = Value::Array(kept);
    Ok(whole)
}

/// Whether the controller's statement is in it.
pub(super) fn lets_in(spec: &Spec, issuer: Option<&str>, found: &Value) -> bool {
    let Ok(ours) = render::trust_policy(spec, issuer) else { return false };
    statements(found).iter().any(|there| same_policy(&unnamed(there), &ours["Statement"][0]))
}

/// What is found without what karpctl, or eksctl, wrote for the other identity. `None`: there is no such thing in it.
pub(super) fn alone(spec: &Spec, issuer: Option<&str>, found: &Value) -> Option<Value> {
    let earlier = earlier(spec, issuer)?;
    let all = statements(found);
    let kept: Vec<Value> = all.iter().filter(|there| !same_policy(&in_namespace(spec, unnamed(there)), &earlier)).cloned().collect();
    if kept.len() == all.len() {
        return None;
    }
    let mut whole = found.clone();
    whole["Statement"] = Value::Array(kept);
    Some(whole)
}

/// What karpctl writes where the spec asks for the other identity.
fn earlier(spec: &Spec, issuer: Option<&str>) -> Option<Value> {
    let identity = match spec.identity {
        Identity::PodIdentity => Identity::Irsa,
        Identity::Irsa => Identity::PodIdentity,
    };
    Some(render::trust_policy(&Spec { identity, ..spec.clone() }, issuer).ok()?["Statement"][0].clone())
}

fn statements(policy: &Value) -> &[Value] {
    match &policy["Statement"] {
        Value::Array(many) => many,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// A statement without its name, which changes nothing.
fn unnamed(statement: &Value) -> Value {
    let mut statement = statement.clone();
    if let Value::Object(fields) = &mut statement {
        fields.remove("Sid");
    }
    statement
}

/// A statement that lets in the controller of another namespace, as one for the spec's.
fn in_namespace(spec: &Spec, mut statement: Value) -> Value {
    let of_controller = |account: &str| {
        let rest = account.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
        rest.is_some_and(|(_, name)| name == spec.service_account())
    };
    if let Some(conditions) = statement.pointer_mut("/Condition/StringEquals").and_then(Value::as_object_mut) {
        for (key, value) in conditions.iter_mut() {
            if key.ends_with(":sub") && value.as_str().is_some_and(of_controller) {
                *value = json!(token_subject(spec.namespace.as_str(), spec.service_account()));
            }
        }
    }
    statement
}

/// Whether a statement grants nothing but some of what the other does, to the same and on the same conditions.
fn grants_less(statement: &Value, than: &Value) -> bool {
    let without_actions = |statement: &Value| {
        let mut statement = statement.clone();
        if let Value::Object(fields) = &mut statement {
            fields.remove("Action");
        }
        statement
    };
    let listed = |statement: &Value| match &statement["Action"] {
        Value::Array(many) => many.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let (some, all) = (listed(statement), listed(than));
    !some.is_empty() && some.iter().all(|action| all.contains(action)) && same_policy(&without_actions(statement), &without_actions(than))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::layer::{Layer, Source};
    use crate::spec::resolve::{Discovered, resolve};

    const ISSUER: &str = "https://oidc.example/id/A";

    fn spec(identity: Identity) -> Spec {
        let layer = Layer {
            cluster_name: Some("demo".into()),
            region: Some("us-west-2".into()),
            account_id: Some("111122223333".into()),
            karpenter_version: Some("1.14.1".into()),
            ..Layer::default()
        };
        Spec { identity, ..resolve(&[(Source::Flag, layer)], &Discovered::default()).unwrap().spec }
    }

    fn with(spec: &Spec, there: &[Value]) -> Vec<Value> {
        let found = json!({"Version": "2012-10-17", "Id": "x", "Statement": there});
        let wanted = wanted(spec, Some(ISSUER), Some(&found)).unwrap();
        assert_eq!((&wanted["Version"], &wanted["Id"]), (&json!("2012-10-17"), &json!("x")));
        wanted["Statement"].as_array().unwrap().clone()
    }

    fn ours(identity: Identity) -> Value {
        render::trust_policy(&spec(identity), Some(ISSUER)).unwrap()["Statement"][0].clone()
    }

    /// What others may have put there.
    fn foreign() -> Vec<Value> {
        let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id";
        let web = |provider: String, key: &str, sub: &str| {
            json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
                   "Condition": {"StringEquals": {format!("oidc.example/id/{key}:sub"): sub, format!("oidc.example/id/{key}:aud"): "sts.amazonaws.com"}}})
        };
        vec![
            json!({"Sid": "Us", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/debug"}, "Action": "sts:AssumeRole"}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
            json!({"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole",
                   "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}}),
            // Another account of the cluster, and the controller of another cluster.
            web(format!("{provider}/A"), "A", "system:serviceaccount:ops:debugger"),
            web(format!("{provider}/B"), "B", "system:serviceaccount:kube-system:karpenter"),
        ]
    }

    #[test]
    fn what_others_put_there_stays_where_it_is() {
        for identity in [Identity::PodIdentity, Identity::Irsa] {
            let (spec, ours) = (spec(identity), ours(identity));
            let mut all = foreign();
            all.push(ours.clone());
            assert_eq!(with(&spec, &foreign()), all, "{identity:?}");
            all.rotate_right(1);
            assert_eq!(with(&spec, &all), all, "what is as it should be is not touched");
            let mut named = ours.clone();
            named["Sid"] = json!("ByEksctl");
            assert_eq!(with(&spec, std::slice::from_ref(&named)), [named], "a name changes nothing");
            // One statement need not be a list.
            let single = json!({"Statement": foreign()[0]});
            assert_eq!(wanted(&spec, Some(ISSUER), Some(&single)).unwrap()["Statement"], json!([foreign()[0], ours]));
            assert_eq!(wanted(&spec, Some(ISSUER), None).unwrap()["Statement"], json!([ours]));
        }
    }

    #[test]
    fn the_other_identity_stays_beside_ours_until_it_is_taken_out() {
        for (identity, other) in [(Identity::PodIdentity, Identity::Irsa), (Identity::Irsa, Identity::PodIdentity)] {
            let (spec, own, before) = (spec(identity), ours(identity), ours(other));
            let mut named = before.clone();
            named["Sid"] = json!("ByEksctl");
            let both = with(&spec, &[foreign()[0].clone(), named]);
            assert_eq!((both.len(), &both[2]), (3, &own), "{identity:?}");
            let both = json!({"Id": "x", "Statement": both});
            assert!(lets_in(&spec, Some(ISSUER), &both));
            let left = alone(&spec, Some(ISSUER), &both).unwrap();
            assert_eq!(left, json!({"Id": "x", "Statement": [foreign()[0], own]}), "{identity:?}");
            assert_eq!(alone(&spec, Some(ISSUER), &left), None, "{identity:?}");
            assert!(!lets_in(&spec, Some(ISSUER), &json!({"Statement": [before]})));
            assert_eq!(alone(&spec, Some(ISSUER), &json!({"Statement": foreign()})), None, "what others put there is theirs");
        }
    }

    #[test]
    fn what_karpctl_wrote_before_goes() {
        let (pod, web) = (ours(Identity::PodIdentity), ours(Identity::Irsa));
        assert_eq!(with(&spec(Identity::Irsa), &[web.clone(), web.clone()]), std::slice::from_ref(&web));
        let mut half = pod.clone();
        half["Action"] = json!("sts:AssumeRole");
        assert_eq!(with(&spec(Identity::PodIdentity), &[half]), [pod]);
        let elsewhere = Spec { namespace: "karpenter".parse().unwrap(), ..spec(Identity::Irsa) };
        let moved = render::trust_policy(&elsewhere, Some(ISSUER)).unwrap()["Statement"][0].clone();
        assert_eq!(with(&elsewhere, std::slice::from_ref(&web)), std::slice::from_ref(&moved));
        assert_eq!(with(&spec(Identity::Irsa), &[moved]), [web]);
    }
}
