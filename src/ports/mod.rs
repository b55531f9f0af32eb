//! How karpctl reaches the world, in its own words: traits that adapters implement. No SDK type crosses them.
//!
//! Every method is one call, or one read of several pages. "Not there" is `None`, not an error; an [`Error`] carries the
//! kind (denied, credentials, unreachable, conflict …) and names the call.
//!
//! [`Error`]: crate::error::Error

mod aws;
mod kube;
mod registry;
mod tools;
mod workstation;

pub use self::aws::{
    Aws, ChangeStack, CreateRole, InstanceProfile, LaunchedInstance, PermissionQuestion, ProfileDetails, RunningInstance, StackEvent, Tags,
};
pub use self::kube::{ClusterAccess, Eviction, Force, Kube, KubeConnector, NamedServer, ObjectKind, ObjectRef, Trial};
pub use self::registry::Registry;
pub use self::tools::{Eksctl, Helm, HelmAccess, HelmInstall, Lines, Origin};
pub use self::workstation::{ClientBinary, PluginCall, PluginEnd, Workstation};

use std::sync::Arc;

/// Everything that a step may use.
#[derive(Clone)]
pub struct Ports {
    /// AWS.
    pub aws: Arc<dyn Aws>,
    /// Kubernetes API servers.
    pub kube: Arc<dyn KubeConnector>,
    /// helm.
    pub helm: Arc<dyn Helm>,
    /// eksctl.
    pub eksctl: Arc<dyn Eksctl>,
}
