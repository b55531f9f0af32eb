//! What was seen of the Kubernetes clients on this machine, of their kubeconfig and of its credential plugin. Holds no secret: of a
//! token or a certificate only whether it is there and whether it is sound.

use super::Probed;
use crate::knowledge::{ClientBuild, Tool, ToolVersion};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Why a file cannot be read that is not there, in the words of the clients.
pub const NO_SUCH_FILE: &str = "no such file or directory";

/// A client and how far it would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// Which tool it is.
    pub tool: Tool,
    /// Its file.
    pub path: PathBuf,
    /// What it calls its version; a development build may call it anything.
    pub version: String,
    /// What it is built with. `None`: not known.
    pub build: Option<ClientBuild>,
    /// From where that is known.
    pub build_source: String,
    /// Other files of that name that PATH would find later.
    pub shadowed: Vec<PathBuf>,
    /// The kubeconfig as this client reads it.
    pub kubeconfig: KubeconfigFacts,
}

/// The kubeconfig as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KubeconfigFacts {
    /// It cannot be loaded.
    Unloadable {
        /// The file.
        file: PathBuf,
        /// The line.
        line: Option<u32>,
        /// Why.
        why: String,
    },
    /// There is none, or it says nothing.
    Nothing {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
        /// The files among them that are there, and say nothing.
        #[serde(default)]
        empty: Vec<PathBuf>,
        /// The client runs in a pod and would take its service account.
        in_cluster: bool,
    },
    /// A context was chosen.
    Chosen(Box<ChosenFacts>),
}

/// The context that a client uses, its cluster and its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenFacts {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Those of them that others than their owner may read.
    pub readable_by_others: Vec<PathBuf>,
    /// The context. Empty: none is named.
    pub context: String,
    /// Whether there is a context of this name.
    pub context_is_there: bool,
    /// The API server's URL. Empty: none is named.
    pub server: String,
    /// The variable of the client's that gives it, where it is not the kubeconfig.
    #[serde(default)]
    pub server_by: Option<String>,
    /// The name that the server's certificate must be for, where it is not the address's.
    #[serde(default)]
    pub tls_server_name: Option<String>,
    /// The proxy that the kubeconfig has the client go by.
    #[serde(default)]
    pub proxy: Option<String>,
    /// What is wrong with what the context says of the cluster.
    pub cluster_problem: Option<String>,
    /// The user's name.
    pub user: String,
    /// The other contexts that have this user.
    #[serde(default)]
    pub shared_with: Vec<String>,
    /// The file that the user stands in.
    pub user_file: Option<PathBuf>,
    /// What is wrong with credentials other than the plugin's.
    pub user_problem: Option<String>,
    /// Whether a bearer token is given, which goes before the plugin.
    pub token: bool,
    /// Whether a sound client certificate is given.
    pub certificate: bool,
    /// The fields of the user's entry that give either: `token`, `client-key-data`, …
    #[serde(default)]
    pub beside: Vec<String>,
    /// The credential plugin.
    pub exec: Option<ExecFacts>,
}

/// What a client's own preferences (kubectl's `kuberc`) say of the plugins that it may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginPreferences {
    /// The file.
    pub file: PathBuf,
    /// The programs that they allow by name.
    pub allowed: Vec<String>,
}

/// A credential plugin, and what came of running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecFacts {
    /// As the kubeconfig says it.
    pub api_version: String,
    /// The line of the user's file.
    pub line: u32,
    /// The program as it is named.
    pub command: String,
    /// Its arguments, without what looks like a secret.
    pub args: Vec<String>,
    /// The value of `AWS_PROFILE` that the kubeconfig sets.
    pub profile: Option<String>,
    /// The names of the variables that the kubeconfig sets.
    pub env: Vec<String>,
    /// `Never`, `IfAvailable`, `Always`, or what stands there.
    pub interactive_mode: String,
    /// Whether there is a terminal to be interactive on.
    pub terminal: bool,
    /// The file that would be run, or why none can be.
    pub found: Result<PathBuf, String>,
    /// Why the client's own preferences keep it from running this plugin.
    #[serde(default)]
    pub forbidden: Option<String>,
    /// Those preferences, where they could be read.
    #[serde(default)]
    pub preferences: Option<PluginPreferences>,
    /// The profile that is in use beside the kubeconfig: by `--profile`, or by `AWS_PROFILE` where no keys go before it.
    #[serde(default)]
    pub profile_in_use: Option<String>,
    /// Whether that profile is one of `--profile` that reaches karpctl alone: the environment, in which a client runs the plugin, names another or none,
    /// or has keys that go first.
    #[serde(default)]
    pub by_flag_alone: bool,
    /// Whether keys in the environment go before its profile, as aws has it: `AWS_ACCESS_KEY_ID` is set, and `--profile` is not among its
    /// arguments.
    #[serde(default)]
    pub keys_go_first: bool,
    /// The account that its profile is of, where it is not the profile in use.
    #[serde(default)]
    pub profile_account: Probed<String>,
    /// The programs at hand that write such entries or answer as such plugins; looked at only where something is wrong with the entry.
    #[serde(default)]
    pub at_hand: Vec<WriterFacts>,
    /// What came of running it. `None`: the client would not run it.
    pub run: Option<PluginRun>,
}

impl ExecFacts {
    /// The profile that the kubeconfig names, where it is not the one in use.
    #[must_use]
    pub fn other_profile(&self) -> Option<&str> {
        let in_use = self.profile_in_use.as_deref().unwrap_or("default");
        self.profile.as_deref().filter(|pinned| *pinned != in_use)
    }

    /// The role that the plugin takes: aws says `--role-arn` and `--role`, aws-iam-authenticator `--role` and `-r`.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.flag(&["--role-arn", "--role", "-r"]).filter(|role| !role.is_empty())
    }

    /// The value of a flag of the plugin's.
    #[must_use]
    pub fn flag(&self, names: &[&str]) -> Option<&str> {
        let is_it = |word: &str| names.contains(&word.split_once('=').map_or(word, |(name, _)| name));
        let at = self.args.iter().position(|word| is_it(word))?;
        match self.args[at].split_once('=') {
            Some((_, value)) => Some(value),
            None => self.args.get(at + 1).map(String::as_str),
        }
    }
}

/// What came of running a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRun {
    /// How it ended, where not well: "exit code 1".
    pub ended: Option<String>,
    /// The `apiVersion` of its answer, where it can be read.
    pub api_version: Option<String>,
    /// Why the client refuses the answer. `None`: it takes it.
    pub refused: Option<String>,
    /// What it complained of, without what looks like a secret; the first lines.
    pub stderr: Vec<String>,
}

/// A program that writes kubeconfigs or answers as their plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterFacts {
    /// `aws`, `aws-iam-authenticator`, `eksctl`.
    pub program: String,
    /// Its file.
    pub path: PathBuf,
    /// What it calls its version.
    pub version: ToolVersion,
}
