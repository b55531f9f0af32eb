//! A Kubernetes minor version, and what EKS does with it.

use super::table::{EksRow, KUBERNETES};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A Kubernetes minor version, `1.<minor>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubernetesVersion {
    minor: u16,
}

/// A text that names no Kubernetes version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Kubernetes version: 1.<minor>, such as 1.34")]
pub struct InvalidKubernetesVersion(String);

/// What EKS does with a Kubernetes version on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// The table has no dates for it.
    Unknown,
    /// Standard support.
    Standard {
        /// The last day of it.
        until: Date,
    },
    /// Extended support, at a price per cluster and hour.
    Extended {
        /// The last day of it.
        until: Date,
    },
    /// EKS upgrades clusters of this version by itself, and lets nobody create one.
    Ended {
        /// The last day of support.
        since: Date,
    },
}

impl KubernetesVersion {
    /// `1.<minor>`.
    #[must_use]
    pub const fn new(minor: u16) -> Self {
        Self { minor }
    }

    /// The part behind `1.`.
    #[must_use]
    pub const fn minor(self) -> u16 {
        self.minor
    }

    /// The version so many minors later.
    #[must_use]
    pub const fn plus(self, minors: u16) -> Self {
        Self { minor: self.minor.saturating_add(minors) }
    }

    /// What EKS does with it on this day, as far as the table knows.
    #[must_use]
    pub fn support(self, on: Date) -> Support {
        match self.row() {
            Some(EksRow { standard: Some(standard), extended: Some(extended), .. }) => {
                if on <= *standard {
                    Support::Standard { until: *standard }
                } else if on <= *extended {
                    Support::Extended { until: *extended }
                } else {
                    Support::Ended { since: *extended }
                }
            }
            _ => Support::Unknown,
        }
    }

    /// Whether EKS lets one create a cluster of it on this day. A version that is newer than the table is left to EKS to judge.
    #[must_use]
    pub fn offered_by_eks(self, on: Date) -> bool {
        match self.row() {
            Some(row) => row.released.is_none_or(|day| day <= on) && !matches!(self.support(on), Support::Ended { .. }),
            None => KUBERNETES.eks.last().is_some_and(|newest| self > newest.minor),
        }
    }

    /// The minors of the table, oldest first.
    #[must_use]
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        KUBERNETES.eks.iter().map(|row| row.minor)
    }

    /// The last days of its standard and of its extended support, where the table has them.
    #[must_use]
    pub fn support_ends(self) -> (Option<Date>, Option<Date>) {
        self.row().map_or((None, None), |row| (row.standard, row.extended))
    }

    /// Whether the table has it: whether EKS has ever offered it.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.row().is_some()
    }

    /// Whether images of this AMI family (`al2`, `al2023`, …) are made for it.
    #[must_use]
    pub fn has_ami_family(self, family: &str) -> bool {
        KUBERNETES.ami.iter().filter(|row| row.family == family).all(|row| self < row.before)
    }

    /// The newest version of `flowcontrol.apiserver.k8s.io` that it serves.
    #[must_use]
    pub fn flow_control_api(self) -> &'static str {
        let rows = &KUBERNETES.flow_control;
        rows.iter().rev().find(|row| row.since <= self).map_or(rows[0].version.as_str(), |row| row.version.as_str())
    }

    fn row(self) -> Option<&'static EksRow> {
        KUBERNETES.eks.iter().find(|row| row.minor == self)
    }
}

/// The day since which EKS makes no more images of this AMI family, for no Kubernetes.
#[must_use]
pub fn ami_family_ended(family: &str) -> Option<Date> {
    KUBERNETES.ami.iter().find(|row| row.family == family).and_then(|row| row.ended)
}

impl FromStr for KubernetesVersion {
    type Err = InvalidKubernetesVersion;

    /// Takes `1.29`, `v1.29` and longer forms such as `1.29.3-eks-a1b2c3`, of which the minor is kept.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidKubernetesVersion(text.to_owned());
        let rest = text.strip_prefix('v').unwrap_or(text).strip_prefix("1.").ok_or_else(invalid)?;
        let (minor, patch) = rest.split_once('.').unwrap_or((rest, "0"));
        // A managed control plane may say `29+`.
        let minor = minor.strip_suffix('+').unwrap_or(minor);
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(minor) || !patch.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(invalid());
        }
        minor.parse().map(Self::new).map_err(|_| invalid())
    }
}

impl TryFrom<String> for KubernetesVersion {
    type Error = InvalidKubernetesVersion;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KubernetesVersion> for String {
    fn from(version: KubernetesVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_people_and_servers_write() {
        for (text, minor) in [("1.29", 29), ("v1.29", 29), ("1.29.3", 29), ("v1.29.3-eks-a1b2c3", 29), ("1.30+", 30)] {
            assert_eq!(text.parse(), Ok(KubernetesVersion::new(minor)), "{text}");
        }
        for text in ["", "1", "1.", "2.29", "1.x", "1.29.x", "1.29.", "1.-1", "1.999999", " 1.29"] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn support_follows_the_calendar() {
        let day: Date = "2026-11-23".parse().unwrap();
        let on = |minor| KubernetesVersion::new(minor).support(day);
        assert!(matches!(on(30), Support::Ended { .. }));
        assert!(matches!(on(31), Support::Extended { .. }));
        assert!(matches!(on(34), Support::Standard { .. }));
        assert!(matches!(on(36), Support::Standard { .. }));
        assert_eq!(on(37), Support::Unknown);
        let offered: Vec<u16> = (18..40).filter(|m| KubernetesVersion::new(*m).offered_by_eks(day)).collect();
        assert_eq!(offered, [31, 32, 33, 34, 35, 36, 37, 38, 39]);
    }

    #[test]
    fn flow_control_is_the_newest_that_is_served() {
        for (minor, version) in [(23, "v1beta2"), (25, "v1beta2"), (26, "v1beta3"), (28, "v1beta3"), (29, "v1"), (40, "v1")] {
            assert_eq!(KubernetesVersion::new(minor).flow_control_api(), version, "1.{minor}");
        }
    }

    #[test]
    fn al2_ends_before_1_33() {
        assert!(KubernetesVersion::new(32).has_ami_family("al2"));
        assert!(!KubernetesVersion::new(33).has_ami_family("al2"));
        assert!(KubernetesVersion::new(33).has_ami_family("al2023"));
    }
}
