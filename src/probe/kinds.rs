//! The kinds of a release's objects, as the API server's paths name them.

use crate::knowledge::{AUTO_MODE_GROUP, COMPUTE_TYPE_LABEL, NODE_POOL_LABEL, NodePoolApi, PROVISIONER_LABEL};
use crate::ports::{ObjectKind, ObjectRef};
use crate::spec::Spec;
use serde_json::Value;

/// The kinds of one API of node pools.
#[derive(Debug, Clone)]
pub(crate) struct Kinds {
    /// `NodePool` or `Provisioner`.
    pub(crate) pool: ObjectKind,
    /// `EC2NodeClass` or `AWSNodeTemplate`.
    pub(crate) class: ObjectKind,
    /// `NodeClaim` or `Machine`.
    pub(crate) claim: ObjectKind,
    /// The label by which a node, a claim and an EC2 instance name their pool.
    pub(crate) pool_label: &'static str,
    /// The words for the two, as people say them: `NodePool`, `EC2NodeClass`.
    pub(crate) pool_word: &'static str,
    /// See [`Self::pool_word`].
    pub(crate) class_word: &'static str,
    /// The word for a claim: `NodeClaim`, `Machine`.
    pub(crate) claim_word: &'static str,
}

impl Kinds {
    pub(crate) fn of(spec: &Spec) -> Self {
        let (core, aws) = match spec.release.features().node_pool_api {
            NodePoolApi::V1Alpha5 => {
                return Self {
                    pool: ObjectKind::new("karpenter.sh/v1alpha5", "provisioners"),
                    class: ObjectKind::new("karpenter.k8s.aws/v1alpha1", "awsnodetemplates"),
                    claim: ObjectKind::new("karpenter.sh/v1alpha5", "machines"),
                    pool_label: PROVISIONER_LABEL,
                    pool_word: "Provisioner",
                    class_word: "AWSNodeTemplate",
                    claim_word: "Machine",
                };
            }
            NodePoolApi::V1Beta1 => ("karpenter.sh/v1beta1", "karpenter.k8s.aws/v1beta1"),
            NodePoolApi::V1 => ("karpenter.sh/v1", "karpenter.k8s.aws/v1"),
        };
        Self {
            pool: ObjectKind::new(core, "nodepools"),
            class: ObjectKind::new(aws, "ec2nodeclasses"),
            claim: ObjectKind::new(core, "nodeclaims"),
            pool_label: NODE_POOL_LABEL,
            pool_word: "NodePool",
            class_word: "EC2NodeClass",
            claim_word: "NodeClaim",
        }
    }

    /// The spec's node pool.
    pub(crate) fn pool_ref(&self, spec: &Spec) -> ObjectRef {
        cluster_wide(&self.pool, spec.node_pool.name.as_str())
    }

    /// The spec's node class.
    pub(crate) fn class_ref(&self, spec: &Spec) -> ObjectRef {
        cluster_wide(&self.class, spec.node_pool.name.as_str())
    }
}

/// Whether a node pool, a node claim or a node is EKS Auto Mode's, which has the kinds of Karpenter and node classes of its own: AWS's controller
/// cares for it, and no other.
pub(crate) fn is_of_auto_mode(object: &Value) -> bool {
    let spec = &object["spec"];
    let by_class = [&spec["nodeClassRef"], &spec["template"]["spec"]["nodeClassRef"]].iter().any(|class| class["group"] == AUTO_MODE_GROUP);
    by_class || object["metadata"]["labels"][COMPUTE_TYPE_LABEL] == "auto"
}

/// Who karpctl is among the managers of fields.
pub(crate) const MANAGER: &str = "karpctl";

/// Whether karpctl applied the object: the API server keeps who did.
pub(crate) fn is_ours(object: &Value) -> bool {
    object["metadata"]["managedFields"].as_array().is_some_and(|managers| managers.iter().any(|m| m["manager"] == MANAGER))
}

/// An object that is in no namespace.
pub(crate) fn cluster_wide(kind: &ObjectKind, name: &str) -> ObjectRef {
    ObjectRef { kind: kind.clone(), namespace: None, name: name.to_owned() }
}

/// The kind of nodes.
pub(crate) fn nodes() -> ObjectKind {
    ObjectKind::new("v1", "nodes")
}

/// The name of an object.
pub(crate) fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}
