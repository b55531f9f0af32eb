//! An API server in memory: resource versions, field managers, finalizers. It keeps what it is given and checks no schema.

use super::FakeWorld;
use super::select::fits;
use async_trait::async_trait;
use karpctl::error::{Error, ErrorKind, Result};
use karpctl::ports::{Eviction, Force, Kube, ObjectKind, ObjectRef, Trial};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn name(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind.plural, object.name)
}

fn conflict(object: &ObjectRef, why: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("cannot write {}", name(object))).because(why)
}

/// Puts `patch` over `target` as a merge patch does.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

impl FakeWorld {
    /// Puts an object there, as somebody else would.
    pub(crate) fn put(&self, object: &ObjectRef, mut body: Value) {
        let mut inside = self.inside();
        inside.version += 1;
        body["metadata"]["name"] = json!(object.name);
        if let Some(namespace) = &object.namespace {
            body["metadata"]["namespace"] = json!(namespace);
        }
        body["metadata"]["resourceVersion"] = json!(inside.version.to_string());
        inside.objects.insert(object.clone(), body);
    }

    /// An object as it stands.
    pub(crate) fn object(&self, object: &ObjectRef) -> Option<Value> {
        self.inside().objects.get(object).cloned()
    }

    /// The names of the objects of a kind.
    pub(crate) fn names(&self, plural: &str) -> Vec<String> {
        self.inside().objects.keys().filter(|o| o.kind.plural == plural).map(|o| o.name.clone()).collect()
    }
}

#[async_trait]
impl Kube for FakeWorld {
    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>> {
        self.begin("get", name(object)).await?;
        self.reconcile();
        self.end("get")?;
        Ok(self.object(object))
    }

    async fn list(&self, kind: &ObjectKind, namespace: Option<&str>, label_selector: Option<&str>) -> Result<Vec<Value>> {
        self.begin("list", &kind.plural).await?;
        self.reconcile();
        self.end("list")?;
        let inside = self.inside();
        let found = inside.objects.iter().filter(|(o, _)| o.kind == *kind && (namespace.is_none() || o.namespace.as_deref() == namespace));
        Ok(found.filter(|(_, body)| label_selector.is_none_or(|s| fits(s, body))).map(|(_, body)| body.clone()).collect())
    }

    async fn namespaced_kinds(&self) -> Result<Vec<ObjectKind>> {
        self.begin("discover", "kinds").await?;
        let kinds: BTreeSet<ObjectKind> = self.inside().objects.keys().filter(|o| o.namespace.is_some()).map(|o| o.kind.clone()).collect();
        Ok(kinds.into_iter().collect())
    }

    async fn apply(&self, object: &ObjectRef, body: &Value, force: Force) -> Result<Value> {
        self.begin("apply", name(object)).await?;
        let mut now = self.object(object).unwrap_or_else(|| json!({}));
        let others = now["metadata"]["managedFields"].as_array().is_some_and(|m| m.iter().any(|m| m["manager"] != "karpctl"));
        if force == Force::No && others {
            return Err(conflict(object, "another manager holds its fields"));
        }
        merge(&mut now, body);
        now["metadata"]["managedFields"] = json!([{"manager": "karpctl", "operation": "Apply"}]);
        self.put(object, now.clone());
        self.end("apply")?;
        Ok(now)
    }

    async fn dry_run(&self, object: &ObjectRef, body: &Value) -> Result<Trial> {
        self.begin("dry_run", name(object)).await?;
        let refusals = self.inside().refusals.clone();
        let plural = object.kind.plural.as_str();
        let how = if body.to_string().contains("@sha256:") { "by digest" } else { "by tag" };
        Ok(refusals.get(format!("{plural} {how}").as_str()).or_else(|| refusals.get(plural)).cloned().unwrap_or(Trial::Taken))
    }

    async fn create(&self, object: &ObjectRef, body: &Value) -> Result<Value> {
        self.begin("create", name(object)).await?;
        if object.kind.plural == "selfsubjectaccessreviews" {
            return Ok(json!({"status": {"allowed": true}}));
        }
        if self.object(object).is_some() {
            return Err(conflict(object, "it is there already"));
        }
        self.put(object, body.clone());
        self.end("create")?;
        Ok(body.clone())
    }

    async fn replace(&self, object: &ObjectRef, body: &Value) -> Result<Value> {
        self.begin("replace", name(object)).await?;
        let now = self.object(object).ok_or_else(|| Error::new(ErrorKind::NotFound, "it is not there"))?;
        if now["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"] {
            return Err(conflict(object, "it was changed in between"));
        }
        self.put(object, body.clone());
        self.end("replace")?;
        Ok(body.clone())
    }

    async fn merge_patch(&self, object: &ObjectRef, patch: &Value) -> Result<Value> {
        self.begin("merge_patch", name(object)).await?;
        let mut now = self.object(object).ok_or_else(|| Error::new(ErrorKind::NotFound, "it is not there"))?;
        merge(&mut now, patch);
        self.put(object, now.clone());
        if !patch["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_null() {
            self.restart(object);
        }
        self.end("merge_patch")?;
        Ok(now)
    }

    async fn delete(&self, object: &ObjectRef) -> Result<()> {
        self.begin("delete", name(object)).await?;
        if let Some(mut now) = self.object(object) {
            if now["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty()) {
                now["metadata"]["deletionTimestamp"] = json!("2026-11-23T00:00:00Z");
                self.put(object, now);
            } else {
                self.inside().objects.remove(object);
            }
        }
        self.end("delete")
    }

    async fn evict(&self, namespace: &str, name: &str, uid: &str) -> Result<Eviction> {
        self.begin("evict", format!("{namespace}/{name}")).await?;
        let answer = self.evicted(namespace, name, uid);
        self.end("evict")?;
        Ok(answer)
    }
}
