//! Whether the cluster lets the caller in.

use super::exec::in_file;
use super::judgement::read;
use super::kubeconfig_cluster::way;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{ChosenFacts, ClusterFacts, Entry, Facts, KubeconfigFacts, PluginRun, Topic, role_of_session};
use crate::finding::Area;
use crate::kubeconfig::Leads;
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
         (SelfSubjectAccessReview).\n\nWhat people see otherwise: `error: You must be logged in to the server (Unauthorized)`, `the server has asked \
         for the client to provide credentials`, `Error: Kubernetes cluster unreachable`, `dial tcp 10.0.1.7:443: i/o timeout` where its endpoint is \
         within its VPC only.\n\n\
         Cure: an access entry with AmazonEKSClusterAdminPolicy for the role or user, made by whoever is let in already; on clusters whose mode is \
         CONFIG_MAP a row in aws-auth. Who is let in and may not do everything gets a warning: what a bootstrap makes there (CRDs, cluster roles) may be \
         refused. Where kubectl gets in by another role or profile than karpctl does, --kubeconfig and --context have karpctl come in by it. A \
         private endpoint is reached from within the VPC, or through a tunnel with --kubeconfig."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Entry, Topic::Cluster, Topic::Caller, Topic::CallerPermissions, Topic::Clients]
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
        let pathless = who.as_deref().and_then(without_its_path);
        let read_path = |judgement: Judgement| match pathless {
            Some(role) => {
                let words = ["aws", "iam", "get-role", "--role-name", role, "--query", "Role.Arn", "--output", "text"];
                judgement.run("whoever may read the role in IAM says its ARN, of which the session's leaves the path out", words)
            }
            None => judgement,
        };
        let masters = ["create", "iamidentitymapping", "--cluster", spec.cluster_name.as_str(), "--region", spec.region.as_str(), "--arn"];
        let principal = who.as_deref().filter(|_| pathless.is_none()).unwrap_or("ARN");
        Ok(vec![match &found.answer {
            Entry::Open => Judgement::pass(subject, "lets the caller in"),
            Entry::NotKnown if found.by_kubeconfig => {
                Judgement::fail(subject, "its API server does not know the kubeconfig's user: 401 Unauthorized")
                    .fix("log in again, or take another context: --context")
            }
            Entry::NotKnown => {
                let judgement = Judgement::fail(subject, format!("does not know {name}: its API server answers 401 Unauthorized"));
                let judgement = if cluster.has_access_entries() {
                    let made = entry(spec, "create-access-entry", principal);
                    let judgement = read_path(judgement)
                        .run("whoever made the cluster, or is let in as an administrator, lets it in by an access entry", made);
                    judgement.run("and says what it may do", administrator(spec, principal))
                } else {
                    let arn = without_path(who.as_deref().unwrap_or("ARN"));
                    let row = ["eksctl"].into_iter().chain(masters).chain([&*arn, "--username", "admin", "--group", "system:masters"]);
                    judgement.run("whoever made the cluster, or is let in as an administrator, lets it in by a row in aws-auth", row)
                };
                match as_somebody_else(spec, facts, cluster) {
                    Some((who, command)) => {
                        judgement.run(format!("or come in as kubectl does, {who}: bootstrap takes these flags, too"), command)
                    }
                    None => judgement.fix("or, where kubectl gets in, come in as it does: --kubeconfig FILE, --context NAME"),
                }
            }
            Entry::TooLittle => {
                let message =
                    "lets the caller in, who may not do everything there: what karpctl makes (CRDs, cluster roles) may be refused";
                let judgement = Judgement::warn(subject, message);
                if found.by_kubeconfig || !cluster.has_access_entries() {
                    judgement.run("see what may be done", ["kubectl", "auth", "can-i", "--list"])
                } else if cluster.has_config_map() {
                    read_path(judgement)
                        .run("see whether it has an access entry", entry(spec, "describe-access-entry", principal))
                        .run(
                            "if not, a row of aws-auth lets it in: make it one, which goes before the row and its groups",
                            entry(spec, "create-access-entry", principal),
                        )
                        .run("let it do everything", administrator(spec, principal))
                } else {
                    read_path(judgement).run("let it do everything", administrator(spec, principal))
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

/// The role of IAM Identity Center, where its ARN lacks the path that each has: EKS takes it for the ARN of nobody.
fn without_its_path(arn: &str) -> Option<&str> {
    arn.split_once(":role/").map(|(_, name)| name).filter(|name| name.starts_with("AWSReservedSSO_"))
}

/// How a kubeconfig at hand gets in as somebody else than the caller: who that is, and the doctor's command that looks by it.
fn as_somebody_else(spec: &Spec, facts: &Facts, cluster: &ClusterFacts) -> Option<(String, Vec<String>)> {
    let chosen = facts.clients.known()?.iter().find_map(|client| match &client.kubeconfig {
        KubeconfigFacts::Chosen(chosen) if chosen.user_problem.is_none() && leads_to(chosen, cluster) => Some(chosen),
        _ => None,
    })?;
    let fails = |run: &PluginRun| run.ended.is_some() || run.refused.is_some();
    let who = match &chosen.exec {
        Some(exec) if exec.run.as_ref().is_some_and(fails) => return None,
        Some(exec) => match (exec.role(), exec.other_profile()) {
            (Some(role), _) => format!("who takes the role {role}"),
            (None, Some(profile)) => format!("who uses the profile {profile}"),
            (None, None) => return None,
        },
        None => format!("as {}", chosen.user),
    };
    let words =
        ["karpctl", "doctor", "--only", "cluster-entry", "--cluster-name", spec.cluster_name.as_str(), "--region", spec.region.as_str()];
    let words = words.into_iter().map(str::to_owned).chain(in_file(chosen));
    Some((who, words.chain(["--context".to_owned(), chosen.context.clone()]).collect()))
}

fn leads_to(chosen: &ChosenFacts, cluster: &ClusterFacts) -> bool {
    chosen.context_is_there && cluster.endpoint.as_deref().is_some_and(|endpoint| matches!(way(chosen).leads(endpoint), Leads::There))
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
