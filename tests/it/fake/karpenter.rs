//! What runs in the cluster: the controllers that make pods of `inflate`, and a Karpenter that gives its objects conditions,
//! launches a node a pod and takes away what is deleted. It takes one small step at each look.

use super::{FakeWorld, Inside};
use karpctl::ports::{ObjectKind, ObjectRef};
use serde_json::{Value, json};

const FINALIZER: &str = "karpenter.sh/termination";

fn place(api_version: &str, plural: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new(api_version, plural), namespace: namespace.map(str::to_owned), name: name.to_owned() }
}

fn of_kind(inside: &Inside, plural: &str) -> Vec<ObjectRef> {
    inside.objects.keys().filter(|o| o.kind.plural == plural).cloned().collect()
}

fn ready(inside: &Inside) -> bool {
    let deployments = inside.objects.iter().filter(|(o, _)| o.kind.plural == "deployments" && o.name == "karpenter");
    deployments.into_iter().any(|(_, d)| d["status"]["readyReplicas"].as_u64() > Some(0))
}

impl FakeWorld {
    /// The pods of a restarted controller are made anew: with the way to their credentials, unless it is still too early.
    pub(super) fn restart(&self, deployment: &ObjectRef) {
        let mut inside = self.inside();
        let inside = &mut *inside;
        let env = match inside.association {
            _ if inside.too_early > 0 => json!([]),
            Some(_) => json!([{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI"}]),
            None => json!([{"name": "AWS_WEB_IDENTITY_TOKEN_FILE"}]),
        };
        inside.too_early = inside.too_early.saturating_sub(1);
        let prefix = format!("{}-", deployment.name);
        for mut pod in of_kind(inside, "pods").into_iter().filter(|p| p.namespace == deployment.namespace && p.name.starts_with(&prefix)) {
            let mut body = inside.objects.remove(&pod).unwrap();
            pod.name.push_str("-anew");
            body["metadata"]["name"] = json!(pod.name);
            body["spec"]["containers"] = json!([{"name": "controller", "env": env}]);
            inside.objects.insert(pod, body);
        }
    }

    /// Whether pods of the controller end again and again, since nothing leads them to credentials.
    pub(super) fn pods_lack_credentials(&self) -> bool {
        let inside = self.inside();
        let pods = inside.objects.iter().filter(|(o, body)| o.kind.plural == "pods" && body["spec"]["serviceAccountName"] == "karpenter");
        let mut envs = pods.map(|(_, body)| &body["spec"]["containers"][0]["env"]);
        envs.any(|env| env.as_array().is_none_or(Vec::is_empty))
    }

    /// One step of everything that works in the cluster by itself.
    pub(super) fn reconcile(&self) {
        let mut inside = self.inside();
        let inside = &mut *inside;
        if !ready(inside) || !inside.karpenter {
            return;
        }
        for kind in ["nodepools", "ec2nodeclasses"] {
            for object in of_kind(inside, kind) {
                let body = inside.objects.get_mut(&object).unwrap();
                if body["metadata"]["finalizers"].is_null() {
                    body["metadata"]["finalizers"] = json!([FINALIZER]);
                }
                body["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
            }
        }
        Self::terminate(inside);
        Self::provision(inside);
    }

    fn terminate(inside: &mut Inside) {
        let gone = |inside: &Inside, o: &ObjectRef| !inside.objects[o]["metadata"]["deletionTimestamp"].is_null();
        let pools: Vec<ObjectRef> = of_kind(inside, "nodepools").into_iter().filter(|p| gone(inside, p)).collect();
        for pool in pools {
            let claims: Vec<ObjectRef> = of_kind(inside, "nodeclaims")
                .into_iter()
                .filter(|c| inside.objects[c]["metadata"]["labels"]["karpenter.sh/nodepool"] == pool.name.as_str())
                .collect();
            // One claim a look, with its node and its instance; the pool after the last.
            match claims.first() {
                Some(claim) => Self::end_claim(inside, claim),
                None => {
                    inside.objects.remove(&pool);
                }
            }
        }
        for class in of_kind(inside, "ec2nodeclasses").into_iter().filter(|c| gone(inside, c)).collect::<Vec<_>>() {
            inside.objects.remove(&class);
        }
    }

    fn end_claim(inside: &mut Inside, claim: &ObjectRef) {
        inside.objects.remove(claim);
        inside.objects.remove(&place("v1", "nodes", None, &claim.name));
        inside.instances.remove(&format!("i-{}", claim.name));
    }

    /// The pods that the Deployment asks for, a claim a pod, and each claim a condition further at each look.
    fn provision(inside: &mut Inside) {
        let inflate = place("apps/v1", "deployments", Some("default"), "inflate");
        let wanted = inside.objects.get(&inflate).and_then(|d| d["spec"]["replicas"].as_u64()).unwrap_or(0);
        let pods: Vec<ObjectRef> = of_kind(inside, "pods").into_iter().filter(|p| p.name.starts_with("inflate")).collect();
        for pod in pods.iter().skip(usize::try_from(wanted).unwrap()) {
            inside.objects.remove(pod);
        }
        for number in 0..wanted {
            let pod = place("v1", "pods", Some("default"), &format!("inflate-{number}"));
            if inside.objects.contains_key(&pod) {
                if !inside.room {
                    Self::advance(inside, number);
                }
                continue;
            }
            let mut body = json!({"metadata": {"name": pod.name, "namespace": "default", "labels": {"app": "inflate"}}, "spec": {}, "status": {"phase": "Pending"}});
            if inside.room {
                body["spec"] = json!({"nodeName": "of-before"});
                body["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
            }
            inside.objects.insert(pod, body);
        }
        let empty: Vec<ObjectRef> = of_kind(inside, "nodeclaims")
            .into_iter()
            .filter(|c| {
                let number = c.name.trim_start_matches("default-");
                number.parse::<u64>().is_ok_and(|n| n >= wanted)
            })
            .collect();
        if let Some(claim) = empty.first()
            && inside.stuck.is_none_or(|(what, _)| what != "Removed")
        {
            Self::end_claim(inside, claim);
        }
    }

    fn advance(inside: &mut Inside, number: u64) {
        let name = format!("default-{number}");
        let claim = place("karpenter.sh/v1", "nodeclaims", None, &name);
        let labels = json!({"karpenter.sh/nodepool": "default", "node.kubernetes.io/instance-type": "m5.large", "topology.kubernetes.io/zone": "us-west-2a", "karpenter.sh/capacity-type": "on-demand"});
        let Some(body) = inside.objects.get(&claim) else {
            let body = json!({"metadata": {"name": name, "labels": labels, "finalizers": [FINALIZER]}, "status": {"conditions": []}});
            inside.objects.insert(claim, body);
            return;
        };
        let all = body["status"]["conditions"].as_array().unwrap();
        let mut conditions: Vec<Value> = all.iter().filter(|c| c["status"] == "True").cloned().collect();
        let Some(stage) = ["Launched", "Registered", "Initialized"].get(conditions.len()) else {
            let pod = inside.objects.get_mut(&place("v1", "pods", Some("default"), &format!("inflate-{number}"))).unwrap();
            pod["spec"]["nodeName"] = json!(name);
            if inside.stuck.is_none_or(|(what, _)| what != "Running") {
                pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
            }
            return;
        };
        let stuck = inside.stuck.filter(|(what, _)| what == stage);
        conditions.push(match stuck {
            Some((_, message)) => json!({"type": stage, "status": "Unknown", "message": message}),
            None => json!({"type": stage, "status": "True"}),
        });
        let claim = inside.objects.get_mut(&claim).unwrap();
        claim["status"]["conditions"] = json!(conditions);
        if stuck.is_some() {
            return;
        }
        claim["status"]["providerID"] = json!(format!("aws:///us-west-2a/i-{name}"));
        if *stage == "Launched" {
            let tags =
                [("kubernetes.io/cluster/demo", "owned"), ("karpenter.sh/nodepool", "default")].map(|(k, v)| (k.to_owned(), v.to_owned()));
            inside.instances.insert(format!("i-{name}"), tags.into());
        } else if *stage == "Registered" {
            let node =
                json!({"metadata": {"name": name, "labels": labels}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
            inside.objects.insert(place("v1", "nodes", None, &name), node);
        }
    }
}
