//! Whether nodes get security groups with which they reach the cluster.

use super::class_selection::{Selected, by_class, own_selections, unread_classes};
use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws, missing};
use crate::facts::{ClassSelection, NodeGroupFacts, OF_INTERFACE, Topic};
use crate::finding::Area;
use crate::spec::DISCOVERY_TAG;

pub(super) struct NodeSecurityGroups;

impl Check for NodeSecurityGroups {
    fn id(&self) -> &'static str {
        "node-security-groups"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Nodes get every security group that the selector finds: none, and no node is launched; without the cluster's own, none joins."
    }

    fn explain(&self) -> &'static str {
        "Asks EC2 for security groups by the very selector that the node class has: the tag karpenter.sh/discovery with the cluster's \
         name. Where every node class that is there has another selector, what Karpenter found by it counts (the status of the class).\n\nWhat people see otherwise: `SecurityGroupsNotFound`, `no security groups exist given constraints`, \
         `SecurityGroupSelector did not match any SecurityGroups`; `InvalidGroup.NotFound … do not belong to the same network` for a \
         group of another VPC; `expected exactly one securityGroup tagged with kubernetes.io/cluster/<cluster> for eni eni-…, got: \
         [sg-… sg-…]` from the load balancer controller, where two of them carry that tag; `SecurityGroupsPerInterfaceLimitExceeded` of more than five. The group that terraform-aws-eks makes for nodes has it \
         too: they need the cluster's own no more.\n\nWhere the launch template of a managed node group names groups and Karpenter's nodes get none \
         of them, that is a warning: terraform-aws-eks gives its node groups only its own group, which lets in the API server and itself, so nodes with the \
         cluster's group are Ready and reach no CoreDNS there.\n\nEKS does not pass a cluster's tags on to \
         the security group that it makes: `aws ec2 create-tags` does, as `karpctl bootstrap --existing-cluster` does it, with the groups that those launch templates \
         name, up to as many as an interface takes."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::Selection,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::Chart,
            Topic::Neighbours,
            Topic::Crds,
            Topic::Objects,
            Topic::NodeGroups,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("security groups with {DISCOVERY_TAG}={}", spec.cluster_name);
        let Some(cluster) = read(&subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        if let Some(classes) = own_selections(spec, situation.facts, Selected::SecurityGroups) {
            let found = |(class, selection): (&_, &ClassSelection)| {
                by_class(class, selection.groups.clone(), "security groups", "SecurityGroupSelector did not match any SecurityGroups")
            };
            return Ok(classes.into_iter().map(found).collect());
        }
        let Some(selection) = read(&subject, &situation.facts.selection)? else {
            return Err(Judgement::skip(subject, "were not looked for"));
        };
        let (own, groups) = (cluster.cluster_security_group_id.as_deref().unwrap_or_default(), &selection.security_groups);
        let discovery = format!("Key={DISCOVERY_TAG},Value={}", spec.cluster_name);
        let tag = |verb, ids: &str, tag: &str| {
            let words = ["--resources"].into_iter().chain(ids.split(' ')).chain(["--tags", tag]);
            aws(spec, "ec2", verb).into_iter().chain(words).map(str::to_owned).collect::<Vec<_>>()
        };
        let of_groups = situation.facts.node_groups.known().map(Vec::as_slice).unwrap_or_default();
        let missed = |selected: &[&str]| -> Vec<Judgement> {
            let missed = of_groups.iter().filter(|group| misses(selected, group));
            missed.map(|group| not_reached(&subject, group, tag("create-tags", &group.security_groups.join(" "), &discovery))).collect()
        };
        if groups.is_empty() {
            // Those that bootstrap takes.
            let launched: Vec<&str> = NodeGroupFacts::launched_with(of_groups).into_iter().collect();
            let said = match missing(situation, &subject, "there are none: SecurityGroupSelector did not match any SecurityGroups") {
                Err(ended) => ended,
                Ok(judgement) if !launched.is_empty() => judgement
                    .run("tag those that the node groups' launch templates name", tag("create-tags", &launched.join(" "), &discovery)),
                Ok(judgement) if own.is_empty() => judgement,
                Ok(judgement) => judgement.run("tag the cluster's own", tag("create-tags", own, &discovery)),
            };
            return Ok([said].into_iter().chain(missed(&launched)).collect());
        }
        let mut said = Vec::new();
        for group in groups.iter().filter(|g| cluster.vpc_id.as_ref().is_some_and(|vpc| *vpc != g.vpc_id)) {
            said.push(
                Judgement::fail(format!("security group {}", group.id), format!("is of {}, not of the cluster's VPC", group.vpc_id))
                    .run("take the tag away", tag("delete-tags", &group.id, &discovery)),
            );
        }
        let mark = spec.cluster_tag();
        let marked: Vec<&str> = groups.iter().filter(|g| g.tags.contains_key(&mark)).map(|g| g.id.as_str()).collect();
        // A group with that mark was made for this cluster's nodes: terraform-aws-eks makes such a one, and a second beside it is too many.
        if said.is_empty() && marked.is_empty() && !own.is_empty() && !groups.iter().any(|g| g.id == own) {
            said.push(
                Judgement::warn(
                    &subject,
                    format!("the cluster's own security group {own} is not among them: nodes may not reach the API server"),
                )
                .run("tag it too", tag("create-tags", own, &discovery)),
            );
        }
        if groups.len() > OF_INTERFACE {
            let message = format!(
                "there are {}, nodes get all of them, and an interface takes {OF_INTERFACE} unless the quota was raised: SecurityGroupsPerInterfaceLimitExceeded",
                groups.len()
            );
            let quota = ["--service-code", "vpc", "--quota-code", "L-2AFB9258"];
            said.push(
                Judgement::warn(&subject, message)
                    .run("see how many it takes", [&aws(spec, "service-quotas", "get-service-quota")[..], &quota].concat())
                    .fix(format!("take the tag {DISCOVERY_TAG} from those that nodes do not need")),
            );
        }
        if let [_, _, ..] = marked[..] {
            let of_nodes = [
                "--filters",
                &format!("Name=tag:{mark},Values=owned"),
                "--query",
                "Reservations[].Instances[].[InstanceId,SecurityGroups[].GroupId]",
            ]
            .map(str::to_owned);
            let look = aws(spec, "ec2", "describe-instances").into_iter().map(str::to_owned).chain(of_nodes);
            said.push(
                Judgement::warn(&subject, format!("{} carry the tag {mark}: load balancers expect exactly one", marked.join(" and ")))
                    .run("see which of them the nodes have that Karpenter did not make", look)
                    .fix(format!(
                        "keep that one; take the tag {DISCOVERY_TAG}, and never {mark}, from the other where it is made: Karpenter then \
                         replaces its nodes one by one"
                    )),
            );
        }
        said.extend(missed(&groups.iter().map(|group| group.id.as_str()).collect::<Vec<_>>()));
        if said.is_empty() {
            said.push(Judgement::pass(subject, groups.iter().map(|g| g.id.as_str()).collect::<Vec<_>>().join(", ")));
        }
        said.extend(unread_classes(spec, situation.facts));
        Ok(said)
    }
}

/// Whether Karpenter's nodes get none of the groups that the nodes of a node group have.
fn misses(selected: &[&str], group: &NodeGroupFacts) -> bool {
    !group.security_groups.is_empty() && !group.security_groups.iter().any(|id| selected.contains(&id.as_str()))
}

fn not_reached(subject: &str, group: &NodeGroupFacts, tag: Vec<String>) -> Judgement {
    Judgement::warn(
        subject,
        format!(
            "the nodes of node group {} have {}, and Karpenter's get none of that: what only these let in, pods and the cluster's DNS among \
             it, they do not reach",
            group.name,
            group.security_groups.join(" and ")
        ),
    )
    .run("tag those too, as Karpenter's guide for leaving the Cluster Autoscaler does", tag)
}
