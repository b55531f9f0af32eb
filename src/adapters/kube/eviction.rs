//! The Eviction API: what is asked, and what an answer means.

use crate::error::{ErrorKind, Result};
use crate::ports::Eviction;
use serde_json::{Value, json};

/// The wish that a pod may go: the one of this uid, and no other that has its name by then.
pub(super) fn body(namespace: &str, name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"namespace": namespace, "name": name},
        "deleteOptions": {"preconditions": {"uid": uid}},
    })
}

/// What the API server says, as of a fault of its own, of a pod that several budgets select (`pkg/registry/core/pod/storage/eviction.go`).
const SEVERAL_BUDGETS: &str = "more than one PodDisruptionBudget";

/// Whether the API server refuses an eviction for a disruption budget; it does so by the code that elsewhere means "too many requests".
pub(super) fn is_budget(status: &kube::core::Status) -> bool {
    let causes = status.details.as_ref().map(|d| d.causes.as_slice()).unwrap_or_default();
    status.code == 429 && causes.iter().any(|cause| cause.reason == "DisruptionBudget")
}

/// Whether it refuses one for what budgets say, which the next request does not change.
pub(super) fn is_refused(status: &kube::core::Status) -> bool {
    is_budget(status) || status.code == 500 && status.message.contains(SEVERAL_BUDGETS)
}

/// What a status says; for a disruption budget, which one it is and what it waits for.
pub(super) fn in_full(status: &kube::core::Status) -> String {
    let causes = status.details.iter().filter(|_| is_budget(status)).flat_map(|d| &d.causes).map(|c| c.message.as_str());
    std::iter::once(status.message.as_str()).chain(causes).collect::<Vec<_>>().join(" ")
}

/// What became of the wish.
pub(super) fn answered(answer: Result<Value>) -> Result<Eviction> {
    let error = match answer {
        Ok(_) => return Ok(Eviction::Accepted),
        Err(e) if e.kind == ErrorKind::NotFound => return Ok(Eviction::Gone),
        Err(e) if e.kind == ErrorKind::Conflict => e,
        Err(e) => return Err(e),
    };
    let said = |words: &str| error.causes.iter().find_map(|cause| cause.split_once(words)).map(|(_, rest)| rest.to_owned());
    match said("answered 429: ").or_else(|| said("answered 500: ")) {
        Some(why) => Ok(Eviction::Refused(why)),
        // The pod of this uid is gone, and another has its name.
        None if said("the UID in the precondition").is_some() => Ok(Eviction::Gone),
        None => Err(error),
    }
}
