//! Whether the cluster's secrets can be encrypted, and decrypted, with their key.

use super::judgement::read;
use super::key_policy::{Access, Asker, access, elsewhere, letting, usable};
use super::{Check, Judged, Judgement, Situation, makes_cluster};
use crate::facts::{SecretsKey as Named, Topic};
use crate::finding::Area;
use crate::knowledge::SECRETS_KEY_ACTIONS;

pub(super) struct SecretsKey;

impl Check for SecretsKey {
    fn id(&self) -> &'static str {
        "secrets-key"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "EKS takes the key of the secrets when it makes the cluster, with the permissions of who makes it; a key that is disabled later stops the API server."
    }

    fn explain(&self) -> &'static str {
        "With kmsKey in the spec, or a cluster that has such a key: looks whether that key is there, enabled, symmetric and of the cluster's region, and whether its key policy, a grant \
         or IAM lets whoever makes the cluster do kms:DescribeKey and kms:CreateGrant with it.\n\nWhat people see otherwise: eksctl ends after \
         minutes with `InvalidParameterException: The keyArn in encryptionConfig provider is not valid`, `User … is not authorized to perform: \
         kms:CreateGrant`, `InvalidRequestException: KMS key … is disabled`.\n\nCure: `aws kms enable-key`, or a statement in the key policy, as the \
         finding prints it. A cluster that is there says itself which key it has (encryptionConfig); of that only the state is judged: EKS has \
         its grant. While it is disabled the API server answers no request for a secret, and once it is deleted nothing brings the \
         cluster back: `aws kms cancel-key-deletion` does as long as the deletion is pending."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::SecretsKey, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let named = Named::of(&situation.facts.cluster, spec);
        let subject =
            if matches!(named, Some(Named::ByCluster(_))) { format!("secrets of {}", spec.cluster_name) } else { "kmsKey".to_owned() };
        let Some(named) = named else {
            return Err(Judgement::skip(subject, "neither the cluster nor the spec names a key for its secrets"));
        };
        elsewhere(spec, &subject, named.arn())?;
        let Some(facts) = read(&subject, &situation.facts.secrets_key)? else {
            return Err(Judgement::fail(subject, "there is no such key: NotFoundException").fix("name a key that is there"));
        };
        let key = &facts.key;
        usable(spec, &subject, key)?;
        if !makes_cluster(spec, situation.facts) {
            return Ok(vec![Judgement::pass(subject, format!("{} is {}", key.arn, key.state))]);
        }
        let asker = Asker::of(facts, "eks");
        let all: Vec<(&str, Access)> = SECRETS_KEY_ACTIONS.iter().map(|action| (*action, access(spec, key, &asker, action))).collect();
        let lacks: Vec<&str> =
            all.iter().filter(|(_, a)| matches!(a, Access::Missing | Access::Denied)).map(|(action, _)| *action).collect();
        if !lacks.is_empty() {
            let judgement = Judgement::fail(subject, format!("{} does not let {} do {}", key.arn, facts.user, lacks.join(", ")));
            return Err(if all.iter().any(|(_, a)| *a == Access::Denied) {
                judgement.fix("its policy has a statement with the effect Deny: have it except this caller")
            } else {
                judgement.run("let it, in the key policy", letting(spec, key, &[&facts.user], "eks", &SECRETS_KEY_ACTIONS))
            });
        }
        Ok(vec![match all.into_iter().find_map(|(_, a)| if let Access::Unsure(why) = a { Some(why) } else { None }) {
            Some(why) => Judgement::warn(subject, format!("whether {} lets {} use it depends on {why}", key.arn, facts.user))
                .fix("see whether it does; another caller's permissions may be different"),
            None => Judgement::pass(subject, format!("{} lets {} use it", key.arn, facts.user)),
        }])
    }
}
