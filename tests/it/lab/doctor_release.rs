//! What the doctor finds around a release and its identity, made for real on a cluster that goes from one release to the next.

use super::stage;
use super::versions::release_a_chart;
use super::ward::Ward;
use serde_json::json;

#[test]
fn a_release_an_identity_and_an_image_are_mended_as_printed() {
    let Some(stage) = stage("release") else { return };
    stage.existing_by_template("1.30", "API_AND_CONFIG_MAP");
    let ward = Ward::new(stage, &["--existing-cluster"]);
    let aws = |words: &[&str]| ward.aws(words);
    ward.karpctl(&["bootstrap", "--existing-cluster", "--karpenter-version", "1.0.8", "--yes"]).exits(0);

    // The registry has no other chart of 1.0: its own goes by their versions.
    for (chart, version) in [("karpenter", "0.37.8"), ("karpenter", "1.0.14"), ("karpenter-crd", "1.0.14")] {
        release_a_chart(&ward, chart, "1.0.8", version);
    }
    let found = ward.finds("controller-image", "warn", "Karpenter 1.0.8 is installed, and its image is made on Amazon Linux 2");
    ward.cured(&found, &[0]);
    of_patch(&ward, "1.0.8");

    // The way back is none; the way on is.
    let of = |release: &str| ward.with(&["--karpenter-version", release]);
    let found = of("0.37.8").finds("upgrade-hops", "fail", "Karpenter 1.0.8 is installed, and");
    assert!(found["fixes"][0]["title"].as_str().unwrap().contains("stay with a release of the API"), "{found:#}");
    of("1.14.1").passes("upgrade-hops");
    hops(&ward, &of("1.14.1"));
    of("1.5.8").passes("upgrade-defaults");
    defaults(&ward, &of("1.14.1"));
    images(&ward);
    objects(&ward, &of("1.14.1"));
    policies(&of("1.0.8"));
    webhooks(&of("1.0.8"));

    // The cluster was upgraded before Karpenter.
    ward.passes("installed-fit");
    aws(&["eks", "update-cluster-version", "--name", "release", "--kubernetes-version", "1.36"]);
    let found = ward.finds("installed-fit", "fail", "Karpenter 1.0.14 is installed and supports Kubernetes 1.25 to 1.31, not 1.36");
    ward.cured(&found, &[0]);

    identity(&ward);
    hops_of_metadata(&ward);
}

/// The same chart by another version.
fn of_patch(ward: &Ward, version: &str) {
    let chart = ["helm", "upgrade", "karpenter", "oci://public.ecr.aws/karpenter/karpenter", "--version", version];
    ward.run(&[&chart[..], &["--namespace", "kube-system", "--reuse-values"]].concat());
}

/// From a release of v1beta1 to one that has v1 alone.
fn hops(ward: &Ward, newest: &Ward) {
    of_patch(ward, "0.37.8");
    let found = newest.finds("upgrade-hops", "fail", "Karpenter 0.37.8 is installed, and its objects are v1beta1, which only 1.0 converts");
    newest.cured(&found, &[0]);
}

/// What an upgrade does otherwise, and how a person says that it should not.
fn defaults(ward: &Ward, newest: &Ward) {
    let check = "upgrade-defaults";
    let reservations = "since 1.6.0 open capacity reservations are no longer used";
    let found = newest.finds(check, "warn", reservations);
    assert!(found["message"].as_str().unwrap().contains("since 1.12.0 every node is replaced once"), "{found:#}");
    let patch = |resource: &str, spec: serde_json::Value| {
        let patch = json!({"spec": spec}).to_string();
        ward.run(&["kubectl", "patch", resource, "default", "--type", "merge", "--patch", &patch]);
    };
    let budgets = found["fixes"].as_array().unwrap().iter().position(|fix| fix["title"] == "so (1.12.0)").unwrap();
    ward.cure(&found, budgets);
    let found = newest.finds(check, "warn", reservations);
    assert!(!found["message"].as_str().unwrap().contains("1.12.0"), "{found:#}");
    // The field comes with newer CRDs, as the finding says.
    let crds = |version: &str, more: &[&str]| {
        let chart = "oci://public.ecr.aws/karpenter/karpenter-crd";
        let words = ["helm", "upgrade", "karpenter-crd", chart, "--version", version, "--namespace", "kube-system"];
        ward.run(&[&words[..], more].concat());
    };
    crds("1.14.1", &[]);
    patch("ec2nodeclasses.karpenter.k8s.aws", json!({"capacityReservationSelectorTerms": [{"tags": {"team": "a"}}]}));
    newest.passes(check);
    let webhook = "webhook.enabled=true,webhook.serviceName=karpenter,webhook.serviceNamespace=kube-system,webhook.port=8443";
    crds("1.0.14", &["--set", webhook]);
}

/// What only 1.0 reads, on the way to 1.14.
fn objects(ward: &Ward, newest: &Ward) {
    let check = "upgrade-objects";
    newest.passes(check);
    let kept = r#"compatibility.karpenter.sh/v1beta1-kubelet-conversion={"maxPods":42}"#;
    ward.run(&["kubectl", "annotate", "nodepools.karpenter.sh", "default", kept]);
    let found = newest.finds(check, "fail", "which it does not read: nodepools.karpenter.sh/default");
    let upgraded = ward.karpctl(&["install", "--existing-cluster", "--karpenter-version", "1.14.1", "--yes"]).exits(4);
    upgraded.says("which it does not read: nodepools.karpenter.sh/default").says("`kubectl annotate nodepools.karpenter.sh default");
    // The stack comes before the chart, and the controller that is there works by it.
    let stack =
        ["cloudformation", "describe-stacks", "--stack-name", &format!("Karpenter-{}", ward.cluster()), "--query", "Stacks[0].StackStatus"];
    let status = || ward.aws(&stack);
    let before = status();
    let alone = ward.karpctl(&["iam", "--existing-cluster", "--karpenter-version", "1.14.1", "--yes"]).exits(4);
    alone.says("the permissions that the controller").says("which it does not read: nodepools.karpenter.sh/default");
    assert_eq!(status(), before);
    newest.cured(&found, &[0, 1]);
    let class = ward.kubectl(&["get", "ec2nodeclasses.karpenter.k8s.aws", "default", "--output", "json"]);
    assert_eq!(class["spec"]["kubelet"], json!({"maxPods": 42}));

    let vague = r#"[{"op": "replace", "path": "/spec/template/spec/nodeClassRef/group", "value": ""}]"#;
    ward.run(&["kubectl", "patch", "nodepools.karpenter.sh", "default", "--type", "json", "--patch", vague]);
    let found = newest.finds(check, "fail", "says no group or kind");
    newest.cured(&found, &[0]);

    // What nobody reads since 0.33.
    let names = json!({"plural": "provisioners", "singular": "provisioner", "kind": "Provisioner", "listKind": "ProvisionerList"});
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    ward.apply(&json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "provisioners.karpenter.sh"},
        "spec": {"group": "karpenter.sh", "scope": "Cluster", "names": names, "versions": [{"name": "v1alpha5", "served": true, "storage": true, "schema": schema}]},
    }));
    ward.run(&["kubectl", "wait", "--for", "condition=established", "customresourcedefinition/provisioners.karpenter.sh"]);
    ward.apply(&json!({"apiVersion": "karpenter.sh/v1alpha5", "kind": "Provisioner", "metadata": {"name": "old"}}));
    let found = newest.finds(check, "warn", "it passes over them: provisioners.karpenter.sh/old");
    newest.cured(&found, &[1]);
}

/// Policies as people write them, who think of pods only.
fn policies(ward: &Ward) {
    let check = "network-policies";
    ward.passes(check);
    let policy = |ingress: serde_json::Value| {
        let selector = json!({"matchLabels": {"app.kubernetes.io/name": "karpenter"}});
        ward.apply(&json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"namespace": "kube-system", "name": "karpenter"},
            "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": ingress},
        }));
    };
    policy(json!([{"from": [{"namespaceSelector": {}}]}]));
    ward.finds(check, "warn", "(https-webhook), where the CRDs have their objects converted, if anything enforces them");
    let agent =
        json!({"name": "aws-eks-nodeagent", "image": "amazon/aws-network-policy-agent:v1", "args": ["--enable-network-policy=true"]});
    let labels = json!({"k8s-app": "aws-node"});
    ward.apply(&json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"namespace": "kube-system", "name": "aws-node"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [agent]}}},
    }));
    let found = ward.finds(check, "fail", "they do not let the API server get to port 8443 (https-webhook)");
    ward.cured(&found, &[0]);
    policy(json!([{"ports": [{"port": 8443}]}]));
    let found = ward.finds(check, "warn", "they let nobody get to 8080 (http-metrics), 8001 (webhook-metrics)");
    ward.cured(&found, &[0]);
    let ours = ["karpctl-karpenter-webhook", "karpctl-karpenter-metrics"];
    ward.run(&[&["kubectl", "--namespace", "kube-system", "delete", "networkpolicy", "karpenter"][..], &ours[..]].concat());
}

/// Pods with addresses of kwok's, which are none of the VPC; then a node group by a template of whose security group nobody thought.
fn webhooks(ward: &Ward) {
    let check = "webhook-reach";
    ward.finds(check, "fail", "pods have addresses that are none of the VPC's");
    for values in [json!({"webhook": {"enabled": false}}), json!({"hostNetwork": true})] {
        ward.spec_file(&json!({"chart": {"values": values}}));
        ward.passes(check);
    }

    let aws = |words: &[&str]| ward.aws(words);
    let group = aws(&["eks", "describe-nodegroup", "--cluster-name", "release", "--nodegroup-name", "release-ng"])["nodegroup"].clone();
    let (role, subnet) = (group["nodeRole"].as_str().unwrap(), group["subnets"][0].as_str().unwrap());
    let vpc = aws(&["ec2", "describe-subnets", "--subnet-ids", subnet])["Subnets"][0]["VpcId"].clone();
    let security_group = ["--group-name", "closed", "--description", "closed", "--vpc-id", vpc.as_str().unwrap()];
    let closed = aws(&[&["ec2", "create-security-group"], &security_group[..]].concat())["GroupId"].as_str().unwrap().to_owned();
    let template = json!({"SecurityGroupIds": [closed]}).to_string();
    let template = ["--launch-template-name", "closed", "--launch-template-data", &template];
    let made = aws(&[&["ec2", "create-launch-template"], &template[..]].concat())["LaunchTemplate"]["LaunchTemplateId"].clone();
    let by = format!("id={},version=1", made.as_str().unwrap());
    let name = ["--cluster-name", "release", "--nodegroup-name", "closed"];
    let rest =
        ["--node-role", role, "--subnets", subnet, "--scaling-config", "minSize=1,maxSize=2,desiredSize=1", "--launch-template", &by];
    aws(&[&["eks", "create-nodegroup"], &name[..], &rest].concat());
    let found = ward.finds_with_each(check, "warn", "they let nobody in at port 8443");
    ward.cured(&found[0], &[0]);
    aws(&[&["eks", "delete-nodegroup"], &name[..]].concat());
    aws(&[&["eks", "wait", "nodegroup-deleted"], &name[..]].concat());
    std::fs::remove_file(ward.dir().join("karpctl.yaml")).unwrap();
}

/// The provider of IRSA, and an identity given twice.
fn identity(ward: &Ward) {
    let aws = |words: &[&str]| ward.aws(words);
    let irsa = ward.with(&["--identity", "irsa", "--karpenter-version", "1.14.1"]);
    let found = irsa.finds("oidc-issuer", "fail", "No OpenIDConnect provider found in your account");
    irsa.cured(&found, &[0]);
    let listed = aws(&["iam", "list-open-id-connect-providers"]);
    let provider = listed["OpenIDConnectProviderList"][0]["Arn"].as_str().unwrap().to_owned();
    let audience = ["--open-id-connect-provider-arn", &provider, "--client-id", "sts.amazonaws.com"];
    aws(&[&["iam", "remove-client-id-from-open-id-connect-provider"], &audience[..]].concat());
    let found = irsa.finds("oidc-issuer", "fail", "Incorrect token audience");
    irsa.cured(&found, &[0]);

    irsa.passes("one-identity");
    let role = format!("arn:aws:iam::{}:role/release-karpenter", ward.lab().ready.account);
    let annotation = format!(r"serviceAccount.annotations.eks\.amazonaws\.com/role-arn={role}");
    let chart =
        ["helm", "upgrade", "karpenter", "oci://public.ecr.aws/karpenter/karpenter", "--version", "1.14.1", "--namespace", "kube-system"];
    ward.run(&[&chart[..], &["--reuse-values", "--set", &annotation]].concat());
    let found = irsa.finds("one-identity", "warn", "which has no effect beside the association");
    irsa.cured(&found, &[0]);
}

/// An image of a day that has not come.
fn images(ward: &Ward) {
    let of = |day: &str| ward.with(&["--karpenter-version", "1.14.1", "--ami-alias", &format!("al2023@v{day}")]);
    let found = of("20991231").finds("ami-alias", "fail", "there is no image");
    let listed = ward.cure(&found, 0);
    let there = listed
        .split_whitespace()
        .find_map(|name| name.rsplit_once("-v")?.1.strip_suffix("/image_id"))
        .unwrap_or_else(|| panic!("{listed}"));
    of(there).passes("ami-alias");
    // Of both architectures that the pool takes.
    ward.spec_file(&json!({"nodePool": {"architectures": ["amd64", "arm64"]}}));
    let said = of(there).ask("ami-alias");
    assert!(said.len() == 2 && said[1]["message"].as_str().unwrap().contains("node-al2023-arm64-standard"), "{said:#?}");
    std::fs::remove_file(ward.dir().join("karpctl.yaml")).unwrap();

    // A family of which AWS makes no more, in the spec and in a class of somebody's.
    ward.passes("ami-alias");
    let old = ward.with(&["--karpenter-version", "1.14.1", "--ami-alias", "al2@latest"]);
    let found = old.finds("ami-alias", "warn", "EKS makes no al2 images since 2025-11-26");
    let (_, taken) = found["fixes"][0]["title"].as_str().unwrap().split_once(": --ami-alias ").unwrap();
    ward.with(&["--karpenter-version", "1.14.1", "--ami-alias", taken]).passes("ami-alias");
    let class = ward.kubectl(&["get", "ec2nodeclasses.karpenter.k8s.aws", "default", "--output", "json"]);
    let mut spec = class["spec"].clone();
    spec["amiSelectorTerms"] = json!([{"alias": "al2@latest"}]);
    ward.apply(&json!({"apiVersion": class["apiVersion"], "kind": "EC2NodeClass", "metadata": {"name": "old"}, "spec": spec}));
    let found = of(there).finds("ami-alias", "warn", "EKS makes no al2 images since");
    of(there).cured(&found, &[0]);
    // One that is pinned to a day of which there is none for this Kubernetes.
    let pin = r#"{"spec": {"amiSelectorTerms": [{"alias": "al2023@v20991231"}]}}"#;
    ward.run(&["kubectl", "patch", "ec2nodeclasses.karpenter.k8s.aws", "old", "--type", "merge", "--patch", pin]);
    let found = of(there).finds("ami-alias", "fail", "AMISelector did not match any AMIs");
    of(there).cured(&found, &[0]);
    ward.run(&["kubectl", "delete", "ec2nodeclasses.karpenter.k8s.aws", "old"]);
}

/// A node group whose pods get no answer of the instance metadata.
fn hops_of_metadata(ward: &Ward) {
    let aws = |words: &[&str]| ward.aws(words);
    let made = ["ec2", "create-launch-template", "--launch-template-name", "near", "--launch-template-data"];
    let made = aws(&[&made[..], &[r#"{"MetadataOptions":{"HttpPutResponseHopLimit":1}}"#]].concat());
    let template = made["LaunchTemplate"]["LaunchTemplateId"].as_str().unwrap().to_owned();
    let group = aws(&["eks", "describe-nodegroup", "--cluster-name", "release", "--nodegroup-name", "release-ng"])["nodegroup"].clone();
    let (role, subnet) = (group["nodeRole"].as_str().unwrap(), group["subnets"][0].as_str().unwrap());
    let near = ["--cluster-name", "release", "--nodegroup-name", "near"];
    let of = |version: &str| format!("id={template},version={version}");
    let rest =
        ["--node-role", role, "--subnets", subnet, "--scaling-config", "minSize=1,maxSize=2,desiredSize=1", "--launch-template", &of("1")];
    aws(&[&["eks", "create-nodegroup"], &near[..], &rest].concat());
    ward.passes("node-group");
    // Without a role of its own the controller asks there.
    let chart = "oci://public.ecr.aws/karpenter/karpenter";
    let upgrade = ["helm", "upgrade", "karpenter", chart, "--version", "1.14.1", "--namespace", "kube-system", "--reuse-values", "--set"];
    ward.run(&[&upgrade[..], &["serviceAccount.annotations=null"]].concat());
    let found = ward.finds("node-group", "warn", "make one hop: pods get none");
    assert!(found["fixes"][1]["title"].as_str().unwrap().contains("HttpPutResponseHopLimit 2"), "{found:#}");
    // As the finding says it in words: another version of the template, and the group on it.
    let next = ["ec2", "create-launch-template-version", "--launch-template-id", &template, "--source-version", "1"];
    aws(&[&next[..], &["--launch-template-data", &json!({"MetadataOptions": {"HttpPutResponseHopLimit": 2}}).to_string()]].concat());
    aws(&[&["eks", "update-nodegroup-version"], &near[..], &["--launch-template", &of("2")]].concat());
    ward.passes("node-group");

    // Without a template it is EKS that says how far, and a group that has one takes its place.
    let bare = ["--cluster-name", "release", "--nodegroup-name", "bare"];
    let kind = ["--ami-type", "AL2023_x86_64_STANDARD"];
    let create = |template: &[&str]| aws(&[&["eks", "create-nodegroup"], &bare[..], &rest[..6], &kind, template].concat());
    create(&[]);
    let found = ward.finds("node-group", "warn", "of AL2023 without a launch template");
    assert!(found["fixes"][1]["title"].as_str().unwrap().contains("make a group with a launch template"), "{found:#}");
    aws(&[&["eks", "delete-nodegroup"], &bare[..]].concat());
    aws(&[&["eks", "wait", "nodegroup-deleted"], &bare[..]].concat());
    create(&["--launch-template", &of("2")]);
    ward.passes("node-group");
}
