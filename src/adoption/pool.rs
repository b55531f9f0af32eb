//! Whether a node pool that is there is such as karpctl applies.

use super::Adoption;
use crate::error::Result;
use crate::facts::{Facts, OriginFacts};
use crate::knowledge::{ARCH_LABEL, CAPACITY_TYPE_LABEL};
use crate::probe::node_pool::ami_alias;
use crate::render::ami_family;
use crate::spec::Spec;
use crate::spec::layer::NodePoolLayer;
use crate::steps::node_pool_changes;
use crate::wording::first;
use serde_json::Value;

/// How many differences are told.
const SHOWN: usize = 6;

/// The settings of the pool that is there: the one that is called as the spec's, else the only one.
pub(super) fn settings(spec: &Spec, origin: &OriginFacts) -> NodePoolLayer {
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let usual = spec.node_pool.name.as_str();
    let pool = origin.pools.iter().find(|pool| name(pool) == usual).or(match origin.pools.as_slice() {
        [only] => Some(only),
        _ => None,
    });
    let Some(pool) = pool else { return NodePoolLayer { keep: Some(true), ..NodePoolLayer::default() } };
    let class = origin.classes.iter().find(|class| name(class) == name(pool));
    let alias = class.and_then(ami_alias).filter(|alias| alias.split('@').next() != Some(&ami_family(spec)));
    NodePoolLayer {
        name: Some(name(pool)),
        capacity_types: required(pool, CAPACITY_TYPE_LABEL),
        architectures: required(pool, ARCH_LABEL),
        cpu_limit: cpu(pool),
        ami_alias: alias.map(str::to_owned),
        keep: None,
        volume_key: class.and_then(volume_key).map(str::to_owned),
    }
}

fn required(pool: &Value, key: &str) -> Option<Vec<String>> {
    let spec = &pool["spec"];
    let requirements = spec["template"]["spec"]["requirements"].as_array().or_else(|| spec["requirements"].as_array())?;
    let requirement = requirements.iter().find(|r| r["key"] == key && r["operator"] == "In")?;
    Some(requirement["values"].as_array()?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
}

/// The key of the volumes, where it is one as a spec names it. Whether they are otherwise as Karpenter makes them shows in the
/// differences.
fn volume_key(class: &Value) -> Option<&str> {
    class["spec"]["blockDeviceMappings"][0]["ebs"]["kmsKeyID"].as_str().filter(|key| key.starts_with("arn:"))
}

fn cpu(pool: &Value) -> Option<u32> {
    let limits = &pool["spec"]["limits"];
    let cpu = limits.get("cpu").or_else(|| limits["resources"].get("cpu"))?;
    cpu.as_u64().and_then(|n| u32::try_from(n).ok()).or_else(|| cpu.as_str()?.parse().ok())
}

/// Leaves the pools alone where the one that is there is not such as karpctl applies: to change it would replace its nodes.
pub(super) fn keep(adoption: &mut Adoption, spec: &Spec, facts: &Facts) -> Result<()> {
    let differences =
        if spec.node_pool.keep { vec!["there is no pool, or there are several".to_owned()] } else { node_pool_changes(spec, facts)? };
    if differences.is_empty() {
        return Ok(());
    }
    let shown = first(differences, SHOWN).join("; ");
    adoption.differs.push(format!("node pools and node classes stay yours, as they are not the guide's: {shown}"));
    adoption.layer.node_pool = Some(NodePoolLayer { keep: Some(true), ..NodePoolLayer::default() });
    Ok(())
}
