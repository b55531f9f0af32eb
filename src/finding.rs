//! What a check says. Checks judge facts; renderers show findings; neither knows the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The schema id of a doctor report.
pub const SCHEMA: &str = "karpctl/doctor/v1";

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// The command, a word each; empty where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Whether it changes only what the finding names and can be undone.
    pub safe: bool,
    /// What `karpctl doctor --fix` does, where it can do it itself.
    #[serde(skip)]
    #[schemars(skip)]
    pub edit: Option<Edit>,
    /// Whether the command is another program's, which is to be seen to do what it does for that program. No part of the report.
    #[serde(skip)]
    #[schemars(skip)]
    pub verbatim: bool,
}

/// A cure that karpctl can make by itself: it changes only what the finding names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Another `apiVersion` of a user's credential plugin.
    ExecApiVersion {
        /// The kubeconfig.
        file: PathBuf,
        /// The user's name in it.
        user: String,
        /// The version with its group.
        api_version: String,
    },
    /// Another `interactiveMode` of a user's credential plugin, or one where there is none.
    InteractiveMode {
        /// The kubeconfig.
        file: PathBuf,
        /// The user's name in it.
        user: String,
        /// The mode.
        mode: String,
    },
    /// A file that nobody but its owner should read.
    Close {
        /// The file.
        file: PathBuf,
    },
}

/// What one check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The place in a file that it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// That somebody has accepted it. The result stays what it is, and does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Acceptance>,
    /// What mends it, best first.
    pub fixes: Vec<Fix>,
    /// Whether it may come right by itself: a stack is being made, pods start. No part of the report.
    #[serde(skip)]
    pub heals: bool,
}

/// That a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// Why.
    pub reason: String,
    /// The last day on which it is: 2026-12-31.
    pub until: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1. `None`: the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// What `karpctl doctor` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "karpctl doctor", description = "The report of karpctl doctor -o json.")]
pub struct DoctorReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whether nothing failed but what is accepted.
    pub ok: bool,
    /// What each check says, worst first.
    pub checks: Vec<Finding>,
}

impl DoctorReport {
    /// The report of these findings.
    #[must_use]
    pub fn new(mut checks: Vec<Finding>) -> Self {
        checks.sort_by_key(|f| (f.accepted.is_some(), f.result.rank()));
        Self { schema: SCHEMA.into(), ok: !checks.iter().any(|f| f.counts_as(Verdict::Fail)), checks }
    }
}

impl Finding {
    /// Whether it came out so and nobody has accepted it.
    #[must_use]
    pub fn counts_as(&self, verdict: Verdict) -> bool {
        self.result == verdict && self.accepted.is_none()
    }
}

impl Verdict {
    /// Its place in a list that begins with the worst.
    const fn rank(self) -> u8 {
        match self {
            Self::Fail => 0,
            Self::Warn => 1,
            Self::Skip => 2,
            Self::Pass => 3,
        }
    }

    /// The word for it in every format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

impl Area {
    /// The word for it in every format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Account => "account",
            Self::Cluster => "cluster",
            Self::Release => "release",
        }
    }
}
