//! The shell that steps stand for: what several of them say.

use crate::facts::{Facts, Scaling};
use crate::ports::Tags;
use crate::shell::quoted;
use crate::spec::{ClusterMode, Spec};

/// Renders a document of the spec, as the spec file of the printed shell says it, into a file.
pub(super) fn render_command(spec: &Spec, what: &str, file: &str) -> String {
    format!("karpctl render {what} --file {} > {file}", spec.file_name())
}

/// Puts what EKS says of the cluster into a variable.
pub(super) fn look_up(spec: &Spec, variable: &str, field: &str) -> String {
    format!(
        "{variable}=$(aws eks describe-cluster --region {} --name {} --query cluster.{field} --output text)",
        spec.region, spec.cluster_name
    )
}

/// Sets the size of a managed node group.
pub(super) fn eks_scaling(spec: &Spec, group: &str, to: Scaling) -> String {
    format!(
        "aws eks update-nodegroup-config --region {} --cluster-name {} --nodegroup-name {group} --scaling-config minSize={},desiredSize={},maxSize={}",
        spec.region, spec.cluster_name, to.min, to.desired, to.max
    )
}

/// Tags as EKS takes them: a map, written as JSON since aws splits its own short form at commas.
pub(super) fn map(tags: &Tags) -> String {
    quoted(&serde_json::json!(tags).to_string())
}

/// Tags as CloudFormation takes them: `key=value`, a word each.
pub(super) fn pairs(tags: &Tags) -> String {
    tags.iter().map(|(k, v)| quoted(&format!("{k}={v}"))).collect::<Vec<_>>().join(" ")
}

/// Tags as IAM and EC2 take them: `Key=key,Value=value`, quoted for aws, which reads a comma in a value as the end of it.
pub(super) fn keys_and_values(tags: &Tags) -> String {
    let word =
        |text: &str| if text.contains([',', '=', ' ', '"', '\'']) { format!("\"{}\"", text.replace('"', "\\\"")) } else { text.to_owned() };
    tags.iter().map(|(k, v)| quoted(&format!("Key={},Value={}", word(k), word(v)))).collect::<Vec<_>>().join(" ")
}

/// Whether the shell begins by making the cluster.
pub(super) fn is_to_be_made(spec: &Spec, facts: &Facts) -> bool {
    spec.cluster == ClusterMode::Managed && facts.cluster.known().is_none()
}
