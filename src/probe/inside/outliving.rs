//! What controllers of the cluster made in AWS: volumes and load balancers outlive a cluster that is deleted under them.

use super::text;
use crate::error::Result;
use crate::facts::OutlivingFacts;
use crate::ports::{Kube, ObjectKind};
use serde_json::Value;

/// The driver of EBS volumes, as its page names it.
const EBS: &str = "ebs.csi.aws.com";

pub(crate) async fn outliving(kube: &dyn Kube) -> Result<OutlivingFacts> {
    let kinds = [("v1", "persistentvolumes"), ("v1", "services"), ("networking.k8s.io/v1", "ingresses")];
    let [volumes, services, ingresses] = kinds.map(|(version, plural)| ObjectKind::new(version, plural));
    let (volumes, services, ingresses) =
        tokio::join!(kube.list(&volumes, None, None), kube.list(&services, None, None), kube.list(&ingresses, None, None));
    Ok(OutlivingFacts {
        claims: volumes?.iter().filter(|volume| goes_with_its_claim(volume)).map(|volume| placed(&volume["spec"]["claimRef"])).collect(),
        services: services?.iter().filter(|service| service["spec"]["type"] == "LoadBalancer").map(|s| placed(&s["metadata"])).collect(),
        ingresses: ingresses?.iter().filter(|ingress| is_of_aws(ingress)).map(|ingress| placed(&ingress["metadata"])).collect(),
    })
}

fn goes_with_its_claim(volume: &Value) -> bool {
    let spec = &volume["spec"];
    spec["csi"]["driver"] == EBS && spec["persistentVolumeReclaimPolicy"] == "Delete" && spec["claimRef"].is_object()
}

/// Whether it is the AWS Load Balancer Controller's: other controllers have one load balancer for all, that of a Service.
fn is_of_aws(ingress: &Value) -> bool {
    let annotations = &ingress["metadata"]["annotations"];
    let annotated = annotations.as_object().is_some_and(|all| all.keys().any(|key| key.starts_with("alb.ingress.kubernetes.io/")));
    annotated || ingress["spec"]["ingressClassName"] == "alb" || annotations["kubernetes.io/ingress.class"] == "alb"
}

fn placed(named: &Value) -> String {
    let part = |key: &str| text(named[key].as_str().unwrap_or_default());
    format!("{}/{}", part("namespace"), part("name"))
}
