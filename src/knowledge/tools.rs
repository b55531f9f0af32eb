//! What helm, eksctl and kubectl can do at which version.

use super::table::CLIENTS;
use super::{KubernetesVersion, Release};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A tool that karpctl runs or judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// helm.
    Helm,
    /// eksctl.
    Eksctl,
    /// kubectl.
    Kubectl,
}

/// The version of a tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ToolVersion(Version);

/// A text that names no version of a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version: <major>.<minor>.<patch>, such as v3.19.0")]
pub struct InvalidToolVersion(String);

/// The `apiVersion` of an exec credential, without its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecApiVersion {
    /// `client.authentication.k8s.io/v1alpha1`.
    V1Alpha1,
    /// `client.authentication.k8s.io/v1beta1`.
    V1Beta1,
    /// `client.authentication.k8s.io/v1`.
    V1,
}

/// Whether a tool fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolFit {
    /// It does.
    Fits,
    /// It will probably work; the reason and what would be in range are sentences.
    OutOfRange {
        /// Why.
        why: String,
        /// What helps.
        hint: String,
    },
    /// It will not work; the reason and what to install are sentences.
    Unfit {
        /// Why.
        why: String,
        /// What helps.
        hint: String,
    },
}

/// How many minors below its client helm supports.
const HELM_SKEW: u16 = 3;
/// How many minors kubectl may be away from the cluster.
const KUBECTL_SKEW: u16 = 1;

impl Tool {
    /// The name of its program.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Eksctl => "eksctl",
            Self::Kubectl => "kubectl",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ExecApiVersion {
    /// The version without its group.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1Alpha1 => "v1alpha1",
            Self::V1Beta1 => "v1beta1",
            Self::V1 => "v1",
        }
    }
}

impl fmt::Display for ExecApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The tools that support a Kubernetes version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FittingTools {
    /// The minors of helm whose client supports it: `3.18`, `4.1`.
    pub helm: Vec<String>,
    /// The oldest and the newest kubectl.
    pub kubectl: [KubernetesVersion; 2],
    /// The oldest eksctl that creates clusters of it.
    pub eksctl: ToolVersion,
}

impl FittingTools {
    /// Those of this Kubernetes version. Releases of before OCI registries are left out.
    #[must_use]
    pub fn of(kubernetes: KubernetesVersion) -> Self {
        let supports = |client: u16| (client.saturating_sub(HELM_SKEW)..=client).contains(&kubernetes.minor());
        let minor = |v: &ToolVersion| format!("{}.{}", v.0.major, v.0.minor);
        let helm = CLIENTS.helm.iter().filter(|row| supports(row.client_go)).map(|row| minor(&row.since)).collect();
        let below = KubernetesVersion::new(kubernetes.minor().saturating_sub(KUBECTL_SKEW));
        let listed = CLIENTS.eksctl_kubernetes.iter().find(|row| row.minor == kubernetes).map(|row| &row.since);
        let eksctl = listed.unwrap_or(&CLIENTS.eksctl_asks_eks.since).clone();
        Self { helm, kubectl: [below, kubernetes.plus(KUBECTL_SKEW)], eksctl }
    }
}

impl ToolVersion {
    /// The minor of the Kubernetes client that this version of the tool is built with, where it is known.
    #[must_use]
    pub fn client_go_minor(&self, tool: Tool) -> Option<u16> {
        match tool {
            Tool::Helm => CLIENTS.helm.iter().rev().find(|row| self.at_least(&row.since)).map(|row| row.client_go),
            Tool::Kubectl => u16::try_from(self.0.minor).ok(),
            Tool::Eksctl => None,
        }
    }

    /// Whether it takes an exec credential of this version. A tool whose client is not known takes `v1beta1`, as all do.
    #[must_use]
    pub fn accepts(&self, tool: Tool, exec: ExecApiVersion) -> bool {
        let Some(row) = CLIENTS.exec.iter().find(|row| row.version == exec) else { return false };
        // A helm older than the table has a client older than every row of it.
        let client = self.client_go_minor(tool).or((tool == Tool::Helm).then_some(0));
        match client {
            Some(minor) => minor >= row.since && row.before.is_none_or(|before| minor < before),
            None => row.since == 0 && row.before.is_none(),
        }
    }

    /// The exec credential version to ask for: the stable one where the tool takes it (it needs `interactiveMode` in a
    /// kubeconfig), else the one that all take.
    #[must_use]
    pub fn best_exec_api_version(&self, tool: Tool) -> ExecApiVersion {
        if self.accepts(tool, ExecApiVersion::V1) { ExecApiVersion::V1 } else { ExecApiVersion::V1Beta1 }
    }

    /// Whether it fits this release on this Kubernetes version.
    #[must_use]
    pub fn fit(&self, tool: Tool, release: &Release, kubernetes: KubernetesVersion) -> ToolFit {
        match tool {
            Tool::Helm => self.fit_helm(kubernetes),
            Tool::Eksctl => self.fit_eksctl(release, kubernetes),
            Tool::Kubectl => self.fit_kubectl(kubernetes),
        }
    }

    /// Whether this helm writes by server-side apply, and must be told to take a field that another tool wrote.
    #[must_use]
    pub fn applies_server_side(&self) -> bool {
        self.at_least(&CLIENTS.helm_server_side.since)
    }

    /// Whether this eksctl's `ClusterConfig` has `autoModeConfig`.
    #[must_use]
    pub fn knows_auto_mode_config(&self) -> bool {
        self.can("auto-mode-config")
    }

    /// Whether this eksctl creates vpc-cni, kube-proxy and coredns as EKS add-ons, said or not; before, they were EKS's own.
    #[must_use]
    pub fn adds_default_addons(&self) -> bool {
        self.can("default-addons")
    }

    /// Whether this eksctl installs the add-on metrics-server where nobody says otherwise.
    #[must_use]
    pub fn adds_metrics_server(&self) -> bool {
        self.can("metrics-server")
    }

    /// Whether `aws eks update-kubeconfig` of this aws knows `--user-alias`.
    #[must_use]
    pub fn names_users(&self) -> bool {
        CLIENTS.user_alias.iter().any(|row| row.since.0.major == self.0.major && self.at_least(&row.since))
    }

    fn can(&self, ability: &str) -> bool {
        CLIENTS.eksctl.iter().any(|row| row.ability == ability && self.at_least(&row.since))
    }

    /// Compares the numbers only: a development build of 0.230.0 has what 0.230.0 has.
    fn at_least(&self, other: &Self) -> bool {
        let numbers = |v: &Version| (v.major, v.minor, v.patch);
        numbers(&self.0) >= numbers(&other.0)
    }

    fn fit_helm(&self, kubernetes: KubernetesVersion) -> ToolFit {
        let hint = || match Self::oldest_helm_for(kubernetes) {
            Some(helm) => format!("install helm {}.{} or newer", helm.0.major, helm.0.minor),
            None => "install the newest helm".to_owned(),
        };
        if !self.at_least(&CLIENTS.helm_oci.since) {
            let why = format!("helm {self} cannot pull charts from an OCI registry, which needs {}", CLIENTS.helm_oci.since);
            return ToolFit::Unfit { why, hint: hint() };
        }
        let Some(newest) = self.client_go_minor(Tool::Helm) else { return ToolFit::Fits };
        let oldest = newest.saturating_sub(HELM_SKEW);
        if (oldest..=newest).contains(&kubernetes.minor()) {
            return ToolFit::Fits;
        }
        let hint = match FittingTools::of(kubernetes).helm.last() {
            Some(helm) if kubernetes.minor() < oldest => format!("install helm {helm}, or say where one is: --helm PATH"),
            _ => hint(),
        };
        ToolFit::OutOfRange { why: format!("helm {self} supports Kubernetes 1.{oldest} to 1.{newest}, not {kubernetes}"), hint }
    }

    /// The oldest helm that supports this Kubernetes version and OCI registries.
    fn oldest_helm_for(kubernetes: KubernetesVersion) -> Option<&'static Self> {
        CLIENTS.helm.iter().find(|row| row.client_go >= kubernetes.minor()).map(|row| &row.since)
    }

    fn fit_eksctl(&self, release: &Release, kubernetes: KubernetesVersion) -> ToolFit {
        let creates = FittingTools::of(kubernetes).eksctl;
        let unfit = |minimum: &Self, why: String| ToolFit::Unfit {
            why: format!("eksctl {self} is older than {minimum}, {why}"),
            hint: format!("install eksctl {} or newer", minimum.max(&creates)),
        };
        match &release.features().eksctl_minimum {
            Some(minimum) if !self.at_least(minimum) => unfit(minimum, format!("which the guide of Karpenter {release} asks for")),
            _ if !self.at_least(&creates) => unfit(&creates, format!("the first that creates clusters of Kubernetes {kubernetes}")),
            _ => ToolFit::Fits,
        }
    }

    fn fit_kubectl(&self, kubernetes: KubernetesVersion) -> ToolFit {
        let away = self.client_go_minor(Tool::Kubectl).map_or(0, |minor| minor.abs_diff(kubernetes.minor()));
        if away <= KUBECTL_SKEW {
            return ToolFit::Fits;
        }
        ToolFit::OutOfRange {
            why: format!("kubectl {self} is {away} minor versions away from Kubernetes {kubernetes}"),
            hint: format!("install kubectl {kubernetes}"),
        }
    }
}

impl FromStr for ToolVersion {
    type Err = InvalidToolVersion;

    /// Takes what the tools print: `v3.17.3+gabcdef`, `0.230.0-dev+a1b2.2026-08-01`, `1.29`. Build metadata is dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidToolVersion(text.to_owned());
        let number = text.trim().trim_start_matches('v');
        let number = number.split_once('+').map_or(number, |(number, _)| number);
        let whole = if number.split('.').count() == 2 { format!("{number}.0") } else { number.to_owned() };
        Version::parse(&whole).map(Self).map_err(|_| invalid())
    }
}

impl TryFrom<String> for ToolVersion {
    type Error = InvalidToolVersion;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ToolVersion> for String {
    fn from(version: ToolVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for ToolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(text: &str) -> ToolVersion {
        text.parse().unwrap()
    }

    #[test]
    fn parses_what_the_tools_print() {
        for (text, shown) in [
            ("v3.17.3+g6ab0532", "3.17.3"),
            ("0.230.0-dev+a1b2c3.2026-08-01T00:00:00Z", "0.230.0-dev"),
            ("v1.33.2-eks-a1b2c3", "1.33.2-eks-a1b2c3"),
            ("1.29", "1.29.0"),
        ] {
            assert_eq!(tool(text).to_string(), shown);
        }
        assert!("unknown".parse::<ToolVersion>().is_err());
    }

    #[test]
    fn clients_are_known() {
        for (helm, minor) in [
            ("3.7.2", None),
            ("3.8.2", Some(23)),
            ("3.9.4", Some(24)),
            ("3.21.0", Some(35)),
            ("4.0.1", Some(34)),
            ("4.2.0", Some(36)),
            ("5.0.0", Some(37)),
        ] {
            assert_eq!(tool(helm).client_go_minor(Tool::Helm), minor, "{helm}");
        }
        assert_eq!(tool("1.33.2").client_go_minor(Tool::Kubectl), Some(33));
    }

    #[test]
    fn exec_credentials_follow_the_client() {
        use ExecApiVersion::{V1, V1Alpha1, V1Beta1};
        for (helm, alpha, beta, stable, best) in [
            ("3.7.0", true, true, false, V1Beta1),
            ("3.8.2", true, true, true, V1),
            ("3.9.0", false, true, true, V1),
            ("4.2.0", false, true, true, V1),
        ] {
            let helm = tool(helm);
            let accepts = |exec| helm.accepts(Tool::Helm, exec);
            assert_eq!((accepts(V1Alpha1), accepts(V1Beta1), accepts(V1)), (alpha, beta, stable), "{helm}");
            assert_eq!(helm.best_exec_api_version(Tool::Helm), best);
        }
        assert!(tool("1.21.0").accepts(Tool::Kubectl, V1Alpha1) && !tool("1.21.0").accepts(Tool::Kubectl, V1));
        assert!(!tool("1.24.0").accepts(Tool::Kubectl, V1Alpha1));
    }

    #[test]
    fn tools_are_judged_by_release_and_cluster() {
        let judge = |kind, version: &str, release: &str, kubernetes: &str| match tool(version).fit(
            kind,
            &release.parse().unwrap(),
            kubernetes.parse().unwrap(),
        ) {
            ToolFit::Fits => "fits".to_owned(),
            ToolFit::OutOfRange { why, hint } => format!("out of range: {why}: {hint}"),
            ToolFit::Unfit { hint, .. } => format!("unfit: {hint}"),
        };
        assert_eq!(judge(Tool::Helm, "3.7.2", "1.14.1", "1.32"), "unfit: install helm 3.17 or newer");
        assert_eq!(judge(Tool::Helm, "3.18.0", "1.14.1", "1.33"), "fits");
        let older = "out of range: helm 3.18.0 supports Kubernetes 1.30 to 1.33, not 1.34: install helm 3.19 or newer";
        assert_eq!(judge(Tool::Helm, "3.18.0", "1.14.1", "1.34"), older);
        let newer = "out of range: helm 4.2.0 supports Kubernetes 1.33 to 1.36, not 1.30: install helm ";
        let judged = judge(Tool::Helm, "4.2.0", "1.14.1", "1.30");
        let fitting = judged.strip_prefix(newer).and_then(|rest| rest.split_once(", or")).unwrap_or_else(|| panic!("{judged}")).0;
        assert_eq!(judge(Tool::Helm, &format!("{fitting}.0"), "1.14.1", "1.30"), "fits");
        assert_eq!(judge(Tool::Eksctl, "0.201.0", "1.14.1", "1.36"), "unfit: install eksctl 0.202.0 or newer");
        assert_eq!(judge(Tool::Eksctl, "0.202.0", "1.14.1", "1.36"), "fits");
        assert_eq!(judge(Tool::Eksctl, "0.164.0", "0.34.0", "1.28"), "unfit: install eksctl 0.165.0 or newer");
        assert_eq!(judge(Tool::Eksctl, "0.164.0", "0.34.0", "1.29"), "unfit: install eksctl 0.169.0 or newer");
        assert_eq!(judge(Tool::Eksctl, "0.168.0", "0.34.0", "1.29"), "unfit: install eksctl 0.169.0 or newer");
        assert_eq!(judge(Tool::Eksctl, "0.108.0", "0.17.0", "1.23"), "unfit: install eksctl 0.109.0 or newer");
        assert_eq!(judge(Tool::Eksctl, "0.100.0", "0.17.0", "1.21"), "fits");
        assert_eq!(judge(Tool::Kubectl, "1.35.0", "1.14.1", "1.36"), "fits");
        assert!(judge(Tool::Kubectl, "1.33.0", "1.14.1", "1.36").starts_with("out of range"));
    }

    #[test]
    fn tools_that_fit_are_listed() {
        let tools = FittingTools::of("1.33".parse().unwrap());
        assert_eq!(tools.helm, ["3.18", "3.19", "3.20", "4.0", "4.1", "4.2"]);
        assert_eq!(tools.kubectl.map(|v| v.to_string()), ["1.32", "1.34"]);
        let eksctl = |kubernetes: &str| FittingTools::of(kubernetes.parse().unwrap()).eksctl.to_string();
        assert_eq!(["1.29", "1.31", "1.32", "1.36"].map(eksctl), ["0.169.0", "0.191.0", "0.202.0", "0.202.0"]);
        // What is listed is what is judged.
        for helm in &tools.helm {
            assert_eq!(tool(&format!("{helm}.0")).fit_helm("1.33".parse().unwrap()), ToolFit::Fits, "{helm}");
        }
    }

    #[test]
    fn an_aws_names_users_from_a_release_of_each_major_on() {
        let names: Vec<&str> = ["1.23.9", "1.27.97", "1.27.98", "1.44.0", "2.9.19", "2.11.5", "2.11.6", "2.31.0"]
            .into_iter()
            .filter(|v| tool(v).names_users())
            .collect();
        assert_eq!(names, ["1.27.98", "1.44.0", "2.11.6", "2.31.0"]);
    }

    #[test]
    fn eksctl_learnt_fields_over_time() {
        let old = tool("0.194.0");
        assert!(!old.knows_auto_mode_config() && !old.adds_metrics_server());
        let new = tool("0.230.0-dev+x");
        assert!(new.knows_auto_mode_config() && new.adds_metrics_server());
    }
}
