//! `karpctl init` where AWS can be asked: what is there is found, and what is written leads to a plan.

use super::stage;
use karpctl::spec::file::parse;

#[test]
fn a_cluster_that_is_there_is_found_with_its_account_and_version() {
    let Some(stage) = stage("found") else { return };
    stage.existing("1.33", "API_AND_CONFIG_MAP");
    stage.karpctl(&["init", "--defaults"]).exits(0);
    let text = std::fs::read_to_string(stage.dir().join("karpctl.yaml")).unwrap();
    let layer = parse("karpctl.yaml", &text).unwrap();
    assert_eq!(layer.existing_cluster, Some(true), "{text}");
    assert!(layer.account_id.is_some() && layer.region.is_some() && layer.kubernetes_version.is_none(), "{text}");
    assert!(text.contains("Kubernetes 1.33"), "{text}");
    stage.karpctl(&["bootstrap", "--dry-run", "--exit-code"]).exits(3);
}
