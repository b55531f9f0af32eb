//! Whether the context of each client leads to the cluster that is meant.

use super::exec::{Used, each_used, eks_cluster, in_file, make, update_kubeconfig};
use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ChosenFacts, Probed, Topic};
use crate::finding::Area;
use crate::kubeconfig::{Leads, Way};
use crate::spec::Spec;

pub(super) struct KubeconfigCluster;

impl Check for KubeconfigCluster {
    fn id(&self) -> &'static str {
        "kubeconfig-cluster"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "helm and kubectl work on the cluster that the context leads to, whichever is meant; a cluster that was made anew has another address than the one before."
    }

    fn explain(&self) -> &'static str {
        "Compares the API server of the context that each client uses with the endpoint that EKS names for the cluster. Upper and lower case, \
         the port 443 and a slash at the end make no difference. It fails where the entry is this cluster's own (its plugin makes \
         tokens for it, or aws named it after it) and leads elsewhere: to a cluster of that name that is gone, or that is another account's. It \
         warns where the context is that of another cluster. Where a proxy-url, or a tunnel that begins on this machine, stands between, \
         the address does not say where it ends: a tls-server-name that is the endpoint's does, anything else is skipped.\n\n\
         What people see: `dial tcp: lookup ….eks.amazonaws.com: no such host`, `tls: failed to verify certificate: x509: certificate \
         signed by unknown authority`, `You must be logged in to the server (Unauthorized)`, or Karpenter in a cluster that was not meant.\n\n\
         Cure: `aws eks update-kubeconfig` writes the entry anew. `karpctl bootstrap` has a kubeconfig of its own and does not care, unless \
         --kubeconfig or --context asks it to: it is then refused where they lead to another cluster. \
         The commands of other checks name the context or the kubeconfig that the doctor was given, and otherwise, where the client's own context is another cluster's, \
         the one that this cure makes."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients, Topic::Cluster]
    }

    /// The rest of its area is looked at in any folder: it compares where a cluster is named, and asks for none.
    fn of_cluster(&self) -> bool {
        false
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let Some(spec) = situation.spec else {
            return Err(match &situation.facts.cluster {
                Probed::Unavailable(reason) => Judgement::skip("kubeconfig", format!("the cluster could not be read: {reason}")),
                _ => Judgement::skip("kubeconfig", "compared with the cluster where --cluster-name and --region say which"),
            });
        };
        let subject = format!("cluster {}", spec.cluster_name);
        let Some(cluster) = read(&subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet that a context could lead to"));
        };
        let Some(endpoint) = &cluster.endpoint else {
            return Err(Judgement::skip(subject, format!("EKS names no endpoint for it while it is {}", cluster.status)));
        };
        each_used(situation, |used| judge(situation, spec, endpoint, used))
    }
}

fn judge(situation: &Situation<'_>, spec: &Spec, endpoint: &str, used: &Used<'_>) -> Judgement {
    let (chosen, cluster, subject) = (used.chosen, &spec.cluster_name, used.subject.clone());
    let unclear = |by: &str| {
        Judgement::skip(subject.clone(), format!("the way to {} {by}, and does not say whether it ends at {cluster}", chosen.server))
    };
    match way(chosen).leads(endpoint) {
        Leads::Nowhere => return Judgement::skip(subject, "it leads nowhere: see exec-kubeconfig"),
        Leads::There => return Judgement::pass(subject, format!("leads to {cluster}")),
        Leads::ToItsCertificate => {
            return Judgement::pass(subject, format!("leads to {}, which must show the certificate of {cluster}", chosen.server));
        }
        Leads::IntoTunnel => return unclear("begins on this machine"),
        Leads::AnotherWay => return unclear("goes by another name or a proxy"),
        Leads::Elsewhere => {}
    }
    let leads = format!("leads to {}, and the endpoint of {cluster} in {} is {endpoint}", chosen.server, spec.region);
    if let Some(variable) = &chosen.server_by {
        return Judgement::warn(subject, format!("{leads}: {variable} says so"))
            .fix(format!("leave {variable} unset, and the kubeconfig decides"));
    }
    let file = chosen.files.first().map(|file| file.display().to_string()).unwrap_or_default();
    let (anew, _) = a_context(situation, spec, chosen);
    if is_its_own(spec, chosen) {
        return Judgement::fail(subject, format!("{leads}: the entry is of a cluster of that name that is gone, or another account's"))
            .at(file.clone(), None)
            .run("have it written anew", anew);
    }
    Judgement::warn(subject, format!("{leads}: the context is another cluster's"))
        .at(file.clone(), None)
        .run("make a context for it, which is then the current one", anew)
        .fix("or name its context, where there is one: --context NAME")
}

/// How the API server of this context is reached.
pub(super) fn way(chosen: &ChosenFacts) -> Way<'_> {
    Way { server: &chosen.server, tls_server_name: chosen.tls_server_name.as_deref(), by_proxy: chosen.proxy.is_some() }
}

/// The command that has aws write a context of the cluster where this one leads elsewhere, and the name that the context then has.
pub(super) fn a_context(situation: &Situation<'_>, spec: &Spec, chosen: &ChosenFacts) -> (Vec<String>, String) {
    let anew = chosen.exec.as_ref().filter(|_| is_its_own(spec, chosen)).and_then(|exec| update_kubeconfig(chosen, exec));
    let command = anew.unwrap_or_else(|| make(situation).into_iter().chain(in_file(chosen)).collect());
    let alias = command.iter().position(|word| word == "--alias").and_then(|at| command.get(at + 1)).cloned();
    (command, alias.unwrap_or_else(|| arn(spec)))
}

/// The name that aws gives what it writes for the cluster.
fn arn(spec: &Spec) -> String {
    let Spec { partition, region, account_id, cluster_name, .. } = spec;
    format!("arn:{partition}:eks:{region}:{account_id}:cluster/{cluster_name}")
}

/// Whether the entry says that it is this cluster's: aws named it after it, or its plugin makes tokens for it.
fn is_its_own(spec: &Spec, chosen: &ChosenFacts) -> bool {
    match [&chosen.context, &chosen.user].into_iter().find(|name| name.starts_with("arn:")) {
        Some(named) => *named == arn(spec),
        None => chosen
            .exec
            .as_ref()
            .and_then(eks_cluster)
            .is_some_and(|(name, place)| name == spec.cluster_name.as_str() && place.is_none_or(|place| place == spec.region.as_str())),
    }
}
