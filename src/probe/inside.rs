//! The cluster from within, as only a doctor looks at it: nodes and their room, neighbours, what earlier Karpenters left.
//! What the API server answers is written by anybody: every field may be missing, of another type, or hold anything.

mod admission;
mod conversion;
mod custom_networking;
mod entry;
mod gates;
mod neighbours;
mod nodes;
mod objects;
mod outliving;
mod policies;
mod schema;
mod trials;
mod windows;

pub(super) use admission::admission;
pub(super) use conversion::{conversion, conversion_service};
pub(super) use custom_networking::custom_networking;
pub(super) use entry::entry;
pub(super) use neighbours::{daemon_pods, is_autoscaler, neighbours};
pub(super) use nodes::nodes;
pub(super) use objects::objects;
pub(super) use outliving::outliving;
pub(super) use policies::{policies, selects};
pub(super) use schema::fingerprint;
pub(super) use trials::trials;
pub(super) use windows::windows_ipam;

use crate::error::clean;
use crate::facts::Deleting;
use serde_json::Value;

/// The elements of a list, none where it is no list.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A name as it may be shown: in one line and without control characters.
pub(super) fn text(name: &str) -> String {
    clean(name).replace(['\n', '\t'], " ")
}

/// Whether a node or a pod says that it is ready.
pub(super) fn is_ready(object: &Value) -> bool {
    items(&object["status"]["conditions"]).iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// The deletion of an object that is being deleted.
fn deleting(object: &Value) -> Option<Deleting> {
    let since = object["metadata"]["deletionTimestamp"].as_str()?;
    let finalizers = items(&object["metadata"]["finalizers"]).iter().filter_map(Value::as_str).map(text).collect();
    Some(Deleting { since: text(since), finalizers })
}
