//! Whether the API server lets whoever asks in.

use crate::error::ErrorKind;
use crate::facts::{Entry, EntryFacts, Probed};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::failed;
use serde_json::json;

/// Has the API server say whether the caller may do everything. It keeps nothing of the question.
pub(crate) async fn entry(kube: &dyn Kube, by_kubeconfig: bool) -> Probed<EntryFacts> {
    let question =
        ObjectRef { kind: ObjectKind::new("authorization.k8s.io/v1", "selfsubjectaccessreviews"), namespace: None, name: String::new() };
    let everything = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
    });
    let answer = match kube.create(&question, &everything).await {
        Ok(answer) if answer["status"]["allowed"] == true => Entry::Open,
        Ok(_) => Entry::TooLittle,
        Err(e) if e.causes.iter().any(|cause| cause.contains("answered 401")) => Entry::NotKnown,
        Err(e) if e.kind == ErrorKind::Denied => Entry::TooLittle,
        Err(e) if e.kind == ErrorKind::Unreachable => Entry::NotReached(e.causes.last().cloned().unwrap_or(e.message)),
        Err(e) => return failed(&e),
    };
    Probed::Known(EntryFacts { answer, by_kubeconfig })
}
