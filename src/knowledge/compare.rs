//! The tables against what is out there.

use super::table::KUBERNETES;
use super::{KubernetesVersion, OfferedVersion, Release};
use jiff::civil::Date;
use serde::Serialize;

/// The table of releases against the tags of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartComparison {
    /// Releases whose chart is there and that the table does not have. Pre-releases are left out.
    pub unlisted: Vec<Release>,
    /// Releases of the table whose chart is not there.
    pub without_chart: Vec<Release>,
}

/// The table of Kubernetes versions against EKS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesComparison {
    /// Minors that EKS offers and the table does not have.
    pub unlisted: Vec<KubernetesVersion>,
    /// Minors that the table takes for offered, and EKS does not offer.
    pub not_offered: Vec<KubernetesVersion>,
    /// Dates that are not those of EKS, a sentence each.
    pub other_dates: Vec<String>,
}

impl ChartComparison {
    /// Of these tags. What is no version (signatures, digests) is left out.
    #[must_use]
    pub fn of(tags: &[String]) -> Self {
        let mut there: Vec<Release> = tags.iter().filter_map(|tag| tag.parse().ok()).collect();
        there.sort();
        there.dedup();
        let listed = Release::all();
        let unlisted = there.iter().filter(|r| r.version().pre.is_empty() && listed.binary_search(r).is_err());
        let without_chart = listed.iter().filter(|r| there.binary_search(r).is_err());
        Self { unlisted: unlisted.cloned().collect(), without_chart: without_chart.cloned().collect() }
    }

    /// Whether the table is behind.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        !self.unlisted.is_empty()
    }
}

impl KubernetesComparison {
    /// Of what EKS offers on this day.
    #[must_use]
    pub fn of(offered: &[OfferedVersion], today: Date) -> Self {
        let there = |version: KubernetesVersion| offered.iter().find(|o| o.version == version);
        let mut other_dates = Vec::new();
        for row in &KUBERNETES.eks {
            let Some(eks) = there(row.minor) else { continue };
            for (what, ours, theirs) in [("standard", row.standard, eks.standard_until), ("extended", row.extended, eks.extended_until)] {
                if let Some(theirs) = theirs.filter(|theirs| ours != Some(*theirs)) {
                    let ours = ours.map_or_else(|| "no date".to_owned(), |day| day.to_string());
                    other_dates.push(format!("Kubernetes {}: EKS ends {what} support on {theirs}, the table says {ours}", row.minor));
                }
            }
        }
        let taken = KUBERNETES.eks.iter().map(|row| row.minor).filter(|minor| minor.offered_by_eks(today));
        Self {
            unlisted: offered.iter().map(|o| o.version).filter(|version| !version.is_known()).collect(),
            not_offered: taken.filter(|minor| there(*minor).is_none()).collect(),
            other_dates,
        }
    }

    /// Whether the table is behind.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        !self.unlisted.is_empty() || !self.not_offered.is_empty() || !self.other_dates.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_that_the_table_has_not_are_named() {
        let mut tags: Vec<String> = Release::all().iter().map(Release::chart_version).collect();
        assert!(!ChartComparison::of(&tags).is_behind());
        tags.extend(["99.1.0", "99.0.2", "99.1.0-rc.0", "0.16.3", "sha256-0123.sig", "0.0.0-abc"].map(str::to_owned));
        tags.retain(|tag| tag != "v0.17.0");
        let compared = ChartComparison::of(&tags);
        let names = |list: &[Release]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&compared.unlisted), ["99.0.2", "99.1.0"]);
        assert_eq!(names(&compared.without_chart), ["0.17.0"]);
        assert!(compared.is_behind());
    }

    #[test]
    fn kubernetes_versions_and_dates_are_compared() {
        let today: Date = "2026-11-23".parse().unwrap();
        let mut offered: Vec<OfferedVersion> = KUBERNETES
            .eks
            .iter()
            .filter(|row| row.minor.offered_by_eks(today))
            .map(|row| OfferedVersion { standard_until: row.standard, extended_until: row.extended, ..row.minor.into() })
            .collect();
        assert!(!KubernetesComparison::of(&offered, today).is_behind());
        offered.remove(0);
        offered[0].standard_until = Some("2030-01-01".parse().unwrap());
        offered.push(KubernetesVersion::new(37).into());
        let compared = KubernetesComparison::of(&offered, today);
        assert_eq!((&compared.unlisted, &compared.not_offered), (&vec![KubernetesVersion::new(37)], &vec![KubernetesVersion::new(31)]));
        assert_eq!(compared.other_dates, ["Kubernetes 1.32: EKS ends standard support on 2030-01-01, the table says 2026-03-23"]);
    }
}
