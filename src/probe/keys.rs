//! The KMS keys that volumes and secrets are encrypted with, and who may use them.

use super::{ProbeContext, failed, said, told};
use crate::error::Result;
use crate::facts::{ClusterFacts, EbsFacts, KeyUse, Probed, SecretsKey};
use crate::knowledge::{SECRETS_KEY_ACTIONS, VOLUME_KEY_ACTIONS};
use crate::ports::PermissionQuestion;
use crate::spec::{Arn, Spec};
use std::collections::BTreeMap;

/// How EBS volumes are encrypted by default, and the key of the nodes' volumes: the spec's, else the account's default, since Karpenter asks
/// for encryption and names no key. Not asked where it is AWS's own, or of another region.
pub(super) async fn volumes(context: &ProbeContext<'_>) -> (Probed<EbsFacts>, Probed<KeyUse>) {
    let ebs = told(context.ports.aws.ebs_encryption().await);
    let own = context.spec.node_pool.volume_key.as_ref().map(Arn::as_str);
    let default = ebs.known().and_then(|ebs| ebs.key.as_deref());
    let Some(id) = own.or(default).filter(|id| !id.contains("alias/aws/")) else { return (ebs, Probed::NotAsked) };
    let user = context.spec.controller_role_arn();
    let key = used(context, id, user.as_str(), &VOLUME_KEY_ACTIONS, "ec2").await;
    (ebs, key)
}

/// The key of the cluster's secrets, and whether who asks may use it.
pub(super) async fn secrets(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<KeyUse> {
    let Some(key) = SecretsKey::of(cluster, context.spec) else { return Probed::NotAsked };
    let id = key.arn();
    match context.ports.aws.caller().await {
        Ok(caller) => match super::permissions::principal(context.ports.aws.as_ref(), caller.arn.as_str()).await {
            Ok(user) => used(context, id.as_str(), &user, &SECRETS_KEY_ACTIONS, "eks").await,
            Err(reason) => Probed::Unavailable(reason),
        },
        Err(error) => failed(&error),
    }
}

async fn used(context: &ProbeContext<'_>, id: &str, user: &str, actions: &[&str], via: &str) -> Probed<KeyUse> {
    if id.parse::<Arn>().is_ok_and(|arn| arn.region() != context.spec.region.as_str()) {
        return Probed::NotAsked;
    }
    said(read(context, id, user, actions, via).await)
}

async fn read(context: &ProbeContext<'_>, id: &str, user: &str, actions: &[&str], via: &str) -> Result<Option<KeyUse>> {
    let aws = &context.ports.aws;
    let Some(key) = aws.key(id).await? else { return Ok(None) };
    let denied = if key.by_aws || user.ends_with(":root") {
        Probed::Known(Vec::new())
    } else {
        let question = PermissionQuestion {
            actions: actions.iter().map(ToString::to_string).collect(),
            resources: vec![key.arn.clone()],
            context: conditions(context.spec, via),
        };
        told(aws.denials(user, &question).await)
    };
    Ok(Some(KeyUse { key, user: user.to_owned(), denied }))
}

/// The condition keys that KMS knows of such a call.
fn conditions(spec: &Spec, via: &str) -> BTreeMap<String, Vec<String>> {
    let service = format!("{via}.{}.{}", spec.region, spec.partition.url_suffix());
    BTreeMap::from([
        ("kms:ViaService".to_owned(), vec![service]),
        ("kms:CallerAccount".to_owned(), vec![spec.account_id.to_string()]),
        ("kms:GrantIsForAWSResource".to_owned(), vec!["true".to_owned()]),
    ])
}
