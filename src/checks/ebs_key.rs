//! Whether Karpenter's nodes can use the key that their volumes are encrypted with.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::Topic;
use crate::finding::Area;

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
        "Asks EC2 whether EBS volumes of this region are encrypted by default, and with which key. With AWS's own key (alias/aws/ebs) \
         nothing is to be done. With a key of the account's own, its key policy must let the controller's role (and, for spot, the role \
         AWSServiceRoleForEC2Spot) use it. What people see otherwise: nodes are launched and gone at once, with \
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
        let Some(ebs) = read(&subject, &situation.facts.ebs)? else {
            return Err(Judgement::skip(subject, "was not looked at"));
        };
        Ok(vec![match ebs.key.as_deref().filter(|key| ebs.by_default && !key.contains("alias/aws/ebs")) {
            None => Judgement::pass(subject, if ebs.by_default { "is on, with AWS's own key" } else { "is asked for volume by volume" }),
            Some(key) => Judgement::warn(
                subject,
                format!("is on by default with {key}: its key policy must let {} use it by EC2", spec.controller_role_arn()),
            )
            .run(
                "look whether it allows kms:CreateGrant, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext and kms:DescribeKey",
                aws(spec, "kms", "get-key-policy").into_iter().chain(["--key-id", key, "--policy-name", "default", "--output", "text"]),
            ),
        }])
    }
}
