//! Whether Karpenter's nodes can use the key that their volumes are encrypted with.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::Topic;
use crate::finding::Area;
use crate::spec::Spec;

pub(super) struct EbsKey;

impl Check for EbsKey {
    fn id(&self) -> &'static str {
        "ebs-key"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "Where every volume is encrypted with a key of your own, an instance whose launcher may not use the key ends seconds after its start."
    }

    fn explain(&self) -> &'static str {
        "Looks at the key that nodePool.volumeKey names; where there is none, asks EC2 whether EBS volumes of this region are encrypted \
         by default, and with which key. With AWS's own key (alias/aws/ebs) nothing is to be done. With a key of your own, its key policy \
         must let the controller's role (and, for spot, the role AWSServiceRoleForEC2Spot) use it. What people see otherwise: nodes are launched and gone at once, with \
         `Client.InternalError: Client error on launch` as the instance's state reason, and node claims that say nothing more. Cure: a \
         statement in the key policy that allows kms:CreateGrant, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext and \
         kms:DescribeKey where kms:ViaService is ec2.<region>.amazonaws.com. The key policy itself is not read (it takes another AWS \
         library), so this warns wherever the key is your own; accept the finding once you have seen to it."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Ebs]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("EBS encryption in {}", spec.region);
        let must_let = |key: &str| format!("{key}: its key policy must let {} use it by EC2", spec.controller_role_arn());
        if let Some(key) = &spec.node_pool.volume_key {
            return Ok(vec![look(spec, Judgement::warn("nodePool.volumeKey", format!("is {}", must_let(key.as_str()))), key.as_str())]);
        }
        let Some(ebs) = read(&subject, &situation.facts.ebs)? else {
            return Err(Judgement::skip(subject, "was not looked at"));
        };
        Ok(vec![match ebs.key.as_deref().filter(|key| ebs.by_default && !key.contains("alias/aws/ebs")) {
            None => Judgement::pass(subject, if ebs.by_default { "is on, with AWS's own key" } else { "is asked for volume by volume" }),
            Some(key) => look(spec, Judgement::warn(subject, format!("is on by default with {}", must_let(key))), key),
        }])
    }
}

fn look(spec: &Spec, judgement: Judgement, key: &str) -> Judgement {
    judgement.run(
        "look whether it allows kms:CreateGrant, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext and kms:DescribeKey",
        aws(spec, "kms", "get-key-policy").into_iter().chain(["--key-id", key, "--policy-name", "default", "--output", "text"]),
    )
}
