//! Whether Karpenter's nodes can use the key that their volumes are encrypted with.

use super::judgement::read;
use super::key_policy::{Access, Asker, access, elsewhere, letting, usable};
use super::{Check, Judged, Judgement, Situation, aws, whose};
use crate::facts::{EbsFacts, Facts, KeyUse, Topic};
use crate::finding::Area;
use crate::knowledge::VOLUME_KEY_ACTIONS;
use crate::spec::{CapacityType, Spec};

pub(super) struct EbsKey;

impl Check for EbsKey {
    fn id(&self) -> &'static str {
        "ebs-key"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "Karpenter has its nodes' volumes encrypted. With a key of your own, the account's default too, an instance whose launcher may not use the key ends seconds after its start."
    }

    fn explain(&self) -> &'static str {
        "Looks at the key that nodePool.volumeKey names; where there is none, at the account's default key for EBS in this region, whether \
         encryption by default is on or off: where a node class names no blockDeviceMappings, Karpenter has the volumes encrypted and names no key. With AWS's own key (alias/aws/ebs) nothing is to be done. A key of your own must be enabled, symmetric and of \
         this region, and let the controller's role use it: by its key policy, by a grant, or by IAM where the key policy leaves it to the \
         account (`\"Principal\": {\"AWS\": \"arn:aws:iam::111122223333:root\"}`); Karpenter's own policies say nothing of keys. For spot \
         the role AWSServiceRoleForEC2Spot must be let too.\n\nWhat people see otherwise: nodes are launched and gone at once, with \
         `Client.InternalError: Client error on launch` as the instance's state reason, and node claims that say nothing more.\n\nCure: a \
         statement in the key policy that allows kms:CreateGrant, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext and \
         kms:DescribeKey where kms:ViaService is ec2.<region>.amazonaws.com; the finding prints it with the rest of the policy. Conditions on \
         what is not known here (an organization, an encryption context) are a warning. Where another tool made Karpenter's role, \
         it is asked for that one once `karpctl adopt` has found it. The policy of another account's key cannot be \
         read from this one."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Ebs, Topic::Cluster, Topic::ControllerRole, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = match &spec.node_pool.volume_key {
            Some(key) => {
                let subject = "nodePool.volumeKey".to_owned();
                elsewhere(spec, &subject, key)?;
                subject
            }
            None => format!("EBS encryption in {}", spec.region),
        };
        if spec.node_pool.volume_key.is_none() {
            let Some(ebs) = read(&subject, &situation.facts.ebs)? else { return Err(Judgement::skip(subject, "was not looked at")) };
            if let Some(message) = of_aws(ebs) {
                return Ok(vec![Judgement::pass(subject, message)]);
            }
        }
        match read(&subject, &situation.facts.volume_key)? {
            Some(key) => judge(spec, situation.facts, subject, key).map(|j| vec![j]),
            None => Err(Judgement::fail(subject, "there is no such key: NotFoundException").fix("name a key that is there")),
        }
    }
}

/// Why no key of one's own is in the way; `None` where one is.
fn of_aws(ebs: &EbsFacts) -> Option<&'static str> {
    match ebs.key.as_deref() {
        Some(key) if !key.contains("alias/aws/ebs") => None,
        _ if ebs.by_default => Some("is on, with AWS's own key"),
        _ => Some("is asked for volume by volume, with AWS's own key"),
    }
}

fn judge(spec: &Spec, facts: &Facts, subject: String, used: &KeyUse) -> Result<Judgement, Judgement> {
    let key = &used.key;
    usable(spec, &subject, key)?;
    if key.by_aws {
        return Ok(Judgement::pass(subject, "is AWS's own key"));
    }
    if whose::has_another_role(facts) {
        let message = format!("Karpenter works under another role than {}: `karpctl adopt` finds it", spec.controller_role_name());
        return Err(Judgement::skip(subject, message));
    }
    let spot = format!("arn:{}:iam::{}:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot", spec.partition, spec.account_id);
    let mut users = vec![Asker::of(used, "ec2")];
    if spec.buys(CapacityType::Spot) {
        // What a service-linked role may do by IAM is AWS's, and holds nothing of keys.
        users.push(Asker { arn: &spot, via: "ec2", denied: Some(VOLUME_KEY_ACTIONS.to_vec()) });
    }
    for (at, user) in users.iter().enumerate() {
        let all: Vec<(&str, Access)> = VOLUME_KEY_ACTIONS.iter().map(|action| (*action, access(spec, key, user, action))).collect();
        let with = |wanted: &dyn Fn(&Access) -> bool| {
            all.iter().filter(|(_, a)| wanted(a)).map(|(action, _)| *action).collect::<Vec<_>>().join(", ")
        };
        let denied = with(&|a| *a == Access::Denied);
        let role = user.arn.rsplit('/').next().unwrap_or_default();
        if !denied.is_empty() {
            return Err(Judgement::fail(subject, format!("the policy of {} denies {role} {denied}: Client.InternalError", key.arn))
                .run("see which statement it is, and except the role there", look(spec, key.arn.as_str())));
        }
        let missing = with(&|a| *a == Access::Missing);
        if !missing.is_empty() {
            let message = format!("{} does not let {role} do {missing}: instances end with Client.InternalError", key.arn);
            let judgement = if at == 0 { Judgement::fail(subject, message) } else { Judgement::warn(subject, message) };
            let arns: Vec<&str> = users.iter().map(|u| u.arn).collect();
            return Err(judgement.run("let it, in the key policy", letting(spec, key, &arns, "ec2", &VOLUME_KEY_ACTIONS)));
        }
        if let Some((_, Access::Unsure(why))) = all.iter().find(|(_, a)| matches!(a, Access::Unsure(_))) {
            return Err(Judgement::warn(subject, format!("whether {} lets {role} use it depends on {why}", key.arn))
                .run("look whether it does", look(spec, key.arn.as_str())));
        }
    }
    Ok(Judgement::pass(subject, format!("{} lets {} use it", key.arn, spec.controller_role_name())))
}

fn look<'a>(spec: &'a Spec, key: &'a str) -> impl Iterator<Item = &'a str> {
    aws(spec, "kms", "get-key-policy").into_iter().chain(["--key-id", key, "--policy-name", "default", "--output", "text"])
}
