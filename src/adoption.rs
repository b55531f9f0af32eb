//! Recognises a Karpenter that somebody else made, and says by which settings karpctl works with it as it is: pure.

mod made_with;
mod pool;
mod values;

use crate::error::{Error, Result};
use crate::facts::{Facts, OriginFacts, Probed};
use crate::knowledge::{Release, ZONAL_SHIFT_VALUE, image_tag};
use crate::render;
use crate::spec::layer::{ChartLayer, ElsewhereLayer, Layer};
use crate::spec::{Arn, Boundary, NodeAccess, QueueName, SERVICE_ACCOUNT, Spec};
use crate::steps::aws_auth;

pub use made_with::made_with;

/// Who made it, by what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// The guide's commands: the stack `Karpenter-<cluster>` and the roles that it names.
    Guide,
    /// eksctl's `karpenter:` block.
    Eksctl,
    /// The karpenter module of terraform-aws-modules/eks.
    Terraform,
    /// Somebody else.
    Unknown,
}

impl Maker {
    /// The maker, as people call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Guide => "the guide's commands",
            Self::Eksctl => "eksctl",
            Self::Terraform => "Terraform",
            Self::Unknown => "another tool",
        }
    }
}

/// What was recognised.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoption {
    /// Who made it.
    pub maker: Maker,
    /// The settings by which karpctl finds it as it is.
    pub layer: Layer,
    /// What is not as the guide of the release makes it, a sentence each.
    pub differs: Vec<String>,
}

/// The release and namespace of the Karpenter that is there.
pub fn installed(facts: &Facts) -> Result<(Release, String)> {
    let nothing = |cluster_hint: &str| {
        Error::refused("there is no Karpenter to adopt").because(cluster_hint).hint("`karpctl bootstrap --existing-cluster` installs one")
    };
    let controller = match &facts.controller {
        Probed::Known(found) => found,
        Probed::Absent => return Err(nothing("no Deployment in the cluster is Karpenter's")),
        Probed::Unavailable(reason) => return Err(Error::failed("cannot look for Karpenter in the cluster").because(reason)),
        Probed::NotAsked => return Err(Error::failed("nobody looked for Karpenter in the cluster")),
    };
    let namespace = controller.namespace.clone();
    let release = image_tag(&controller.image).and_then(|tag| tag.parse().ok()).ok_or_else(|| {
        Error::refused(format!("the image {} of Karpenter's Deployment names no release", controller.image))
            .hint("name it: --karpenter-version VERSION with `karpctl bootstrap --existing-cluster --adopt`")
    })?;
    Ok((release, namespace))
}

/// The service account that the release that is there was told, where it is not the chart's own.
#[must_use]
pub fn told_account(facts: &Facts) -> Option<ChartLayer> {
    let name = values::text(&facts.chart_release.known()?.values, "serviceAccount.name").filter(|name| name != SERVICE_ACCOUNT)?;
    let values = [("serviceAccount".to_owned(), serde_json::json!({ "name": name }))].into();
    Some(ChartLayer { values: Some(values), ..ChartLayer::default() })
}

/// Who made the Karpenter of a spec whose release and namespace are those of the one that is there, and its roles, queue and pools.
pub fn recognise(spec: &Spec, facts: &Facts) -> Result<Adoption> {
    let origin = known(&facts.origin, "how Karpenter was made")?;
    let release = match &facts.chart_release {
        Probed::Known(release) if release.status != "uninstalled" => release,
        Probed::Unavailable(reason) => return Err(Error::failed("cannot read the helm release karpenter").because(reason)),
        _ => {
            return Err(Error::refused(format!("Karpenter in {} is no helm release called karpenter", spec.namespace))
                .hint("helm takes its objects over, where it is 3.17 or newer: `karpctl bootstrap --existing-cluster --adopt`"));
        }
    };
    let (identity, controller_role) = controller_role(spec, facts, origin)?;
    let node_role = origin.node_roles.first().cloned().ok_or_else(|| {
        Error::refused("the role of the nodes is not known").because("no node class names one that exists, and none is called as a known tool calls it")
            .hint("name it in the spec file, with the controller's: madeElsewhere.nodeRole and madeElsewhere.controllerRole, an ARN each (`karpctl generate schema`)")
    })?;
    let queue = spec.release.features().interruption_queue_path().and_then(|path| values::text(&release.values, path));
    // What cannot be a queue's name names none.
    let queue = queue.filter(|name| name.parse::<QueueName>().is_ok());
    let maker = maker(spec, facts, origin, &controller_role, &node_role, queue.as_deref());
    let (boundary, own) = put_in(spec, facts, maker)?;
    let mut layer = Layer {
        cluster_name: Some(spec.cluster_name.to_string()),
        region: Some(spec.region.to_string()),
        account_id: Some(spec.account_id.to_string()),
        karpenter_version: Some(spec.release.to_string()),
        namespace: Some(spec.namespace.to_string()),
        identity: Some(identity.to_owned()),
        existing_cluster: Some(true),
        zonal_shift: values::flag(&release.values, ZONAL_SHIFT_VALUE).filter(|_| spec.release.features().zonal_shift),
        node_pool: Some(pool::settings(spec, origin)),
        permissions_boundary: boundary.filter(|_| own.is_empty()).map(|boundary| boundary.to_string()),
        ..Layer::default()
    };
    let stack = format!("the stack {}", spec.stack_name());
    let mut differs: Vec<String> = own.iter().map(|line| format!("{stack} has what its owner put in: {line}")).collect();
    differs.extend(
        layer.permissions_boundary.iter().map(|arn| format!("the role of the nodes has the permissions boundary {arn}, and keeps it")),
    );
    if maker != Maker::Guide || !own.is_empty() {
        // An update of that stack would take away what its owner put in.
        let by = if own.is_empty() { maker.word().to_owned() } else { stack };
        differs.push(format!("roles, policies and queue are {by}'s, and stay so: karpctl uses them and changes nothing of them"));
        if queue.is_none() && spec.release.features().queue_value {
            differs.push(
                "the chart is told no interruption queue, so interruptions are not handled; madeElsewhere.interruptionQueue names one"
                    .into(),
            );
        }
        layer.made_elsewhere = Some(ElsewhereLayer {
            by: Some(by),
            node_role: Some(node_role.to_string()),
            controller_role: Some(controller_role.to_string()),
            instance_profile: profile(origin).or_else(|| values::text(&release.values, spec.release.features().instance_profile_path())),
            interruption_queue: queue,
        });
    }
    Ok(Adoption { maker, layer, differs })
}

/// The permissions boundary that the guide's stack gives the role of the nodes, and what else its owner has put into it.
fn put_in(spec: &Spec, facts: &Facts, maker: Maker) -> Result<(Option<Arn>, Vec<String>)> {
    // What is karpctl's by its mark has gone by its settings since.
    let stack = facts.stack.known().filter(|stack| maker == Maker::Guide && !spec.owns(&stack.tags));
    let Some(stack) = stack else { return Ok((None, Vec::new())) };
    let template = stack.template.as_deref().unwrap_or_default();
    let boundary = render::boundary_of(spec, template);
    let kept = Spec {
        permissions_boundary: boundary.clone().map(Boundary::Policy).or_else(|| spec.permissions_boundary.clone()),
        made_elsewhere: None,
        ..spec.clone()
    };
    Ok((boundary, render::put_in_by_others(&kept, template)?))
}

/// Completes what was recognised, with facts of the roles and pools that it names: how nodes are let in, what the chart is told, and
/// whether the node pools are such as karpctl applies.
pub fn settle(adoption: &mut Adoption, spec: &Spec, facts: &Facts) -> Result<()> {
    let entry = facts.access_entry.known().is_some();
    let rows = facts.aws_auth.known().and_then(|found| found.map_roles.as_deref());
    let row = !aws_auth::see(rows, &render::mapped_role(spec))?.ours.is_empty();
    let (access, words) = match (entry, row) {
        (true, true) => (Some(NodeAccess::Both), None),
        (true, false) => (Some(NodeAccess::AccessEntry), None),
        (false, true) => (
            Some(NodeAccess::AwsAuth),
            Some("nodes are let in by aws-auth alone, which EKS calls deprecated; nodeAccess: both adds an access entry"),
        ),
        (false, false) => (None, Some("nothing lets the nodes into the cluster")),
    };
    adoption.differs.extend(words.map(str::to_owned));
    adoption.layer.node_access = access.map(|access| match access {
        NodeAccess::AwsAuth => "aws-auth".to_owned(),
        NodeAccess::AccessEntry => "access-entry".to_owned(),
        NodeAccess::Both => "both".to_owned(),
    });
    values::keep(adoption, spec, facts)?;
    pool::keep(adoption, spec, facts)
}

fn known<'f, T>(probed: &'f Probed<T>, what: &str) -> Result<&'f T> {
    match probed {
        Probed::Known(value) => Ok(value),
        Probed::Unavailable(reason) => Err(Error::failed(format!("cannot find out {what}")).because(reason)),
        Probed::Absent | Probed::NotAsked => Err(Error::failed(format!("cannot find out {what}"))),
    }
}

fn controller_role(spec: &Spec, facts: &Facts, origin: &OriginFacts) -> Result<(&'static str, Arn)> {
    let named = match (&facts.association, &origin.service_account_role) {
        (Probed::Known(association), _) => Some(("pod-identity", association.role_arn.clone())),
        (_, Some(role)) => Some(("irsa", role.clone())),
        (Probed::Unavailable(reason), None) => {
            return Err(Error::failed("cannot find out which role the controller has").because(reason));
        }
        _ => None,
    };
    let (identity, role) = named.ok_or_else(|| {
        Error::refused("the role of the controller is not known")
            .because(format!(
                "its service account {}/karpenter has neither a Pod Identity association nor a role by annotation",
                spec.namespace
            ))
            .hint("`karpctl bootstrap --existing-cluster --adopt` gives it one")
    })?;
    let role = role.parse().map_err(|e| Error::refused(format!("the controller's role is no ARN: {e}")))?;
    Ok((identity, role))
}

fn maker(spec: &Spec, facts: &Facts, origin: &OriginFacts, controller: &Arn, node: &Arn, queue: Option<&str>) -> Maker {
    let terraforms =
        controller.as_str().contains(":role/KarpenterController") || queue == Some(&format!("Karpenter-{}", spec.cluster_name));
    // Whose roles they are may have been found out before.
    let guides = Spec { made_elsewhere: None, ..spec.clone() };
    let has_stack = facts.stack.known().is_some_and(|stack| !stack.is_gone());
    if has_stack && *controller == guides.controller_role_arn() && *node == guides.node_role_arn() {
        Maker::Guide
    } else if origin.eksctl_stack {
        Maker::Eksctl
    } else if terraforms {
        Maker::Terraform
    } else {
        Maker::Unknown
    }
}

/// The instance profile that a node class names.
fn profile(origin: &OriginFacts) -> Option<String> {
    origin.classes.iter().find_map(|class| class["spec"]["instanceProfile"].as_str().map(str::to_owned))
}
