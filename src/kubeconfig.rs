//! Kubeconfigs as Kubernetes clients read them: several files merged, a context chosen, its cluster and user found. Pure: files come
//! in as text. What the clients take and refuse was found by running them; see `tests/clients`.

mod address;
mod decode;
mod document;
mod edit;
mod pair;
mod strict;
mod text;

pub use address::{Leads, Target, Way, proxy_problem, server_problem};
pub use document::Malformed;
pub use edit::{Edited, NotAlone, set_exec_api_version, set_interactive_mode};
pub use pair::pair_problem;
pub use text::text;

use std::path::PathBuf;

/// What several files say in all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kubeconfig {
    /// The context that is used unless another is asked for. Empty: none.
    pub current_context: String,
    /// Clusters by name.
    pub clusters: Vec<(String, Cluster)>,
    /// Contexts by name.
    pub contexts: Vec<(String, Context)>,
    /// Users by name.
    pub users: Vec<(String, User)>,
}

/// A cluster. Empty texts are the same as none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cluster {
    /// The URL of the API server.
    pub server: String,
    /// The file of the authority's certificates, absolute.
    pub certificate_authority: String,
    /// The certificates themselves, PEM.
    pub certificate_authority_data: Vec<u8>,
    /// No certificate is checked.
    pub insecure: bool,
    /// The proxy.
    pub proxy_url: String,
    /// The name that the server's certificate must be for, where it is not the address's.
    pub tls_server_name: String,
    /// Answers are asked for without compression.
    pub disable_compression: bool,
    /// What a plugin that asks is told beside: the cluster's extension `client.authentication.k8s.io/exec`.
    pub exec_config: Option<serde_json::Value>,
}

/// A context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// The cluster's name.
    pub cluster: String,
    /// The user's name.
    pub user: String,
}

/// A user. Holds secrets: it must not be shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The file that it stands in.
    pub file: PathBuf,
    /// The credential plugin.
    pub exec: Option<Exec>,
    /// A bearer token.
    pub token: String,
    /// The file of a bearer token, absolute.
    pub token_file: String,
    /// The file of a client certificate, absolute.
    pub client_certificate: String,
    /// A client certificate, PEM.
    pub client_certificate_data: Vec<u8>,
    /// The file of its key, absolute.
    pub client_key: String,
    /// Its key, PEM.
    pub client_key_data: Vec<u8>,
    /// A name for a password.
    pub username: String,
    /// Whether there is a password.
    pub has_password: bool,
    /// The name of an authentication provider, which the clients of before 0.26 had.
    pub auth_provider: Option<String>,
    /// Whom to act as.
    pub impersonate: String,
    /// Whether groups, a uid or extra fields are to be acted as.
    pub impersonates_more: bool,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("file", &self.file).field("exec", &self.exec).finish_non_exhaustive()
    }
}

/// A credential plugin, as a kubeconfig names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exec {
    /// `client.authentication.k8s.io/v1beta1`.
    pub api_version: String,
    /// The line on which that stands, else that of the plugin.
    pub line: u32,
    /// The program; where it has a slash, absolute.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables for it.
    pub env: Vec<(String, String)>,
    /// `Never`, `IfAvailable`, `Always`; empty where neither the file nor a default gives one.
    pub interactive_mode: String,
    /// Whether it is told of the cluster.
    pub provide_cluster_info: bool,
}

/// How a client joins several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merging {
    /// What a file says of a name counts whole, and the first file that knows the name wins.
    FirstEntry,
    /// Entries of the same name are joined field by field, and the last file wins. Clients built with a newer `mergo` than the
    /// one that client-go was written for do this, against its documentation.
    LastField,
}

/// A file that is there, and its text.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file, absolute.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

/// Why a file cannot be loaded. The client then refuses whatever the other files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unloadable {
    /// The file.
    pub file: PathBuf,
    /// Where and why.
    pub malformed: Malformed,
}

/// Reads and joins files, in the order in which they are named, for a client that does not know these fields.
pub fn load(sources: &[Source], merging: Merging, unknown: &[&str]) -> Result<Kubeconfig, Unloadable> {
    let mut whole = Kubeconfig::default();
    for source in sources {
        let one = decode::decode(source, unknown).map_err(|malformed| Unloadable { file: source.file.clone(), malformed })?;
        whole.take(one, merging);
    }
    Ok(whole)
}

/// The first document of a YAML text as JSON, for an answer that a plugin gives in YAML. Of numbers that JSON does not have only that they are there.
pub fn answer_tree(text: &str) -> Result<serde_json::Value, Malformed> {
    Ok(document::read(text)?.map_or(serde_json::Value::Null, |root| root.value.into()))
}

/// The entry of this name.
pub fn named<'a, T>(entries: &'a [(String, T)], name: &str) -> Option<&'a T> {
    entries.iter().find(|(n, _)| n == name).map(|(_, entry)| entry)
}

impl Kubeconfig {
    /// Whether nothing is said at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, later: Self, merging: Merging) {
        if self.current_context.is_empty() {
            self.current_context = later.current_context;
        }
        join(&mut self.clusters, later.clusters, merging, Cluster::overlay);
        join(&mut self.contexts, later.contexts, merging, Context::overlay);
        join(&mut self.users, later.users, merging, User::overlay);
    }
}

fn join<T>(entries: &mut Vec<(String, T)>, later: Vec<(String, T)>, merging: Merging, overlay: impl Fn(&mut T, T)) {
    for (name, entry) in later {
        match (entries.iter_mut().find(|(n, _)| *n == name), merging) {
            (None, _) => entries.push((name, entry)),
            (Some(_), Merging::FirstEntry) => {}
            (Some((_, there)), Merging::LastField) => overlay(there, entry),
        }
    }
}

fn over(there: &mut String, later: String) {
    if !later.is_empty() {
        *there = later;
    }
}

fn over_all<T>(there: &mut Vec<T>, later: Vec<T>) {
    if !later.is_empty() {
        *there = later;
    }
}

impl Cluster {
    fn overlay(&mut self, later: Self) {
        over(&mut self.server, later.server);
        over(&mut self.certificate_authority, later.certificate_authority);
        over_all(&mut self.certificate_authority_data, later.certificate_authority_data);
        over(&mut self.proxy_url, later.proxy_url);
        self.insecure |= later.insecure;
        over(&mut self.tls_server_name, later.tls_server_name);
        self.disable_compression |= later.disable_compression;
        self.exec_config = later.exec_config.or_else(|| self.exec_config.take());
    }
}

impl Context {
    fn overlay(&mut self, later: Self) {
        over(&mut self.cluster, later.cluster);
        over(&mut self.user, later.user);
    }
}

impl User {
    fn overlay(&mut self, later: Self) {
        if let Some(exec) = later.exec {
            self.file = later.file;
            match &mut self.exec {
                Some(there) => there.overlay(exec),
                None => self.exec = Some(exec),
            }
        }
        over(&mut self.token, later.token);
        over(&mut self.token_file, later.token_file);
        over(&mut self.client_certificate, later.client_certificate);
        over_all(&mut self.client_certificate_data, later.client_certificate_data);
        over(&mut self.client_key, later.client_key);
        over_all(&mut self.client_key_data, later.client_key_data);
        over(&mut self.username, later.username);
        self.has_password |= later.has_password;
        over(&mut self.impersonate, later.impersonate);
        self.impersonates_more |= later.impersonates_more;
        self.auth_provider = later.auth_provider.or_else(|| self.auth_provider.take());
    }
}

impl Exec {
    fn overlay(&mut self, later: Self) {
        if !later.api_version.is_empty() {
            (self.api_version, self.line) = (later.api_version, later.line);
        }
        over(&mut self.command, later.command);
        over(&mut self.interactive_mode, later.interactive_mode);
        over_all(&mut self.args, later.args);
        over_all(&mut self.env, later.env);
        self.provide_cluster_info |= later.provide_cluster_info;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &str, text: &str) -> Source {
        Source { file: file.into(), text: text.into() }
    }

    fn user(api_version: &str, more: &str) -> String {
        format!(
            "users:\n- name: u\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/{api_version}\n      command: aws\n{more}"
        )
    }

    #[test]
    fn the_first_entry_wins_whole_or_the_last_field_by_field() {
        let files =
            [source("/a/one", &user("v1", "      args: [a]\n")), source("/b/two", &user("v1beta1", "      interactiveMode: Never\n"))];
        let exec = |merging| named(&load(&files, merging, &[]).unwrap().users, "u").unwrap().exec.clone().unwrap();
        let first = exec(Merging::FirstEntry);
        assert_eq!((first.api_version.as_str(), first.interactive_mode.as_str()), ("client.authentication.k8s.io/v1", ""));
        let last = exec(Merging::LastField);
        assert_eq!((last.api_version.as_str(), last.interactive_mode.as_str()), ("client.authentication.k8s.io/v1beta1", "Never"));
        assert_eq!(last.args, ["a"]);
    }

    #[test]
    fn the_current_context_is_the_first_that_is_named() {
        let files = [source("/a", "contexts: []\n"), source("/b", "current-context: x\n"), source("/c", "current-context: z\n")];
        for merging in [Merging::FirstEntry, Merging::LastField] {
            assert_eq!(load(&files, merging, &[]).unwrap().current_context, "x");
        }
        assert!(load(&[source("/a", "# nothing\n")], Merging::FirstEntry, &[]).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_loaded_is_named() {
        let files = [source("/a", "current-context: x\n"), source("/b", "users: 5\n")];
        let refused = load(&files, Merging::FirstEntry, &[]).unwrap_err();
        assert_eq!((refused.file.to_str(), refused.malformed.line), (Some("/b"), Some(1)));
    }
}
