//! The steps of the way: each knows how its object should stand, how to bring it there, and how to take it away.
//!
//! A step's `assess` is pure. Its `apply` may be called in every state that is not `Present`, and again after a failure: it
//! looks before it creates. What it did is proved by a fresh probe of its topics, after which `assess` must say `Present`.

mod autoscaler;
pub(crate) mod aws_auth;
mod chart;
mod cluster;
mod cluster_judge;
mod cluster_rest;
mod cluster_whole;
pub(crate) mod compare;
mod context;
mod controller_role;
mod crds;
mod discovery_tags;
mod earlier_identity;
mod early_pods;
mod eksctl_stage;
mod helm_release;
pub(crate) mod hop_objects;
pub(crate) mod hops;
mod left_policies;
mod looked;
mod migration;
mod migration_pools;
mod migration_shell;
mod namespace;
mod node_emptying;
mod node_group_size;
mod node_groups;
mod node_mapping;
mod node_pool;
mod node_pool_kept;
mod node_pool_removal;
mod oidc_provider;
mod other_installer;
mod pod_identity_agent;
mod pod_identity_association;
mod propagation;
mod ready;
mod shell;
mod spot_role;
mod stack;
mod stack_differences;
mod stack_leftovers;
mod stack_owner;
mod stack_removal;
mod stack_watch;
mod trust;
mod undrained;
mod works_otherwise;

pub(crate) use cluster_judge::{is_marked, is_strangers, refused_removal};
pub(crate) use cluster_whole::cluster_config_of_bootstrap;
pub use context::{OWNER_TAG, Ownership, Say, StepContext, owner_tags};
pub(crate) use helm_release::{is_as_wanted, made_by_karpctl, works_by_our_role};
pub use migration::migration;
pub use migration::refused_without_nodes;
pub(crate) use node_pool::{changes as node_pool_changes, over as node_pool_over};
pub(crate) use other_installer::is_of_another_installer;
pub use other_installer::refused_by_installer;
pub use stack_removal::refused_by_others;
pub(crate) use stack_removal::refused_by_protection;

use crate::error::{Error, Result};
use crate::facts::{Facts, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::spec::Spec;
use async_trait::async_trait;
use std::time::Duration;

/// The pause before something that has just been made, or is just being made by somebody else, is looked at again.
const BRIEF: Duration = Duration::from_secs(2);

/// One step.
#[async_trait]
pub trait Step: Send + Sync {
    /// Its id.
    fn id(&self) -> StepId;
    /// What it is about, naming the object: "stack Karpenter-demo".
    fn title(&self, spec: &Spec) -> String;
    /// The steps that must be done before it is applied. Its removal comes before theirs.
    fn needs(&self, spec: &Spec) -> Vec<StepId>;
    /// What it is judged by.
    fn reads(&self) -> &'static [Topic];
    /// How long applying it usually takes on AWS, in seconds.
    fn usual_seconds(&self, spec: &Spec) -> u32;
    /// How its object stands.
    fn assess(&self, spec: &Spec, facts: &Facts) -> State;
    /// What it is judged by on the way back.
    fn reads_on_removal(&self) -> &'static [Topic] {
        self.reads()
    }
    /// How its object stands for the way back: `Absent` where there is nothing of ours to remove, `NotWanted` where it is no matter
    /// of this step, anything else where `remove` has something to do. After `remove` it must be `Absent`.
    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        self.assess(spec, facts)
    }
    /// What it will make, a line each, where the plan is to say more than that it is not there.
    fn details(&self, _spec: &Spec, _facts: &Facts) -> Vec<String> {
        Vec::new()
    }
    /// What its removal leaves in the account, a line each, where the plan is to say so.
    fn leaves(&self, _facts: &Facts) -> Vec<String> {
        Vec::new()
    }
    /// For a step whose way back removes nothing but sets things as they were: how, a line each.
    fn restores(&self, _facts: &Facts) -> Option<Vec<String>> {
        None
    }
    /// The shell that it stands for, as the guide would write it.
    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String>;
    /// Brings its object to what the spec says.
    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()>;
    /// Takes its object away. Not there is fine.
    async fn remove(&self, context: &StepContext<'_>) -> Result<()>;
    /// Whether it makes nothing, and only waits for what others made.
    fn only_waits(&self) -> bool {
        false
    }
    /// Why `destroy` leaves the object alone; `None` for a step that is removed.
    fn kept_on_destroy(&self, _spec: &Spec) -> Option<&'static str> {
        None
    }
    /// What is gone on without, a line each: what could not be looked at, or does not come.
    fn goes_without(&self, _spec: &Spec, _facts: &Facts, _direction: Direction) -> Vec<String> {
        Vec::new()
    }
    /// What is said where its object could not be made for this reason and the way goes on without; `None`: it does not.
    fn does_without(&self, _spec: &Spec, _error: &Error) -> Option<String> {
        None
    }
    /// What it does and why, for `karpctl explain`, in a few sentences.
    fn explain(&self) -> &'static str;
}

/// The steps, in the order of [`StepId::ALL`].
#[must_use]
pub fn all() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(stack::Stack),
        Box::new(cluster::Cluster),
        Box::new(spot_role::SpotRole),
        Box::new(discovery_tags::DiscoveryTags),
        Box::new(oidc_provider::OidcProvider),
        Box::new(pod_identity_agent::PodIdentityAgent),
        Box::new(node_mapping::NodeMapping),
        Box::new(controller_role::ControllerRole),
        Box::new(pod_identity_association::PodIdentityAssociation),
        Box::new(crds::Crds),
        Box::new(chart::Chart),
        Box::new(earlier_identity::EarlierIdentity),
        Box::new(node_pool::NodePool),
        Box::new(ready::Ready),
    ]
}
