//! helm and eksctl in memory: helm keeps its releases where the real one does, eksctl makes stacks and a cluster.

use super::account::ISSUER;
use super::{FakeStack, FakeWorld};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use karpctl::error::{Error, ErrorKind, Result};
use karpctl::facts::{AddonFacts, FargateProfileFacts, OidcFacts, StackFacts, ToolFacts};
use karpctl::ports::{Eksctl, Helm, HelmAccess, HelmInstall, Lines, ObjectKind, ObjectRef, Tags};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use tokio_util::sync::CancellationToken;

fn place(api_version: &str, plural: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new(api_version, plural), namespace: namespace.map(str::to_owned), name: name.to_owned() }
}

/// The marks that helm puts on what it installs.
fn marks(namespace: &str, release: &str) -> Value {
    json!({
        "labels": {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": release},
        "annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace},
    })
}

/// The controller's Deployment, ready.
pub(crate) fn controller(namespace: &str, owner: &str) -> (ObjectRef, Value) {
    let resources = json!({"requests": {"cpu": 1, "memory": "1Gi"}});
    let containers = json!([{"name": "controller", "image": "controller:1", "resources": resources}]);
    let mut body = json!({
        "metadata": marks(namespace, owner),
        "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
        "status": {"readyReplicas": 2, "updatedReplicas": 2},
    });
    body["metadata"]["labels"]["app.kubernetes.io/name"] = json!("karpenter");
    (place("apps/v1", "deployments", Some(namespace), "karpenter"), body)
}

impl FakeWorld {
    /// Puts a revision of a release where helm keeps it.
    pub(crate) fn put_release(&self, release: &str, revision: u32, status: &str, version: &str, values: &Value) {
        let namespace = self.spec.namespace.as_str();
        let body = json!({
            "info": {"status": status, "description": format!("{status} by a test")},
            "chart": {"metadata": {"name": release, "version": version}},
            "config": values,
            "version": revision,
        });
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(body.to_string().as_bytes()).unwrap();
        let inner = STANDARD.encode(gzip.finish().unwrap());
        let name = format!("sh.helm.release.v1.{release}.v{revision}");
        let secret = json!({
            "type": "helm.sh/release.v1",
            "metadata": {"labels": {"owner": "helm", "name": release, "status": status, "version": revision.to_string()}},
            "data": {"release": STANDARD.encode(inner)},
        });
        self.put(&place("v1", "secrets", Some(namespace), &name), secret);
    }

    fn revisions(&self, release: &str) -> Vec<(ObjectRef, Value)> {
        let inside = self.inside();
        let found = inside.objects.iter().filter(|(o, body)| o.kind.plural == "secrets" && body["metadata"]["labels"]["name"] == release);
        let mut found: Vec<(ObjectRef, Value)> = found.map(|(o, b)| (o.clone(), b.clone())).collect();
        found.sort_by_key(|(_, b)| b["metadata"]["labels"]["version"].as_str().unwrap().parse::<u32>().unwrap());
        found
    }

    fn put_stack(&self, name: &str, status: &str, tags: &Tags) {
        let facts = StackFacts {
            id: format!("arn:aws:cloudformation:us-west-2:111122223333:stack/{name}/1"),
            status: status.into(),
            status_reason: None,
            template: None,
            parameters: BTreeMap::new(),
            tags: tags.clone(),
            protected: true,
            resources: BTreeMap::new(),
        };
        self.inside().stacks.insert(name.into(), FakeStack { facts, events: Vec::new(), next: VecDeque::new() });
    }

    fn tags_in(config: &str) -> Tags {
        let config: Value = serde_saphyr::from_str(config).unwrap();
        serde_json::from_value(config["metadata"]["tags"].clone()).unwrap()
    }
}

#[async_trait]
impl Helm for FakeWorld {
    async fn facts(&self) -> Result<Option<ToolFacts>> {
        self.pause().await;
        Ok(Some(ToolFacts { path: "/usr/bin/helm".into(), version: "3.19.0".to_owned().try_into().unwrap() }))
    }

    async fn install(&self, _: &HelmAccess, install: &HelmInstall, lines: Lines<'_>, _: &CancellationToken) -> Result<()> {
        self.begin("helm_install", format!("{} {}", install.release, install.version)).await?;
        let revisions = self.revisions(&install.release);
        let newest = revisions.last().map(|(_, b)| b["metadata"]["labels"]["status"].as_str().unwrap().to_owned());
        if newest.is_some_and(|s| s.starts_with("pending-")) {
            return Err(Error::new(ErrorKind::Tool, "another operation (install/upgrade/rollback) is in progress"));
        }
        lines(if install.goes_on { "helm goes on from a release" } else { "Release \"karpenter\" does not exist. Installing it now." });
        let own = marks(&install.namespace, &install.release);
        if install.release == "karpenter-crd" || !install.skip_crds {
            for name in &self.spec.release.features().crds {
                let crd = place("apiextensions.k8s.io/v1", "customresourcedefinitions", None, name);
                let found = self.object(&crd);
                let foreign = found.is_some_and(|f| f["metadata"]["annotations"]["meta.helm.sh/release-name"] != install.release.as_str());
                if foreign && install.release == "karpenter-crd" {
                    return Err(Error::new(ErrorKind::Tool, "invalid ownership metadata"));
                }
                let metadata = if install.release == "karpenter-crd" { own.clone() } else { json!({}) };
                let versions = json!({"versions": [{"name": "v1", "served": true}]});
                self.put(&crd, json!({"metadata": metadata, "spec": versions, "status": {"storedVersions": ["v1"]}}));
            }
        }
        if install.release == "karpenter" {
            let (object, body) = controller(&install.namespace, "karpenter");
            self.put(&object, body);
        }
        // helm waits until the pods are ready.
        let patience = tokio::time::Instant::now() + install.wait.unwrap_or_default();
        while install.wait.is_some() && self.pods_lack_credentials() {
            if tokio::time::Instant::now() >= patience {
                return Err(Error::new(ErrorKind::Timeout, "context deadline exceeded"));
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        let revision = u32::try_from(revisions.len()).unwrap() + 1;
        for (object, mut body) in revisions {
            body["metadata"]["labels"]["status"] = json!("superseded");
            self.put(&object, body);
        }
        self.put_release(&install.release, revision, "deployed", &install.version, &install.values);
        self.end("helm_install")
    }

    async fn uninstall(&self, _: &HelmAccess, release: &str, namespace: &str, _: Lines<'_>) -> Result<()> {
        self.begin("helm_uninstall", release).await?;
        for (object, _) in self.revisions(release) {
            self.inside().objects.remove(&object);
        }
        let mut inside = self.inside();
        if release == "karpenter" {
            inside.objects.remove(&place("apps/v1", "deployments", Some(namespace), "karpenter"));
        } else {
            inside.objects.retain(|o, _| o.kind.plural != "customresourcedefinitions");
        }
        Ok(())
    }
}

#[async_trait]
impl Eksctl for FakeWorld {
    async fn facts(&self) -> Result<Option<ToolFacts>> {
        self.pause().await;
        Ok(Some(ToolFacts { path: "/usr/bin/eksctl".into(), version: "0.230.0".to_owned().try_into().unwrap() }))
    }

    async fn create_cluster(&self, config: &str, lines: Lines<'_>, _: &CancellationToken) -> Result<()> {
        self.begin("create_cluster", "").await?;
        lines("building cluster stack \"eksctl-demo-cluster\"");
        let tags = Self::tags_in(config);
        let breaks = self.inside().eksctl_breaks.take();
        if self.inside().stacks.contains_key("eksctl-demo-cluster") {
            return Err(Error::new(ErrorKind::Conflict, "creating CloudFormation stack \"eksctl-demo-cluster\": AlreadyExistsException"));
        }
        if breaks == Some("stack") {
            self.put_stack("eksctl-demo-cluster", "ROLLBACK_COMPLETE", &tags);
            return Err(Error::new(ErrorKind::Tool, "cannot create the cluster with eksctl"));
        }
        let cluster = self.active_cluster(tags.clone());
        self.inside().cluster = Some(cluster);
        self.put_stack("eksctl-demo-cluster", "CREATE_COMPLETE", &tags);
        let broken = || Err(Error::new(ErrorKind::Tool, "cannot create the cluster with eksctl"));
        if breaks == Some("cluster") {
            return broken();
        }
        self.make_oidc_provider();
        self.make_addons(&["vpc-cni", "kube-proxy", "coredns"]);
        self.make_addons(&addons_in(config).iter().map(String::as_str).collect::<Vec<_>>());
        self.inside().fargate_profile = profile_in(config);
        if config.contains("managedNodeGroups") {
            self.put_stack("eksctl-demo-nodegroup-demo-ng", "CREATE_COMPLETE", &tags);
        }
        if breaks == Some("node group") {
            return broken();
        }
        self.make_addons(&["metrics-server"]);
        if config.contains("privateCluster") {
            self.inside().cluster.as_mut().unwrap().public_endpoint = false;
        }
        self.end("create_cluster")
    }

    async fn associate_oidc_provider(&self, _: &str, _: Lines<'_>, _: &CancellationToken) -> Result<()> {
        self.begin("associate_oidc_provider", "").await?;
        self.make_oidc_provider();
        Ok(())
    }

    async fn create_addons(&self, config: &str, _: Lines<'_>, _: &CancellationToken) -> Result<()> {
        let addons = addons_in(config);
        self.begin("create_addons", addons.join(",")).await?;
        self.make_addons(&addons.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(())
    }

    async fn update_addons(&self, config: &str, _: Lines<'_>, _: &CancellationToken) -> Result<()> {
        self.begin("update_addons", addons_in(config).join(",")).await?;
        for name in addons_in(config) {
            let status = self.inside().addons.get(&name).map(|addon| addon.status.clone()).unwrap_or_default();
            if matches!(status.as_str(), "CREATING" | "UPDATING") {
                let why = format!("Addon {name} cannot be updated as it is currently in {status} state");
                return Err(Error::new(ErrorKind::Tool, why));
            }
        }
        Ok(())
    }

    async fn create_node_group(&self, config: &str, _: Lines<'_>, _: &CancellationToken) -> Result<()> {
        self.begin("create_node_group", "").await?;
        self.put_stack("eksctl-demo-nodegroup-demo-ng", "CREATE_COMPLETE", &Self::tags_in(config));
        Ok(())
    }

    async fn create_fargate_profile(&self, config: &str, _: Lines<'_>, _: &CancellationToken) -> Result<()> {
        self.begin("create_fargate_profile", "").await?;
        self.inside().fargate_profile = profile_in(config);
        Ok(())
    }

    async fn delete_cluster(&self, name: &str, _: &str, _: Lines<'_>, _: &CancellationToken) -> Result<()> {
        self.begin("delete_cluster", name).await?;
        let mut inside = self.inside();
        (inside.cluster, inside.fargate_profile) = (None, None);
        inside.stacks.retain(|name, _| !name.starts_with("eksctl-"));
        inside.oidc.clear();
        inside.addons.clear();
        Ok(())
    }
}

impl FakeWorld {
    fn make_oidc_provider(&self) {
        let arn = format!("arn:aws:iam::111122223333:oidc-provider/{}", ISSUER.trim_start_matches("https://"));
        let oidc = OidcFacts { arn: arn.parse().unwrap(), audiences: vec!["sts.amazonaws.com".into()], tags: Tags::new() };
        self.inside().oidc.insert(arn, oidc);
    }

    fn make_addons(&self, names: &[&str]) {
        for name in names {
            let addon = AddonFacts { status: "ACTIVE".into(), version: None, tags: Tags::new() };
            self.inside().addons.entry((*name).into()).or_insert(addon);
        }
    }
}

/// The add-ons that a configuration names.
fn addons_in(config: &str) -> Vec<String> {
    let config: Value = serde_saphyr::from_str(config).unwrap();
    config["addons"].as_array().into_iter().flatten().map(|a| a["name"].as_str().unwrap().to_owned()).collect()
}

/// The Fargate profile that a configuration asks for.
fn profile_in(config: &str) -> Option<FargateProfileFacts> {
    let config: Value = serde_saphyr::from_str(config).unwrap();
    let selectors = config["fargateProfiles"][0]["selectors"].as_array()?;
    let namespaces = selectors.iter().filter_map(|s| s["namespace"].as_str().map(str::to_owned)).collect();
    Some(FargateProfileFacts { status: "ACTIVE".into(), namespaces })
}
