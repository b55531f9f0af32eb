//! What a node pool that is there says where the spec is silent: the choice of a newer release's guide would replace its nodes.

use crate::knowledge::{ARCH_LABEL, CAPACITY_TYPE_LABEL, OS_LABEL};
use crate::probe::node_pool::ami_alias;
use crate::spec::Spec;
use serde_json::Value;

/// Puts into the class and the pool of the release what those that are there say.
pub(super) fn keep(spec: &Spec, [class, pool]: &mut [Value; 2], found_class: Option<&Value>, found_pool: Option<&Value>) {
    let silent = &spec.node_pool;
    let mut keys = Vec::new();
    keys.extend(silent.capacity_types.is_empty().then_some(CAPACITY_TYPE_LABEL));
    keys.extend(silent.architectures.is_empty().then_some(ARCH_LABEL));
    if let Some(found) = found_class
        && silent.ami_alias.is_none()
        && keep_images(spec, class, found)
    {
        keys.push(OS_LABEL);
    }
    let Some(found) = found_pool else { return };
    for key in keys {
        if let (Some(wanted), Some(said)) = (requirement_of(pool, key), requirement(found, key)) {
            *wanted = said.clone();
        }
    }
}

/// Whether the images of a class stay: those of a family that the release knows, and that there are for the cluster's Kubernetes.
fn keep_images(spec: &Spec, class: &mut Value, found: &Value) -> bool {
    let is_made =
        |family: &str| spec.kubernetes.has_ami_family(family) && spec.release.features().ami_families.iter().any(|known| known == family);
    let alias = ami_alias(class).is_some();
    let (wanted, found) = (&mut class["spec"], &found["spec"]);
    if alias && let Some(said) = found["amiSelectorTerms"].as_array().filter(|terms| terms.len() == 1) {
        let family = said[0]["alias"].as_str().and_then(|alias| alias.split_once('@'));
        if family.is_some_and(|(family, _)| is_made(family)) {
            wanted["amiSelectorTerms"] = said.clone().into();
            return true;
        }
    } else if !alias && wanted["amiFamily"].is_string() && found["amiFamily"].as_str().is_some_and(|name| is_made(&name.to_lowercase())) {
        wanted["amiFamily"] = found["amiFamily"].clone();
        return true;
    }
    false
}

/// Where the requirements of a pool stand: of a `NodePool`, and of a Provisioner.
const REQUIREMENTS: [&str; 2] = ["/spec/template/spec/requirements", "/spec/requirements"];

fn requirement<'v>(pool: &'v Value, key: &str) -> Option<&'v Value> {
    let all = REQUIREMENTS.iter().find_map(|path| pool.pointer(path)?.as_array())?;
    all.iter().find(|requirement| requirement["key"] == key)
}

fn requirement_of<'v>(pool: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    let path = REQUIREMENTS.iter().find(|path| pool.pointer(path).is_some())?;
    pool.pointer_mut(path)?.as_array_mut()?.iter_mut().find(|requirement| requirement["key"] == key)
}
