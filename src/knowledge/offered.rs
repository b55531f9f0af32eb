//! A Kubernetes minor as EKS describes it.

use super::{KubernetesVersion, Support};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A Kubernetes minor of which EKS creates clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct OfferedVersion {
    /// The minor.
    pub version: KubernetesVersion,
    /// Whether it is in extended support.
    pub extended: bool,
    /// The last day of standard support, where EKS says it.
    pub standard_until: Option<Date>,
    /// The last day of extended support, where EKS says it.
    pub extended_until: Option<Date>,
}

/// As facts have it: those of an older karpctl have the minor alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    Minor(KubernetesVersion),
    Whole { version: KubernetesVersion, extended: bool, standard_until: Option<Date>, extended_until: Option<Date> },
}

impl From<Saved> for OfferedVersion {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Minor(version) => version.into(),
            Saved::Whole { version, extended, standard_until, extended_until } => {
                Self { version, extended, standard_until, extended_until }
            }
        }
    }
}

impl From<KubernetesVersion> for OfferedVersion {
    /// Of which no more is known than that it is offered.
    fn from(version: KubernetesVersion) -> Self {
        Self { version, extended: false, standard_until: None, extended_until: None }
    }
}

impl OfferedVersion {
    /// What EKS does with it on this day, as far as EKS says it. What was read may be older than the day.
    #[must_use]
    pub fn support(&self, on: Date) -> Support {
        let over = |until: Option<Date>| until.filter(|until| on > *until);
        let told = if let Some(since) = over(self.extended_until) {
            Some(Support::Ended { since })
        } else if self.extended || over(self.standard_until).is_some() {
            self.extended_until.map(|until| Support::Extended { until })
        } else {
            self.standard_until.map(|until| Support::Standard { until })
        };
        told.unwrap_or(Support::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_is_what_eks_says() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let (standard, extended) = (day("2027-03-27"), day("2028-03-27"));
        let offered =
            OfferedVersion { standard_until: Some(standard), extended_until: Some(extended), ..KubernetesVersion::new(99).into() };
        assert_eq!(offered.support(standard), Support::Standard { until: standard });
        assert_eq!(offered.support(day("2027-03-28")), Support::Extended { until: extended });
        assert_eq!(offered.support(day("2028-03-28")), Support::Ended { since: extended });
        let early = OfferedVersion { extended: true, ..offered.clone() };
        assert_eq!(early.support(day("2027-01-01")), Support::Extended { until: extended }, "its word goes before its dates");
        for vague in [OfferedVersion { standard_until: None, ..offered }, OfferedVersion { extended_until: None, ..early }] {
            assert_eq!(vague.support(day("2027-01-01")), Support::Unknown);
        }
    }

    #[test]
    fn facts_of_an_older_karpctl_have_the_minors_alone() {
        let old: Vec<OfferedVersion> = serde_json::from_str(r#"["1.33", "1.34"]"#).unwrap();
        assert_eq!(old, [33, 34].map(KubernetesVersion::new).map(OfferedVersion::from));
        let new = OfferedVersion { extended: true, standard_until: Some("2027-03-27".parse().unwrap()), ..old[0].clone() };
        assert_eq!(serde_json::from_str::<OfferedVersion>(&serde_json::to_string(&new).unwrap()).unwrap(), new);
    }
}
