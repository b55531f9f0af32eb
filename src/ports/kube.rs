//! A Kubernetes API server, spoken to in JSON.

use crate::error::Result;
use async_trait::async_trait;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// A kind of object, as the API server's paths name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKind {
    /// `v1`, `apps/v1`, `karpenter.sh/v1`.
    pub api_version: String,
    /// `configmaps`, `nodepools`.
    pub plural: String,
}

impl ObjectKind {
    /// A kind by its API version and plural.
    pub fn new(api_version: impl Into<String>, plural: impl Into<String>) -> Self {
        Self { api_version: api_version.into(), plural: plural.into() }
    }
}

/// An object, or where one would be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its namespace; `None` for what belongs to the cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// How an API server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterAccess {
    /// As EKS describes the cluster, with karpctl's own token.
    Eks {
        /// The cluster's name.
        name: String,
        /// The API server's URL.
        endpoint: String,
        /// Its CA, base64 of PEM.
        certificate_authority: String,
    },
    /// As the person's own kubeconfig says.
    Kubeconfig {
        /// The file. `None`: what `KUBECONFIG` or the home directory names.
        path: Option<PathBuf>,
        /// The context. `None`: the current one.
        context: Option<String>,
    },
}

/// The API server that an access names, before anything is sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedServer {
    /// Its URL.
    pub server: String,
    /// The name that its certificate must be for, where that is not the URL's.
    pub tls_server_name: Option<String>,
    /// Whether the kubeconfig has a proxy stand between.
    pub by_proxy: bool,
}

/// Makes connections.
#[async_trait]
pub trait KubeConnector: Send + Sync {
    /// A connection. Nothing is sent yet, so a wrong endpoint shows only with the first request.
    async fn connect(&self, access: &ClusterAccess) -> Result<Arc<dyn Kube>>;
    /// The API server that an access names. No credential plugin is run for it.
    fn named_server(&self, access: &ClusterAccess) -> Result<NamedServer>;
}

/// A Kubernetes API server.
#[async_trait]
pub trait Kube: Send + Sync {
    /// One object. `None` where it, or its kind, is not there.
    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>>;
    /// The objects of a kind, in one namespace or in all; empty where the kind is not there.
    async fn list(&self, kind: &ObjectKind, namespace: Option<&str>, label_selector: Option<&str>) -> Result<Vec<Value>>;
    /// The kinds whose objects live in namespaces, each in one version.
    async fn namespaced_kinds(&self) -> Result<Vec<ObjectKind>>;
    /// Server-side apply with the field manager `karpctl`, strict field validation. `force` takes fields from other managers.
    async fn apply(&self, object: &ObjectRef, body: &Value, force: Force) -> Result<Value>;
    /// What the API server says of an object if it were applied, by all who have a say in it. Nothing is written.
    async fn dry_run(&self, object: &ObjectRef, body: &Value) -> Result<Trial>;
    /// `POST`. A conflict where it is there already.
    async fn create(&self, object: &ObjectRef, body: &Value) -> Result<Value>;
    /// `PUT`. A conflict where `metadata.resourceVersion` is not the newest.
    async fn replace(&self, object: &ObjectRef, body: &Value) -> Result<Value>;
    /// JSON merge patch.
    async fn merge_patch(&self, object: &ObjectRef, patch: &Value) -> Result<Value>;
    /// `DELETE`. Not there is fine. Finalizers may keep the object for a while.
    async fn delete(&self, object: &ObjectRef) -> Result<()>;
    /// Asks that a pod may go, by the Eviction API: what its disruption budgets allow, and nothing else. `uid`: only this pod, and
    /// not one of its name that came after it.
    async fn evict(&self, namespace: &str, name: &str, uid: &str) -> Result<Eviction>;
}

/// What the API server says of an object that it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// It would be taken.
    Taken,
    /// It would not, in the API server's words or those of whom it asked.
    Refused(String),
    /// It, or its namespace, has a kind or a name that is not there.
    NoPlace,
}

/// What became of the wish that a pod may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eviction {
    /// It goes, as slowly as it is given time to.
    Accepted,
    /// It is gone already.
    Gone,
    /// A disruption budget does not allow it now, in the API server's words.
    Refused(String),
}

/// Whether server-side apply takes over fields that another manager holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// A conflict is an error.
    No,
    /// They become ours.
    Yes,
}
