//! Takes node pools away, and with them the nodes: while the controller runs, and without ever forcing a finalizer.

use super::context::Rests;
use super::{BRIEF, StepContext, undrained};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Probed, Topic};
use crate::ports::{Kube, ObjectKind};
use crate::probe::kinds::{Kinds, cluster_wide, is_of_auto_mode, is_ours, name_of, nodes};
use crate::probe::{ProbeContext, probe};
use crate::spec::ClusterMode;
use crate::wording::named;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// Whether something is to happen before an object goes.
fn is_finalized(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// Deletes the pools, waits until their nodes and instances are gone, then deletes the classes.
pub(super) async fn remove_pools(context: &StepContext<'_>) -> Result<()> {
    let kinds = Kinds::of(context.spec);
    let kube = context.kube().await?;
    let kube = kube.as_ref();
    let (pools, classes) = tokio::join!(kube.list(&kinds.pool, None, None), kube.list(&kinds.class, None, None));
    let mut pools = pools?;
    pools.retain(|pool| !is_of_auto_mode(pool));
    // A run that was broken off may have deleted it already, and its nodes go still.
    let own = context.spec.node_pool.name.to_string();
    let gone = (!pools.iter().any(|pool| name_of(pool) == own)).then_some(own);
    let pools = chosen(context, &kinds, pools, kinds.pool_word)?;
    let classes = chosen(context, &kinds, classes?, kinds.class_word)?;
    remove(context, &pools, &classes, gone).await
}

/// Deletes these pools, waits until their nodes and instances are gone, then deletes these classes.
pub(super) async fn remove_these(context: &StepContext<'_>, pools: &[Value], classes: &[Value]) -> Result<()> {
    remove(context, pools, classes, None).await
}

/// `gone`: a pool that is not there any more, whose nodes and instances are waited for all the same.
async fn remove(context: &StepContext<'_>, pools: &[Value], classes: &[Value], gone: Option<String>) -> Result<()> {
    let kinds = Kinds::of(context.spec);
    let kube = context.kube().await?;
    let kube = kube.as_ref();
    let removal = Removal { context, kinds: &kinds, kube, pools: pools.iter().map(name_of).chain(gone).collect() };
    removal.refuse_without_controller(pools, classes).await?;
    for name in pools.iter().map(name_of) {
        context.doing(format!("deleting {} {name}", kinds.pool_word));
        kube.delete(&cluster_wide(&kinds.pool, &name)).await?;
    }
    removal.wait_for_nodes().await?;
    for class in classes {
        context.doing(format!("deleting {} {}", kinds.class_word, name_of(class)));
        kube.delete(&cluster_wide(&kinds.class, &name_of(class))).await?;
    }
    removal.wait_for_classes(&classes.iter().map(name_of).collect()).await?;
    removal.wait_for_instances().await
}

/// The objects that go: all where the cluster goes too, else ours; and then there must be no others, because the controller goes.
fn chosen(context: &StepContext<'_>, kinds: &Kinds, found: Vec<Value>, word: &str) -> Result<Vec<Value>> {
    if context.spec.cluster == ClusterMode::Managed {
        return Ok(found);
    }
    let own = |object: &Value| is_ours(object) || context.adopts();
    let (ours, others): (Vec<Value>, Vec<Value>) = found.into_iter().partition(own);
    // A node class alone launches nothing.
    if others.is_empty() || word == kinds.class_word {
        return Ok(ours);
    }
    let names: Vec<String> = others.iter().map(name_of).collect();
    Err(Error::refused(format!(
        "cannot take Karpenter away: {word} {} is not karpctl's, and would be left without a controller",
        names.join(", ")
    ))
    .hint(format!(
        "delete it yourself (`kubectl delete {} {}`), which drains and ends its nodes, or give --adopt",
        kinds.pool.plural,
        names.join(" ")
    )))
}

/// Whether the controller is there to drain nodes.
enum Controller {
    Runs,
    /// With what its pods complain of.
    Gone(Vec<String>),
    /// With what kept it from being looked at.
    Unseen(String),
}

struct Removal<'a> {
    context: &'a StepContext<'a>,
    kinds: &'a Kinds,
    kube: &'a dyn Kube,
    pools: BTreeSet<String>,
}

impl Removal<'_> {
    /// Objects with finalizers go only while the controller runs.
    async fn refuse_without_controller(&self, pools: &[Value], classes: &[Value]) -> Result<()> {
        let finalized = |objects: &[Value]| objects.iter().any(is_finalized);
        let mut claims = self.kube.list(&self.kinds.claim, None, None).await?;
        claims.retain(|claim| !is_of_auto_mode(claim));
        if !finalized(pools) && !finalized(classes) && !finalized(&claims) {
            return Ok(());
        }
        match self.controller().await {
            Controller::Runs => Ok(()),
            Controller::Gone(said) => {
                let error = if claims.is_empty() && self.of_pools(&nodes()).await?.is_empty() {
                    self.finalized_alone().await
                } else {
                    self.stuck("the controller does not run, so nobody would drain the nodes and take the finalizers off").await
                };
                Err(said.iter().fold(error, Error::because))
            }
            Controller::Unseen(reason) => {
                Err(self.failed().because("whether the controller runs, which drains their nodes, could not be seen").because(reason))
            }
        }
    }

    async fn controller(&self) -> Controller {
        let mut facts = Facts { cluster: self.context.facts.cluster.clone(), ..Facts::default() };
        let probing = ProbeContext { spec: self.context.spec, ports: self.context.ports, kubeconfig: self.context.kubeconfig };
        probe(&probing, &BTreeSet::from([Topic::Controller]), &mut facts).await;
        match facts.controller {
            Probed::Known(controller) if controller.ready > 0 => Controller::Runs,
            Probed::Known(controller) => Controller::Gone(controller.complaints),
            Probed::Unavailable(reason) => Controller::Unseen(reason),
            Probed::Absent | Probed::NotAsked => Controller::Gone(Vec::new()),
        }
    }

    /// The failure of a wait that is over.
    async fn timed_out(&self, left: &str) -> Error {
        let left = format!("still there: {left}");
        let error = match self.controller().await {
            Controller::Runs => undrained::held(self.context, self.kube, self.kinds.pool_label).await.because(left),
            Controller::Gone(said) => said.iter().fold(self.stuck(&left).await, Error::because),
            Controller::Unseen(reason) => self.stuck(&left).await.because(reason),
        };
        Error { kind: ErrorKind::Timeout, ..error }
    }

    /// The shell that takes finalizers off whatever has any, a line for each kind.
    async fn without_finalizers(&self) -> Vec<String> {
        let node = nodes();
        let kinds = [(&self.kinds.claim, None), (&node, Some(self.kinds.pool_label)), (&self.kinds.pool, None), (&self.kinds.class, None)];
        let mut lines = Vec::new();
        for (kind, selector) in kinds {
            let found = self.kube.list(kind, None, selector).await.unwrap_or_default();
            let names: Vec<String> = found.iter().filter(|o| is_finalized(o) && !is_of_auto_mode(o)).map(name_of).collect();
            if !names.is_empty() {
                lines.push(format!(
                    "for name in {}; do kubectl patch {} \"$name\" --type merge --patch '{{\"metadata\":{{\"finalizers\":null}}}}'; done",
                    names.join(" "),
                    kind.plural
                ));
            }
        }
        lines
    }

    fn failed(&self) -> Error {
        Error::failed(format!("cannot remove the node pools of cluster {}", self.context.spec.cluster_name))
    }

    /// The refusal where no node is left: nothing speaks against taking the finalizers off by hand.
    async fn finalized_alone(&self) -> Error {
        let lines = self.without_finalizers().await.iter().map(|line| format!("`{line}`")).collect::<Vec<_>>().join(", ");
        self.failed()
            .because("the controller does not run, so nobody would take the finalizers off")
            .hint(format!(
                "no node of theirs is left for it to drain, so take the finalizers off, which karpctl never does by itself, and run this again: {lines}"
            ))
            .hint(self.back_again())
    }

    fn back_again(&self) -> String {
        let (cluster, region) = (&self.context.spec.cluster_name, &self.context.spec.region);
        format!("bring the controller back: `karpctl install --cluster-name {cluster} --region {region}`, then run this again")
    }

    async fn stuck(&self, why: &str) -> Error {
        let error = self.failed().because(why).hint(self.back_again());
        let lines = self.without_finalizers().await;
        if lines.is_empty() {
            return error;
        }
        error.hint(format!(
            "or, if its nodes may go without being drained, end their instances yourself and then take the finalizers off, which karpctl never does \
             by itself: {}",
            lines.iter().map(|line| format!("`{line}`")).collect::<Vec<_>>().join(", ")
        ))
    }

    /// The names of those of a kind that belong to the pools that go.
    async fn of_pools(&self, kind: &ObjectKind) -> Result<Vec<String>> {
        let found = self.kube.list(kind, None, Some(self.kinds.pool_label)).await?;
        let belongs = |o: &Value| o["metadata"]["labels"][self.kinds.pool_label].as_str().is_some_and(|p| self.pools.contains(p));
        let all = self.context.spec.cluster == ClusterMode::Managed;
        Ok(found.iter().filter(|o| (all || belongs(o)) && !is_of_auto_mode(o)).map(name_of).collect())
    }

    async fn wait_for_nodes(&self) -> Result<()> {
        let (node_kind, pool_kind) = (nodes(), &self.kinds.pool);
        let mut waiter = Waiter::new(self.context);
        loop {
            let (claims, nodes, pools) =
                tokio::join!(self.of_pools(&self.kinds.claim), self.of_pools(&node_kind), self.kube.list(pool_kind, None, None));
            let pools: Vec<String> = pools?.iter().map(name_of).filter(|n| self.pools.contains(n)).collect();
            let left = [(self.kinds.claim_word, claims?), ("node", nodes?), (self.kinds.pool_word, pools)];
            let Some(left) = told(&left) else { return Ok(()) };
            if !waiter.again(&left).await? {
                return Err(self.timed_out(&left).await);
            }
        }
    }

    async fn wait_for_classes(&self, gone: &BTreeSet<String>) -> Result<()> {
        let mut waiter = Waiter::new(self.context);
        loop {
            let found = self.kube.list(&self.kinds.class, None, None).await?;
            let left: Vec<String> = found.iter().map(name_of).filter(|n| gone.contains(n)).collect();
            let Some(left) = told(&[(self.kinds.class_word, left)]) else { return Ok(()) };
            if !waiter.again(&left).await? {
                return Err(self.timed_out(&left).await);
            }
        }
    }

    /// The instances end a little after their nodes are gone. One that stays belongs to nobody any more.
    async fn wait_for_instances(&self) -> Result<()> {
        let spec = self.context.spec;
        let (cluster, owned) = (&spec.cluster_name, (spec.cluster_tag(), "owned".to_owned()));
        let mut waiter = Waiter::new(self.context);
        loop {
            let mut left = Vec::new();
            let values: Vec<String> =
                if self.context.spec.cluster == ClusterMode::Managed { vec![String::new()] } else { self.pools.iter().cloned().collect() };
            for value in values {
                let tags = [owned.clone(), (self.kinds.pool_label.to_owned(), value)];
                let found = self.context.ports.aws.instances(&tags).await?;
                left.extend(found.into_iter().filter(|instance| !instance.of_auto_mode).map(|instance| instance.id));
            }
            let Some(text) = told(&[("instance", left.clone())]) else { return Ok(()) };
            if !waiter.again(&text).await? {
                let region = &self.context.spec.region;
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("instances that Karpenter launched for cluster {cluster} are still there"),
                )
                .because(text)
                .hint(format!(
                    "no node claim names them any more: `aws ec2 terminate-instances --region {region} --instance-ids {}`",
                    left.join(" ")
                )));
            }
        }
    }
}

/// Waits in small steps, and says what for whenever that changes. Time runs from the last change.
struct Waiter<'a> {
    context: &'a StepContext<'a>,
    said: String,
    since: Instant,
    rests: Rests,
}

impl<'a> Waiter<'a> {
    fn new(context: &'a StepContext<'a>) -> Self {
        Self { context, said: String::new(), since: Instant::now(), rests: Rests::up_to(BRIEF) }
    }

    /// `false`: nothing has changed for as long as the person gives it.
    async fn again(&mut self, left: &str) -> Result<bool> {
        if left != self.said {
            self.context.doing(format!("waiting until they are gone: {left}"));
            left.clone_into(&mut self.said);
            self.since = Instant::now();
        } else if self.since.elapsed() >= self.context.timeout {
            return Ok(false);
        }
        self.context.pause(self.rests.next()).await?;
        Ok(true)
    }
}

/// The most names that are told of a kind.
const NAMES: usize = 5;

/// What is left, in words; `None` for nothing.
fn told(left: &[(&str, Vec<String>)]) -> Option<String> {
    let parts: Vec<String> = left
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| {
            format!(
                "{} {word}{} ({})",
                names.len(),
                match names.len() {
                    1 => "",
                    _ if word.ends_with('s') => "es",
                    _ => "s",
                },
                named(names, NAMES)
            )
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
