//! A world in memory behind the ports: AWS, an API server with a Karpenter that does its work, helm and eksctl. It begins with an
//! account that has a network and nothing else; a test changes one thing, and may make a call fail or lose its answer.

mod account;
pub(crate) mod aws;
pub(crate) mod fleet;
mod iam;
pub(crate) mod inside;
mod karpenter;
mod kube;
mod quotas;
mod select;
mod tools;

use async_trait::async_trait;
use karpctl::error::{Error, ErrorKind, Result};
use karpctl::facts::{
    AccessEntryFacts, AddonFacts, AssociationFacts, ClusterFacts, Denial, Facts, FargateProfileFacts, FargateSelectors, KeyFacts,
    NodeGroupShape, OidcFacts, RoleFacts, RoleTies, RouteTableFacts, StackFacts, SubnetFacts, Topic,
};
use karpctl::plan::{Action, Progress, State, StepId};
use karpctl::ports::{
    ClusterAccess, InstanceProfile, Kube, KubeConnector, NamedServer, ObjectKind, ObjectRef, Ports, StackEvent, Tags, Trial,
};
use karpctl::probe::{ProbeContext, probe};
use karpctl::spec::Spec;
use karpctl::steps::{Ownership, Step, StepContext, all};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What goes wrong with a call.
pub(crate) enum Fault {
    /// It fails, and nothing was done.
    Before(Error),
    /// It is done, and its answer is lost.
    After(Error),
}

/// A stack, and the states that it goes through as it is looked at.
#[derive(Clone)]
pub(crate) struct FakeStack {
    pub(crate) facts: StackFacts,
    pub(crate) events: Vec<StackEvent>,
    pub(crate) next: VecDeque<String>,
}

/// What there is. Tests change it between calls.
#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) stacks: BTreeMap<String, FakeStack>,
    pub(crate) cluster: Option<ClusterFacts>,
    pub(crate) fargate_profile: Option<FargateProfileFacts>,
    /// What the profiles take of a cluster that somebody made.
    pub(crate) fargate_selectors: Vec<FargateSelectors>,
    pub(crate) entries: BTreeMap<String, AccessEntryFacts>,
    /// When the node role was made, in seconds since 1970; `None`: it is not there.
    pub(crate) node_role_made: Option<i64>,
    pub(crate) association: Option<AssociationFacts>,
    /// That of the network add-on's service account.
    pub(crate) network_association: Option<AssociationFacts>,
    /// Service accounts of others that have one, `namespace/name`.
    pub(crate) other_accounts: Vec<String>,
    pub(crate) addons: BTreeMap<String, AddonFacts>,
    pub(crate) roles: BTreeMap<String, RoleFacts>,
    pub(crate) role_policies: BTreeMap<String, karpctl::facts::RolePolicies>,
    /// The role whose policies may not be read.
    pub(crate) closed_role: Option<&'static str>,
    pub(crate) role_ties: BTreeMap<String, RoleTies>,
    /// Managed policies by ARN, with how often each is attached.
    pub(crate) managed_policies: BTreeMap<String, u32>,
    pub(crate) oidc: BTreeMap<String, OidcFacts>,
    pub(crate) profiles: Vec<InstanceProfile>,
    pub(crate) profile_tags: BTreeMap<String, Tags>,
    /// Network interfaces that nothing uses.
    pub(crate) interfaces: BTreeMap<String, Tags>,
    /// EBS volumes that nothing uses.
    pub(crate) volumes: BTreeMap<String, Tags>,
    pub(crate) subnets: Vec<SubnetFacts>,
    pub(crate) route_tables: Vec<RouteTableFacts>,
    /// The ids of the subnets that the node groups run in.
    pub(crate) node_group_subnets: Vec<String>,
    /// The ids of the security groups that the node groups' launch template names.
    pub(crate) node_group_security_groups: Vec<String>,
    /// Whether the VPC has DNS hostnames.
    pub(crate) dns_hostnames: bool,
    pub(crate) security_groups: BTreeMap<String, Tags>,
    pub(crate) launch_templates: BTreeMap<String, Tags>,
    pub(crate) instances: BTreeMap<String, Tags>,
    pub(crate) ami_name: Option<String>,
    /// Parts of the names of AMI parameters that are not there.
    pub(crate) no_images: Vec<String>,
    /// KMS keys, by what they are asked for with.
    pub(crate) keys: BTreeMap<String, KeyFacts>,
    /// The account's default key of EBS volumes.
    pub(crate) default_volume_key: Option<String>,
    /// The key that the interruption queue is encrypted with.
    pub(crate) queue_key: Option<String>,
    /// The queues that no stack of karpctl's made.
    pub(crate) other_queues: BTreeSet<String>,
    /// What no policy allows.
    pub(crate) denied: Vec<Denial>,
    pub(crate) objects: BTreeMap<ObjectRef, Value>,
    pub(crate) node_groups: Vec<NodeGroupShape>,
    /// The pods (`namespace/name`) whose eviction a disruption budget refuses, and how often yet.
    pub(crate) held: BTreeMap<String, u32>,
    /// The node groups that get no more nodes.
    pub(crate) no_capacity: Vec<String>,
    /// Why evicted pods do not start where they come anew.
    pub(crate) moved_pods_break: Option<&'static str>,
    pub(crate) version: u64,
    /// How many stacks were made so far: each has an id of its own.
    pub(crate) stacks_made: u32,
    /// Whether a Karpenter controller does its work in the cluster.
    pub(crate) karpenter: bool,
    /// How many restarts of the controller come before its association works.
    pub(crate) too_early: u32,
    /// Whether the pods find room on nodes that are there.
    pub(crate) room: bool,
    /// The claim condition that Karpenter does not get to, and what it says.
    pub(crate) stuck: Option<(&'static str, &'static str)>,
    /// The reason for which the next stack fails.
    pub(crate) stack_fails: Option<&'static str>,
    /// What the API server says in a dry run of an object of this kind, by its plural, or by that and how it names its image: `pods by tag`.
    pub(crate) refusals: BTreeMap<&'static str, Trial>,
    /// How far the next eksctl gets: it fails after `stack`, `cluster` or `node group`.
    pub(crate) eksctl_breaks: Option<&'static str>,
    /// How long each call takes.
    pub(crate) each_call: Duration,
    calls: Vec<String>,
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
}

/// A world in memory.
pub(crate) struct FakeWorld {
    pub(crate) spec: Spec,
    inside: Mutex<Inside>,
}

impl FakeWorld {
    /// An account with a network and nothing else.
    pub(crate) fn empty(spec: Spec) -> Arc<Self> {
        let inside = Inside { karpenter: true, node_role_made: Some(aws::MADE_AT), ..account::account() };
        let world = Arc::new(Self { spec, inside: Mutex::new(inside) });
        let system = ObjectRef { kind: ObjectKind::new("v1", "namespaces"), namespace: None, name: "kube-system".into() };
        world.put(&system, serde_json::json!({"metadata": {}}));
        world
    }

    /// An account with a cluster that somebody else made.
    pub(crate) fn with_cluster(spec: Spec) -> Arc<Self> {
        let world = Self::empty(spec);
        let cluster = world.active_cluster(Tags::new());
        world.inside().cluster = Some(cluster);
        world
    }

    /// What there is.
    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// Makes the next call of this method go wrong; that of `list deployments` only one for these, before anything is done.
    pub(crate) fn fail(&self, method: &'static str, fault: Fault) {
        self.inside().faults.entry(method).or_default().push_back(fault);
    }

    /// The calls so far that change something, each as `method what`.
    pub(crate) fn changes(&self) -> Vec<String> {
        let reads = ["get ", "list ", "describe ", "connect "];
        self.inside().calls.iter().filter(|c| !reads.iter().any(|r| c.starts_with(r))).cloned().collect()
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.inside().calls.clone()
    }

    /// The calls so far that only look.
    pub(crate) fn looks(&self) -> Vec<String> {
        let changes = self.changes();
        self.inside().calls.iter().filter(|c| !changes.contains(c)).cloned().collect()
    }

    /// How many calls there were.
    pub(crate) fn count(&self) -> usize {
        self.inside().calls.len()
    }

    /// Forgets the calls so far.
    pub(crate) fn forget_calls(&self) {
        self.inside().calls.clear();
    }

    /// The ports, all to this world.
    pub(crate) fn ports(self: &Arc<Self>) -> Ports {
        Ports { aws: self.clone(), kube: Arc::new(Connector(self.clone())), helm: self.clone(), eksctl: self.clone() }
    }

    /// Every call takes as long as the world says.
    async fn pause(&self) {
        let each = self.inside().each_call;
        if !each.is_zero() {
            tokio::time::sleep(each).await;
        }
    }

    async fn begin(&self, method: &'static str, what: impl AsRef<str>) -> Result<()> {
        self.pause().await;
        let mut inside = self.inside();
        let call = format!("{method} {}", what.as_ref());
        let at = if inside.faults.contains_key(call.as_str()) { call.as_str() } else { method };
        let fault = inside.faults.get_mut(at).and_then(|f| if matches!(f.front(), Some(Fault::Before(_))) { f.pop_front() } else { None });
        inside.calls.push(call);
        match fault {
            Some(Fault::Before(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn end(&self, method: &'static str) -> Result<()> {
        match self.inside().faults.get_mut(method).and_then(VecDeque::pop_front) {
            Some(Fault::After(error) | Fault::Before(error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Probes these topics, as the engine does.
    pub(crate) async fn facts(self: &Arc<Self>, topics: &[Topic]) -> Facts {
        let mut topics: BTreeSet<Topic> = topics.iter().copied().collect();
        topics.insert(Topic::Cluster);
        let ports = self.ports();
        let mut facts = Facts::default();
        probe(&ProbeContext { spec: &self.spec, ports: &ports, kubeconfig: None }, &topics, &mut facts).await;
        facts
    }

    /// How a step's object stands.
    pub(crate) async fn assess(self: &Arc<Self>, id: StepId) -> State {
        let step = step(id);
        step.assess(&self.spec, &self.facts(step.reads()).await)
    }

    /// Applies a step as the engine does, whatever its state; returns what it said.
    pub(crate) async fn apply(self: &Arc<Self>, id: StepId, ownership: Ownership) -> (Result<()>, Vec<String>) {
        let step = step(id);
        let facts = self.facts(step.reads()).await;
        let action = match step.assess(&self.spec, &facts) {
            State::Drifted(_) => Action::Update,
            State::Busy(_) => Action::Wait,
            State::Broken(_) => Action::Replace,
            State::Foreign { .. } => Action::Adopt,
            _ => Action::Create,
        };
        // A refusal is the engine's before it is the step's.
        let action = if ownership == Ownership::OursOnly && action == Action::Adopt { Action::Create } else { action };
        let said = Mutex::new(Vec::new());
        let result = self.with_context(&facts, ownership, &said, move |context| {
            Box::pin(async move { crate::fake::step(id).apply(context, action).await })
        });
        let result = result.await;
        (result, said.into_inner().unwrap())
    }

    /// Applies a step and checks that it is then present.
    pub(crate) async fn apply_ok(self: &Arc<Self>, id: StepId) {
        let (result, said) = self.apply(id, Ownership::OursOnly).await;
        assert_eq!(result, Ok(()), "{id} said {said:#?}");
        let state = self.assess(id).await;
        assert!(matches!(state, State::Present | State::NotWanted), "{id} after apply: {state:?}");
    }

    /// Removes a step's object; returns what it said.
    pub(crate) async fn remove(self: &Arc<Self>, id: StepId) -> (Result<()>, Vec<String>) {
        let step = step(id);
        let facts = self.facts(step.reads_on_removal()).await;
        let said = Mutex::new(Vec::new());
        let result = self.with_context(&facts, Ownership::OursOnly, &said, move |context| {
            Box::pin(async move { crate::fake::step(id).remove(context).await })
        });
        let result = result.await;
        (result, said.into_inner().unwrap())
    }

    /// How a step's object stands for the way back.
    pub(crate) async fn assess_removal(self: &Arc<Self>, id: StepId) -> State {
        let step = step(id);
        step.assess_removal(&self.spec, &self.facts(step.reads_on_removal()).await)
    }

    /// Runs something with a context, ten minutes of patience and a record of what is said.
    pub(crate) async fn with_context<T>(
        self: &Arc<Self>,
        facts: &Facts,
        ownership: Ownership,
        said: &Mutex<Vec<String>>,
        act: impl for<'c> FnOnce(&'c StepContext<'c>) -> std::pin::Pin<Box<dyn Future<Output = T> + Send + 'c>>,
    ) -> T {
        let (ports, cancel) = (self.ports(), CancellationToken::new());
        let say = |progress: Progress| {
            said.lock().unwrap().push(match progress {
                Progress::Doing { message } => message,
                Progress::Warning { message } => format!("warning: {message}"),
                Progress::Stage { message, .. } => format!("waiting until {message}"),
                Progress::Foreign { source, line } => format!("{source}: {line}"),
            });
        };
        let context = StepContext {
            spec: &self.spec,
            facts,
            ports: &ports,
            say: &say,
            cancel: &cancel,
            ownership,
            kubeconfig: None,
            timeout: Duration::from_mins(10),
        };
        act(&context).await
    }

    /// Applies every step in order: a whole bootstrap.
    pub(crate) async fn bootstrapped(spec: Spec) -> Arc<Self> {
        let world = if spec.cluster == karpctl::spec::ClusterMode::Existing { Self::with_cluster(spec) } else { Self::empty(spec) };
        for id in StepId::ALL {
            if world.assess(id).await != State::NotWanted {
                world.apply_ok(id).await;
            }
        }
        world.forget_calls();
        world
    }
}

/// A step by its id.
pub(crate) fn step(id: StepId) -> Box<dyn Step> {
    all().into_iter().find(|s| s.id() == id).unwrap()
}

/// An error of a kind.
pub(crate) fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "the test says so")
}

/// The state's text, whatever it is, for a look at its words.
pub(crate) fn words(state: &State) -> String {
    match state {
        State::Drifted(changes) => changes.join("\n"),
        State::Foreign { why, adopt } => format!("{why}\n{adopt}"),
        State::Blocked { why, hints } => format!("{why}\n{}", hints.join("\n")),
        State::Busy(what) | State::Broken(what) | State::Unknown(what) => what.clone(),
        State::Absent | State::Present | State::NotWanted => String::new(),
    }
}

struct Connector(Arc<FakeWorld>);

#[async_trait]
impl KubeConnector for Connector {
    async fn connect(&self, _: &ClusterAccess) -> Result<Arc<dyn Kube>> {
        self.0.begin("connect", "").await?;
        Ok(self.0.clone())
    }

    fn named_server(&self, _: &ClusterAccess) -> Result<NamedServer> {
        Ok(NamedServer { server: "https://127.0.0.1:1".into(), tls_server_name: None, by_proxy: false })
    }
}
