//! What the API server says of what the chart and karpctl write, before it is written.

use super::text;
use crate::error::Result;
use crate::facts::{Facts, Probed, TrialAnswer, TrialFacts};
use crate::knowledge::{CHART, Objection};
use crate::ports::{Kube, ObjectKind, ObjectRef, Trial};
use crate::probe::failed;
use crate::probe::kinds::Kinds;
use crate::render;
use crate::spec::Spec;
use serde_json::{Value, json};

/// Shows the API server the controller's Deployment, a pod of it, and the node class and the node pool. Nothing is written.
pub(crate) async fn trials(spec: &Spec, seen: &Facts, kube: &dyn Kube) -> Probed<Vec<TrialFacts>> {
    let endpoint = seen.cluster.known().and_then(|cluster| cluster.endpoint.as_deref());
    let read = async {
        let (mut of_chart, of_pool) = tokio::try_join!(chart(spec, endpoint, kube), pool(spec, seen, kube))?;
        of_chart.extend(of_pool);
        Ok(of_chart)
    };
    read.await.map_or_else(|e| failed(&e), Probed::Known)
}

/// The controller's Deployment, and a pod as its `ReplicaSet` makes it: some policies are about pods alone.
async fn chart(spec: &Spec, cluster_endpoint: Option<&str>, kube: &dyn Kube) -> Result<Vec<TrialFacts>> {
    let namespace = spec.namespace.as_str();
    let within = |api: &str, plural: &str, name: &str| ObjectRef {
        kind: ObjectKind::new(api, plural),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let places = [within("apps/v1", "deployments", CHART), within("v1", "pods", "karpenter-0000000000-00000")];
    let subjects = [format!("Deployment {namespace}/{CHART}"), format!("a pod of the Deployment {namespace}/{CHART}")];
    let untried = |why: String| {
        let trials = places.iter().zip(subjects.clone());
        Ok(trials.map(|(place, subject)| facts(place, subject, TrialAnswer::NotTried(why.clone()))).collect())
    };
    let deployment = match render::controller(spec, cluster_endpoint) {
        Ok(Some(deployment)) => deployment,
        Ok(None) => return untried(format!("what the chart of Karpenter {} makes is not known in full", spec.release)),
        Err(e) => return untried(e.to_string()),
    };
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": deployment["spec"]["template"]["spec"]});
    pod["metadata"] = deployment["spec"]["template"]["metadata"].clone();
    (pod["metadata"]["name"], pod["metadata"]["namespace"]) = (json!(places[1].name), json!(namespace));
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "karpenter-0000000000", "controller": true});
    pod["metadata"]["ownerReferences"] = json!([set]);
    pod["metadata"]["ownerReferences"][0]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let [of_deployment, of_pod] = places;
    let [deployments, pods] = subjects;
    let of_pod = async {
        let answer = tried(kube, of_pod.clone(), pods.clone(), &pod, NO_NAMESPACE).await?;
        // A pod whose service account is not there yet is refused for that, before anybody else is asked.
        if !matches!(&answer.answer, TrialAnswer::Refused(why) if why.contains("error looking up service account")) {
            return Ok(answer);
        }
        let mut other = pod.clone();
        other["spec"]["serviceAccountName"] = json!("default");
        tried(kube, of_pod, pods, &other, NO_NAMESPACE).await
    };
    let (deployment, pod) = tokio::try_join!(tried(kube, of_deployment, deployments, &deployment, NO_NAMESPACE), of_pod)?;
    Ok(vec![deployment, pod])
}

/// The node class and the node pool. One that is there is shown as it is.
async fn pool(spec: &Spec, seen: &Facts, kube: &dyn Kube) -> Result<Vec<TrialFacts>> {
    let kinds = Kinds::of(spec);
    let wanted = render::node_pool(spec, None).unwrap_or_default();
    let [class, pool] = wanted.as_slice() else { return Ok(Vec::new()) };
    if spec.node_pool.keep {
        return Ok(Vec::new());
    }
    let one = async |place: ObjectRef, word: &str, body: &Value, found: &Probed<Value>| {
        let unchanged = json!({"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {"name": place.name}});
        let subject = format!("{word} {}", place.name);
        match found {
            Probed::Known(_) => tried(kube, place, subject, &unchanged, NO_CRD).await,
            Probed::Absent => tried(kube, place, subject, body, NO_CRD).await,
            Probed::Unavailable(why) => Ok(facts(&place, subject, TrialAnswer::NotTried(why.clone()))),
            Probed::NotAsked => Ok(facts(&place, subject, TrialAnswer::NotTried("was not looked at".to_owned()))),
        }
    };
    let (class, pool) = tokio::try_join!(
        one(kinds.class_ref(spec), kinds.class_word, class, &seen.node_class),
        one(kinds.pool_ref(spec), kinds.pool_word, pool, &seen.node_pool)
    )?;
    Ok(vec![class, pool])
}

/// Why nothing is said of an object.
const NO_NAMESPACE: &str = "its namespace is not there yet";
/// See [`NO_NAMESPACE`].
const NO_CRD: &str = "its CRD is not there yet";

async fn tried(kube: &dyn Kube, place: ObjectRef, subject: String, body: &Value, nowhere: &str) -> Result<TrialFacts> {
    let answer = match kube.dry_run(&place, body).await? {
        Trial::Taken => TrialAnswer::Taken,
        Trial::NoPlace => TrialAnswer::NotTried(nowhere.to_owned()),
        Trial::Refused(why) => TrialAnswer::Refused(text(&why)),
    };
    let binding = match &answer {
        TrialAnswer::Refused(why) => binding(kube, why).await,
        _ => None,
    };
    Ok(TrialFacts { binding, ..facts(&place, subject, answer) })
}

/// What the binding of the policy that refuses is about: without it nobody can be left out of it.
async fn binding(kube: &dyn Kube, why: &str) -> Option<Value> {
    let Objection::Policy { binding, .. } = Objection::read(why) else { return None };
    let kind = ObjectKind::new("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings");
    let found = kube.get(&ObjectRef { kind, namespace: None, name: binding.to_owned() }).await.ok()??;
    Some(found["spec"]["matchResources"].clone())
}

fn facts(place: &ObjectRef, subject: String, answer: TrialAnswer) -> TrialFacts {
    let group = place.kind.api_version.split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default();
    let in_namespace = place.namespace.is_some();
    TrialFacts { subject, group, plural: place.kind.plural.clone(), in_namespace, answer, binding: None }
}
