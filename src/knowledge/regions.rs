//! The regions of AWS that are known.

use super::table::{embedded, table};
use crate::error::did_you_mean;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
    regions: BTreeMap<String, Vec<String>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| embedded(table!("regions")));

/// What is to be said of a region that is none of those that are known: a slip of the hand, or newer than the table. `None`: it is known.
#[must_use]
pub fn unknown_region(region: &str) -> Option<String> {
    let known = || TABLE.regions.values().flatten().map(String::as_str);
    if known().any(|name| name == region) {
        return None;
    }
    let meant = did_you_mean(region, known()).map_or_else(String::new, |meant| format!("; {meant}"));
    Some(format!("`{region}` is no region that this karpctl knows{meant}"))
}

/// Whether AWS says that it does not know the keys: they are none, or another partition's, or the account has not enabled the region.
#[must_use]
pub fn unknown_keys(said: &str) -> bool {
    ["InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"].iter().any(|code| said.contains(code))
}

/// Why a region that was asked for want of another may know no keys, in words.
#[must_use]
pub fn of_another_partition(asked: &str) -> String {
    format!("no AWS region is set, and {asked}, which was asked, {OTHERS}")
}

/// Whether these are such words.
#[must_use]
pub fn may_be_of_another_partition(said: &str) -> bool {
    said.contains(OTHERS)
}

/// The zones where EKS makes no control plane, by the ids that they have in every account.
/// Source: EKS user guide, "Subnet requirements for clusters".
pub const ZONES_WITHOUT_EKS: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

const OTHERS: &str = "knows no keys of another partition (China, GovCloud)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_told_from_a_region() {
        let meant = |region: &str| unknown_region(region).unwrap();
        assert_eq!(unknown_region("us-west-2"), None);
        assert_eq!(unknown_region("cn-northwest-1"), None);
        assert_eq!(meant("us-wst-2"), "`us-wst-2` is no region that this karpctl knows; did you mean `us-west-2`?");
        assert!(meant("eu-cenrtal-1").ends_with("`eu-central-1`?"));
        assert_eq!(meant("mars-olympus-1"), "`mars-olympus-1` is no region that this karpctl knows");
    }

    #[test]
    fn keys_of_another_partition_are_told_from_keys_that_have_ended() {
        assert!(unknown_keys("InvalidClientTokenId: The security token included in the request is invalid"));
        assert!(!unknown_keys("ExpiredToken: The security token included in the request is expired"));
        assert!(may_be_of_another_partition(&of_another_partition("us-east-1")));
    }

    #[test]
    fn each_is_a_region_of_its_partition() {
        assert!(TABLE.source.contains("botocore"));
        for (partition, begins) in [("aws-cn", "cn-"), ("aws-us-gov", "us-gov-")] {
            assert!(TABLE.regions[partition].iter().all(|region| region.starts_with(begins)), "{partition}");
            assert!(!TABLE.regions["aws"].iter().any(|region| region.starts_with(begins)), "{partition}");
        }
    }
}
