//! Whether the role of the nodes lets EC2 in, which brings its credentials to them.

use super::policy::{allowing, beside, denying, has_action, holds, is_anybody, texts, without};
use super::{Check, Judged, Judgement, Situation, node_policies};
use crate::facts::Topic;
use crate::finding::Area;
use crate::spec::{Partition, Spec};
use serde_json::{Value, json};

pub(super) struct NodeTrust;

/// What EC2 does to have credentials for an instance.
const ACTION: &str = "sts:AssumeRole";

impl Check for NodeTrust {
    fn id(&self) -> &'static str {
        "node-trust"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "An instance gets its role's credentials from EC2: where the role does not let EC2 in, the instance starts, and never becomes a node."
    }

    fn explain(&self) -> &'static str {
        "Reads the trust policy of the role of the nodes and judges it as IAM does: a statement must let ec2.amazonaws.com do sts:AssumeRole; in China \
         it may be ec2.amazonaws.com.cn as well. A Deny that holds goes before it. The stack makes the role so; somebody may have changed it, and a role that \
         is made elsewhere may be meant for something else. Nothing complains of it beforehand: IAM puts such a role into an instance profile, and EC2 launches \
         instances with it.\n\n\
         What people see otherwise: NodeClaims that are launched and not registered, and on the instance `AssumeRoleUnauthorizedAccess`, `EC2 cannot \
         assume the role`, at /latest/meta-data/iam/info of the instance metadata, and no credentials.\n\n\
         Cure: the statement, beside those that are there and without such a Deny, as the finding prints it. What has conditions of which it is not \
         known whether they hold, and what says whom or what it leaves out (NotPrincipal, NotAction), is not judged. Roles that node classes name in place of \
         it are not looked at."
    }

    fn reads(&self) -> &'static [Topic] {
        node_policies::OF_ROLE
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("trust policy of {}", spec.node_role_name());
        let trust = &node_policies::role(spec, situation.facts, &subject)?.trust;
        let names = names_of_ec2(spec);
        let denials: Vec<&Value> = names.iter().flat_map(|name| denying(trust, "Service", name, &[ACTION])).collect();
        let shut_out: Vec<&Value> = denials.iter().copied().filter(|s| holds(s, &known) == Some(true)).collect();
        let let_in: Vec<&Value> =
            allowing(trust).into_iter().filter(|s| may_let_in(s, &names) && holds(s, &known) != Some(false)).collect();
        let lacks = let_in.is_empty().then(|| format!("does not let in {}", names[0]));
        let denied = (!shut_out.is_empty()).then(|| "shuts EC2 out by a Deny, which goes before all that lets it in".to_owned());
        if lacks.is_none() && denied.is_none() {
            let is_sure = |s: &Value| names_ec2(s, &names) && has_action(s, ACTION) && holds(s, &known) == Some(true);
            return Ok(vec![if denials.iter().any(|s| holds(s, &known).is_none()) {
                Judgement::skip(subject, "lets EC2 in, unless a Deny holds whose condition is not judged")
            } else if let_in.iter().any(|s| is_sure(s)) {
                Judgement::pass(subject, "lets EC2 in")
            } else {
                Judgement::skip(subject, "lets EC2 in by statements alone of which it is not judged whether they hold for it")
            }]);
        }
        let added = lacks.is_some().then(|| json!({"Effect": "Allow", "Principal": {"Service": names[0]}, "Action": ACTION}));
        let whole = beside(&without(trust, &shut_out), added).to_string();
        let role = spec.node_role_name();
        let command = ["aws", "iam", "update-assume-role-policy", "--role-name", &role, "--policy-document", &whole];
        let problems: Vec<String> = denied.into_iter().chain(lacks).collect();
        let message = format!("{}: nodes get no credentials, and never join", problems.join("; "));
        Ok(vec![Judgement::fail(subject, message).run("let it in, beside whom the policy lets in already", command)])
    }
}

/// What EC2 is called in trust policies, as karpctl writes it first. In China either is taken (eksctl and the guide's template write the first,
/// Karpenter's policies since 1.1 know both).
fn names_of_ec2(spec: &Spec) -> Vec<&'static str> {
    match spec.partition {
        Partition::AwsCn => vec!["ec2.amazonaws.com.cn", "ec2.amazonaws.com"],
        Partition::Aws | Partition::AwsUsGov => vec!["ec2.amazonaws.com"],
    }
}

/// What the request by which EC2 gets credentials says by a condition's key, so far as it is known.
fn known(key: &str) -> Option<String> {
    (key == "aws:securetransport").then(|| "true".to_owned())
}

fn names_ec2(statement: &Value, names: &[&str]) -> bool {
    texts(&statement["Principal"]["Service"]).iter().any(|service| names.contains(service))
}

/// Whether a statement that allows may let EC2 in, for all that is judged of it.
fn may_let_in(statement: &Value, names: &[&str]) -> bool {
    let whom = names_ec2(statement, names) || is_anybody(&statement["Principal"]) || !statement["NotPrincipal"].is_null();
    whom && (has_action(statement, ACTION) || !statement["NotAction"].is_null())
}
