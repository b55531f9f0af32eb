//! The Jobs whose pod is made once.

use super::fleet::seen;
use super::inside::{items, text};
use crate::error::Result;
use crate::facts::FleetPod;
use crate::ports::{Kube, ObjectKind};
use serde_json::Value;
use std::collections::BTreeSet;

/// The makers, as pods name theirs, that have failed with the next pod that is evicted. Who may not look at Jobs knows none.
pub(super) async fn made_once(pods: &[FleetPod], kube: &dyn Kube) -> Result<BTreeSet<String>> {
    if !pods.iter().any(FleetPod::is_of_job) {
        return Ok(BTreeSet::new());
    }
    let jobs = seen(kube, &ObjectKind::new("batch/v1", "jobs")).await?;
    let maker = |job: &Value| {
        let named = |field: &str| job["metadata"][field].as_str().map(text);
        Some(format!("{}/Job/{}", named("namespace")?, named("name")?))
    };
    Ok(jobs.iter().filter(|job| is_made_once(job)).filter_map(maker).collect())
}

/// An evicted pod counts as a failed one, unless a policy passes over disruptions (Kubernetes' page on Jobs, "Pod backoff failure policy" and "Pod
/// failure policy").
fn is_made_once(job: &Value) -> bool {
    let is_passed_over = |rule: &Value| {
        rule["action"] == "Ignore" && items(&rule["onPodConditions"]).iter().any(|condition| condition["type"] == "DisruptionTarget")
    };
    job["spec"]["backoffLimit"] == 0 && !items(&job["spec"]["podFailurePolicy"]["rules"]).iter().any(is_passed_over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_job_is_made_once_where_it_may_not_fail_and_an_eviction_is_a_failure() {
        let job = |limit: u32, rules: Value| json!({"spec": {"backoffLimit": limit, "podFailurePolicy": {"rules": rules}}});
        let passes = json!([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]);
        let fails = json!([{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]);
        assert_eq!(
            [(0, json!([])), (0, fails), (0, passes), (6, json!([]))].map(|(limit, rules)| is_made_once(&job(limit, rules))),
            [true, true, false, false]
        );
    }
}
