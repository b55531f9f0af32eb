//! An API server whose every answer is the same objects, and what karpctl makes of it: facts, and what every step and check judge by them.

use async_trait::async_trait;
use karpctl::adapters::Versions;
use karpctl::adapters::aws::{AwsClient, AwsSettings};
use karpctl::adapters::eksctl::EksctlCli;
use karpctl::adapters::helm::HelmCli;
use karpctl::checks::{self, Situation};
use karpctl::error::{Error, Result};
use karpctl::facts::{ClusterFacts, Facts, Probed, Topic};
use karpctl::ports::{ClusterAccess, Eviction, Force, Kube, KubeConnector, NamedServer, ObjectKind, ObjectRef, Ports, Trial};
use karpctl::probe::{ProbeContext, probe};
use karpctl::spec::layer::Source;
use karpctl::spec::resolve::{Discovered, resolve};
use karpctl::spec::{Meant, Spec, file};
use karpctl::steps;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// What is read from an API server.
const TOPICS: [Topic; 15] = [
    Topic::AgentPods,
    Topic::AwsAuth,
    Topic::Crds,
    Topic::Chart,
    Topic::NodePool,
    Topic::Controller,
    Topic::Nodes,
    Topic::Capacity,
    Topic::Neighbours,
    Topic::Webhooks,
    Topic::Trials,
    Topic::Conversion,
    Topic::Objects,
    Topic::Origin,
    Topic::Fleet,
];

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let text = "clusterName: demo\nregion: us-west-2\naccountId: '111122223333'\nkarpenterVersion: 1.14.1\nexistingCluster: true\n";
    let layer = file::parse("karpctl.yaml", text).unwrap();
    resolve(&[(Source::File("karpctl.yaml".into()), layer)], &Discovered::default()).unwrap().spec
});
static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());

struct Objects(Vec<Value>);

/// The objects of an answer: a list of the API's, or of JSON's, or one.
fn objects(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        Value::Object(mut map) => match map.remove("items") {
            Some(Value::Array(items)) => items,
            _ => vec![Value::Object(map)],
        },
        other => vec![other],
    }
}

#[async_trait]
impl Kube for Objects {
    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>> {
        let named = self.0.iter().find(|o| o["metadata"]["name"] == object.name.as_str());
        Ok(named.or(self.0.first()).cloned())
    }

    async fn list(&self, _: &ObjectKind, _: Option<&str>, _: Option<&str>) -> Result<Vec<Value>> {
        Ok(self.0.clone())
    }

    async fn namespaced_kinds(&self) -> Result<Vec<ObjectKind>> {
        unreachable!("a probe asks for kinds that it knows")
    }

    async fn apply(&self, _: &ObjectRef, _: &Value, _: Force) -> Result<Value> {
        unreachable!("a probe only reads")
    }

    async fn dry_run(&self, _: &ObjectRef, _: &Value) -> Result<Trial> {
        let said = self.0.first().map(|object| object["metadata"]["name"].as_str().unwrap_or_default().to_owned());
        Ok(said.map_or(Trial::Taken, Trial::Refused))
    }

    // A question to the API server about who asks, of which it keeps nothing.
    async fn create(&self, object: &ObjectRef, _: &Value) -> Result<Value> {
        assert_eq!(object.kind.plural, "selfsubjectaccessreviews", "a probe only reads");
        Ok(self.0.first().cloned().unwrap_or_default())
    }

    async fn replace(&self, _: &ObjectRef, _: &Value) -> Result<Value> {
        unreachable!("a probe only reads")
    }

    async fn merge_patch(&self, _: &ObjectRef, _: &Value) -> Result<Value> {
        unreachable!("a probe only reads")
    }

    async fn delete(&self, _: &ObjectRef) -> Result<()> {
        unreachable!("a probe only reads")
    }

    async fn evict(&self, _: &str, _: &str, _: &str) -> Result<Eviction> {
        unreachable!("a probe only reads")
    }
}

struct Connector(Arc<Objects>);

#[async_trait]
impl KubeConnector for Connector {
    async fn connect(&self, _: &ClusterAccess) -> Result<Arc<dyn Kube>> {
        Ok(self.0.clone())
    }

    fn named_server(&self, _: &ClusterAccess) -> Result<NamedServer> {
        Err(Error::failed("there is none"))
    }
}

/// No AWS is asked and no program is run for what is read from an API server.
fn ports(objects: Objects) -> Ports {
    static AWS: LazyLock<Arc<AwsClient>> = LazyLock::new(|| {
        let settings = AwsSettings { region: Some("us-west-2".into()), profile: None };
        Arc::new(RUNTIME.block_on(AwsClient::connect(&settings)).unwrap())
    });
    let (none, aws) = (std::path::PathBuf::from("/none"), AwsSettings::default());
    let helm = HelmCli { program: none.clone(), karpctl: none.clone(), aws: aws.clone(), versions: Versions::default() };
    Ports {
        aws: AWS.clone(),
        kube: Arc::new(Connector(Arc::new(objects))),
        helm: Arc::new(helm),
        eksctl: Arc::new(EksctlCli { program: none, aws }),
    }
}

fn cluster() -> ClusterFacts {
    ClusterFacts {
        status: "ACTIVE".into(),
        version: "1.34".parse().unwrap(),
        authentication_mode: "API_AND_CONFIG_MAP".into(),
        endpoint: Some("https://127.0.0.1:9".into()),
        certificate_authority: Some("LS0tLS0=".into()),
        oidc_issuer: None,
        vpc_id: None,
        subnet_ids: Vec::new(),
        cluster_security_group_id: None,
        tags: [("karpctl.dev/cluster".to_owned(), "demo".to_owned())].into(),
        auto_mode: false,
        deletion_protection: false,
        standard_support_only: false,
        zonal_shift: false,
        public_endpoint: true,
        private_endpoint: false,
        public_ranges: Vec::new(),
        secrets_key: None,
        ip_family: karpctl::spec::IpFamily::Ipv4,
        issues: Vec::new(),
    }
}

fn of_cluster(topics: &[Topic]) -> bool {
    topics.iter().any(|topic| topic.in_cluster())
}

/// What an API server answers, whatever it is asked.
pub(crate) fn kube_answers(data: &[u8]) {
    let Ok(answer) = serde_json::from_slice(data) else { return };
    let ports = ports(Objects(objects(answer)));
    let context = ProbeContext { spec: &SPEC, ports: &ports, kubeconfig: None };
    let mut facts = Facts { cluster: Probed::Known(cluster()), ..Facts::default() };
    RUNTIME.block_on(probe(&context, &BTreeSet::from(TOPICS), &mut facts));
    // What is judged by other facts is the same each time.
    for step in steps::all().iter().filter(|step| of_cluster(step.reads())) {
        let _ = (step.assess(&SPEC, &facts), step.assess_removal(&SPEC, &facts));
    }
    let today = "2026-06-01".parse().unwrap();
    let checks: Vec<_> = checks::all().into_iter().filter(|check| of_cluster(check.reads())).collect();
    let _ = checks::judge(&checks, &Situation { spec: Some(&SPEC), meant: &Meant::default(), facts: &facts, today });
    let kept = serde_json::to_value(&facts).unwrap();
    assert_eq!(serde_json::from_value::<Facts>(kept).unwrap(), facts, "they are read as they are saved");
}
