//! The volumes of nodes.

use super::table::KARPENTER;
use serde::Serialize;

/// A volume that Karpenter gives every node of an AMI family whose node class says nothing of volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NodeVolume {
    /// The device: `/dev/xvda`.
    pub device: &'static str,
    /// Its size: `20Gi`.
    pub size: &'static str,
}

/// The volumes of nodes of an AMI family, as aliases name it.
#[must_use]
pub fn node_volumes(family: &str) -> Vec<NodeVolume> {
    let rows = KARPENTER.volumes.iter().filter(|row| row.family == family);
    rows.map(|row| NodeVolume { device: &row.device, size: &row.size }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Release;

    #[test]
    fn every_family_of_every_release_has_volumes() {
        for release in Release::all() {
            for family in &release.features().ami_families {
                assert!(!node_volumes(family).is_empty(), "{family} of {release}");
            }
        }
        let devices: Vec<&str> = node_volumes("bottlerocket").iter().map(|v| v.device).collect();
        assert_eq!(devices, ["/dev/xvda", "/dev/xvdb"]);
    }
}
