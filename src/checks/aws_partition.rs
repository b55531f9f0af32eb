//! Whether credentials, region and spec speak of the same partition.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::spec::Partition;

pub(super) struct AwsPartition;

impl Check for AwsPartition {
    fn id(&self) -> &'static str {
        "aws-partition"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "Every ARN names a partition, and in China EC2 has another service name: with the wrong one the stack is refused, or no node starts."
    }

    fn explain(&self) -> &'static str {
        "Compares the partition of the caller's ARN (aws, aws-cn, aws-us-gov), that of the region, and the one that documents are \
         written for.\n\nWhat people see where they differ: `Partition \"aws\" is not valid for resource`, `not authorized to perform: \
         iam:PassRole`, or `InvalidClientTokenId` because the credentials of one partition mean nothing in another.\n\nCure: leave \
         --partition and AWS_PARTITION out, since both follow from credentials and region, or use the profile of that partition."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Caller]
    }

    fn of_cluster(&self) -> bool {
        true
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("partition {}", spec.partition);
        let of_region = Partition::of_region(&spec.region);
        if of_region != spec.partition {
            let judgement = Judgement::fail(subject, format!("the region {} is of the partition {of_region}", spec.region));
            let judgement = judgement.fix(format!("say the region's own: --partition {of_region}"));
            return Err(judgement.fix("or leave --partition and AWS_PARTITION out, or name a region of that partition with --region"));
        }
        let Some(caller) = read(&subject, &situation.facts.caller)? else {
            return Err(Judgement::skip(subject, "there are no credentials"));
        };
        Ok(vec![if caller.arn.partition() == spec.partition.as_str() {
            Judgement::pass(subject, format!("is that of the credentials and of the region {}", spec.region))
        } else {
            Judgement::fail(subject, format!("the credentials are of the partition {}: {}", caller.arn.partition(), caller.arn))
                .run("see whose credentials are in use", ["aws", "sts", "get-caller-identity"])
                .fix("use a profile of that partition: --profile, or AWS_PROFILE; or name a region of theirs: --region")
        }])
    }
}
