//! Which kinds of objects an API server has.

use super::{ApiServer, Ask};
use crate::error::{Error, Result};
use crate::ports::ObjectKind;
use futures_util::future::try_join_all;
use http::Method;
use serde_json::Value;

/// What only tells of other objects, and is listed without being kept.
const NOT_KEPT: [&str; 1] = ["metrics.k8s.io"];

impl ApiServer {
    /// The kinds that live in namespaces and can be listed, each in the version that the API server prefers.
    pub(super) async fn discovered(&self) -> Result<Vec<ObjectKind>> {
        let doing = "cannot find out which kinds of objects there are";
        let groups = self.send(&Ask::new(doing, Method::GET, "/apis".into())).await?;
        let preferred = list(&groups["groups"]).iter().filter(|group| !NOT_KEPT.iter().any(|name| group["name"] == *name));
        let versions = preferred.filter_map(|group| group["preferredVersion"]["groupVersion"].as_str()).map(str::to_owned);
        let all = std::iter::once("v1".to_owned()).chain(versions).map(|version| async move {
            let path = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
            let answer = self.send(&Ask::new(doing, Method::GET, path)).await?;
            let is_listed = |kind: &&Value| kind["namespaced"] == true && list(&kind["verbs"]).iter().any(|verb| verb == "list");
            let plurals = list(&answer["resources"]).iter().filter(is_listed).filter_map(|kind| kind["name"].as_str());
            Ok::<Vec<_>, Error>(plurals.map(|plural| ObjectKind::new(version.clone(), plural)).collect())
        });
        Ok(try_join_all(all).await?.into_iter().flatten().collect())
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
