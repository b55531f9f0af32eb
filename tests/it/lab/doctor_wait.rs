//! `doctor --wait`: what heals by itself is waited for, what does not is told when the time is over.

use super::stage;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn what_heals_by_itself_is_waited_for_and_no_longer_than_was_said() {
    let Some(stage) = stage("waiting") else { return };
    stage.existing("1.34", "API");
    let agent = ["doctor", "--existing-cluster", "--only", "agent-health", "-o", "json", "--wait"];
    // An add-on that two looks still see being made.
    stage.lab().post("settings", &json!({"pace": 2})).unwrap();
    stage.aws(&["eks", "create-addon", "--cluster-name", "waiting", "--addon-name", "eks-pod-identity-agent"]);
    let begun = Instant::now();
    let ended = stage.karpctl(&[&agent[..], &["1s", "--fail-on", "warning"]].concat()).exits(1).says("the time of --wait is over");
    assert!(begun.elapsed() < Duration::from_mins(1), "it did not wait for another look: {:?}", begun.elapsed());
    let found = ended.json()["checks"][0].clone();
    assert_eq!((found["result"].as_str(), found["message"].as_str()), (Some("warn"), Some("is CREATING")), "{found:#}");
    // A warning is waited for, also where it is no reason to end with 1.
    let ended = stage.karpctl(&[&agent[..], &["5m"]].concat()).exits(0).says("waiting for 1 to heal, first add-on eks-pod-identity-agent");
    assert_eq!(ended.json()["checks"][0]["message"], "is ACTIVE");
    stage.lab().post("settings", &json!({"pace": 0})).unwrap();

    // Somebody else is at work on the node: it comes back while the doctor waits.
    let nodes = stage.kubectl(&["get", "nodes", "--output", "json"]);
    let name = nodes["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    stage.kubectl(&["cordon", &name]);
    let capacity = ["doctor", "--existing-cluster", "--karpenter-version", "1.14.1", "--only", "node-capacity", "-o", "json"];
    let without_wait = stage.karpctl(&capacity).exits(1).json();
    assert!(without_wait["checks"][0]["message"].as_str().unwrap().contains("is cordoned"), "{without_wait:#}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(3));
            stage.kubectl(&["uncordon", &name]);
        });
        let ended = stage.karpctl(&[&capacity[..], &["--wait", "5m"]].concat()).exits(0);
        assert_eq!(ended.json()["checks"][0]["result"], "pass");
    });
}
