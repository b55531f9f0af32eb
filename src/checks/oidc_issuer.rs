//! Whether IAM believes the tokens of the cluster's service accounts, where the controller's credentials rest on it.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, missing};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::STS_AUDIENCE as AUDIENCE;
use crate::spec::Identity;

pub(super) struct OidcIssuer;

impl Check for OidcIssuer {
    fn id(&self) -> &'static str {
        "oidc-issuer"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "With IRSA the controller shows IAM a token of the cluster; without a provider for the cluster's issuer IAM believes none of them."
    }

    fn explain(&self) -> &'static str {
        "With --identity irsa, looks for the IAM OIDC provider of the issuer that EKS names for this cluster, and for the audience \
         sts.amazonaws.com on it.\n\nWhat people see: `InvalidIdentityToken: No OpenIDConnect provider found in your account for \
         https://oidc.eks.…`, or `Incorrect token audience`. A cluster that is made anew under the same name has another issuer, and \
         the old provider does not serve it.\n\nCure: `aws iam create-open-id-connect-provider`, or `eksctl utils \
         associate-iam-oidc-provider --approve`, or `karpctl identity`. With Pod Identity no provider is needed."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::OidcProvider, Topic::Stack, Topic::ControllerRole, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if spec.identity != Identity::Irsa {
            return Err(Judgement::skip("OIDC provider", "the controller gets its credentials by Pod Identity"));
        }
        let Some(cluster) = read("OIDC provider", &situation.facts.cluster)? else {
            return Err(Judgement::skip("OIDC provider", "there is no cluster yet"));
        };
        let issuer = cluster.oidc_issuer.clone().unwrap_or_default();
        let subject = format!("OIDC provider of {issuer}");
        Ok(vec![match read(&subject, &situation.facts.oidc_provider)? {
            None => missing(situation, subject, "is not there: No OpenIDConnect provider found in your account")?
                .run("make it", ["aws", "iam", "create-open-id-connect-provider", "--url", issuer.as_str(), "--client-id-list", AUDIENCE]),
            Some(provider) if provider.audiences.iter().any(|a| a == AUDIENCE) => Judgement::pass(subject, "is there"),
            Some(provider) => Judgement::fail(subject, format!("does not take tokens for {AUDIENCE}: Incorrect token audience")).run(
                "let it",
                [
                    "aws",
                    "iam",
                    "add-client-id-to-open-id-connect-provider",
                    "--open-id-connect-provider-arn",
                    provider.arn.as_str(),
                    "--client-id",
                    AUDIENCE,
                ],
            ),
        }])
    }
}
