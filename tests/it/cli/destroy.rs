//! What `karpctl destroy` is about to take away.

use super::{OFFLINE, Shell, no_cluster::WHO};
use crate::adapters::serve;
use serde_json::Value;

/// The steps of a destroy of a cluster that karpctl made, with what each does.
fn plan(more: &[&str]) -> Vec<(String, String)> {
    let (url, _) = serve(|asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => ("200 OK".to_owned(), CLUSTER.to_owned()),
        line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => ("200 OK".to_owned(), "{}".to_owned()),
    });
    let shell = Shell::new().env("AWS_ENDPOINT_URL", &url).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let ended = shell.run(&[&["destroy", "--dry-run", "-o", "json"], &OFFLINE[..], more].concat());
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", ended.stdout, ended.stderr));
    let text = |step: &Value, field: &str| step[field].as_str().unwrap_or_default().to_owned();
    plan["steps"].as_array().unwrap().iter().map(|step| (text(step, "id"), text(step, "action"))).collect()
}

pub(super) const CLUSTER: &str =
    r#"{"cluster": {"name": "demo", "version": "1.34", "status": "ACTIVE", "tags": {"karpctl.dev/cluster": "demo"}}}"#;

#[test]
fn a_cluster_that_karpctl_made_goes_unless_it_is_kept() {
    let of_cluster = |plan: &[(String, String)]| plan.iter().find(|(id, _)| id == "cluster").map(|(_, action)| action.clone());
    let whole = plan(&[]);
    assert_eq!(of_cluster(&whole).as_deref(), Some("remove"), "{whole:?}");
    let kept = plan(&["--keep-cluster"]);
    assert_eq!(of_cluster(&kept), None, "{kept:?}");
    assert!(kept.iter().any(|(id, _)| id == "stack"), "all else goes: {kept:?}");
}
