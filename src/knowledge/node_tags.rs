//! The tags of nodes.

use super::table::KARPENTER;

/// Whether a node class takes this key among its tags: Karpenter keeps some for itself.
#[must_use]
pub fn is_node_tag(key: &str) -> bool {
    !KARPENTER.own_node_tags.iter().any(|row| row.key.strip_suffix('*').map_or(row.key == key, |beginning| key.starts_with(beginning)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_karpenter_keeps_for_itself_is_no_tag_of_a_node_class() {
        for key in ["kubernetes.io/cluster/demo", "kubernetes.io/cluster", "karpenter.sh/nodepool", "eks:eks-cluster-name"] {
            assert!(!is_node_tag(key), "{key}");
        }
        for key in ["team", "karpenter.sh/nodepool-owner", "karpenter.sh/discovery", "eks:cluster-name", "Name"] {
            assert!(is_node_tag(key), "{key}");
        }
    }
}
