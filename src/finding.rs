//! What a check says. Checks judge facts; renderers show findings; neither knows the other.

use serde::{Deserialize, Serialize};

/// The schema id of a doctor report.
pub const SCHEMA: &str = "karpctl/doctor/v1";

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is right.
    Pass,
    /// It will work, and the person should know something.
    Warn,
    /// It will not work.
    Fail,
    /// The check could not run; the message says why. Never a pass.
    Skip,
}

/// The part of the world that a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Tools, kubeconfig, credential plugin.
    Client,
    /// The AWS account.
    Account,
    /// The EKS cluster.
    Cluster,
    /// The Karpenter release.
    Release,
}

/// A way to mend what a finding names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// The command, a word each; empty where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Whether it changes only what the finding names and can be undone.
    pub safe: bool,
}

/// What one check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's id.
    pub id: String,
    /// Its area.
    pub area: Area,
    /// How it came out.
    pub result: Verdict,
    /// What was looked at: "context prod, helm 3.9.4".
    pub subject: String,
    /// What is so.
    pub message: String,
    /// Why it matters.
    pub why: String,
    /// What mends it, best first.
    pub fixes: Vec<Fix>,
}
