//! What was seen of this machine beside its Kubernetes clients: its programs, its registry log-ins.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A program that karpctl runs, or that the commands which it prints name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFacts {
    /// `helm`, `aws`, …
    pub name: String,
    /// The file that PATH finds, or that was named. `None`: none.
    pub path: Option<PathBuf>,
    /// Why this machine does not run it, by the file's own header: it is made for another processor or system.
    pub foreign: Option<String>,
    /// Those of the name that PATH would find behind it, where PATH finds it.
    #[serde(default)]
    pub shadowed: Vec<PathBuf>,
}

/// What helm would say to a chart registry about who it is, by its own configuration and docker's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// The registry: `public.ecr.aws`.
    pub host: String,
    /// The file that says it.
    pub file: PathBuf,
    /// Whose file it is.
    #[serde(default)]
    pub owner: LoginOwner,
    /// Whether it was named to karpctl (`--registry-config`): only then does karpctl's own helm use it.
    pub named: bool,
    /// What stands there.
    pub state: LoginState,
}

/// The program that a file of registry log-ins belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginOwner {
    /// helm.
    #[default]
    Helm,
    /// docker, to which helm turns where its own says nothing.
    Docker,
}

/// A registry log-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginState {
    /// The file cannot be read.
    Unreadable(String),
    /// A credential helper is to be asked, and there is no such program.
    NoHelper {
        /// `docker-credential-ecr-login`.
        helper: String,
    },
    /// A credential helper was asked, and failed.
    HelperFailed {
        /// `docker-credential-ecr-login`.
        helper: String,
        /// In its words, without what may be a secret.
        why: String,
    },
    /// There is one.
    Kept {
        /// The helper that keeps it. `None`: the file.
        helper: Option<String>,
        /// Whether it has ended, where it says so: an ECR token does.
        ended: Option<bool>,
    },
}

/// Whether a registry has a version of a chart, as anybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartTag {
    /// The chart: `oci://public.ecr.aws/karpenter/karpenter`.
    pub chart: String,
    /// The version that is installed, as it is asked for: `v0.34.0`, `1.14.1`.
    pub tag: String,
    /// Whether it is there.
    pub is_there: bool,
    /// The same version with another prefix, where the registry has that instead.
    pub instead: Option<String>,
}
