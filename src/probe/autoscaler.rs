//! The Cluster Autoscalers of a cluster, and on which Auto Scaling groups they work: by their flags, and by what they say themselves.

use super::fleet::REPLICAS_BEFORE;
use super::inside::{is_autoscaler, items, text};
use crate::error::{ErrorKind, Result};
use crate::facts::AutoscalerFacts;
use crate::ports::{Kube, ObjectKind, ObjectRef};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where an autoscaler writes its status, unless a flag says otherwise (`cluster-autoscaler/clusterstate/utils/status.go`).
const STATUS: (&str, &str) = ("kube-system", "cluster-autoscaler-status");

/// The autoscalers among these Deployments.
pub(super) async fn autoscalers(deployments: &[Value], kube: &dyn Kube) -> Result<Vec<AutoscalerFacts>> {
    let mut all = Vec::new();
    for deployment in deployments.iter().filter(|d| is_autoscaler(d)) {
        let words = words(deployment);
        let mut found = by_flags(deployment, &words);
        found.works_on = works_on(&words, kube).await?;
        found.priorities = priorities(&words, &found.namespace, kube).await?;
        all.push(found);
    }
    Ok(all)
}

/// The words of its command line. A shell's `-c` has several in one.
fn words(deployment: &Value) -> Vec<String> {
    items(&deployment["spec"]["template"]["spec"]["containers"])
        .iter()
        .flat_map(|c| items(&c["command"]).iter().chain(items(&c["args"])))
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace)
        .map(text)
        .collect()
}

/// The values of a flag as Go takes it: with one dash or two, with `=` or as the next word.
fn flag<'w>(words: &'w [String], name: &str) -> Vec<&'w str> {
    let value = |at: usize| -> Option<&'w str> {
        let bare = words[at].strip_prefix('-').map(|w| w.strip_prefix('-').unwrap_or(w))?;
        match bare.strip_prefix(name)? {
            "" => words.get(at + 1).map(String::as_str),
            rest => rest.strip_prefix('='),
        }
    };
    (0..words.len()).filter_map(value).collect()
}

fn by_flags(deployment: &Value, words: &[String]) -> AutoscalerFacts {
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let named = |field: &str| text(deployment["metadata"][field].as_str().unwrap_or_default());
    let before = deployment["metadata"]["annotations"][REPLICAS_BEFORE].as_str();
    // `--nodes=1:10:my-group`
    let group = |value: &str| value.splitn(3, ':').nth(2).map(str::to_owned);
    AutoscalerFacts {
        namespace: named("namespace"),
        name: named("name"),
        replicas: number(&deployment["spec"]["replicas"]).unwrap_or(1),
        running: number(&deployment["status"]["replicas"]).unwrap_or(0),
        before: before.and_then(|text| text.parse().ok()),
        scaling_groups: flag(words, "nodes").into_iter().filter_map(group).collect(),
        discovers: flag(words, "node-group-auto-discovery").into_iter().filter_map(tags).collect(),
        works_on: None,
        keeps_nodes: flag(words, "scale-down-enabled").contains(&"false"),
        unneeded_time: flag(words, "scale-down-unneeded-time").first().map(|time| text(time)),
        leaves_local_data: !flag(words, "skip-nodes-with-local-storage").contains(&"false"),
        priorities: BTreeMap::new(),
    }
}

/// Where its priorities are (`cluster-autoscaler/expander/priority/priority.go`).
const PRIORITIES: &str = "cluster-autoscaler-priority-expander";

/// The priorities of groups by which it chooses, where it does. Who may not read them knows none.
async fn priorities(words: &[String], namespace: &str, kube: &dyn Kube) -> Result<BTreeMap<i64, Vec<String>>> {
    if !flag(words, "expander").iter().any(|chosen| chosen.split(',').any(|one| one == "priority")) {
        return Ok(BTreeMap::new());
    }
    let kind = ObjectKind::new("v1", "configmaps");
    let place = ObjectRef { kind, namespace: Some(namespace.to_owned()), name: PRIORITIES.to_owned() };
    let found = match kube.get(&place).await {
        Err(e) if e.kind == ErrorKind::Denied => None,
        found => found?,
    };
    let read = found.and_then(|object| serde_saphyr::from_str(object["data"]["priorities"].as_str()?).ok());
    Ok(read.unwrap_or_default())
}

/// `asg:tag=k8s.io/cluster-autoscaler/enabled,team=web`
fn tags(value: &str) -> Option<BTreeMap<String, Option<String>>> {
    let tags = value.strip_prefix("asg:tag=")?.split(',').filter(|tag| !tag.is_empty());
    let tags = tags.map(|tag| match tag.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned()).filter(|v| !v.is_empty())),
        None => (tag.to_owned(), None),
    });
    Some(tags.collect())
}

/// The groups that its status names. Who may not read it, or finds none, knows as much as the flags say.
async fn works_on(words: &[String], kube: &dyn Kube) -> Result<Option<Vec<String>>> {
    let said = |name: &str, otherwise: &str| flag(words, name).first().map_or_else(|| otherwise.to_owned(), |said| (*said).to_owned());
    let place = ObjectRef {
        kind: ObjectKind::new("v1", "configmaps"),
        namespace: Some(said("namespace", STATUS.0)),
        name: said("status-config-map-name", STATUS.1),
    };
    match kube.get(&place).await {
        Ok(found) => Ok(found.and_then(|object| groups_of(object["data"]["status"].as_str()?))),
        Err(e) if e.kind == ErrorKind::Denied => Ok(None),
        Err(e) => Err(e),
    }
}

/// The names of the groups in a status: YAML from 1.30 on, text for people before that. `None`: it is just starting, or says something else.
fn groups_of(status: &str) -> Option<Vec<String>> {
    if let Ok(read @ Value::Object(_)) = serde_saphyr::from_str::<Value>(status)
        && read["autoscalerStatus"].is_string()
    {
        let name = |group: &Value| group["name"].as_str().map(text);
        return (read["autoscalerStatus"] == "Running").then(|| items(&read["nodeGroups"]).iter().filter_map(name).collect());
    }
    let mut lines = status.lines().map(str::trim);
    lines.by_ref().find(|line| *line == "Cluster-wide:")?;
    Some(
        lines
            .skip_while(|line| *line != "NodeGroups:")
            .filter_map(|line| line.strip_prefix("Name:"))
            .map(|name| text(name.trim()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(command: &Value) -> AutoscalerFacts {
        let body = json!({
            "metadata": {"namespace": "kube-system", "name": "ca", "annotations": {REPLICAS_BEFORE: "2"}},
            "spec": {"replicas": 0, "template": {"spec": {"containers": [{"image": "x/cluster-autoscaler:v1", "command": command}]}}},
            "status": {"replicas": 1},
        });
        by_flags(&body, &words(&body))
    }

    #[test]
    fn the_flags_name_scaling_groups() {
        let found = of(&json!([
            "./cluster-autoscaler",
            "--nodes=1:10:eks-workers-1",
            "-nodes=0:3:other:one",
            "--nodes",
            "1:2:third",
            "--nodesx=1:1:no"
        ]));
        assert_eq!((found.replicas, found.running, found.before), (0, 1, Some(2)));
        assert_eq!(found.scaling_groups, ["eks-workers-1", "other:one", "third"]);
        assert!(found.discovers.is_empty());
    }

    #[test]
    fn the_flags_name_tags() {
        let found = of(&json!([
            "sh",
            "-c",
            "./cluster-autoscaler --node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,team=web --v=4"
        ]));
        let wanted = [("k8s.io/cluster-autoscaler/enabled".to_owned(), None), ("team".to_owned(), Some("web".to_owned()))];
        assert_eq!(found.discovers, [BTreeMap::from(wanted)]);
        for none in ["--node-group-auto-discovery=mig:namePrefix=a", "--node-group-auto-discovery", "--node-group-auto-discovery="] {
            assert_eq!(of(&json!([none])).discovers, [], "{none}");
        }
    }

    #[test]
    fn a_status_names_the_groups_in_either_form() {
        // As 1.33 and 1.27 write it, shortened.
        let yaml = "time: 2026-01-01 00:00:00\nautoscalerStatus: Running\nclusterWide:\n  health:\n    status: Healthy\nnodeGroups:\n- name: eks-web-1\n  health:\n    status: Healthy\n- name: eks-ng-2\n";
        let text = "Cluster-autoscaler status at 2023-01-01 00:00:00 +0000 UTC:\nCluster-wide:\n  Health:      Healthy (ready=3)\n\nNodeGroups:\n  Name:        eks-web-1\n  Health:      Healthy\n\n  Name:        eks-ng-2\n";
        for status in [yaml, text] {
            assert_eq!(groups_of(status).unwrap(), ["eks-web-1", "eks-ng-2"]);
        }
        assert_eq!(groups_of("time: x\nautoscalerStatus: Running\n"), Some(Vec::new()));
        assert_eq!(groups_of("Cluster-autoscaler status at x:\nCluster-wide:\n  Health: Healthy\n"), Some(Vec::new()));
        for nothing in
            ["", "autoscalerStatus: Initializing\n", "Cluster-autoscaler status at 2023-01-01:\nInitializing", "{", "- a", "nodeGroups: []"]
        {
            assert_eq!(groups_of(nothing), None, "{nothing}");
        }
    }
}
