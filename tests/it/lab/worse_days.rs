//! What goes wrong late: a cluster that is made only half, a controller that does not become ready, an API that cannot be reached.

use super::{Ended, assert_empty, stage};
use serde_json::json;

#[test]
fn an_eksctl_that_fails_half_way_is_mended_by_running_again() {
    let Some(stage) = stage("half") else { return };
    let fault = json!([{
        "service": "eks", "action": "CreateAddon", "times": 50, "status": 400,
        "headers": {"content-type": "application/json", "x-amzn-errortype": "InvalidParameterException"},
        "body": {"__type": "InvalidParameterException", "message": "the add-on is not there today"}
    }]);
    stage.lab().post("faults", &fault).unwrap();
    stage.karpctl(&["bootstrap", "--yes"]).exits(1).says("the add-on is not there today").says("again");
    stage.lab().clear_faults().unwrap();
    stage.karpctl(&["status"]).exits(0).says("cluster half");
    stage.karpctl(&["bootstrap", "--yes"]).exits(0);
    stage.karpctl(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");
    stage.karpctl(&["destroy", "--yes"]).exits(0);
    assert_empty(&stage.inventory());
}

#[test]
fn a_controller_without_room_is_explained_by_its_pods() {
    let Some(stage) = stage("noroom") else { return };
    let cluster = json!({"name": stage.cluster(), "version": "1.34", "authenticationMode": "API", "nodes": 1});
    stage.lab().make_cluster(&cluster).unwrap();
    let ended = stage.karpctl(&["bootstrap", "--existing-cluster", "--yes", "--timeout", "15"]).exits(1);
    ended.says("nodes are available").says("hint: the controller runs on nodes that Karpenter did not make");
}

#[test]
fn an_api_server_that_cannot_be_reached_is_named() {
    let Some(stage) = stage("noapi") else { return };
    stage.existing("1.34", "API");
    let kubeconfig = stage.dir().join("kubeconfig");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: k, cluster: {server: 'https://127.0.0.1:9'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n";
    std::fs::write(&kubeconfig, text).unwrap();
    let words = ["bootstrap", "--existing-cluster", "--yes", "--timeout", "20", "--kubeconfig", kubeconfig.to_str().unwrap()];
    stage.karpctl(&words).exits(1).says("127.0.0.1:9").says("hint");
    // The cure: karpctl's own way in. What was done is kept.
    stage.karpctl(&["bootstrap", "--existing-cluster", "--yes"]).exits(0);
}

#[test]
fn tools_that_are_missing_old_or_rubbish_are_refused_before_anything_is_made() {
    let Some(stage) = stage("tools") else { return };
    let rubbish = stage.dir().join("rubbish");
    std::fs::write(&rubbish, "#!/bin/sh\necho 'not a helm'\n").unwrap();
    let mode: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&rubbish, mode).unwrap();
    let rubbish = rubbish.to_str().unwrap();
    stage.karpctl(&["bootstrap", "--yes", "--helm", rubbish]).exits(4).says("not a helm").says("helm-version");
    stage.karpctl(&["bootstrap", "--yes", "--eksctl", rubbish]).exits(4).says("eksctl-version");
    stage.karpctl(&["bootstrap", "--yes", "--helm", "/nowhere/helm"]).exits(4).says("/nowhere/helm");
    let old = stage.dir().join("old");
    std::fs::write(&old, "#!/bin/sh\necho 0.150.0\n").unwrap();
    let mode: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&old, mode).unwrap();
    stage.karpctl(&["bootstrap", "--yes", "--eksctl", old.to_str().unwrap()]).exits(4).says("0.202.0");
    let helm = stage.dir().join("helm37");
    std::fs::write(&helm, "#!/bin/sh\necho v3.7.2\n").unwrap();
    std::fs::set_permissions(&helm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    stage
        .karpctl(&["bootstrap", "--yes", "--helm", helm.to_str().unwrap()])
        .exits(4)
        .says("needs 3.8.0")
        .says("hint: install helm")
        .says("hint: see which fit: `karpctl versions ");
    let mut nothing = stage.command(&["bootstrap", "--yes"]);
    nothing.env("PATH", stage.dir());
    Ended::from(nothing.output().unwrap()).exits(4).says("helm is not on PATH").says("--helm PATH");
    assert_empty(&stage.inventory());
}
