//! Whether EKS, IAM and `EventBridge` let the account have one more of what a cluster and its stack make.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws, raise_quota, whose};
use crate::facts::{Facts, Probed, QuotaUse, Topic};
use crate::finding::Area;
use crate::knowledge::{CLUSTERS, PROVIDERS, RULES};
use crate::spec::{Identity, Spec};

pub(super) struct ClusterQuotas;

impl Check for ClusterQuotas {
    fn id(&self) -> &'static str {
        "cluster-quotas"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "An account may have a hundred EKS clusters in a region and a hundred OIDC providers in all: the provider is refused only when the cluster is made."
    }

    fn explain(&self) -> &'static str {
        "Counts what is there and what is still to be made, and compares it with the quotas \"Clusters\" of EKS (L-1194D53C, 100 in a region unless \
         raised), \"OpenId connect providers per account\" of IAM (L-858F3967, 100 for all regions together) and \"Number of rules\" of EventBridge \
         (L-244521F2, 300 on the bus of a region, 100 in some). eksctl makes an OIDC provider with every cluster, and `karpctl identity` makes that of a \
         cluster that has none, with --identity irsa; the rules are those that send to the interruption queue. Nothing is counted of which no more is \
         made.\n\n\
         What people see otherwise: `ResourceLimitExceededException: Cluster limit exceeded for account`; a quarter of an hour later `LimitExceeded: \
         Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100`; of the rules, as the reason of a stack's rollback, \
         `LimitExceededException: The requested resource exceeds the maximum number allowed`.\n\n\
         Cure: ask for more, or remove what nobody uses. An OIDC provider outlives its cluster, where that was not deleted by the tool that made it."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::ClusterQuotas, Topic::Cluster, Topic::Stack, Topic::OidcProvider, Topic::ControllerRole, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let facts = situation.facts;
        let subject = "clusters, OIDC providers and rules";
        if let Some(not_ours) = whose::not_ours(spec, facts, subject) {
            return Err(not_ours);
        }
        // What is not there yet takes room; whether it is must be known.
        read(subject, &facts.cluster)?;
        read(subject, &facts.stack)?;
        if spec.identity == Identity::Irsa && facts.cluster.known().is_some() {
            read(subject, &facts.oidc_provider)?;
        }
        let said: Vec<Judgement> = kinds(spec, facts).into_iter().filter_map(Kind::judge).collect();
        if said.is_empty() {
            return Err(Judgement::skip(subject, "no more of them is made"));
        }
        Ok(said)
    }
}

/// What is counted, and how much of it is still to be made.
struct Kind<'a> {
    subject: String,
    found: &'a Probed<QuotaUse>,
    made: String,
    more: u64,
    quota: (&'a str, &'a str),
    region: &'a str,
    refusal: &'a str,
    /// What is done in place of asking for more.
    instead: (&'a str, Vec<&'a str>),
}

fn kinds<'a>(spec: &'a Spec, facts: &'a Facts) -> [Kind<'a>; 3] {
    let rules = spec.release.stack().rules.len() as u64;
    let list = |service, operation| aws(spec, service, operation);
    [
        Kind {
            subject: format!("EKS clusters in {}", spec.region),
            found: &facts.cluster_quota,
            made: format!("{} is one more", spec.cluster_name),
            more: 1,
            quota: CLUSTERS,
            region: spec.region.as_str(),
            refusal: "ResourceLimitExceededException: Cluster limit exceeded for account",
            instead: ("or delete one that nobody uses", list("eks", "list-clusters")),
        },
        Kind {
            subject: "OIDC providers of the account".into(),
            found: &facts.provider_quota,
            made: format!("that of {} is one more", spec.cluster_name),
            more: 1,
            quota: PROVIDERS,
            region: spec.partition.region_of_iam(),
            refusal: "LimitExceeded: Cannot exceed quota for OpenIdConnectProvidersPerAccount",
            instead: ("or delete those of clusters that are gone", vec!["aws", "iam", "list-open-id-connect-providers"]),
        },
        Kind {
            subject: format!("EventBridge rules in {}", spec.region),
            found: &facts.rule_quota,
            made: format!("stack {} makes {rules} more", spec.stack_name()),
            more: rules,
            quota: RULES,
            region: spec.region.as_str(),
            refusal: "LimitExceededException: The requested resource exceeds the maximum number allowed",
            instead: ("or delete those that nobody uses", list("events", "list-rules")),
        },
    ]
}

impl Kind<'_> {
    /// `None`: no more of it is made.
    fn judge(self) -> Option<Judgement> {
        let (subject, found) = match self.found {
            Probed::Known(found) => (self.subject, found),
            Probed::Unavailable(reason) => return Some(Judgement::skip(self.subject, format!("could not be counted: {reason}"))),
            Probed::Absent | Probed::NotAsked => return None,
        };
        let Some(most) = found.quota else {
            return Some(Judgement::skip(subject, format!("Service Quotas does not know this quota in {}", self.region)));
        };
        let used = format!("{} of {most} are there", found.used);
        let wanted = found.used + self.more;
        if wanted <= most {
            return Some(Judgement::pass(subject, used));
        }
        let (title, command) = self.instead;
        let refused = Judgement::fail(subject, format!("{used}, and {}: {}", self.made, self.refusal));
        Some(refused.run("ask AWS for more", raise_quota(self.region, self.quota, wanted)).run(title, command))
    }
}
