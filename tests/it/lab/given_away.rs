//! A Karpenter of karpctl's that was given to another release, or to `GitOps`: what it works by does not go under it.

use super::adopt::shell;
use super::ward::Ward;
use super::{Stage, stage};
use serde_json::{Value, json};

/// What has the controller end its nodes while it runs.
const POOLS: &str = "kubectl delete nodepools.karpenter.sh default && kubectl delete ec2nodeclasses.karpenter.k8s.aws default";

fn run(stage: &Stage, script: &str) {
    let file = stage.dir().join("given.sh");
    std::fs::write(&file, format!("set -o pipefail\n{script}")).unwrap();
    shell(stage, &file).exits(0);
}

/// Refused by both, with these words, and nothing is changed.
fn is_refused(stage: &Stage, words: &[&str]) {
    // Karpenter makes launch templates when it likes.
    let inventory = || {
        let mut all = stage.inventory();
        all["aws"].as_object_mut().unwrap().remove("launch_templates");
        all
    };
    let before = inventory();
    for how in ["--yes", "--dry-run"] {
        let ended = stage.karpctl(&["destroy", how, "--existing-cluster", "--delete-crds"]).exits(4);
        let ended = ended.says("is not taken away; nothing was changed").says(&format!("`{POOLS}`"));
        words.iter().fold(ended, |ended, words| ended.says(words));
    }
    assert_eq!(inventory(), before);
}

fn as_text(inventory: &Value) -> String {
    serde_json::to_string_pretty(inventory).unwrap()
}

#[test]
fn what_a_karpenter_of_others_works_by_stays_until_its_owner_takes_it_away() {
    let Some(stage) = stage("given") else { return };
    stage.existing("1.34", "API");
    let before = stage.inventory();
    stage.karpctl(&["bootstrap", "--existing-cluster", "--yes"]).exits(0);

    // As both have it that took over what helm had installed: its record stays. What is printed takes the marks off.
    let of_controller = |what: &str| format!("kubectl --namespace kube-system {what}");
    let all = "deployments --selector app.kubernetes.io/name=karpenter";
    run(
        &stage,
        &of_controller("annotate deployment karpenter argocd.argoproj.io/tracking-id=platform:apps/Deployment:kube-system/karpenter"),
    );
    let unmark = of_controller(&format!("annotate {all} argocd.argoproj.io/tracking-id-"));
    is_refused(&stage, &["it is of Argo CD's Application platform", "`argocd app delete platform`", &format!("`{unmark}`")]);
    run(&stage, &unmark);
    run(
        &stage,
        &of_controller("label deployment karpenter helm.toolkit.fluxcd.io/name=karpenter helm.toolkit.fluxcd.io/namespace=kube-system"),
    );
    let unmark = of_controller(&format!("label {all} helm.toolkit.fluxcd.io/name-"));
    is_refused(&stage, &["it is of Flux's HelmRelease kube-system/karpenter", &format!("`{unmark}`")]);
    run(&stage, &unmark);
    stage.karpctl(&["destroy", "--dry-run", "--existing-cluster"]).exits(0);

    // As Flux has it of another namespace: helm's record beside its HelmRelease, and two labels on what it made.
    run(
        &stage,
        "kubectl create namespace flux-system
         kubectl --namespace kube-system get secrets --selector owner=helm,name=karpenter --output json \
           | python3 -c 'import json, sys
list = json.load(sys.stdin)
for item in list[\"items\"]:
    item[\"metadata\"] = {\"namespace\": \"flux-system\", **{key: item[\"metadata\"][key] for key in (\"name\", \"labels\")}}
print(json.dumps(list))' | kubectl create --filename -
         kubectl --namespace kube-system delete secrets --selector owner=helm,name=karpenter
         kubectl --namespace kube-system label --overwrite deployment karpenter helm.toolkit.fluxcd.io/name=autoscaling helm.toolkit.fluxcd.io/namespace=flux-system",
    );
    is_refused(&stage, &["it is of Flux's HelmRelease flux-system/autoscaling", "delete helmreleases.helm.toolkit.fluxcd.io autoscaling"]);

    // The same chart as another release.
    run(
        &stage,
        "helm get values karpenter --namespace flux-system --output yaml > values.yaml
         helm uninstall karpenter --namespace flux-system --wait
         kubectl delete namespace flux-system
         helm install kp oci://public.ecr.aws/karpenter/karpenter --version 1.14.1 --namespace kube-system --skip-crds --wait \
           --values values.yaml --set fullnameOverride=karpenter",
    );
    is_refused(&stage, &["it is of the helm release kube-system/kp", "`helm uninstall kp --namespace kube-system --wait`"]);

    // By what is printed.
    run(&stage, &format!("{POOLS}\nhelm uninstall kp --namespace kube-system --wait"));
    stage.karpctl(&["destroy", "--yes", "--existing-cluster", "--delete-crds"]).exits(0);
    assert_eq!(as_text(&stage.inventory()), as_text(&before), "the cluster is not as it was");
}

/// A Karpenter that Flux goes on with, by a `HelmRelease` of helm's release. Of Flux the cluster has that kind alone: nothing puts anything back.
#[test]
fn what_flux_declares_is_changed_only_where_that_is_wanted() {
    let Some(stage) = stage("flux") else { return };
    stage.existing("1.34", "API");
    let bootstrap = ["bootstrap", "--existing-cluster", "--yes"];
    stage.karpctl(&bootstrap).exits(0);
    let ward = Ward::new(stage, &["--existing-cluster"]);
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    ward.apply(&json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "helmreleases.helm.toolkit.fluxcd.io"},
        "spec": {
            "group": "helm.toolkit.fluxcd.io",
            "scope": "Namespaced",
            "names": {"plural": "helmreleases", "singular": "helmrelease", "kind": "HelmRelease", "shortNames": ["hr"]},
            "versions": [{"name": "v2", "served": true, "storage": true, "schema": schema}],
        },
    }));
    ward.run(&["kubectl", "wait", "--for", "condition=established", "customresourcedefinition/helmreleases.helm.toolkit.fluxcd.io"]);
    ward.apply(&json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"namespace": "kube-system", "name": "karpenter"},
        "spec": {"interval": "10m", "chartRef": {"kind": "OCIRepository", "name": "karpenter"}},
    }));
    let marks = ["helm.toolkit.fluxcd.io/name=karpenter", "helm.toolkit.fluxcd.io/namespace=kube-system"];
    ward.run(&[&["kubectl", "--namespace", "kube-system", "label", "deployment", "karpenter"][..], &marks].concat());

    // Where nothing is changed, nothing is put back.
    let check = "other-karpenter";
    ward.passes(check);
    ward.karpctl(&bootstrap).exits(0);
    ward.spec_file(&json!({"chart": {"values": {"logLevel": "debug"}}}));
    let owner = "Flux's HelmRelease kube-system/karpenter";
    let found = ward.finds(check, "warn", &format!("{owner} declares its Karpenter, and puts back what `karpctl bootstrap` would change"));
    ward.karpctl(&bootstrap).exits(4).says(&format!("it is of {owner}"));
    ward.cure(&found, 1);
    ward.karpctl(&[&bootstrap[..], &["--adopt"]].concat()).exits(0);
    ward.passes(check);

    // What works by karpctl's role goes first, by what is printed.
    let destroy = ["destroy", "--yes", "--existing-cluster", "--delete-crds"];
    let refused = ward.karpctl(&destroy).exits(4).says(&format!("it is of {owner}"));
    let printed = |words: &str| refused.stderr.split('`').find(|part| part.starts_with("kubectl ") && part.contains(words)).unwrap();
    run(&ward, printed("delete helmreleases.helm.toolkit.fluxcd.io karpenter"));
    run(&ward, printed("label deployments"));
    ward.karpctl(&destroy).exits(0);
}
