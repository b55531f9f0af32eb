//! How the stacks stand that the bootstrap makes or builds on.

use super::judgement::{installed, read};
use super::whose::{self, Presence};
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{Facts, Probed, RoleFacts, StackFacts, StackStanding, Topic};
use crate::finding::Area;
use crate::render;
use crate::spec::Spec;
use crate::wording::named;

pub(super) struct StackState;

impl Check for StackState {
    fn id(&self) -> &'static str {
        "stack-state"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "A stack that is stuck takes no update, and one that somebody else is changing is changed under your feet."
    }

    fn explain(&self) -> &'static str {
        "Reads the stack Karpenter-<cluster>, its template, and eksctl's stacks of a cluster that karpctl makes.\n\nWhat people see, and \
         what to do:\n\
         - `Stack:arn:… is in ROLLBACK_COMPLETE state and can not be updated`: a creation failed; delete the stack, it holds nothing.\n\
         - `is in UPDATE_ROLLBACK_FAILED state`: `aws cloudformation continue-update-rollback` brings it back.\n\
         - `is in DELETE_FAILED state`, `Cannot delete a policy attached to entities`: something still uses a role or policy; detach it, \
         then delete again, unless a Karpenter works with what is left.\n\
         - `is in UPDATE_IN_PROGRESS state`: wait.\n\
         - `AlreadyExistsException`, `KarpenterNodeRole-… already exists`: the stack is not there, and a role, a queue or a policy of \
         its name is.\n\n\
         Such a role may carry nodes, as on clusters that were made by Karpenter's page on the move from the Cluster Autoscaler: it is looked \
         at which instances of the region have it, and the commands that delete it are printed only where there is none; other regions are yours to look at. \
         Where a Karpenter is installed that has no such stack, another tool made what it works with: a role or a queue by these names is left, and \
         `karpctl adopt` takes that Karpenter over.\n\nA template that is not that of this release warns: permissions that a newer Karpenter \
         needs may be missing (`ec2:DescribeInstanceStatus`, `iam:ListInstanceProfiles`). A stack without karpctl's tag was made by \
         the guide's commands or by somebody else; karpctl leaves it alone until it is told --adopt."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Stack,
            Topic::ClusterStacks,
            Topic::NodeRole,
            Topic::StackPolicies,
            Topic::Queue,
            Topic::Cluster,
            Topic::Chart,
            Topic::Neighbours,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let facts = situation.facts;
        let mut said = vec![karpenter(spec, facts).unwrap_or_else(|skipped| skipped)];
        said.extend(queue_in_its_way(spec, facts));
        said.extend(policies_in_its_way(spec, facts));
        for (stack, kept) in [(&facts.eksctl_stack, keep_cluster(spec, facts)), (&facts.eksctl_node_group, None)] {
            let stack = match stack {
                Probed::Known(stack) => stack,
                Probed::Unavailable(reason) => {
                    said.push(Judgement::skip("stacks of eksctl", reason));
                    break;
                }
                // Of a cluster that is not eksctl's to make nobody asks.
                Probed::Absent | Probed::NotAsked => continue,
            };
            let name = stack.name();
            said.push(
                standing(spec, name, stack, kept.as_deref())
                    .unwrap_or_else(|| Judgement::pass(format!("stack {name}"), format!("is {}", stack.status))),
            );
        }
        Ok(said)
    }
}

fn karpenter(spec: &Spec, facts: &Facts) -> Result<Judgement, Judgement> {
    let name = spec.stack_name();
    let subject = format!("stack {name}");
    if let Some(elsewhere) = &spec.made_elsewhere {
        return Err(Judgement::skip(subject, format!("roles and queue are {}'s: there is no such stack", elsewhere.by)));
    }
    let Some(stack) = read(&subject, &facts.stack)? else {
        return Ok(match read(&subject, &facts.node_role)? {
            None => Judgement::pass(subject, "is not there, and no role of its name is in its way"),
            Some(role) => in_its_way(spec, subject, role, facts),
        });
    };
    if let Some(stuck) = standing(spec, &name, stack, keep_roles(facts, stack).as_deref()) {
        return Ok(stuck);
    }
    if !spec.owns(&stack.tags) {
        return Ok(Judgement::warn(subject, "is there without karpctl's tag: the guide's own commands, or somebody else, made it")
            .fix("`karpctl bootstrap --adopt` takes it over: it is updated to the release's template, and tagged"));
    }
    let wanted = render::cloudformation_over(spec, stack.template.as_deref().unwrap_or_default()).unwrap_or_default();
    Ok(if stack.template.as_deref().is_some_and(|template| render::is_answered_as(wanted.trim_end(), template.trim_end())) {
        Judgement::pass(subject, format!("is {}, with the template of Karpenter {}", stack.status, spec.release))
    } else {
        Judgement::warn(subject, format!("has another template than that of Karpenter {}", spec.release))
            .run(
                "see what would change",
                ["karpctl", "iam", "--dry-run", "--cluster-name", spec.cluster_name.as_str(), "--region", spec.region.as_str()],
            )
            .fix("`karpctl iam` updates it")
    })
}

/// A role is there by the name that the stack gives its own: its creation is rolled back then.
fn in_its_way(spec: &Spec, subject: String, role: &RoleFacts, facts: &Facts) -> Judgement {
    let name = spec.node_role_name();
    let message = format!("is not there, and the role {name} is: a creation of the stack fails, {name} already exists");
    let of_role = |operation: &'static str| ["aws", "iam", operation, "--role-name", name.as_str()];
    let ties = match &facts.node_role_ties {
        Probed::Known(ties) => ties,
        unread => {
            let why =
                if let Probed::Unavailable(reason) = unread { format!(". Who has it could not be read: {reason}") } else { String::new() };
            return Judgement::fail(subject, message + &why)
                .run("see which instance profiles hold it", of_role("list-instance-profiles-for-role"))
                .fix("`karpctl render operator-policy --for doctor` prints what lets the doctor see it");
        }
    };
    // A managed node group with no node now has one later, and a Karpenter too.
    let user = |profile: &String| {
        let of_group = profile.starts_with("eks-").then(|| format!("the node group of {profile}"));
        let of_karpenter = || format!("the instance profile {profile}, which a Karpenter made");
        of_group.or_else(|| spec.is_profile_of_karpenter(profile).then(of_karpenter))
    };
    let users: Vec<String> = ties.instances.iter().cloned().chain(ties.instance_profiles.iter().filter_map(user)).collect();
    let in_use_by = if users.is_empty() { String::new() } else { format!(". It is in use by {}", named(&users, NAMED)) };
    match whose::presence(facts) {
        Presence::Karpenter => {
            let message =
                format!("is not there, and the role {name} is: a Karpenter is installed, and its nodes come and go under it{in_use_by}");
            return in_use(spec, facts, Judgement::warn(subject, message)).fix(KEEP_ROLE);
        }
        _ if !users.is_empty() => {
            let judgement = in_use(spec, facts, Judgement::fail(subject, message + &in_use_by));
            let made = ties.instance_profiles.iter().any(|profile| spec.is_profile_of_karpenter(profile));
            let judgement = if made && facts.cluster == Probed::Absent { judgement.fix(OF_AN_EARLIER) } else { judgement };
            return judgement.fix(KEEP_ROLE);
        }
        Presence::Unseen(reason) => {
            let message = format!("{message}. Whether a Karpenter works with it could not be seen: {reason}");
            return Judgement::fail(subject, message)
                .run("see which instance profiles hold it", of_role("list-instance-profiles-for-role"))
                .fix(LEAVE)
                .fix(KEEP_ROLE);
        }
        Presence::None => {}
    }
    let mut judgement = Judgement::fail(subject, format!("{message}. No instance of {} has it", spec.region));
    for profile in &ties.instance_profiles {
        let command = of_role("remove-role-from-instance-profile").into_iter().chain(["--instance-profile-name", profile]);
        judgement = judgement.run(format!("{UNUSED} take it out of the instance profile"), command);
        if *profile == spec.instance_profile_name() {
            let command = ["aws", "iam", "delete-instance-profile", "--instance-profile-name", profile];
            judgement = judgement.run("delete the profile too: the stack makes its own by that name", command);
        }
    }
    for policy in &role.policies {
        let command = of_role("detach-role-policy").into_iter().chain(["--policy-arn", policy]);
        judgement = judgement.run(format!("{UNUSED} take its policy away"), command);
    }
    for policy in &ties.inline_policies {
        let command = of_role("delete-role-policy").into_iter().chain(["--policy-name", policy]);
        judgement = judgement.run(format!("{UNUSED} delete the policy that is written into it, which nobody else has"), command);
    }
    judgement.run(format!("{UNUSED} delete the role, which must have no policies and be in no instance profile"), of_role("delete-role"))
}

/// The condition on which something may be taken from a role: IAM is the same in every region, and instances are not.
const UNUSED: &str = "if no node uses it, in no other region either:";

/// What a Karpenter of somebody else's works with: nothing is taken from it.
fn in_use(spec: &Spec, facts: &Facts, judgement: Judgement) -> Judgement {
    if facts.chart_release.known().is_some_and(installed) {
        judgement.run("take over the Karpenter that is there, with its roles and its queue", whose::adopt(spec))
    } else {
        judgement.fix(LEAVE)
    }
}

const LEAVE: &str = "leave it, and say in karpctl.yaml whose the roles are (madeElsewhere): the stack is not made then";
const KEEP_ROLE: &str = "or take another cluster name: a node whose role loses its policies gets no addresses and no images any more";
const OF_AN_EARLIER: &str =
    "or, where no region has that cluster any more: first remove what it left, which the check earlier-cluster names";

/// How many instances a finding names.
const NAMED: usize = 3;

/// As [`in_its_way`], of the queue.
fn queue_in_its_way(spec: &Spec, facts: &Facts) -> Option<Judgement> {
    if spec.made_elsewhere.is_some() || facts.stack != Probed::Absent || !spec.has_queue() {
        return None;
    }
    let name = spec.queue_name();
    let queue = match &facts.queue {
        Probed::Known(queue) => queue,
        Probed::Unavailable(reason) => return Some(Judgement::skip(format!("queue {name}"), reason)),
        Probed::Absent | Probed::NotAsked => return None,
    };
    let message = format!("is there, and the stack {} is not: a creation of the stack fails, {name} already exists", spec.stack_name());
    let (subject, rules) = (format!("queue {name}"), facts.queue_rules.known().map_or(0, Vec::len));
    Some(match whose::presence(facts) {
        Presence::Karpenter => {
            let message = format!("is there, and the stack {} is not: the Karpenter that is installed may read it", spec.stack_name());
            in_use(spec, facts, Judgement::warn(subject, message))
        }
        Presence::Unseen(reason) => {
            Judgement::fail(subject, format!("{message}. Whether a Karpenter reads it could not be seen: {reason}"))
                .fix(LEAVE)
                .fix("or, where nothing reads it, delete it with the rules that send to it")
        }
        // The node termination handler reads such a queue, too.
        Presence::None if rules > 0 => Judgement::fail(subject, format!("{message}. Rules of EventBridge send to it: {rules}"))
            .fix("find out who reads it; where nobody does, delete it with these rules"),
        Presence::None => {
            let delete = aws(spec, "sqs", "delete-queue").into_iter().chain(["--queue-url", &queue.url]);
            Judgement::fail(subject, message).run("delete it, if nobody reads it; its name is free a minute later", delete)
        }
    })
}

/// As [`in_its_way`], of the controller's policies.
fn policies_in_its_way(spec: &Spec, facts: &Facts) -> Vec<Judgement> {
    if spec.made_elsewhere.is_some() || facts.stack != Probed::Absent {
        return Vec::new();
    }
    let policies = match read("policies of the stack", &facts.stack_policies) {
        Ok(policies) => policies.into_iter().flatten(),
        Err(skipped) => return vec![skipped],
    };
    let judgement = |(arn, attachments): (&String, &u32)| {
        let (name, stack) = (arn.rsplit('/').next().unwrap_or(arn), spec.stack_name());
        let message = format!("is there, and the stack {stack} is not: a creation of the stack fails, {name} already exists");
        let of_policy = |operation| ["aws", "iam", operation, "--policy-arn", arn];
        if *attachments > 0 {
            return Judgement::fail(format!("policy {name}"), format!("{message}. It is attached {attachments} times"))
                .run("see to whom: where a controller works with it, `karpctl adopt` takes it over", of_policy("list-entities-for-policy"))
                .fix("else detach it (`aws iam detach-role-policy`), and look again");
        }
        // IAM deletes none that has versions beside the default one.
        let versions = format!(
            "for version in $(aws iam list-policy-versions --policy-arn {arn} --query 'Versions[?!IsDefaultVersion].VersionId' --output text); \
             do aws iam delete-policy-version --policy-arn {arn} --version-id \"$version\"; done"
        );
        Judgement::fail(format!("policy {name}"), message)
            .run("delete its older versions: nobody has it", ["sh", "-c", &versions])
            .run("delete it", of_policy("delete-policy"))
    };
    policies.map(judgement).collect()
}

/// What helps where a cluster serves whose stack is broken: it goes with the stack, and bootstrap refuses it.
fn keep_cluster(spec: &Spec, facts: &Facts) -> Option<Vec<String>> {
    facts.cluster.known().filter(|cluster| matches!(cluster.status.as_str(), "ACTIVE" | "UPDATING"))?;
    let (cluster, region) = (&spec.cluster_name, &spec.region);
    Some(vec![
        format!(
            "the cluster serves, and goes with it: if it holds nothing, `eksctl delete cluster --name {cluster} --region {region} --wait`"
        ),
        "else work with the cluster as it is: `--existing-cluster`".to_owned(),
    ])
}

/// What helps where a Karpenter works, or may, with what is left of its stack.
fn keep_roles(facts: &Facts, stack: &StackFacts) -> Option<Vec<String>> {
    if matches!(stack.status.as_str(), "ROLLBACK_COMPLETE" | "REVIEW_IN_PROGRESS") {
        return None;
    }
    let there = match whose::presence(facts) {
        Presence::None => return None,
        Presence::Karpenter => "a Karpenter is installed".to_owned(),
        Presence::Unseen(reason) => format!("whether a Karpenter is installed could not be seen ({reason})"),
    };
    Some(vec![
        format!("{there}, which may work with its roles and its queue: where that is to go, take it away first (`karpctl destroy`)"),
        REMADE.to_owned(),
    ])
}

const REMADE: &str = "`karpctl bootstrap` deletes it and makes it anew, where it is karpctl's own";

/// What is wrong with the state that a stack is in. Where something is to be kept, no command deletes a stack that may hold it.
fn standing(spec: &Spec, name: &str, stack: &StackFacts, kept: Option<&[String]>) -> Option<Judgement> {
    let of_stack = |operation| aws(spec, "cloudformation", operation).into_iter().chain(["--stack-name", name]).collect::<Vec<_>>();
    let reason = stack.status_reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let (subject, message) = (format!("stack {name}"), format!("is {}{reason}", stack.status));
    Some(match stack.standing() {
        StackStanding::Stuck => Judgement::fail(subject, message)
            .run("bring it back to where it was, once what is named can be undone", of_stack("continue-update-rollback")),
        StackStanding::Broken => {
            let judgement = Judgement::fail(subject, message + "; it takes no update");
            let see = ("see what is in the way", of_stack("describe-stack-events"));
            match kept {
                Some(kept) => kept.iter().fold(judgement, Judgement::fix).run(see.0, see.1),
                None => judgement.run("delete it", of_stack("delete-stack")).run(see.0, see.1).fix(REMADE),
            }
        }
        StackStanding::WentBack | StackStanding::HalfUpdated => {
            Judgement::warn(subject, message + ": its last update failed").run("see what failed", of_stack("describe-stack-events"))
        }
        StackStanding::Busy => {
            Judgement::warn(subject, message + ": somebody is changing it now").heals().run("watch it", of_stack("describe-stack-events"))
        }
        StackStanding::Gone | StackStanding::Settled => return None,
    })
}
