//! How the cluster stands, from what EKS says of it and from the stacks by which eksctl knows it: pure.

use super::cluster::delete_stack_command;
use super::looked::{Refusal, looked};
use crate::error::Error;
use crate::facts::{ClusterFacts, Facts, Probed, StackFacts};
use crate::plan::State;
use crate::probe::cluster::{METRICS_SERVER, cluster_stack_name, node_group_stack_name};
use crate::spec::{ClusterMode, ControllerCapacity, FARGATE_PROFILE, OWNER_TAG, Spec};

pub(super) fn judge(spec: &Spec, facts: &Facts) -> State {
    let cluster = match looked(&facts.cluster) {
        Ok(cluster) => cluster,
        Err(state) => return state,
    };
    if let Some(cluster) = cluster
        && cluster.auto_mode
    {
        let why = format!(
            "EKS Auto Mode manages the compute of cluster {}: it is a Karpenter run by AWS, and a second one would work against it",
            spec.cluster_name
        );
        return Refusal::new(why).hint("stay with it, or turn it off first: `karpctl explain auto-mode`").into();
    }
    stands(spec, facts, cluster)
}

/// The same, whoever manages its compute.
fn stands(spec: &Spec, facts: &Facts, cluster: Option<&ClusterFacts>) -> State {
    match (spec.cluster, cluster) {
        (ClusterMode::Existing, None) => {
            Refusal::new(format!("there is no cluster {} in {} of account {}", spec.cluster_name, spec.region, spec.account_id))
                .hint(format!("`aws eks list-clusters --region {}` shows which there are", spec.region))
                .hint("without --existing-cluster (existingCluster in the spec file) `karpctl bootstrap` makes one")
                .into()
        }
        (ClusterMode::Existing, Some(cluster)) => existing(spec, cluster),
        (ClusterMode::Managed, None) => no_cluster(spec, facts),
        (ClusterMode::Managed, Some(cluster)) => managed(spec, facts, cluster),
    }
}

/// The same on the way back: what eksctl left half made or half removed is removed all the same, and nothing without karpctl's mark. What EKS
/// Auto Mode launched EKS takes away with the cluster (EKS user guide, "Delete a cluster").
pub(super) fn judge_removal(spec: &Spec, facts: &Facts) -> State {
    if spec.cluster == ClusterMode::Managed
        && let Some(refusal) = unmarked(spec, facts)
    {
        return refusal.into();
    }
    let state = looked(&facts.cluster).map_or_else(|state| state, |cluster| stands(spec, facts, cluster));
    let serves = facts.cluster.known().is_some_and(|cluster| cluster.status == "ACTIVE");
    // However its stack, its node group or its Fargate profile stands, eksctl deletes them with it; only what is under way is waited for.
    if spec.cluster == ClusterMode::Managed && serves && !matches!(state, State::Busy(_)) {
        return State::Present;
    }
    state
}

/// Why a removal that takes the cluster, too, is not begun: it would stay, and without what works in it.
pub(crate) fn refused_removal(spec: &Spec, facts: &Facts) -> Option<Error> {
    let (why, hints) = match judge_removal(spec, facts) {
        State::Blocked { why, hints } => (why, hints),
        State::Foreign { why, adopt } => (why, vec![adopt]),
        _ => protection(spec, facts).map(|refusal| (refusal.why, refusal.hints))?,
    };
    let error = Error::refused(format!("cluster {} is not taken away; nothing was changed", spec.cluster_name)).because(why);
    Some(hints.into_iter().fold(error, Error::hint))
}

/// The refusal of a cluster that somebody protects from being deleted. EKS heeds it while the cluster is at work, and would hear of its
/// deletion last, when all that is in it is gone.
fn protection(spec: &Spec, facts: &Facts) -> Option<Refusal> {
    let (cluster, region) = (&spec.cluster_name, &spec.region);
    facts.cluster.known().filter(|found| found.deletion_protection && matches!(found.status.as_str(), "ACTIVE" | "UPDATING"))?;
    Some(
        Refusal::new(format!("its deletion protection is on: EKS would refuse to delete cluster {cluster}, after all that is in it"))
            .hint(format!("where it is to go, take that off: `aws eks update-cluster-config --region {region} --name {cluster} --no-deletion-protection`"))
            .hint("or leave the cluster: the same command with `--keep-cluster`"),
    )
}

/// The refusal to take away a cluster, or eksctl's stack of one, that is not karpctl's.
fn unmarked(spec: &Spec, facts: &Facts) -> Option<Refusal> {
    if is_marked(spec, facts) {
        return None;
    }
    let (cluster, stack) = (&spec.cluster_name, cluster_stack_name(spec));
    let left = left_stacks(spec, facts).into_iter().next();
    let why = match (&facts.cluster, &facts.eksctl_stack, left) {
        (Probed::Known(_), Probed::Unavailable(reason), _) => {
            format!("cluster {cluster} has no tag {OWNER_TAG}, and whether its stack {stack} has it cannot be known: {reason}")
        }
        (Probed::Known(_), Probed::Known(_), _) => {
            format!("karpctl did not make cluster {cluster}: neither it nor its stack {stack} has the tag {OWNER_TAG}")
        }
        (Probed::Known(_), ..) => format!("karpctl did not make cluster {cluster}: it has no tag {OWNER_TAG}"),
        (Probed::Absent, _, Some((name, _))) => {
            format!("karpctl did not make eksctl's stack {name}, of which there is no cluster: it has no tag {OWNER_TAG}")
        }
        _ => return None,
    };
    Some(Refusal::new(why).hint("the same command with `--existing-cluster` leaves it, and takes away what karpctl made beside and in it"))
}

/// Whether karpctl had the cluster made: its tag is on it, or on eksctl's stack of it. Where eksctl broke off, it is on the stack alone.
pub(crate) fn is_marked(spec: &Spec, facts: &Facts) -> bool {
    match facts.cluster.known() {
        Some(cluster) => spec.owns(&cluster.tags) || eksctls(facts).is_some_and(|stack| spec.owns(&stack.tags)),
        None => left_stacks(spec, facts).first().is_some_and(|(_, stack)| spec.owns(&stack.tags)),
    }
}

/// eksctl's stacks that are there, that of the cluster first, and last those that are known by karpctl's tag.
fn left_stacks<'a>(spec: &Spec, facts: &'a Facts) -> Vec<(String, &'a StackFacts)> {
    let of_group = node_group_stack_name(spec).zip(facts.eksctl_node_group.known());
    let of_cluster = facts.eksctl_stack.known().map(|stack| (cluster_stack_name(spec), stack));
    let others = facts.eksctl_others.known().into_iter().flatten().map(|stack| (stack.name().to_owned(), stack));
    of_cluster.into_iter().chain(of_group).chain(others).filter(|(_, stack)| !stack.is_gone()).collect()
}

fn existing(spec: &Spec, cluster: &ClusterFacts) -> State {
    match cluster.status.as_str() {
        "ACTIVE" => State::Present,
        "CREATING" | "UPDATING" | "PENDING" => State::Busy(format!("the cluster is {}", cluster.status)),
        other => Refusal::new(format!("the cluster {} is {other}", spec.cluster_name))
            .hint(format!(
                "`aws eks describe-cluster --region {} --name {} --query cluster.health` says why",
                spec.region, spec.cluster_name
            ))
            .into(),
    }
}

fn no_cluster(spec: &Spec, facts: &Facts) -> State {
    if let Some(reason) = [&facts.eksctl_stack, &facts.eksctl_node_group].into_iter().find_map(Probed::unread) {
        return State::Unknown(reason.to_owned());
    }
    let Some((name, stack)) = left_stacks(spec, facts).into_iter().next() else { return State::Absent };
    if stack.is_busy() {
        return State::Busy(format!("eksctl's stack {name} is {}", stack.status));
    }
    let why = format!("eksctl's stack {name} is {} and there is no cluster{}", stack.status, reason(stack));
    if is_marked(spec, facts) {
        return State::Broken(why);
    }
    Refusal::new(format!("{why}; karpctl did not make it, and others may use its network"))
        .hint(format!("if nobody does, delete it: `{}`", delete_stack_command(spec, &name)))
        .hint("else take another cluster name")
        .into()
}

/// The stack by which eksctl knows the cluster.
fn eksctls(facts: &Facts) -> Option<&StackFacts> {
    facts.eksctl_stack.known().filter(|s| !s.is_gone())
}

/// Whether neither karpctl nor eksctl made the cluster, as far as is known.
pub(crate) fn is_strangers(spec: &Spec, facts: &Facts, cluster: &ClusterFacts) -> bool {
    eksctls(facts).is_none() && !spec.owns(&cluster.tags)
}

fn managed(spec: &Spec, facts: &Facts, cluster: &ClusterFacts) -> State {
    let stack = eksctls(facts);
    let tagged = is_marked(spec, facts);
    if is_strangers(spec, facts, cluster) {
        if let Probed::Unavailable(reason) = &facts.eksctl_stack {
            return State::Unknown(reason.clone());
        }
        return Refusal::new(format!("cluster {} is there and neither karpctl nor eksctl made it", spec.cluster_name))
            .hint("the same command with `--existing-cluster` works with it as it is, and never changes or deletes it")
            .into();
    }
    match cluster.status.as_str() {
        "ACTIVE" => active(spec, facts, cluster, stack, tagged),
        "FAILED" if tagged => State::Broken("the cluster is FAILED".into()),
        "FAILED" => Refusal::new(format!("cluster {} is FAILED, and karpctl did not make it", spec.cluster_name))
            .hint(format!(
                "if nobody needs it, `eksctl delete cluster --name {} --region {} --wait` clears the way",
                spec.cluster_name, spec.region
            ))
            .into(),
        other => State::Busy(format!("the cluster is {other}")),
    }
}

fn active(spec: &Spec, facts: &Facts, cluster: &ClusterFacts, stack: Option<&StackFacts>, tagged: bool) -> State {
    let name = cluster_stack_name(spec);
    match stack {
        Some(stack) if stack.is_busy() => return State::Busy(format!("eksctl's stack {name} is {}", stack.status)),
        // It serves, so it may hold something: it is not for karpctl to delete it.
        Some(stack) if stack.is_broken() => {
            let (cluster, region) = (&spec.cluster_name, &spec.region);
            return Refusal::new(format!("cluster {cluster} is ACTIVE while eksctl's stack {name} is {}{}", stack.status, reason(stack)))
                .hint(format!("if it holds nothing, `eksctl delete cluster --name {cluster} --region {region} --wait` clears the way"))
                .hint("else the same command with `--existing-cluster` uses it as it is")
                .into();
        }
        _ => {}
    }
    if !tagged {
        // A cluster that a person made with eksctl may do without what karpctl has it make.
        return State::Present;
    }
    let rest = rest(spec, facts, cluster);
    match capacity(spec, facts) {
        State::Present if rest.is_empty() => State::Present,
        State::Present => State::Drifted(rest),
        State::Drifted(missing) => State::Drifted(missing.into_iter().chain(rest).collect()),
        other => other,
    }
}

/// What eksctl makes last and did not get to. Once Karpenter is in the cluster, this is a person's to change.
fn rest(spec: &Spec, facts: &Facts, cluster: &ClusterFacts) -> Vec<String> {
    if !matches!(facts.chart_release, Probed::Absent) {
        return Vec::new();
    }
    let metrics = lacks_metrics_server(spec, facts).then(|| format!("add-on {METRICS_SERVER}: not there"));
    let open = is_open(spec, cluster).then(|| "API server: can be reached from outside the VPC".to_owned());
    metrics.into_iter().chain(open).collect()
}

/// Whether there is no metrics-server where this machine's eksctl makes one.
pub(super) fn lacks_metrics_server(spec: &Spec, facts: &Facts) -> bool {
    let makes = facts.eksctl.known().is_some_and(|eksctl| eksctl.version.adds_metrics_server());
    makes && spec.partition.has_metrics_server_addon() && matches!(facts.metrics_server, Probed::Absent)
}

/// Whether eksctl did not get to closing what it made the cluster by.
pub(super) fn is_open(spec: &Spec, cluster: &ClusterFacts) -> bool {
    spec.private && cluster.public_endpoint
}

/// The state of what ran the controller and is gone. Where that runs, a person has put something else in its place: made anew, it would come back at
/// each upgrade, and the add-ons that nodes need would be changed with it.
fn gone(facts: &Facts, what: &str) -> State {
    let is_replaced = facts.controller.known().is_some_and(|controller| controller.ready > 0);
    if is_replaced { State::Present } else { State::Drifted(vec![format!("{what}: not there")]) }
}

/// What is said of a Fargate profile that is asked for and not made: the cluster is there without it.
pub(super) fn without_fargate(spec: &Spec, facts: &Facts) -> Option<String> {
    let passed_over = spec.capacity == ControllerCapacity::Fargate
        && matches!((&facts.cluster, &facts.fargate_profile), (Probed::Known(_), Probed::Absent))
        && judge(spec, facts) == State::Present;
    let (cluster, region, namespace) = (&spec.cluster_name, &spec.region, &spec.namespace);
    passed_over.then(|| {
        format!(
            "fargate is not carried out: cluster {cluster} is there without the Fargate profile {FARGATE_PROFILE}, and what runs the controller by now is \
             yours to change: `eksctl create fargateprofile --cluster {cluster} --region {region} --name {FARGATE_PROFILE} --namespace {namespace}` \
             makes it"
        )
    })
}

/// How what runs the controller stands, in a cluster that karpctl had eksctl make.
pub(super) fn capacity(spec: &Spec, facts: &Facts) -> State {
    let Some(group_stack) = node_group_stack_name(spec) else { return fargate(spec, facts) };
    match &facts.eksctl_node_group {
        Probed::Known(group) if group.is_busy() => State::Busy(format!("eksctl's stack {group_stack} is {}", group.status)),
        Probed::Known(group) if group.is_broken() => State::Drifted(vec![format!(
            "node group {}: eksctl's stack {group_stack} is {}{}",
            spec.node_group_name(),
            group.status,
            reason(group)
        )]),
        Probed::Known(group) if !group.is_gone() => State::Present,
        Probed::Known(_) | Probed::Absent => gone(facts, &format!("node group {}", spec.node_group_name())),
        Probed::NotAsked | Probed::Unavailable(_) => State::Present,
    }
}

fn fargate(spec: &Spec, facts: &Facts) -> State {
    let profile = match &facts.fargate_profile {
        Probed::Known(profile) => profile,
        Probed::Absent => return gone(facts, &format!("Fargate profile {FARGATE_PROFILE}")),
        Probed::NotAsked | Probed::Unavailable(_) => return State::Present,
    };
    let why = match profile.status.as_str() {
        "CREATING" | "DELETING" => return State::Busy(format!("the Fargate profile {FARGATE_PROFILE} is {}", profile.status)),
        "ACTIVE" if profile.namespaces.iter().any(|n| n == spec.namespace.as_str()) => return State::Present,
        "ACTIVE" => format!("the Fargate profile {FARGATE_PROFILE} takes no pods of the namespace {}", spec.namespace),
        other => format!("the Fargate profile {FARGATE_PROFILE} is {other}"),
    };
    // It cannot be changed, and deleting it ends the pods that run on it: that is for a person to decide.
    Refusal::new(why)
        .hint(format!(
            "`eksctl delete fargateprofile --cluster {} --region {} --name {FARGATE_PROFILE} --wait` clears the way: it is then made anew",
            spec.cluster_name, spec.region
        ))
        .into()
}

fn reason(stack: &StackFacts) -> String {
    stack.status_reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default()
}
