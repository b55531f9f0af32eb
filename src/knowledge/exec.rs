//! What a Kubernetes client does with a credential plugin, by the client-go and the Go that it is built with. Found by running the
//! clients; `tests/clients` runs them again.

use super::ExecApiVersion;
use super::table::CLIENTS;
use serde::{Deserialize, Serialize};

/// The group of every version of the plugin's contract.
pub const EXEC_GROUP: &str = "client.authentication.k8s.io";

/// What a client is built with, as far as its behaviour follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientBuild {
    /// The minor of client-go: 24 for v0.24.2.
    pub client_go: u16,
    /// The minor of Go: 17 for go1.17.5. `None`: not known.
    pub go: Option<u16>,
    /// The version of `github.com/imdario/mergo`, where it is among the modules.
    pub mergo: Option<String>,
}

/// The client-go that first knew `interactiveMode`.
const INTERACTIVE_MODE: u16 = 22;
/// The client-go that first looked for a terminal where it reads. Found by running kubectl 1.20 and 1.21.
const TERMINAL_TO_READ: u16 = 21;
/// The client-go from which on a client certificate goes before the plugin.
const CERTIFICATE_FIRST: u16 = 24;
/// The first with Go's own reader of JSON (sigs.k8s.io/json). Found by running kubectl 1.22 and helm 3.8.1.
const NUMBERS_OF_ANY_SIZE: u16 = 23;
/// The kubectl from which on its preferences say which plugins may run.
const PLUGIN_POLICY: u16 = 35;
/// The last client-go that joined kubeconfigs by mergo.
const LAST_WITH_MERGO: u16 = 31;
/// The mergo from which on entries of the same name are joined field by field.
const JOINS_FIELDS: (u64, u64, u64) = (0, 3, 9);
/// The Go from which on a program that a relative element of PATH finds is not run.
const NO_RELATIVE_PATH: u16 = 19;
/// The Go from which on a fraction of a second may stand behind a comma.
const COMMA: u16 = 17;
/// The Go from which on such a fraction may have more than nine digits.
const LONG_FRACTION: u16 = 18;
/// The Go from which on an offset beyond a day is refused. Found by running helm 3.16.4 (Go 1.22), helm 3.17.3 and kubectl 1.31 (Go 1.23).
const STRICT_OFFSET: u16 = 23;

impl ClientBuild {
    /// Whether a helm of this build asks the credential helpers named in its own registry configuration, and passes over a broken one of
    /// docker's.
    #[must_use]
    pub fn asks_helpers_of_its_own(&self) -> bool {
        self.client_go >= CLIENTS.helm_own_helpers.client_go
    }

    /// Whether it takes this `apiVersion` of a kubeconfig's plugin.
    #[must_use]
    pub fn accepts(&self, api_version: &str) -> bool {
        self.known().any(|version| api_version == full(version))
    }

    /// The versions that it takes, oldest first.
    pub fn known(&self) -> impl Iterator<Item = ExecApiVersion> {
        let minor = self.client_go;
        CLIENTS.exec.iter().filter(move |row| minor >= row.since && row.before.is_none_or(|before| minor < before)).map(|row| row.version)
    }

    /// The fields of a kubeconfig that it does not know, and passes over whatever stands there.
    #[must_use]
    pub fn unknown_fields(&self) -> Vec<&'static str> {
        CLIENTS.fields.iter().filter(|row| self.client_go < row.since).map(|row| row.field.as_str()).collect()
    }

    /// Whether kubectl of this build heeds a policy for credential plugins in its preferences (`~/.kube/kuberc`).
    #[must_use]
    pub const fn heeds_plugin_policy(&self) -> bool {
        self.client_go >= PLUGIN_POLICY
    }

    /// Whether an entry of that policy's list may be called `command`; `name` is its older word.
    #[must_use]
    pub const fn allows_by_command(&self) -> bool {
        self.client_go > PLUGIN_POLICY
    }

    /// Whether it knows `interactiveMode`.
    #[must_use]
    pub const fn knows_interactive_mode(&self) -> bool {
        self.client_go >= INTERACTIVE_MODE
    }

    /// Where it looks for the terminal that a plugin may be interactive on.
    #[must_use]
    pub const fn looks_for_terminal_at(&self) -> TerminalAt {
        if self.client_go >= TERMINAL_TO_READ { TerminalAt::Input } else { TerminalAt::Output }
    }

    /// Whether it leaves the plugin alone where the user has a client certificate.
    #[must_use]
    pub const fn certificate_goes_first(&self) -> bool {
        self.client_go >= CERTIFICATE_FIRST
    }

    /// Whether it joins kubeconfigs field by field, the last file winning.
    #[must_use]
    pub fn joins_fields(&self) -> bool {
        let version = self.mergo.as_deref().and_then(|v| semver::Version::parse(v.trim_start_matches('v')).ok());
        self.client_go <= LAST_WITH_MERGO && version.is_some_and(|v| (v.major, v.minor, v.patch) >= JOINS_FIELDS)
    }

    /// Whether it runs a program that an element of PATH such as `.` finds.
    #[must_use]
    pub fn runs_from_relative_path(&self) -> bool {
        self.go.is_some_and(|go| go < NO_RELATIVE_PATH)
    }

    /// Whether an answer may hold a number that no float holds, such as 1e400.
    #[must_use]
    pub const fn takes_numbers_of_any_size(&self) -> bool {
        self.client_go >= NUMBERS_OF_ANY_SIZE
    }

    /// Whether a timestamp may have a comma before the fraction.
    #[must_use]
    pub fn takes_a_comma(&self) -> bool {
        self.go.is_none_or(|go| go >= COMMA)
    }

    /// Whether a fraction of a second may have more than nine digits.
    #[must_use]
    pub fn takes_a_long_fraction(&self) -> bool {
        self.go.is_none_or(|go| go >= LONG_FRACTION)
    }

    /// Whether a timestamp's offset must be less than a day.
    #[must_use]
    pub fn wants_a_day_of_offset(&self) -> bool {
        self.go.is_none_or(|go| go >= STRICT_OFFSET)
    }
}

/// Where a client looks for a terminal. Either way a plugin that may be interactive is given the client's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalAt {
    /// Standard input.
    Input,
    /// Standard output.
    Output,
}

/// Why a client refuses a plugin's interactive mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeProblem {
    /// None is given where one must be.
    Missing,
    /// There is no such mode.
    Invalid,
    /// `Always`, and no terminal. The client says so when it asks the plugin, not before.
    NoTerminal,
}

impl ClientBuild {
    /// Why it refuses this interactive mode. `None`: it takes it, or knows none.
    #[must_use]
    pub fn mode_problem(&self, mode: &str, terminal: bool) -> Option<ModeProblem> {
        match mode {
            _ if !self.knows_interactive_mode() => None,
            "Never" | "IfAvailable" => None,
            "Always" => (!terminal).then_some(ModeProblem::NoTerminal),
            "" => Some(ModeProblem::Missing),
            _ => Some(ModeProblem::Invalid),
        }
    }
}

/// Whether the plugin is asked: a token goes before it, and with newer clients a client certificate.
#[must_use]
pub const fn is_asked(token: bool, certificate: bool, client: &ClientBuild) -> bool {
    !(token || certificate && client.certificate_goes_first())
}

/// What a client is taken for that says nothing of itself: a new one.
#[must_use]
pub fn assumed(build: Option<&ClientBuild>) -> ClientBuild {
    build.cloned().unwrap_or(ClientBuild { client_go: u16::MAX, go: None, mergo: None })
}

/// The variable in which a client tells its plugin what it wants.
pub const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

/// The version that every client takes.
pub const COMMON: ExecApiVersion = ExecApiVersion::V1Beta1;

/// The version with its group.
#[must_use]
pub fn full(version: ExecApiVersion) -> String {
    format!("{EXEC_GROUP}/{version}")
}

/// The version behind the group. `None`: of another group, or there is no such version.
#[must_use]
pub fn version_of(api_version: &str) -> Option<ExecApiVersion> {
    let version = api_version.strip_prefix(EXEC_GROUP)?.strip_prefix('/')?;
    ExecApiVersion::ALL.into_iter().find(|known| known.as_str() == version)
}

impl ExecApiVersion {
    /// Those that there are, the oldest first. Their answers differ in nothing but this.
    pub const ALL: [Self; 3] = [Self::V1Alpha1, Self::V1Beta1, Self::V1];

    /// Whether a kubeconfig may leave out `interactiveMode`: the version was there before that.
    #[must_use]
    pub const fn has_a_default_mode(self) -> bool {
        matches!(self, Self::V1Alpha1 | Self::V1Beta1)
    }
}

/// In a client's words of an answer in another version than the one that it asked for.
const CONFIGURED: &str = "is configured to use API version";
/// In its words of an answer in a version that it does not know.
const REGISTERED: &str = "is registered for version";
/// In its words of a kubeconfig whose version it does not know.
const INVALID: &str = "exec plugin: invalid apiVersion";

/// What a client says of an answer in another version than the one that it asked for.
#[must_use]
pub fn of_another_version(configured: &str, answered: &str) -> String {
    format!("exec plugin {CONFIGURED} {configured}, plugin returned version {answered}")
}

/// What a client says of an answer in a version that it does not know.
#[must_use]
pub fn of_no_version(kind: &str, api_version: &str) -> String {
    format!("no kind \"{kind}\" {REGISTERED} \"{api_version}\"")
}

/// Whether a client refuses an answer for its version.
#[must_use]
pub fn refuses_answer(said: &str) -> bool {
    [CONFIGURED, REGISTERED].iter().any(|words| said.contains(words))
}

/// Whether a client and the plugin of its kubeconfig have no version in common.
#[must_use]
pub fn refuses_plugin(said: &str) -> bool {
    [INVALID, CONFIGURED].iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(client_go: u16, mergo: Option<&str>) -> ClientBuild {
        ClientBuild { client_go, go: Some(17), mergo: mergo.map(str::to_owned) }
    }

    #[test]
    fn versions_follow_client_go() {
        let v = |version: &str| format!("{EXEC_GROUP}/{version}");
        for (minor, alpha, beta, stable) in
            [(20, true, true, false), (22, true, true, true), (23, true, true, true), (24, false, true, true)]
        {
            let client = build(minor, None);
            assert_eq!((client.accepts(&v("v1alpha1")), client.accepts(&v("v1beta1")), client.accepts(&v("v1"))), (alpha, beta, stable));
        }
        let new = build(30, None);
        assert!(!new.accepts("v1beta1") && !new.accepts("") && !new.accepts(&v("v2")));
    }

    #[test]
    fn a_version_is_told_from_what_is_none() {
        for version in ExecApiVersion::ALL {
            assert_eq!(version_of(&full(version)), Some(version));
        }
        for none in ["v1", "client.authentication.k8s.io/v2", "client.authentication.k8s.iov1", "example.com/v1", ""] {
            assert_eq!(version_of(none), None, "{none}");
        }
        assert_eq!(ExecApiVersion::ALL.map(ExecApiVersion::has_a_default_mode), [true, true, false]);
    }

    #[test]
    fn an_answer_that_is_refused_for_its_version_is_known_by_the_words() {
        let (other, none) = (of_another_version("a/v1", "a/v1beta1"), of_no_version("ExecCredential", "a/v1"));
        assert!(refuses_answer(&other) && refuses_answer(&none) && refuses_plugin(&other));
        assert!(!refuses_answer("illegal base64 data") && !refuses_plugin("no kind \"Deployment\" is registered for version \"v1\""));
    }

    #[test]
    fn only_an_old_client_with_a_new_mergo_joins_fields() {
        assert!(build(24, Some("v0.3.12")).joins_fields());
        assert!(!build(24, Some("v0.3.6")).joins_fields());
        assert!(!build(24, None).joins_fields());
        assert!(!build(33, Some("v0.3.16")).joins_fields());
    }
}
