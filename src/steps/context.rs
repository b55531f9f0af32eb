//! What a step is given to work with.

use crate::error::{Error, ErrorKind, Result};
use crate::facts::{ClusterFacts, Facts};
use crate::plan::Progress;
use crate::ports::{ClusterAccess, HelmAccess, Kube, Ports, Tags};
use crate::spec::Spec;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Says something within a step.
pub type Say<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Whether what is there but not ours may be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Refused.
    OursOnly,
    /// `--adopt`.
    Adopt,
}

/// What a step is given to work with.
pub struct StepContext<'a> {
    /// What the person wants.
    pub spec: &'a Spec,
    /// What was so when the step began.
    pub facts: &'a Facts,
    /// The world.
    pub ports: &'a Ports,
    /// Says something within the step.
    pub say: Say<'a>,
    /// Set when the person interrupted: the call in flight is finished, no other is begun.
    pub cancel: &'a CancellationToken,
    /// Whether what is there but not ours may be taken over.
    pub ownership: Ownership,
    /// The person's own kubeconfig instead of karpctl's access, where asked for.
    pub kubeconfig: Option<&'a ClusterAccess>,
    /// How long a wait may take in all (chart, controller, nodes), in the step that waits.
    pub timeout: Duration,
}

pub use crate::spec::OWNER_TAG;

/// Rests between looks: short at first, since what is nearly done is soon seen, then as long as said.
pub(super) struct Rests {
    next: Duration,
    longest: Duration,
}

impl Rests {
    pub(super) const fn up_to(longest: Duration) -> Self {
        Self { next: Duration::from_millis(250), longest }
    }

    pub(super) fn next(&mut self) -> Duration {
        let rest = self.next.min(self.longest);
        self.next = rest * 2;
        rest
    }
}

impl StepContext<'_> {
    /// Says what the step now does or waits for.
    pub fn doing(&self, message: impl Into<String>) {
        (self.say)(Progress::Doing { message: message.into() });
    }

    /// Says something that the person should know and that does not stop the step.
    pub fn warn(&self, message: impl Into<String>) {
        (self.say)(Progress::Warning { message: message.into() });
    }

    /// Passes on a line of a tool or service.
    pub fn foreign(&self, source: &'static str, line: &str) {
        (self.say)(Progress::Foreign { source, line: crate::error::clean(line) });
    }

    /// The tags of everything that karpctl makes in AWS: the owner's mark and those of the spec.
    #[must_use]
    pub fn tags(&self) -> Tags {
        owner_tags(self.spec)
    }

    /// The cluster, as EKS describes it. One that could not be read when the step began is asked for once more: a fact says only why
    /// it is not known, an answer also says what helps.
    pub async fn cluster(&self) -> Result<ClusterFacts> {
        if let Some(cluster) = self.facts.cluster.known() {
            return Ok(cluster.clone());
        }
        let name = &self.spec.cluster_name;
        let found = self.ports.aws.cluster(name.as_str()).await?;
        found.ok_or_else(|| Error::failed(format!("the cluster {name} is not known to EKS in {}", self.spec.region)))
    }

    /// How the cluster's API server is reached: the person's own kubeconfig where given, else as EKS describes it.
    pub async fn cluster_access(&self) -> Result<ClusterAccess> {
        match self.kubeconfig {
            Some(access) => Ok(access.clone()),
            None => eks_access(self.spec, &self.cluster().await?),
        }
    }

    /// A connection to the cluster's API server.
    pub async fn kube(&self) -> Result<Arc<dyn Kube>> {
        self.ports.kube.connect(&self.cluster_access().await?).await
    }

    /// How helm reaches cluster and registry.
    pub async fn helm_access(&self) -> Result<HelmAccess> {
        Ok(HelmAccess { cluster: self.cluster_access().await?, registry_config: self.spec.chart.registry_config.clone() })
    }

    /// Whether this may be taken over although it is not ours.
    #[must_use]
    pub fn adopts(&self) -> bool {
        self.ownership == Ownership::Adopt
    }

    /// Waits a moment, or ends at once when the person interrupts.
    pub async fn pause(&self, moment: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(moment) => Ok(()),
            () = self.cancel.cancelled() => Err(Error::new(ErrorKind::Interrupted, "interrupted while waiting")),
        }
    }

    /// Asks again until the answer is there, the time is over or the person interrupted: soon at first, then every `pause`.
    /// `timed_out` makes the error for the second case.
    pub async fn wait_for<T, F, A>(&self, pause: Duration, timed_out: impl FnOnce() -> Error, ask: A) -> Result<T>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<Option<T>>>,
    {
        self.wait_at_most(self.timeout, pause, timed_out, ask).await
    }

    /// As [`Self::wait_for`], with a time of its own instead of the person's.
    pub async fn wait_at_most<T, F, A>(
        &self,
        longest: Duration,
        pause: Duration,
        timed_out: impl FnOnce() -> Error,
        mut ask: A,
    ) -> Result<T>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<Option<T>>>,
    {
        let deadline = tokio::time::Instant::now() + longest;
        let mut rests = Rests::up_to(pause);
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(timed_out());
            }
            self.pause(rests.next()).await?;
        }
    }
}

/// The tags of everything that karpctl makes in AWS for this spec.
#[must_use]
pub fn owner_tags(spec: &Spec) -> Tags {
    let mut tags = spec.tags.clone();
    tags.insert(OWNER_TAG.into(), spec.cluster_name.to_string());
    tags
}

fn eks_access(spec: &Spec, cluster: &ClusterFacts) -> Result<ClusterAccess> {
    match (&cluster.endpoint, &cluster.certificate_authority) {
        (Some(endpoint), Some(ca)) => {
            Ok(ClusterAccess::Eks { name: spec.cluster_name.to_string(), endpoint: endpoint.clone(), certificate_authority: ca.clone() })
        }
        _ => Err(Error::failed(format!(
            "cannot reach cluster {}: EKS names no endpoint for it while it is {}",
            spec.cluster_name, cluster.status
        ))),
    }
}
