//! Which cluster is meant, as far as it is said: less than a [`super::Spec`] takes, and enough for a command that is printed.

use super::layer::Source;
use super::resolve::Layers;
use super::{ClusterName, KubernetesVersion, Region};
use serde::{Deserialize, Serialize};

/// What is said of which cluster is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meant {
    /// Its name.
    pub cluster_name: Option<ClusterName>,
    /// Its region.
    pub region: Option<Region>,
    /// Its Kubernetes version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesVersion>,
    /// The spec file that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The AWS profile. Only of this run: elsewhere it may be nobody's, or another account's.
    #[serde(skip)]
    pub profile: Option<String>,
    /// The context by which the cluster was looked at, where one is named. Only of this run, as the profile.
    #[serde(skip)]
    pub context: Option<String>,
    /// The kubeconfig by which it was, likewise.
    #[serde(skip)]
    pub kubeconfig: Option<String>,
}

impl Meant {
    /// What the first layer says that says anything. What no cluster can be called is not said.
    #[must_use]
    pub fn by(layers: &Layers) -> Self {
        Self {
            cluster_name: layers.iter().find_map(|(_, layer)| layer.cluster_name.as_deref()).and_then(|name| name.parse().ok()),
            region: layers.iter().find_map(|(_, layer)| layer.region.as_deref()).and_then(|region| region.parse().ok()),
            kubernetes: layers.iter().find_map(|(_, layer)| layer.kubernetes_version.as_deref()).and_then(|said| said.parse().ok()),
            file: layers.iter().find_map(|(source, _)| if let Source::File(path) = source { Some(path.clone()) } else { None }),
            profile: None,
            context: None,
            kubeconfig: None,
        }
    }
}
