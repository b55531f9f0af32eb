//! What the API server says of what the chart and karpctl write, before it is written.

use super::text;
use crate::facts::{Facts, Probed, TrialAnswer, TrialFacts};
use crate::knowledge::{CHART, Objection, is_about_digest};
use crate::ports::{Kube, ObjectKind, ObjectRef, Trial};
use crate::probe::kinds::Kinds;
use crate::render::{self, UNKNOWN_DIGEST};
use crate::spec::Spec;
use serde_json::{Value, json};

/// Shows the API server the controller's Deployment, a pod of it, and the node class and the node pool. Nothing is written, and where it does
/// not answer about one of them, it is asked about the others all the same.
pub(crate) async fn trials(spec: &Spec, seen: &Facts, kube: &dyn Kube) -> Probed<Vec<TrialFacts>> {
    let endpoint = seen.cluster.known().and_then(|cluster| cluster.endpoint.as_deref());
    let (mut all, of_pool) = tokio::join!(chart(spec, endpoint, kube), pool(spec, seen, kube));
    all.extend(of_pool);
    Probed::Known(all)
}

/// The controller's Deployment, and a pod as its `ReplicaSet` makes it: some policies are about pods alone.
async fn chart(spec: &Spec, cluster_endpoint: Option<&str>, kube: &dyn Kube) -> Vec<TrialFacts> {
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
        trials.map(|(place, subject)| facts(place, subject, TrialAnswer::NotTried(why.clone()))).collect()
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
        let answer = with_image(kube, of_pod.clone(), pods.clone(), &pod).await;
        // A pod whose service account is not there yet is refused for that, before anybody else is asked.
        if !matches!(&answer.answer, TrialAnswer::Refused(why) if why.contains("error looking up service account")) {
            return answer;
        }
        let mut other = pod.clone();
        other["spec"]["serviceAccountName"] = json!("default");
        with_image(kube, of_pod, pods, &other).await
    };
    let (deployment, pod) = tokio::join!(with_image(kube, of_deployment, deployments, &deployment), of_pod);
    vec![deployment, pod]
}

/// Shows an object with the controller's image, of which the chart has a digest that is not known. What is refused with another in its place
/// is shown without one, too: a policy may want some digest, or look for what is signed by this one. Only what is refused both ways is refused.
async fn with_image(kube: &dyn Kube, place: ObjectRef, subject: String, body: &Value) -> TrialFacts {
    let shown = tried(kube, place.clone(), subject.clone(), body, NO_NAMESPACE).await;
    let (TrialAnswer::Refused(why), Some(tagged)) = (&shown.answer, by_tag(body)) else { return shown };
    if !matches!(Objection::read(why), Objection::Policy { .. } | Objection::Webhook(_)) {
        return shown;
    }
    let by_tag = tried(kube, place, subject, &tagged, NO_NAMESPACE).await;
    let to_digest = |why: &str| is_about_digest(&why.replace(&format!("@{UNKNOWN_DIGEST}"), ""));
    match &by_tag.answer {
        TrialAnswer::Refused(also) if to_digest(also) && to_digest(why) => {
            let answer = format!("the chart's image has a digest that is not known before it is pulled, and this depends on it: {also}");
            TrialFacts { answer: TrialAnswer::NotTried(answer), binding: None, ..by_tag }
        }
        TrialAnswer::Refused(also) if to_digest(also) => shown,
        _ => by_tag,
    }
}

/// The same with the controller's image by its tag alone, where nobody has said by which digest.
fn by_tag(body: &Value) -> Option<Value> {
    let mut body = body.clone();
    let path =
        ["/spec/template/spec/containers/0/image", "/spec/containers/0/image"].into_iter().find(|path| body.pointer(path).is_some())?;
    let image = body.pointer_mut(path)?;
    let tagged = image.as_str()?.strip_suffix(UNKNOWN_DIGEST)?.trim_end_matches('@').to_owned();
    *image = tagged.into();
    Some(body)
}

/// The node class and the node pool. One that is there is shown as it is.
async fn pool(spec: &Spec, seen: &Facts, kube: &dyn Kube) -> Vec<TrialFacts> {
    let kinds = Kinds::of(spec);
    let wanted = render::node_pool(spec, None).unwrap_or_default();
    let [class, pool] = wanted.as_slice() else { return Vec::new() };
    if spec.node_pool.keep {
        return Vec::new();
    }
    let one = async |place: ObjectRef, word: &str, body: &Value, found: &Probed<Value>| {
        let unchanged = json!({"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {"name": place.name}});
        let subject = format!("{word} {}", place.name);
        match found {
            Probed::Known(_) => tried(kube, place, subject, &unchanged, NO_CRD).await,
            Probed::Absent => tried(kube, place, subject, body, NO_CRD).await,
            Probed::Unavailable(why) => facts(&place, subject, TrialAnswer::NotTried(why.clone())),
            Probed::NotAsked => facts(&place, subject, TrialAnswer::NotTried("was not looked at".to_owned())),
        }
    };
    let (class, pool) = tokio::join!(
        one(kinds.class_ref(spec), kinds.class_word, class, &seen.node_class),
        one(kinds.pool_ref(spec), kinds.pool_word, pool, &seen.node_pool)
    );
    vec![class, pool]
}

/// Why nothing is said of an object.
const NO_NAMESPACE: &str = "its namespace is not there yet";
/// See [`NO_NAMESPACE`].
const NO_CRD: &str = "its CRD is not there yet";

async fn tried(kube: &dyn Kube, place: ObjectRef, subject: String, body: &Value, nowhere: &str) -> TrialFacts {
    let answer = match kube.dry_run(&place, body).await {
        Ok(Trial::Taken) => TrialAnswer::Taken,
        Ok(Trial::NoPlace) => TrialAnswer::NotTried(nowhere.to_owned()),
        Ok(Trial::Refused(why)) => TrialAnswer::Refused(text(&why)),
        Err(e) => TrialAnswer::NotTried(e.to_string()),
    };
    let binding = match &answer {
        TrialAnswer::Refused(why) => binding(kube, why).await,
        _ => None,
    };
    TrialFacts { binding, ..facts(&place, subject, answer) }
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
