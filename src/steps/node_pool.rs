//! The node pool and its node class.

use super::compare::differences;
use super::context::Rests;
use super::helm_release::of_somebody_else;
use super::looked::{drifted_or_present, foreign, looked, looked_for_removal};
use super::node_pool_kept::keep;
use super::node_pool_removal::remove_pools;
use super::shell::render_command;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, KarpenterNodes, Probed, Topic};
use crate::knowledge::COMPUTE_TYPE_LABEL;
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::{Force, Kube, ObjectKind, ObjectRef};
use crate::probe::kinds::{Kinds, MANAGER, is_ours};
use crate::probe::node_pool::ami_alias;
use crate::render;
use crate::shell::quoted;
use crate::spec::{CapacityType, ClusterMode, Spec};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::time::Duration;

/// See the module.
pub(super) struct NodePool;

#[async_trait]
impl Step for NodePool {
    fn id(&self) -> StepId {
        StepId::NodePool
    }

    fn title(&self, spec: &Spec) -> String {
        let kinds = Kinds::of(spec);
        format!("{} and {} {}", kinds.pool_word, kinds.class_word, spec.node_pool.name)
    }

    fn needs(&self, spec: &Spec) -> Vec<StepId> {
        // The chart comes before, so that on the way back the controller is still there to drain what it launched.
        // A controller that is being restarted may not answer for its webhooks.
        let mut needs = vec![StepId::Stack, StepId::Cluster, StepId::NodeMapping, StepId::Chart, StepId::EarlierIdentity];
        needs.extend(spec.buys(CapacityType::Spot).then_some(StepId::SpotRole));
        if spec.cluster == ClusterMode::Existing {
            needs.push(StepId::DiscoveryTags);
        }
        needs
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::NodePool, Topic::Ami]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[Topic::NodePool, Topic::Nodes, Topic::Chart, Topic::Controller, Topic::Association, Topic::StackStatus, Topic::ControllerRole]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        3
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.node_pool.keep {
            return State::NotWanted;
        }
        judge(spec, facts).unwrap_or_else(|state| state)
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        let objects = || [&facts.node_pool, &facts.node_class].into_iter().filter_map(Probed::known);
        let own = objects().next().is_some();
        // Its pools are its own, however they are called.
        if let Some(refusal) = of_somebody_else(spec, facts).filter(|_| !objects().any(is_ours)) {
            return if own { refusal.into() } else { State::Absent };
        }
        if goes_with_the_cluster(spec, facts) {
            return State::Absent;
        }
        let launched = match looked_for_removal(&facts.karpenter_nodes, facts) {
            Ok(found) => found.is_some_and(|f| *f != KarpenterNodes::default()),
            Err(state) if !own => return state,
            Err(_) => false,
        };
        // In somebody else's cluster, other pools concern us only if our controller is the one that serves them.
        let concerns = spec.cluster == ClusterMode::Managed || facts.chart_release.known().is_some();
        if own || launched && concerns { State::Present } else { State::Absent }
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let auto_mode = facts.cluster.known().is_some_and(|cluster| cluster.auto_mode);
        let kinds = Kinds::of(spec);
        let name = &spec.node_pool.name;
        match direction {
            Direction::Apply => {
                let wanted = wanted(spec, facts).ok();
                let class = wanted.as_ref().map(|[class, _]| class).filter(|_| spec.node_pool.ami_alias.is_none());
                let alias = class.and_then(ami_alias).filter(|alias| *alias != format!("{}@latest", render::ami_family(spec)));
                let mut what = alias.map_or_else(|| "node-pool".to_owned(), |alias| format!("node-pool --ami-alias {alias}"));
                let mut commands = Vec::new();
                let of_release = of_release(spec, facts).ok();
                if wanted.as_ref().zip(of_release.as_ref()).is_some_and(|([_, pool], [_, guides])| pool != guides) {
                    let (pool, class) = (full(&kinds.pool), full(&kinds.class));
                    commands.push(format!("kubectl get {pool}/{name} {class}/{name} --output json > deployed.json"));
                    what += " --deployed deployed.json";
                }
                commands.push(render_command(spec, &what, "node-pool.yaml"));
                commands.push(format!("kubectl apply --server-side --field-manager {MANAGER} --filename node-pool.yaml"));
                commands
            }
            Direction::Remove => {
                let label = kinds.pool_label;
                // Somebody else's pools stay: only where the cluster goes, all go, but for EKS Auto Mode's.
                let (pools, nodes, classes) = match spec.cluster {
                    ClusterMode::Managed if auto_mode => (pools_by_name(spec, facts), without_auto_mode(label), "--all".to_owned()),
                    ClusterMode::Managed => ("--all".to_owned(), label.to_owned(), "--all".to_owned()),
                    ClusterMode::Existing => {
                        let found = facts.karpenter_nodes.known();
                        let own = |ours: Option<&Vec<String>>| {
                            ours.filter(|names| !names.is_empty()).map_or_else(|| vec![name.to_string()], Clone::clone)
                        };
                        let (pools, classes) = (own(found.map(|f| &f.our_pools)), own(found.map(|f| &f.our_classes)));
                        let nodes = match &pools[..] {
                            [pool] => format!("{label}={pool}"),
                            _ => quoted(&format!("{label} in ({})", pools.join(","))),
                        };
                        (pools.join(" "), nodes, classes.join(" "))
                    }
                };
                vec![
                    format!("kubectl delete {} {pools}", full(&kinds.pool)),
                    format!("kubectl wait --for=delete nodes --selector {nodes} --timeout 15m"),
                    format!("kubectl delete {} {classes}", full(&kinds.class)),
                ]
            }
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let kinds = Kinds::of(context.spec);
        let kube = context.kube().await?;
        let [class, pool] = wanted(context.spec, context.facts)?;
        if let (Probed::Unavailable(why), None) = (&context.facts.ami_version, ami_version(context.spec, context.facts)) {
            context.warn(format!(
                "the {} follows the newest image, since the version that AWS recommends cannot be read: {why}",
                kinds.class_word
            ));
        }
        for (place, word, body) in
            [(kinds.class_ref(context.spec), kinds.class_word, class), (kinds.pool_ref(context.spec), kinds.pool_word, pool)]
        {
            context.doing(format!("applying {word} {}", place.name));
            put(context, kube.as_ref(), &place, &body, action).await?;
        }
        Ok(())
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        remove_pools(context).await
    }

    fn explain(&self) -> &'static str {
        "Applies the node class and the node pool of the release's guide by server-side apply as the field manager karpctl: fields that \
         other managers set stay theirs. The AMI alias is pinned to the version that AWS recommends on the day it is first applied, \
         and kept afterwards unless the spec names another; so are capacity types and architectures, where a newer release's guide has \
         others. After a migration `bootstrap` makes none, as the migration did not: a pool for everything would take the pods of all others; `karpctl node-pool` \
         makes it. Objects of that name that karpctl did not apply are refused until \
         --adopt. On the way back the pools go first, while the controller runs: it drains and ends their nodes, which is waited \
         for. Finalizers are never removed by force."
    }
}

/// Whether nothing but the cluster's end takes the objects away, and nothing speaks against it: nobody is there who would take their finalizers off, and
/// no node that would have to be drained.
fn goes_with_the_cluster(spec: &Spec, facts: &Facts) -> bool {
    let none_launched = facts.karpenter_nodes.known().is_some_and(|found| found.claims.is_empty() && found.nodes.is_empty());
    spec.cluster == ClusterMode::Managed && facts.controller == Probed::Absent && none_launched
}

/// The shell that deletes both and waits until the controller has ended their nodes.
pub(super) fn deletion(spec: &Spec) -> String {
    let (kinds, name) = (Kinds::of(spec), &spec.node_pool.name);
    format!("kubectl delete {} {name} && kubectl delete {} {name}", full(&kinds.pool), full(&kinds.class))
}

/// The names of all of Karpenter's pools; that of the spec's own where they could not be read.
fn pools_by_name(spec: &Spec, facts: &Facts) -> String {
    let pools = facts.karpenter_nodes.known().map(|found| found.pools.join(" "));
    pools.filter(|names| !names.is_empty()).unwrap_or_else(|| spec.node_pool.name.to_string())
}

/// The selector of nodes that a pool made which is not EKS Auto Mode's.
fn without_auto_mode(label: &str) -> String {
    quoted(&format!("{label},{COMPUTE_TYPE_LABEL}!=auto"))
}

/// What kubectl takes for a kind.
fn full(kind: &ObjectKind) -> String {
    format!("{}.{}", kind.plural, kind.api_version.split('/').next().unwrap_or_default())
}

/// The node class and the node pool as they should be.
fn wanted(spec: &Spec, facts: &Facts) -> Result<[Value; 2]> {
    let mut objects = of_release(spec, facts)?;
    keep(spec, &mut objects, facts.node_class.known(), facts.node_pool.known());
    Ok(objects)
}

/// The same where a node class and a node pool are there, as a list of kubectl's has them.
pub(crate) fn over(spec: &Spec, list: &Value) -> Result<Value> {
    let kinds = Kinds::of(spec);
    let of = |word: &str| list["items"].as_array().into_iter().flatten().find(|object| object["kind"] == word);
    let mut objects = of_release(spec, &Facts::default())?;
    keep(spec, &mut objects, of(kinds.class_word), of(kinds.pool_word));
    Ok(json!({ "apiVersion": "v1", "kind": "List", "items": objects }))
}

/// The node class and the node pool of the release.
fn of_release(spec: &Spec, facts: &Facts) -> Result<[Value; 2]> {
    let objects = render::node_pool(spec, ami_version(spec, facts).as_deref())?;
    <[Value; 2]>::try_from(objects).map_err(|_| Error::failed("cannot render the node pool: it is not one node class and one node pool"))
}

/// The version behind the alias: the one that the node class has already, else the one that AWS recommends. A newer
/// recommendation is no drift: it would replace every node whenever AWS publishes an image.
fn ami_version(spec: &Spec, facts: &Facts) -> Option<String> {
    let family = render::ami_family(spec);
    let alias = facts.node_class.known().and_then(ami_alias).and_then(|alias| alias.split_once('@'));
    let kept = alias.filter(|(of, _)| *of == family).map(|(_, version)| version.to_owned());
    kept.or_else(|| facts.ami_version.known().cloned())
}

fn judge(spec: &Spec, facts: &Facts) -> Result<State, State> {
    let kinds = Kinds::of(spec);
    let name = spec.node_pool.name.as_str();
    let found = [(kinds.class_word, looked(&facts.node_class)?), (kinds.pool_word, looked(&facts.node_pool)?)];
    if found.iter().all(|(_, object)| object.is_none()) {
        return Ok(State::Absent);
    }
    for (word, object) in &found {
        let Some(object) = object else { continue };
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return Err(State::Busy(format!("{word} {name} is being deleted")));
        }
        if !is_ours(object) {
            return Err(foreign(
                format!("{word} {name} is there and karpctl did not apply it"),
                "the fields that the spec names become karpctl's",
            ));
        }
    }
    changes(spec, facts).map(drifted_or_present).map_err(|e| State::Unknown(e.to_string()))
}

/// In what the node class and the node pool that are there are not as the spec says, a line each, whoever applied them.
pub(crate) fn changes(spec: &Spec, facts: &Facts) -> Result<Vec<String>> {
    let kinds = Kinds::of(spec);
    let found = [(kinds.class_word, &facts.node_class), (kinds.pool_word, &facts.node_pool)];
    let mut changes = Vec::new();
    for ((word, object), wanted) in found.into_iter().zip(wanted(spec, facts)?) {
        match object.known() {
            None => changes.push(format!("{word} {}: not there", spec.node_pool.name)),
            Some(object) => changes.extend(differences(&wanted["spec"], &object["spec"]).into_iter().map(|line| format!("{word} {line}"))),
        }
    }
    Ok(changes)
}

/// How long CRDs and webhooks that have just come may take to answer.
const SETTLES: Duration = Duration::from_secs(90);

pub(super) async fn put(context: &StepContext<'_>, kube: &dyn Kube, place: &ObjectRef, body: &Value, action: Action) -> Result<()> {
    let adopt = action == Action::Adopt || context.adopts();
    let deadline = tokio::time::Instant::now() + SETTLES.max(context.timeout);
    let settled = tokio::time::Instant::now() + SETTLES;
    let mut rests = Rests::up_to(super::BRIEF);
    loop {
        let now = tokio::time::Instant::now();
        match kube.get(place).await? {
            Some(found) if !found["metadata"]["deletionTimestamp"].is_null() => {
                if now >= deadline {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        format!("{} {} is being deleted and does not go", place.kind.plural, place.name),
                    ));
                }
                context.doing(format!("waiting until the old {} {} is gone", place.kind.plural, place.name));
            }
            found => {
                let ours = found.as_ref().map(is_ours);
                if ours == Some(false) && !adopt {
                    return Err(Error::refused(format!("{} {} is there and karpctl did not apply it", place.kind.plural, place.name)));
                }
                let force = if ours.is_some() { Force::Yes } else { Force::No };
                match kube.apply(place, body, force).await {
                    Ok(_) => return Ok(()),
                    Err(e) if now < settled && settles(&e) => {
                        context.doing(format!("waiting until the API server takes {}", place.kind.plural));
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        context.pause(rests.next()).await?;
    }
}

/// Whether an error is of a CRD that is not served yet, or of a webhook whose pod is not up yet.
fn settles(error: &Error) -> bool {
    error.kind == ErrorKind::NotFound || error.to_string().contains("failed calling webhook")
}
