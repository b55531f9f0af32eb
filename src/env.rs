//! Every environment variable that is a setting of karpctl, in one place, once. Not listed here are those of others: the AWS settings are
//! the SDK's own (`AWS_PROFILE`, `AWS_ENDPOINT_URL`, `HTTPS_PROXY`, …), `NO_COLOR` and `CLICOLOR_FORCE` are read by the streams, and by clap
//! for its help. Adapters read what the tools that they stand beside would (`PATH`, `KUBECONFIG`, `HELM_…`, `AWS_CA_BUNDLE`), who sits where
//! (`USER`, `LOGNAME`, `HOSTNAME`), and what a karpctl within the lab is given of the terminal (`TERM`, `COLORTERM`).

use crate::characters::Letters;
use crate::spec::layer::{Layer, NodePoolLayer};
use std::path::PathBuf;

/// The variables that are settings of a spec, beside the region.
pub const SETTINGS: [&str; 8] = [
    "CLUSTER_NAME",
    "AWS_ACCOUNT_ID",
    "AWS_PARTITION",
    "KARPENTER_VERSION",
    "K8S_VERSION",
    "KARPENTER_NAMESPACE",
    "ALIAS_VERSION",
    "ENABLE_ZONAL_SHIFT",
];

/// The variables of the region: the first that is set counts, as for aws.
const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// `KARPCTL_BUILD_RELEASES_URL`, when karpctl is built: where a distribution's karpctl asks for newer releases.
const BUILT_IN_RELEASES_URL: Option<&str> = option_env!("KARPCTL_BUILD_RELEASES_URL");

/// The environment, as far as karpctl reads it. Empty variables count as unset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Env {
    /// `CLUSTER_NAME`.
    pub cluster_name: Option<String>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// Which of them it was.
    pub region_variable: Option<&'static str>,
    /// `AWS_ACCOUNT_ID`.
    pub account_id: Option<String>,
    /// `AWS_PARTITION`.
    pub partition: Option<String>,
    /// `KARPENTER_VERSION`.
    pub karpenter_version: Option<String>,
    /// `K8S_VERSION`.
    pub kubernetes_version: Option<String>,
    /// `KARPENTER_NAMESPACE`.
    pub namespace: Option<String>,
    /// `ALIAS_VERSION`: the version behind the `@` of the AMI alias.
    pub alias_version: Option<String>,
    /// `ENABLE_ZONAL_SHIFT`: `true` or `false`.
    pub zonal_shift: Option<String>,
    /// `KUBERNETES_EXEC_INFO`, which a Kubernetes client sets for its credential plugin.
    pub exec_info: Option<String>,
    /// `CI`: any value; no bars are drawn.
    pub ci: bool,
    /// The letters of the locale that `LC_ALL`, else `LC_CTYPE`, else `LANG` names.
    pub letters: Letters,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_STATE_HOME`, else `HOME/.local/state`: where the journal is kept.
    pub state_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`, else `HOME/.cache`: where the lab is installed.
    pub cache_home: Option<PathBuf>,
    /// `KARPCTL_LAB_CACHE`: where the lab is installed, if not in the cache home.
    pub lab_cache: Option<PathBuf>,
    /// `KARPCTL_RELEASES_URL`: the address that is asked for karpctl's newest release, as GitHub's releases API answers. Unset: the one that
    /// whoever built it built in, else nobody is asked.
    pub releases_url: Option<String>,
    /// `KARPCTL_NO_RELEASE_NOTICE`: any value; nobody is asked for newer releases of karpctl.
    pub no_release_notice: bool,
    /// The words of this command line after the program's name, for hints that repeat it.
    pub command_line: Vec<String>,
}

impl Env {
    /// Reads the environment of this process.
    #[must_use]
    pub fn read() -> Self {
        let command_line = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        Self { command_line, ..Self::from(|name| std::env::var(name).ok()) }
    }

    /// Reads an environment that is given as a look-up.
    pub fn from(look_up: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| look_up(name).filter(|v| !v.is_empty());
        let home = get("HOME").map(PathBuf::from);
        let under_home = |name: &str, rest: &str| get(name).map(PathBuf::from).or_else(|| home.as_ref().map(|h| h.join(rest)));
        Self {
            cluster_name: get("CLUSTER_NAME"),
            region: REGION.into_iter().find_map(get),
            region_variable: REGION.into_iter().find(|name| get(name).is_some()),
            account_id: get("AWS_ACCOUNT_ID"),
            partition: get("AWS_PARTITION"),
            karpenter_version: get("KARPENTER_VERSION"),
            kubernetes_version: get("K8S_VERSION"),
            namespace: get("KARPENTER_NAMESPACE"),
            alias_version: get("ALIAS_VERSION"),
            zonal_shift: get("ENABLE_ZONAL_SHIFT"),
            exec_info: get("KUBERNETES_EXEC_INFO"),
            ci: get("CI").is_some(),
            state_home: under_home("XDG_STATE_HOME", ".local/state"),
            cache_home: under_home("XDG_CACHE_HOME", ".cache"),
            letters: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get).map_or_else(Letters::default, |l| Letters::of_locale(&l)),
            home: home.clone(),
            lab_cache: get("KARPCTL_LAB_CACHE").map(PathBuf::from),
            releases_url: get("KARPCTL_RELEASES_URL").or_else(|| BUILT_IN_RELEASES_URL.filter(|url| !url.is_empty()).map(str::to_owned)),
            no_release_notice: get("KARPCTL_NO_RELEASE_NOTICE").is_some(),
            command_line: Vec::new(),
        }
    }

    /// The settings among them, in the guide's own names.
    pub fn layer(&self) -> crate::error::Result<Layer> {
        let zonal_shift = match self.zonal_shift.as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(other) => return Err(crate::error::Error::usage(format!("ENABLE_ZONAL_SHIFT is `{other}`: expected true or false"))),
        };
        let node_pool = self.alias_version.as_ref().map(|version| NodePoolLayer {
            ami_alias: Some(if version.contains('@') { version.clone() } else { format!("al2023@{version}") }),
            ..NodePoolLayer::default()
        });
        Ok(Layer {
            cluster_name: self.cluster_name.clone(),
            region: self.region.clone(),
            region_variable: self.region_variable,
            account_id: self.account_id.clone(),
            partition: self.partition.clone(),
            karpenter_version: self.karpenter_version.clone(),
            kubernetes_version: self.kubernetes_version.clone(),
            namespace: self.namespace.clone(),
            zonal_shift,
            node_pool,
            ..Layer::default()
        })
    }
}
