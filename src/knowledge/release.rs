//! A Karpenter release and its place in the table.

use super::table::{KARPENTER, NewDefaultRow, TrapRow};
use super::{Features, KubernetesVersion, Pin};
use jiff::civil::Date;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, OnceLock};

/// A Karpenter release. Shown without the `v`, taken with or without it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Release(Version);

/// A text that names no release that karpctl can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRelease {
    /// It is not a version.
    #[error("`{value}` is not a Karpenter version: <major>.<minor>.<patch> from 0.17.0 to {newest}, such as {nearest}")]
    Grammar {
        /// What was given.
        value: String,
        /// The newest release of the table.
        newest: String,
        /// The newest release that begins as what was given does, or the newest of all.
        nearest: String,
    },
    /// It is older than the table.
    #[error("Karpenter {value} is too old: before v0.17.0 the chart was not an OCI artifact; take 0.17.0 to {newest}")]
    TooOld {
        /// What was given.
        value: String,
        /// The newest release of the table.
        newest: String,
    },
}

/// What a release does otherwise than those before it where nobody says anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDefault {
    /// The first release that does.
    pub since: Release,
    /// What it does.
    pub what: &'static str,
    /// How it stays as it was.
    pub keep: &'static str,
    /// Where it is said that it does. `None`: this release does not read it any more.
    pub pin: Option<&'static Pin>,
}

/// The system that a release's official image of the controller is made on, whose support ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBase {
    /// Its name.
    pub system: &'static str,
    /// The last day of its support.
    pub ended: Date,
    /// The newest patch of the release's minor, where it is made on another system.
    pub mended: Option<Release>,
}

/// What the table says of a release as a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In the table.
    Known,
    /// Newer than every row: rendered by the newest rules, with a warning.
    Newer,
    /// It works, and has a fault that a later patch has not.
    Caution {
        /// The fault, as a sentence.
        reason: String,
        /// The release to take instead.
        instead: Release,
    },
    /// Must not be installed, for this reason; `instead` is the release to take.
    Trap {
        /// Why, as a sentence.
        reason: String,
        /// The release to take instead.
        instead: Release,
    },
}

/// The oldest release that karpctl works with.
const OLDEST: Version = Version::new(0, 17, 0);

static ALL: LazyLock<Vec<Release>> = LazyLock::new(listed);

/// From one change of features to the next.
struct Era {
    since: Version,
    features: OnceLock<Features>,
}

static ERAS: LazyLock<Vec<Era>> = LazyLock::new(eras);

impl Release {
    /// The releases of the table, oldest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        ALL.clone()
    }

    /// The newest release of the table.
    #[must_use]
    pub fn newest() -> Self {
        ALL.iter().rev().find(|r| r.0.pre.is_empty()).cloned().unwrap_or(Self(OLDEST))
    }

    /// The newest release that may be installed on this Kubernetes version, runs on it, and still runs on the next one, where EKS
    /// has a next one: the cluster can then be upgraded before Karpenter. Without such a release, the newest that runs on this one.
    #[must_use]
    pub fn default_for(kubernetes: KubernetesVersion) -> Option<Self> {
        let may = |r: &&Self| r.0.pre.is_empty() && r.fits(kubernetes) && r.standing_on(kubernetes) == Standing::Known;
        let next = kubernetes.plus(1);
        let lasts = |r: &&Self| !next.is_known() || r.fits(next);
        ALL.iter().rev().find(|r| may(r) && lasts(r)).or_else(|| ALL.iter().rev().find(may)).cloned()
    }

    /// The first release of the table that does this.
    #[must_use]
    pub fn first_with(does: impl Fn(&Features) -> bool) -> Option<Self> {
        ALL.iter().find(|r| does(r.features())).cloned()
    }

    /// The newest patch of the same minor that the table knows.
    #[must_use]
    pub fn latest_patch(&self) -> Self {
        ALL.iter().rev().find(|r| r.0.pre.is_empty() && self.same_minor(r)).cloned().unwrap_or_else(|| self.clone())
    }

    /// What it does.
    #[must_use]
    pub fn features(&self) -> &'static Features {
        // Releases older than the table cannot be made.
        let era = ERAS.partition_point(|era| era.since <= self.0).saturating_sub(1);
        ERAS[era].features.get_or_init(|| features_at(&ERAS[era].since))
    }

    /// What the table says of it as a target, whatever the cluster.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.judge(KARPENTER.traps.iter().find(|row| row.kubernetes_since.is_none() && self.trapped(row)))
    }

    /// What the table says of it as a target on a cluster of this Kubernetes version.
    #[must_use]
    pub fn standing_on(&self, kubernetes: KubernetesVersion) -> Standing {
        let here = |row: &&TrapRow| row.kubernetes_since.is_none_or(|since| kubernetes >= since) && self.trapped(row);
        self.judge(KARPENTER.traps.iter().find(here))
    }

    /// What its image is made on, where the support of that ends.
    #[must_use]
    pub fn image_base(&self) -> Option<ImageBase> {
        let row = &KARPENTER.image_base;
        let of_minor = row.mended.iter().find(|first| self.same_minor(&Self((*first).clone())));
        // A minor that is not named is older than those that are, or newer than the last of them.
        let until = of_minor.or(row.mended.first())?;
        let mended = of_minor.map(|_| self.latest_patch());
        (row.since <= self.0 && self.0 < *until).then(|| ImageBase { system: &row.system, ended: row.ended, mended })
    }

    /// The first release of each minor whose image is made on a system that is supported, where those of before were not; the oldest first.
    #[must_use]
    pub fn with_mended_image() -> Vec<Self> {
        KARPENTER.image_base.mended.iter().cloned().map(Self).collect()
    }

    /// What it does otherwise than an older one where nobody says anything, in the order of the releases.
    #[must_use]
    pub fn new_defaults_since(&self, older: &Self) -> Vec<NewDefault> {
        let rows = KARPENTER.new_defaults.iter().filter(|row| older.0 < row.since && row.since <= self.0);
        let pin = |row: &'static NewDefaultRow| Some(&row.pin).filter(|pin| pin.before.as_ref().is_none_or(|before| self.0 < *before));
        rows.map(|row| NewDefault { since: Self(row.since.clone()), what: &row.what, keep: &row.keep, pin: pin(row) }).collect()
    }

    /// The version of its charts, as their tags are written.
    #[must_use]
    pub fn chart_version(&self) -> String {
        format!("{}{self}", self.features().chart_version_prefix)
    }

    /// Its git tag.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("v{self}")
    }

    /// The last release of the table that is no later: by whose rules one goes that the table does not have.
    #[must_use]
    pub fn last_known(&self) -> Self {
        ALL.iter().rev().find(|known| known.0.pre.is_empty() && *known <= self).unwrap_or(&ALL[0]).clone()
    }

    /// The last patch of its minor that the table has.
    #[must_use]
    pub fn last_patch_known(&self) -> Option<Self> {
        Some(self.last_known()).filter(|known| self.same_minor(known))
    }

    /// [`Self::last_known`] in words: `1.8.8, the last of 1.8 that it knows`.
    #[must_use]
    pub fn last_known_in_words(&self) -> String {
        match self.last_patch_known() {
            Some(known) => format!("{known}, the last of {}.{} that it knows", self.0.major, self.0.minor),
            None => format!("{}, the last before it that it knows", self.last_known()),
        }
    }

    /// The oldest and the newest Kubernetes version that it runs on.
    #[must_use]
    pub fn kubernetes_range(&self) -> (KubernetesVersion, KubernetesVersion) {
        let rows = &KARPENTER.kubernetes;
        let row = rows.iter().rev().find(|row| row.since <= self.0).unwrap_or(&rows[0]);
        (row.min, row.max)
    }

    /// Whether it runs on this Kubernetes version.
    #[must_use]
    pub fn fits(&self, kubernetes: KubernetesVersion) -> bool {
        let (min, max) = self.kubernetes_range();
        (min..=max).contains(&kubernetes)
    }

    /// The version, for the other tables of this module.
    pub(super) const fn version(&self) -> &Version {
        &self.0
    }

    fn judge(&self, trap: Option<&TrapRow>) -> Standing {
        if let Some(row) = trap {
            return Standing::Trap { reason: row.reason.clone(), instead: Self(row.instead.clone()) };
        }
        if let Some(row) = KARPENTER.cautions.iter().find(|row| self.trapped(row)) {
            return Standing::Caution { reason: row.reason.clone(), instead: Self(row.instead.clone()) };
        }
        if ALL.binary_search(self).is_ok() {
            return Standing::Known;
        }
        match ALL.iter().find(|r| *r > self && r.0.pre.is_empty() && self.same_minor(r)) {
            // A later patch of this minor exists, so this one was skipped and never will be.
            Some(next) => Standing::Trap { reason: "it was never released".into(), instead: next.clone() },
            None => Standing::Newer,
        }
    }

    fn same_minor(&self, other: &Self) -> bool {
        (self.0.major, self.0.minor) == (other.0.major, other.0.minor)
    }

    fn trapped(&self, row: &TrapRow) -> bool {
        row.since <= self.0 && self.0 < row.before
    }
}

/// The versions at which a row of features begins or ends.
fn eras() -> Vec<Era> {
    let rows = &KARPENTER.features;
    let bounds: BTreeSet<&Version> = rows.iter().flat_map(|row| std::iter::once(&row.since).chain(&row.before)).collect();
    bounds.into_iter().map(|since| Era { since: since.clone(), features: OnceLock::new() }).collect()
}

/// The rows of the table as one value. The tests do this for every release, so a failure cannot reach a person.
fn features_at(version: &Version) -> Features {
    let mut set = Map::new();
    for row in &KARPENTER.features {
        if row.since <= *version && row.before.as_ref().is_none_or(|before| version < before) {
            set.extend(row.set.clone());
        }
    }
    serde_json::from_value(Value::Object(set)).expect("the rows of the table make complete features")
}

/// The table's releases, written out.
fn listed() -> Vec<Release> {
    let mut all = Vec::new();
    for (minor, patches) in &KARPENTER.releases.minors {
        for patch in patches {
            let text = patch.as_str().map_or_else(|| patch.to_string(), str::to_owned);
            let range = text.split_once('-').and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
            let patches = match range {
                Some((first, last)) => (first..=last).map(|p| p.to_string()).collect(),
                None => vec![text],
            };
            all.extend(patches.iter().filter_map(|p| Version::parse(&format!("{minor}.{p}")).ok().map(Release)));
        }
    }
    all.sort();
    all
}

/// The tag of an image, which may have a digest too: of Karpenter's it is the release. `None`: it has no tag.
#[must_use]
pub fn image_tag(image: &str) -> Option<&str> {
    let named = image.split_once('@').map_or(image, |(named, _)| named);
    named.rsplit_once(':').map(|(_, tag)| tag)
}

impl FromStr for Release {
    type Err = InvalidRelease;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let newest = || Self::newest().to_string();
        match Version::parse(text.strip_prefix('v').unwrap_or(text)) {
            Ok(version) if version < OLDEST => Err(InvalidRelease::TooOld { value: version.to_string(), newest: newest() }),
            Ok(version) if version.build.is_empty() => Ok(Self(version)),
            _ => {
                let begun = format!("{}.", text.trim_start_matches('v').trim_end_matches(['.', 'x', '*']));
                let nearest = Self::all().into_iter().map(|r| r.to_string()).rfind(|known| known.starts_with(&begun));
                Err(InvalidRelease::Grammar { value: text.to_owned(), newest: newest(), nearest: nearest.unwrap_or_else(newest) })
            }
        }
    }
}

impl TryFrom<String> for Release {
    type Error = InvalidRelease;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Release> for String {
    fn from(release: Release) -> Self {
        release.to_string()
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    fn minor(text: &str) -> KubernetesVersion {
        text.parse().unwrap()
    }

    #[test]
    fn the_table_rises_and_each_guide_fits_its_release() {
        assert!(Release::all().is_sorted_by(|a, b| a < b));
        for known in Release::all() {
            assert!(known.features().guide_kubernetes >= known.kubernetes_range().0, "{known}");
        }
    }

    #[test]
    fn parses_with_and_without_v_and_refuses_the_rest() {
        assert_eq!(release("v1.14.1").to_string(), "1.14.1");
        assert_eq!(release("1.14.1").tag(), "v1.14.1");
        let old = "0.16.3".parse::<Release>().unwrap_err().to_string();
        assert!(old.contains("before v0.17.0 the chart was not an OCI artifact"), "{old}");
        for text in ["", "1", "1.14", "latest", "vv1.14.1", "1.14.1+x", "1.14.1 "] {
            let error = text.parse::<Release>().unwrap_err().to_string();
            assert!(error.contains(&format!("0.17.0 to {}", Release::newest())), "{error}");
        }
    }

    #[test]
    fn a_minor_version_is_answered_with_its_newest_release() {
        for (text, nearest) in [("1.8", "1.8.8"), ("v0.37", "0.37.8"), ("0.37.x", "0.37.8"), ("1.0.", "1.0.14"), ("0", "0.37.8")] {
            let error = text.parse::<Release>().unwrap_err().to_string();
            assert!(error.ends_with(&format!("such as {nearest}")), "{error}");
        }
        assert!("latest".parse::<Release>().unwrap_err().to_string().ends_with(&format!("such as {}", Release::newest())));
    }

    #[test]
    fn chart_versions_lost_their_v_at_0_35() {
        for (text, chart) in [("0.17.0", "v0.17.0"), ("0.34.13", "v0.34.13"), ("0.35.0", "0.35.0"), ("1.14.1", "1.14.1")] {
            assert_eq!(release(text).chart_version(), chart);
        }
    }

    #[test]
    fn kubernetes_ranges_are_exact_to_the_patch() {
        for (text, min, max) in [
            ("0.17.0", "1.20", "1.24"),
            ("0.28.0", "1.23", "1.25"),
            ("0.28.1", "1.23", "1.27"),
            ("1.0.4", "1.25", "1.30"),
            ("1.0.8", "1.25", "1.31"),
            ("1.6.5", "1.26", "1.33"),
            ("1.6.6", "1.26", "1.34"),
            ("1.7.3", "1.26", "1.33"),
            ("1.7.4", "1.26", "1.34"),
            ("1.14.1", "1.26", "1.36"),
        ] {
            assert_eq!(release(text).kubernetes_range(), (minor(min), minor(max)), "{text}");
        }
    }

    #[test]
    fn the_default_is_the_newest_that_fits() {
        for (kubernetes, expected) in
            [("1.26", Some(Release::newest())), ("1.25", Some(release("1.4.4"))), ("1.24", Some(release("0.37.8"))), ("1.99", None)]
        {
            assert_eq!(Release::default_for(minor(kubernetes)), expected, "{kubernetes}");
        }
    }

    #[test]
    fn the_default_outlasts_the_next_upgrade_of_the_cluster() {
        for minor in 20..=36 {
            let (kubernetes, next) = (KubernetesVersion::new(minor), KubernetesVersion::new(minor + 1));
            let default = Release::default_for(kubernetes).unwrap();
            assert!(default.fits(kubernetes) && default.standing_on(kubernetes) == Standing::Known, "{kubernetes}: {default}");
            let newer = Release::all().into_iter().filter(|r| *r > default && r.standing_on(kubernetes) == Standing::Known);
            for newer in newer.filter(|r| r.fits(kubernetes)) {
                assert!(
                    next.is_known() && !newer.fits(next) || newer.to_string().contains('-'),
                    "{kubernetes}: {newer} is newer than {default}"
                );
            }
            assert!(!next.is_known() || default.fits(next), "{kubernetes}: {default} does not run on {next}");
        }
    }

    #[test]
    fn what_an_image_is_made_on_follows_the_patch() {
        for (text, mended) in [
            ("0.32.10", None),
            ("0.33.0", Some(None)),
            ("0.37.8", Some(None)),
            ("1.0.12", Some(Some("1.0.14"))),
            ("1.0.13", None),
            ("1.8.6", Some(Some("1.8.8"))),
            ("1.8.7", None),
            ("1.13.0", Some(Some("1.13.1"))),
            ("1.14.0", None),
            ("1.99.0", None),
        ] {
            let base = release(text).image_base().map(|base| base.mended.map(|mended| mended.to_string()));
            assert_eq!(base, mended.map(|mended: Option<&str>| mended.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn traps_are_refused_with_the_release_to_take() {
        let instead = |text: &str| match release(text).standing() {
            Standing::Trap { instead, .. } => Some(instead.to_string()),
            _ => None,
        };
        for (text, expected) in [
            ("1.0.0", Some("1.0.14")),
            ("0.29.1", None),
            ("1.0.8", None),
            ("1.8.4", Some("1.8.8")),
            ("0.33.5", None),
            ("0.33.6", Some("0.33.12")),
            ("0.33.8", None),
            ("0.37.2", Some("0.37.8")),
            ("0.34.4", Some("0.34.5")),
            ("0.28.0", None),
        ] {
            assert_eq!(instead(text).as_deref(), expected, "{text}");
        }
        assert!(matches!(release("0.28.0").standing_on(minor("1.26")), Standing::Trap { .. }));
        assert_eq!(release("0.28.0").standing_on(minor("1.25")), Standing::Known);
        assert!(matches!(release("0.29.1").standing(), Standing::Caution { instead, .. } if instead == release("0.29.2")));
        assert_eq!(release("0.29.2").standing(), Standing::Known);
        assert_eq!(release("99.0.0").standing(), Standing::Newer);
        assert_eq!(release("99.0.0").last_known_in_words(), format!("{}, the last before it that it knows", Release::newest()));
        let (patch, last) = (release("1.8.99"), release("1.8.0").latest_patch());
        assert_eq!((patch.standing(), patch.last_patch_known().as_ref()), (Standing::Newer, Some(&last)));
        assert_eq!(patch.last_known_in_words(), format!("{last}, the last of 1.8 that it knows"));
        assert_eq!(serde_json::to_value(patch.features()).unwrap(), serde_json::to_value(last.features()).unwrap());
        assert_eq!(release("99.0.0").features(), Release::newest().features());
    }

    #[test]
    fn conversion_is_known_where_the_crds_ask_for_it() {
        for (text, expected) in
            [("0.33.5", false), ("0.33.8", true), ("0.34.0", false), ("0.37.8", true), ("1.0.8", true), ("1.1.0", false)]
        {
            assert_eq!(release(text).features().conversion_webhook, expected, "{text}");
        }
    }
}
