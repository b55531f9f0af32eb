//! What the cluster does for Windows nodes.

use crate::facts::Probed;
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::said;

/// What EKS's controller takes for yes (Go's `strconv.ParseBool`).
pub(super) const YES: [&str; 6] = ["1", "t", "T", "TRUE", "true", "True"];

/// Whether EKS gives the pods of Windows nodes their addresses, as the VPC CNI's `ConfigMap` says.
pub(crate) async fn windows_ipam(kube: &dyn Kube) -> Probed<bool> {
    let config_map =
        ObjectRef { kind: ObjectKind::new("v1", "configmaps"), namespace: Some("kube-system".into()), name: "amazon-vpc-cni".into() };
    said(
        kube.get(&config_map)
            .await
            .map(|found| found.map(|object| object["data"]["enable-windows-ipam"].as_str().is_some_and(|told| YES.contains(&told)))),
    )
}
