//! Whether the pods of Windows nodes get addresses.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, makes_cluster};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct WindowsIpam;

impl Check for WindowsIpam {
    fn id(&self) -> &'static str {
        "windows-ipam"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "On Windows nodes EKS's control plane gives pods their addresses, and only where the cluster says so: nodes join, and no pod of theirs starts."
    }

    fn explain(&self) -> &'static str {
        "Looks for `enable-windows-ipam: \"true\"` in the ConfigMap amazon-vpc-cni of kube-system where the spec has `windows`, or a node \
         class makes Windows nodes.\n\nWhat people see otherwise: pods stay in ContainerCreating with `failed to setup network for sandbox`, \
         `pod does not have label vpc.amazonaws.com/PrivateIPv4Address`, or Pending with `Insufficient vpc.amazonaws.com/PrivateIPv4Address`. A \
         cluster that karpctl makes with `windows` has it. Where the VPC CNI is an add-on of EKS, the ConfigMap is the add-on's: say \
         `enableWindowsIpam` in its configuration too, or its next update takes it back.\n\n\
         The cluster's own role also needs AmazonEKSVPCResourceController, which eksctl and Terraform's module attach; that is not looked at."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::WindowsIpam, Topic::Objects, Topic::Crds, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = "addresses of Windows pods";
        if makes_cluster(spec, facts) {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        }
        let windows = spec.windows || read(subject, &facts.objects)?.is_some_and(|objects| objects.iter().any(|o| o.windows));
        if !windows {
            return Ok(vec![Judgement::pass(subject, "neither the spec nor a node class makes Windows nodes")]);
        }
        let config_map = read(subject, &facts.windows_ipam)?;
        if config_map == Some(&true) {
            return Ok(vec![Judgement::pass(subject, "the cluster gives them")]);
        }
        let judgement =
            Judgement::fail(subject, "the cluster gives none: enable-windows-ipam is not \"true\" in the ConfigMap amazon-vpc-cni");
        let kubectl = ["kubectl", "--namespace", "kube-system"].into_iter();
        let judgement = if config_map.is_some() {
            let patch = r#"{"data":{"enable-windows-ipam":"true"}}"#;
            judgement.run("turn it on", kubectl.chain(["patch", "configmap", "amazon-vpc-cni", "--type", "merge", "--patch", patch]))
        } else {
            let literal = "enable-windows-ipam=true";
            judgement.run("turn it on", kubectl.chain(["create", "configmap", "amazon-vpc-cni", "--from-literal", literal]))
        };
        Ok(vec![judgement.fix(
            "where vpc-cni is an add-on of EKS, say it there too: `\"enableWindowsIpam\": \"true\"` beside its other configuration values",
        )])
    }
}
