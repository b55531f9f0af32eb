//! Whether the cluster lets the caller in.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{Entry, Facts, Topic, role_of_session};
use crate::finding::Area;
use crate::spec::Spec;
use std::borrow::Cow;

pub(super) struct ClusterEntry;

impl Check for ClusterEntry {
    fn id(&self) -> &'static str {
        "cluster-entry"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "AWS permissions do not open a cluster: EKS lets in who made it, and whom somebody has let in. Nothing within it can be looked at or made before."
    }

    fn explain(&self) -> &'static str {
        "Asks the cluster's API server, with the token by which karpctl itself gets in (or with --kubeconfig), whether the caller may do everything \
         (SelfSubjectAccessReview). What people see otherwise: `error: You must be logged in to the server (Unauthorized)`, `the server has asked \
         for the client to provide credentials`, `Error: Kubernetes cluster unreachable`, `dial tcp 10.0.1.7:443: i/o timeout` where its endpoint is \
         within its VPC only.\n\n\
         Cure: an access entry with AmazonEKSClusterAdminPolicy for the role or user, made by whoever is let in already; on clusters whose mode is \
         CONFIG_MAP a row in aws-auth. Who is let in and may not do everything gets a warning: what a bootstrap makes there (CRDs, cluster roles) may be \
         refused. A private endpoint is reached from within the VPC, or through a tunnel with --kubeconfig."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Entry, Topic::Cluster, Topic::Caller, Topic::CallerPermissions]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        let Some(cluster) = read(&subject, &facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let Some(found) = read(&subject, &facts.entry)? else {
            return Err(Judgement::skip(subject, "was not asked"));
        };
        let who = principal(facts);
        let name = who.as_deref().unwrap_or("the caller");
        let masters = ["create", "iamidentitymapping", "--cluster", spec.cluster_name.as_str(), "--region", spec.region.as_str(), "--arn"];
        let principal = who.as_deref().unwrap_or("ARN");
        Ok(vec![match &found.answer {
            Entry::Open => Judgement::pass(subject, "lets the caller in"),
            Entry::NotKnown if found.by_kubeconfig => {
                Judgement::fail(subject, "its API server does not know the kubeconfig's user: 401 Unauthorized")
                    .fix("log in again, or take another context: --context")
            }
            Entry::NotKnown => {
                let judgement = Judgement::fail(subject, format!("does not know {name}: its API server answers 401 Unauthorized"));
                if cluster.has_access_entries() {
                    let made = entry(spec, "create-access-entry", principal);
                    let judgement =
                        judgement.run("whoever made the cluster, or is let in as an administrator, lets it in by an access entry", made);
                    judgement.run("and says what it may do", administrator(spec, principal))
                } else {
                    let arn = without_path(principal);
                    let row = ["eksctl"].into_iter().chain(masters).chain([&*arn, "--username", "admin", "--group", "system:masters"]);
                    judgement.run("whoever made the cluster, or is let in as an administrator, lets it in by a row in aws-auth", row)
                }
            }
            Entry::TooLittle => {
                let message =
                    "lets the caller in, who may not do everything there: what karpctl makes (CRDs, cluster roles) may be refused";
                let judgement = Judgement::warn(subject, message);
                if found.by_kubeconfig || !cluster.has_access_entries() {
                    judgement.run("see what may be done", ["kubectl", "auth", "can-i", "--list"])
                } else if cluster.has_config_map() {
                    judgement
                        .run("see whether it has an access entry", entry(spec, "describe-access-entry", principal))
                        .run(
                            "if not, a row of aws-auth lets it in: make it one, which goes before the row and its groups",
                            entry(spec, "create-access-entry", principal),
                        )
                        .run("let it do everything", administrator(spec, principal))
                } else {
                    judgement.run("let it do everything", administrator(spec, principal))
                }
            }
            Entry::NotReached(_) if !cluster.public_endpoint && !found.by_kubeconfig => {
                Judgement::fail(subject, "its endpoint is within its VPC only, and was not reached from here")
                    .fix("run karpctl within the VPC, or through a tunnel: --kubeconfig FILE")
            }
            Entry::NotReached(why) => {
                let version = format!("{}/version", cluster.endpoint.as_deref().unwrap_or_default());
                let judgement = Judgement::fail(subject, format!("its API server was not reached: {why}"));
                if why.contains("certificate") {
                    judgement
                        .run("see whose certificate answers", ["curl", "--insecure", "--verbose", &version])
                        .fix("have the proxy that answers in its place let this address through as it is: NO_PROXY")
                } else {
                    judgement.run(
                        "see what stands between: a proxy, a firewall, the addresses that its endpoint lets in",
                        ["curl", "--insecure", &version],
                    )
                }
            }
        }])
    }
}

/// Who is to be let in: the role of a session, with its path where that is known.
fn principal(facts: &Facts) -> Option<String> {
    if let Some(permissions) = facts.caller_permissions.known() {
        return Some(permissions.principal.clone());
    }
    let arn = facts.caller.known()?.arn.as_str();
    Some(role_of_session(arn).map_or_else(|| arn.to_owned(), |(_, role)| role))
}

/// The ARN by which a token names a role: without its path, also where the role has one. So a row of aws-auth must name it.
fn without_path(arn: &str) -> Cow<'_, str> {
    match arn.split_once(":role/") {
        Some((account, path)) => format!("{account}:role/{}", path.rsplit('/').next().unwrap_or(path)).into(),
        None => arn.into(),
    }
}

fn entry(spec: &Spec, operation: &str, principal: &str) -> Vec<String> {
    let words = ["--cluster-name", spec.cluster_name.as_str(), "--principal-arn", principal];
    aws(spec, "eks", operation).into_iter().chain(words).map(str::to_owned).collect()
}

/// The command that lets a principal with an access entry do everything.
fn administrator(spec: &Spec, principal: &str) -> Vec<String> {
    let policy = format!("arn:{}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", spec.partition);
    let more = ["--policy-arn", &policy, "--access-scope", "type=cluster"].map(str::to_owned);
    entry(spec, "associate-access-policy", principal).into_iter().chain(more).collect()
}
