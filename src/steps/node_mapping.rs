//! The nodes' way into the cluster: access entry and/or aws-auth row, as the cluster's authentication mode asks for.

use super::aws_auth::{self, Edit};
use super::context::owner_tags;
use super::looked::{Refusal, foreign, looked, looked_for_removal};
use super::propagation::Patience;
use super::shell::map;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{AccessEntryFacts, ClusterFacts, Facts, Probed, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::Kube;
use crate::probe::identity::{aws_auth_ref, entry_of_node_role, read_aws_auth};
use crate::render::{self, RoleMapping};
use crate::shell::quoted;
use crate::spec::{NodeAccess, Spec};
use async_trait::async_trait;
use serde_json::json;
use std::time::Duration;

/// See the module.
pub(super) struct NodeMapping;

#[async_trait]
impl Step for NodeMapping {
    fn id(&self) -> StepId {
        StepId::NodeMapping
    }

    fn title(&self, spec: &Spec) -> String {
        format!("node access of role {}", spec.node_role_name())
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::Stack, StepId::Cluster]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::AccessEntry, Topic::AwsAuth]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        3
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        judge(spec, facts).unwrap_or_else(|state| state)
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        // The role is another tool's and stays, and with it its way into the cluster.
        if spec.made_elsewhere.is_some() {
            return State::NotWanted;
        }
        let (entry, text) = (looked_for_removal(&facts.access_entry, facts), looked_for_removal(&facts.aws_auth, facts));
        let has_row = |text: Option<&str>| aws_auth::see(text, &render::mapped_role(spec)).is_ok_and(|seen| !seen.ours.is_empty());
        if matches!(&entry, Ok(Some(_))) || matches!(&text, Ok(Some(found)) if has_row(found.map_roles.as_deref())) {
            return State::Present;
        }
        // What the authentication mode does not know cannot be read, and holds nothing.
        let cluster = facts.cluster.known();
        match (entry, text) {
            (Err(state), _) if cluster.is_none_or(ClusterFacts::has_access_entries) => state,
            (_, Err(state)) if cluster.is_none_or(ClusterFacts::has_config_map) => state,
            _ => State::Absent,
        }
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let (cluster, region, role) = (&spec.cluster_name, &spec.region, spec.node_role_arn());
        // A cluster that eksctl makes takes both.
        let modes = facts.cluster.known().map_or((true, true), |c| (c.has_access_entries(), c.has_config_map()));
        let (entry, row) = asked_for(spec, modes);
        let mut commands = Vec::new();
        if entry {
            let wrong = facts.access_entry.known().filter(|found| !is_right(spec, found));
            if direction == Direction::Apply && wrong.is_some() {
                commands.push(format!("aws eks delete-access-entry --region {region} --cluster-name {cluster} --principal-arn {role}"));
            }
            commands.push(match direction {
                Direction::Apply => format!(
                    "aws eks create-access-entry --region {region} --cluster-name {cluster} --principal-arn {role} --type {} --tags {}",
                    wrong.map_or(render::access_entry(spec), |found| new_kind(spec, found)),
                    map(&owner_tags(spec))
                ),
                Direction::Remove => {
                    format!("aws eks delete-access-entry --region {region} --cluster-name {cluster} --principal-arn {role}")
                }
            });
        }
        for mapping in render::role_mappings(spec).into_iter().filter(|_| row) {
            let groups = mapping.groups.iter().fold(String::new(), |all, group| all + " --group " + &quoted(group));
            commands.push(match direction {
                Direction::Apply => format!(
                    "eksctl create iamidentitymapping --region {region} --cluster {cluster} --arn {} --username {}{groups}",
                    mapping.rolearn,
                    quoted(&mapping.username)
                ),
                Direction::Remove => {
                    format!("eksctl delete iamidentitymapping --region {region} --cluster {cluster} --arn {}", mapping.rolearn)
                }
            });
        }
        commands
    }

    fn goes_without(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        match facts.access_entry.known().map(|entry| &entry.role_made) {
            Some(Probed::Unavailable(reason)) if direction == Direction::Apply => vec![format!(
                "whether the access entry of {} is older than the role, and lets nobody in, was not looked at: {reason}",
                spec.node_role_arn()
            )],
            _ => Vec::new(),
        }
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        let ways = ways(context.spec, &context.cluster().await?).map_err(Error::from)?;
        if ways.entry {
            apply_entry(context).await?;
        }
        if ways.row {
            let kube = context.kube().await?;
            for mapping in render::role_mappings(context.spec) {
                apply_row(context, kube.as_ref(), &mapping).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let (aws, spec) = (&context.ports.aws, context.spec);
        let (cluster, role) = (spec.cluster_name.as_str(), spec.node_role_arn());
        if context.facts.cluster.known().is_some_and(ClusterFacts::has_access_entries) {
            aws.delete_access_entry(cluster, role.as_str()).await?;
        }
        let kube = context.kube().await?;
        let mapped = render::mapped_role(spec);
        edit_row(context, kube.as_ref(), |text| match aws_auth::see(text, &mapped) {
            Ok(seen) if seen.ours.is_empty() => Ok(None),
            Ok(_) => aws_auth::remove_row(text.unwrap_or_default(), &mapped).map(Some),
            // Nobody is let in by a text that is not YAML, so nothing of ours is in force.
            Err(e) => {
                context.warn(e.to_string());
                Ok(None)
            }
        })
        .await
    }

    fn explain(&self) -> &'static str {
        "Lets the nodes that Karpenter launches into the cluster. Where the cluster's authentication mode has API, by an access entry \
         of type EC2_LINUX; where it has CONFIG_MAP, by a row of the ConfigMap aws-auth; where both, by both. The ConfigMap is edited \
         as text with its resourceVersion: other people's rows stay byte for byte, also those that are malformed, which it tells. An \
         entry of type STANDARD is made anew: its type cannot be changed, and nodes cannot join by it. So is one that is older than the role: \
         EKS lets in by the unique id of the role that there was then, which a role of the same name has not, while a row of aws-auth holds \
         for any role of that name. And so is karpctl's own of EC2_LINUX once \
         Windows nodes are wanted; one of another type, or of somebody else, is left alone and said."
    }
}

/// How the nodes are let in.
struct Ways {
    entry: bool,
    row: bool,
}

/// Access entry, row: what the spec asks for, else what the authentication mode takes.
fn asked_for(spec: &Spec, taken: (bool, bool)) -> (bool, bool) {
    match spec.node_access {
        None => taken,
        Some(NodeAccess::AccessEntry) => (true, false),
        Some(NodeAccess::AwsAuth) => (false, true),
        Some(NodeAccess::Both) => (true, true),
    }
}

/// What the spec asks for, else what the authentication mode asks for. An error where the mode does not allow it.
fn ways(spec: &Spec, cluster: &ClusterFacts) -> Result<Ways, Refusal> {
    let (can_entry, can_row) = (cluster.has_access_entries(), cluster.has_config_map());
    let (entry, row) = asked_for(spec, (can_entry, can_row));
    let (name, region, mode) = (&spec.cluster_name, &spec.region, &cluster.authentication_mode);
    if entry && !can_entry {
        return Err(Refusal::new(format!("the authentication mode {mode} of cluster {name} takes no access entries"))
            .hint("the same command with `--node-access aws-auth` uses what it takes")
            .hint(format!(
                "`aws eks update-cluster-config --region {region} --name {name} --access-config authenticationMode=API_AND_CONFIG_MAP` lets it take both; there is no way back"
            )));
    }
    if row && !can_row {
        return Err(Refusal::new(format!("the authentication mode {mode} of cluster {name} does not look at aws-auth"))
            .hint("the same command with `--node-access access-entry` uses what it takes"));
    }
    Ok(Ways { entry, row })
}

fn judge(spec: &Spec, facts: &Facts) -> Result<State, State> {
    let Some(cluster) = looked(&facts.cluster)? else { return Err(State::Unknown("the cluster is not there yet".into())) };
    let ways = ways(spec, cluster)?;
    let mut changes = Vec::new();
    let mut any = false;
    if ways.entry {
        match looked(&facts.access_entry)? {
            None => changes.push("access entry: not there".to_owned()),
            Some(entry) => {
                any = true;
                if !is_right(spec, entry) {
                    may_go(spec, entry)?;
                    changes.push(change(spec, entry));
                }
            }
        }
    }
    if ways.row {
        let text = looked(&facts.aws_auth)?.and_then(|found| found.map_roles.as_deref());
        for mapping in render::role_mappings(spec) {
            let seen = aws_auth::see(text, &mapping.rolearn)
                .map_err(|e| Refusal::new(e.to_string()).hint("`kubectl --namespace kube-system edit configmap aws-auth` mends it"))?;
            any |= !seen.ours.is_empty();
            if seen.ours.is_empty() {
                changes.push("aws-auth: no row".to_owned());
            } else if !seen.ours.iter().any(|row| covers(row, &mapping)) {
                changes.push("aws-auth: its row has another username or lacks groups".to_owned());
            }
        }
    }
    Ok(match (changes.is_empty(), any) {
        (true, _) => State::Present,
        (false, false) => State::Absent,
        (false, true) => State::Drifted(changes),
    })
}

/// An entry for Windows nodes has all that one for Linux nodes has.
fn lets_in(spec: &Spec, kind: &str) -> bool {
    kind == render::access_entry(spec) || kind == "EC2_WINDOWS"
}

/// Whether nodes of the role are let in by it.
fn is_right(spec: &Spec, entry: &AccessEntryFacts) -> bool {
    lets_in(spec, &entry.kind) && !entry.is_of_earlier_role()
}

/// The type of the entry that takes the place of this one.
fn new_kind<'a>(spec: &Spec, entry: &'a AccessEntryFacts) -> &'a str {
    if lets_in(spec, &entry.kind) { &entry.kind } else { render::access_entry(spec) }
}

/// What becomes of an entry that is not right, and why.
fn change(spec: &Spec, entry: &AccessEntryFacts) -> String {
    if !lets_in(spec, &entry.kind) {
        return format!("access entry: {} -> {}", entry.kind, render::access_entry(spec));
    }
    let role =
        if entry.role_made == Probed::Absent { "a role that is gone" } else { "an earlier role of this name, being older than this one" };
    format!("access entry: of {role}, and EKS lets in by its unique id -> made anew")
}

/// An entry's type cannot be changed. One by which no node is let in is made anew, and so is ours; any other lets in nodes of somebody
/// else's, or for somebody else.
fn may_go(spec: &Spec, entry: &AccessEntryFacts) -> Result<(), State> {
    let (cluster, region, role, kind) = (&spec.cluster_name, &spec.region, spec.node_role_arn(), &entry.kind);
    let wanted = new_kind(spec, entry);
    let what = if lets_in(spec, kind) {
        format!("the access entry of {role} is of an earlier role of that name, and lets in no node of this one")
    } else {
        format!("the access entry of {role} is of type {kind}, and not of type {wanted}")
    };
    let entry_is = format!("--region {region} --cluster-name {cluster} --principal-arn {role}");
    let by_hand = format!(
        "if nobody needs it: `aws eks delete-access-entry {entry_is}`, and at once `aws eks create-access-entry {entry_is} --type {wanted}`"
    );
    match kind.as_str() {
        // By the entry of a role that is gone nobody at all is let in.
        _ if lets_in(spec, kind) && spec.made_elsewhere.is_none() => Ok(()),
        STANDARD if spec.made_elsewhere.is_none() => Ok(()),
        _ if kind == STANDARD || lets_in(spec, kind) => {
            Err(Refusal::new(format!("{what}; its role is another tool's")).hint(by_hand).into())
        }
        LINUX if spec.owns(&entry.tags) => Ok(()),
        LINUX => Err(foreign(
            format!("{what}; somebody else made it, and Linux nodes are let in by it"),
            "it is made anew, and until that is done no node is let in by it",
        )),
        _ => Err(Refusal::new(format!("{what}: it is for nodes of another kind"))
            .hint("leave the entry while such nodes run, and give Karpenter's nodes a role of their own (another cluster name)")
            .hint(by_hand)
            .into()),
    }
}

const STANDARD: &str = "STANDARD";
const LINUX: &str = "EC2_LINUX";

fn covers(row: &RoleMapping, wanted: &RoleMapping) -> bool {
    row.username == wanted.username && wanted.groups.iter().all(|g| row.groups.contains(g))
}

async fn apply_entry(context: &StepContext<'_>) -> Result<()> {
    let (aws, spec) = (&context.ports.aws, context.spec);
    let (cluster, role) = (spec.cluster_name.as_str(), spec.node_role_arn());
    let (mut tags, mut kind) = (context.tags(), render::access_entry(spec).to_owned());
    if let Some(entry) = entry_of_node_role(aws.as_ref(), spec).await? {
        if is_right(spec, &entry) {
            return Ok(());
        }
        match may_go(spec, &entry) {
            Err(State::Foreign { .. }) if context.adopts() => {}
            Err(state) => return Err(state.into_error()),
            Ok(()) => {}
        }
        let why = if lets_in(spec, &entry.kind) { "it is of an earlier role".to_owned() } else { format!("its type is {}", entry.kind) };
        context.doing(format!("making the access entry of {role} anew: {why}"));
        new_kind(spec, &entry).clone_into(&mut kind);
        // What others wrote on it is written on the new one; AWS's own tags nobody may write.
        tags.extend(entry.tags.into_iter().filter(|(key, _)| !key.starts_with("aws:") && !context.tags().contains_key(key)));
        aws.delete_access_entry(cluster, role.as_str()).await?;
    }
    let patience = Patience::new();
    loop {
        match aws.create_access_entry(cluster, role.as_str(), &kind, &tags).await {
            // Our own request, whose answer was lost: the fresh look after the step says whether it is right.
            Err(e) if e.kind == ErrorKind::Conflict => return Ok(()),
            // EKS asks IAM for the role.
            Err(e) if e.to_string().contains("principal") => patience.bear(context, e).await?,
            ended => return ended,
        }
    }
}

/// How often a request is made anew when somebody else is at the same thing.
const TRIES: u32 = 6;

async fn apply_row(context: &StepContext<'_>, kube: &dyn Kube, mapping: &RoleMapping) -> Result<()> {
    edit_row(context, kube, |text| {
        let seen = aws_auth::see(text, &mapping.rolearn)?;
        if seen.ours.iter().any(|row| covers(row, mapping)) {
            seen.malformed.iter().for_each(|line| context.warn(line.clone()));
            return Ok(None);
        }
        let without = match text {
            Some(text) if !seen.ours.is_empty() => Some(aws_auth::remove_row(text, &mapping.rolearn)?.text),
            other => other.map(str::to_owned),
        };
        aws_auth::add_row(without.as_deref(), mapping).map(Some)
    })
    .await
}

/// Reads, edits and writes `mapRoles`; from the start when somebody else wrote in between.
async fn edit_row(
    context: &StepContext<'_>,
    kube: &dyn Kube,
    edit: impl Fn(Option<&str>) -> Result<Option<Edit>> + Send + Sync,
) -> Result<()> {
    let place = aws_auth_ref();
    for _ in 0..TRIES {
        let found = read_aws_auth(kube).await?;
        let Some(edited) = edit(found.as_ref().and_then(|(facts, _)| facts.map_roles.as_deref()))? else { return Ok(()) };
        for line in &edited.malformed {
            context.warn(format!("{line}; it is kept as it is"));
        }
        let written = match found {
            None => {
                let body = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": place.name, "namespace": place.namespace},
                    "data": {"mapRoles": edited.text},
                });
                kube.create(&place, &body).await
            }
            Some((_, mut object)) => {
                object["data"]["mapRoles"] = json!(edited.text);
                kube.replace(&place, &object).await
            }
        };
        match written {
            Ok(_) => return Ok(()),
            Err(e) if e.kind == ErrorKind::Conflict => context.pause(Duration::from_millis(200)).await?,
            Err(e) => return Err(e),
        }
    }
    Err(Error::new(ErrorKind::Conflict, "cannot edit the ConfigMap kube-system/aws-auth: somebody else goes on changing it")
        .hint("run karpctl again; every edit so far was made with the newest resourceVersion, so nothing is lost"))
}
