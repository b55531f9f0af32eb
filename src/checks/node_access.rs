//! Whether the cluster lets in the nodes that Karpenter launches: authentication mode, access entry, aws-auth row.

use super::class_selection::unread_classes;
use super::judgement::read;
use super::whose::{self, Presence};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{AccessEntryFacts, AwsAuthFacts, ClusterFacts, Facts, ObjectFacts, Probed, Topic};
use crate::finding::Area;
use crate::render;
use crate::spec::Spec;
use crate::steps::aws_auth::see;
use std::collections::BTreeMap;

pub(super) struct NodeAccess;

impl Check for NodeAccess {
    fn id(&self) -> &'static str {
        "node-access"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A node whose role the cluster does not know runs and costs money and never joins: its kubelet says Unauthorized, its NodeClaim stays at NodeNotFound."
    }

    fn explain(&self) -> &'static str {
        "Nodes are let in by their role: by an access entry of type EC2_LINUX where the cluster's authentication mode has API, by a row of the \
         ConfigMap kube-system/aws-auth where it has CONFIG_MAP, by either where it has both; for one role the entry wins.\n\n\
         What is seen where it is wrong: the instance runs, the kubelet's log says `Unauthorized` or `You must be logged in to the server`, the \
         NodeClaim stays at `NodeNotFound` (`Node not registered with cluster`), and Karpenter ends it after 15 minutes and launches the next. \
         An entry of type STANDARD takes no nodes, and one cannot give it the groups: `The kubernetes group name system:bootstrappers is \
         invalid, it cannot start with system:`. A row must name the ARN of the role without its path, not an instance profile or a session.\n\n\
         Windows nodes need an entry of type EC2_WINDOWS, or the group eks:kube-proxy-windows in the row; without it they join, and their pods \
         get no names resolved. Linux nodes are let in by it as well. Whether Windows nodes will come is told by the spec, and by the node \
         classes that are there where they can be read.\n\n\
         An entry's type cannot be changed: it is deleted, then made anew, and in between the nodes that run by it are refused \
         (`Unauthorized`). With one command after the other they notice nothing; where the second is denied they are lost, so look first whether \
         you may run it (`--only caller-permissions`). A role that nothing lets in is a finding only once Karpenter is installed, since karpctl makes \
         what is needed before.\n\n\
         An entry is of the role that there was when it was made: EKS keeps its unique id, which it shows to nobody. Where a role was deleted \
         and made again by the same name, the entry is older than the role and lets nobody in, though all that is shown of it is right; it is \
         deleted and made anew, which `karpctl bootstrap` and `karpctl identity` do. A row of aws-auth holds for any role of that name, and so \
         does a Pod Identity association.\n\n\
         The role of karpctl's name is nothing to a Karpenter that another tool made, until `karpctl adopt` says whose it is. \
         A role that an EC2NodeClass names in place of karpctl's is judged in the same way. It is asked for without a path: where EKS has no entry \
         for it and aws-auth no row, that is a warning only, for it may have a path. So is the role of an instance profile that a class names, \
         whose path IAM says; a profile that is not there, or holds no role, launches nothing (`Invalid IAM Instance Profile name`). Not looked at are \
         those of other nodes in aws-auth."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::AccessEntry,
            Topic::AwsAuth,
            Topic::Chart,
            Topic::Neighbours,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::Crds,
            Topic::Objects,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let mut said = ours(spec, facts).unwrap_or_else(|ended| vec![ended]);
        if facts.cluster.known().is_some() {
            said.extend(of_classes(spec, facts));
            said.extend(unread_classes(spec, facts));
        }
        Ok(said)
    }
}

/// How many node classes are named, and how many roles of theirs are judged.
const NAMED: usize = 8;

/// Whose nodes have a role.
enum Whose {
    /// Those of the spec.
    Ours,
    /// Those of node classes that name it.
    Classes(String),
    /// Those of node classes that name an instance profile which holds it.
    Profile { profile: String, classes: String },
}

/// The spec's role. Of a Karpenter that works with another tool's it is nothing to say, but where a class names it.
fn ours(spec: &Spec, facts: &Facts) -> Judged {
    let classes: Vec<&str> = of_ours(spec, facts).map(|class| class.name.as_str()).collect();
    let not_ours = whose::not_ours(spec, facts, &format!("cluster {}, role {}", spec.cluster_name, spec.node_role_name()));
    let whose = match not_ours {
        Some(not_ours) if classes.is_empty() => return Err(not_ours),
        Some(_) => Whose::Classes(named(&classes)),
        None => Whose::Ours,
    };
    of_role(spec, facts, &facts.access_entry, &whose)
}

/// The roles that node classes name in place of the spec's.
fn of_classes(spec: &Spec, facts: &Facts) -> Vec<Judgement> {
    let (mut by_role, mut by_profile) = (BTreeMap::<&str, Vec<&str>>::new(), BTreeMap::<&str, Vec<&str>>::new());
    for class in facts.objects.known().into_iter().flatten() {
        match (class.other_role(spec), class.other_profile(spec)) {
            (Some(role), _) => by_role.entry(role).or_default().push(&class.name),
            (None, Some(profile)) => by_profile.entry(profile).or_default().push(&class.name),
            (None, None) => {}
        }
    }
    let mut said = Vec::new();
    for (role, classes) in by_role.into_iter().take(NAMED) {
        let Some(of_theirs) = spec.of_node_role(role) else { continue };
        let entry = facts.class_entries.get(role).unwrap_or(&Probed::NotAsked);
        let whose = Whose::Classes(named(&classes));
        said.extend(of_role(&of_theirs, facts, entry, &whose).unwrap_or_else(|ended| vec![ended]));
    }
    for (profile, classes) in by_profile.into_iter().take(NAMED) {
        said.extend(of_profile(spec, facts, profile, &classes).unwrap_or_else(|ended| vec![ended]));
    }
    said
}

/// The role of an instance profile that node classes name.
fn of_profile(spec: &Spec, facts: &Facts, profile: &str, classes: &[&str]) -> Judged {
    let subject = format!("cluster {}, node class {}", spec.cluster_name, named(classes));
    let edit = ["kubectl", "edit", "ec2nodeclasses.karpenter.k8s.aws", classes[0]];
    let Some(found) = read(&subject, facts.class_profiles.get(profile).unwrap_or(&Probed::NotAsked))? else {
        let message =
            format!("names the instance profile {profile}, which is not there: no node is launched (Invalid IAM Instance Profile name)");
        return Err(Judgement::fail(subject, message).run("name one that is there", edit));
    };
    let Some(role) = &found.role else {
        let judgement = Judgement::fail(subject, format!("names the instance profile {profile}, which holds no role: no node is launched"));
        return Err(if whose::is_not_ours(spec, facts) {
            judgement.run("name one that holds the role of the nodes", edit)
        } else {
            let role = spec.node_role_name();
            let add = ["aws", "iam", "add-role-to-instance-profile", "--instance-profile-name", profile, "--role-name", &role];
            judgement.run("let it hold the role of the nodes", add)
        });
    };
    let whose = Whose::Profile { profile: profile.to_owned(), classes: named(classes) };
    of_role(&spec.of_node_profile(role.clone(), profile), facts, &found.entry, &whose)
}

fn named(classes: &[&str]) -> String {
    let more = if classes.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", classes.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}

/// Whether the cluster lets in the nodes of the spec's role.
fn of_role(spec: &Spec, facts: &Facts, entry: &Probed<AccessEntryFacts>, whose: &Whose) -> Judged {
    let subject = match whose {
        Whose::Ours => format!("cluster {}, role {}", spec.cluster_name, spec.node_role_name()),
        Whose::Classes(names) => format!("cluster {}, role {} of node class {names}", spec.cluster_name, spec.node_role_name()),
        Whose::Profile { profile, classes } => {
            let (cluster, role) = (&spec.cluster_name, spec.node_role_name());
            format!("cluster {cluster}, role {role} of the instance profile {profile} of node class {classes}")
        }
    };
    let Some(cluster) = read(&subject, &facts.cluster)? else {
        return Err(Judgement::skip(subject, "there is no cluster yet"));
    };
    let windows = of_ours(spec, facts).find(|o| o.windows).map(|o| o.name.as_str());
    // Whether or not the spec says so: nodes of Windows will ask to be let in.
    let spec = &Spec { windows: spec.windows || windows.is_some(), ..spec.clone() };
    let subject = windows.map_or_else(|| subject.clone(), |class| format!("{subject}, Windows nodes of {class}"));
    let mode = &cluster.authentication_mode;
    let mut said = Vec::new();
    if cluster.has_access_entries()
        && let Some(entry) = read(&subject, entry)?
    {
        if entry.kind != render::access_entry(spec) && entry.kind != "EC2_WINDOWS" {
            return Err(wrong_entry(spec, subject, &entry.kind));
        }
        if entry.is_of_earlier_role() {
            return earlier_role(spec, facts, subject, entry, whose);
        }
        said.push(Judgement::pass(&subject, format!("an access entry of type {} lets it in", entry.kind)));
        if let Probed::Unavailable(reason) = &entry.role_made {
            let message =
                format!("whether the access entry is of an earlier role of that name, and lets nobody in, was not looked at: {reason}");
            said.push(Judgement::skip(&subject, message));
        }
    }
    if cluster.has_config_map() {
        let row = Row::of(spec, read(&subject, &facts.aws_auth)?);
        let ours = matches!(whose, Whose::Ours);
        match (row, said.is_empty()) {
            // What else is wrong with the text is said once.
            (Row::Unreadable(_), true) if !ours => return Err(Judgement::skip(subject, "aws-auth is not readable")),
            (Row::Unreadable(_), false) if !ours => {}
            (Row::Right { malformed }, _) if malformed.is_empty() || !ours => {
                said.push(Judgement::pass(&subject, "its row in aws-auth lets it in"));
            }
            (Row::Right { malformed }, _) => {
                let message = format!("its row lets it in; others let nobody in: {}", malformed.join("; "));
                said.push(Judgement::warn(&subject, message).run("mend those rows", EDIT));
            }
            (Row::Unreadable(why), true) => return Err(Judgement::fail(subject, why).run("mend it", EDIT)),
            (Row::Unreadable(why), false) => said.push(Judgement::warn(&subject, why).run("mend it", EDIT)),
            (Row::Wrong(why), true) => return Err(let_in(spec, Judgement::fail(subject, why), Way::Row, whose)),
            (Row::Wrong(_) | Row::Missing, _) => {}
        }
    }
    if !said.is_empty() {
        return Ok(said);
    }
    if matches!(whose, Whose::Ours) && is_to_come(&subject, facts)? {
        return Ok(vec![Judgement::pass(subject, "is not let in yet; karpctl makes what it needs")]);
    }
    let (what, way) = match (cluster.has_access_entries(), cluster.has_config_map()) {
        (true, false) => ("there is no access entry for it, and aws-auth is not looked at", Way::Entry),
        (true, true) => ("there is neither an access entry nor a row in aws-auth for it", Way::Entry),
        _ => ("there is no row for it in aws-auth", Way::Row),
    };
    let judgement = match whose {
        Whose::Ours => Judgement::fail(subject, format!("Karpenter is installed, the authentication mode is {mode}, and {what}")),
        // Only a row has the role's ARN without the path that it may have.
        Whose::Classes(_) if cluster.has_access_entries() => {
            Judgement::warn(subject, format!("the authentication mode is {mode}, and {what}, unless the role has a path"))
        }
        Whose::Classes(_) | Whose::Profile { .. } => Judgement::fail(subject, format!("the authentication mode is {mode}, and {what}")),
    };
    Err(let_in(spec, judgement, way, whose))
}

/// Whether no Karpenter is installed that would launch nodes of ours.
fn is_to_come(subject: &str, facts: &Facts) -> Result<bool, Judgement> {
    match whose::presence(facts) {
        Presence::None => Ok(true),
        Presence::Karpenter => Ok(false),
        Presence::Unseen(reason) => {
            Err(Judgement::skip(subject, format!("whether a Karpenter launches its nodes could not be seen: {reason}")))
        }
    }
}

/// The node classes that make nodes of the spec's role, or with the profile that holds it.
fn of_ours<'f>(spec: &Spec, facts: &'f Facts) -> impl Iterator<Item = &'f ObjectFacts> {
    let (role, profile) = (spec.node_role_name(), spec.instance_profile_name());
    let objects = facts.objects.known().into_iter().flatten();
    objects.filter(move |o| o.role.as_ref() == Some(&role) || o.instance_profile.as_ref() == Some(&profile))
}

const EDIT: [&str; 6] = ["kubectl", "--namespace", "kube-system", "edit", "configmap", "aws-auth"];

/// By what a role is let in.
#[derive(Clone, Copy)]
enum Way {
    Entry,
    Row,
}

/// How the role's row in aws-auth stands.
enum Row {
    Right { malformed: Vec<String> },
    Wrong(String),
    Missing,
    Unreadable(String),
}

impl Row {
    fn of(spec: &Spec, found: Option<&AwsAuthFacts>) -> Self {
        let text = found.and_then(|f| f.map_roles.as_deref());
        let Some(wanted) = render::role_mappings(spec).into_iter().next() else { return Self::Missing };
        let seen = match see(text, &wanted.rolearn) {
            Ok(seen) => seen,
            Err(e) => return Self::Unreadable(e.to_string()),
        };
        let lacks = |groups: &[String]| wanted.groups.iter().find(|g| !groups.contains(g)).cloned();
        if let Some(ours) = seen.ours.iter().find(|row| row.username == wanted.username && lacks(&row.groups).is_none()) {
            return match ours.groups.iter().find(|g| g.as_str() == "system:masters") {
                None => Self::Right { malformed: seen.malformed },
                Some(_) => Self::Wrong("its row in aws-auth makes every node an administrator: its groups have system:masters".into()),
            };
        }
        if let Some(ours) = seen.ours.first() {
            return Self::Wrong(match lacks(&ours.groups) {
                Some(group) => format!("its row in aws-auth lacks the group {group}"),
                None => format!("its row in aws-auth has the username {:?}, not {}", ours.username, wanted.username),
            });
        }
        let name = spec.node_role_name();
        match seen.others.iter().find(|arn| arn.split(['/', ':']).any(|part| part == name)) {
            Some(arn) => {
                Self::Wrong(format!("aws-auth has a row for {arn:?}, which is not the role: its ARN is {}, without a path", wanted.rolearn))
            }
            None => Self::Missing,
        }
    }
}

const LINUX: &str = "EC2_LINUX";

/// A type cannot be changed, so the entry is made anew.
fn wrong_entry(spec: &Spec, subject: String, kind: &str) -> Judgement {
    let wanted = render::access_entry(spec);
    if ![LINUX, "STANDARD"].contains(&kind) {
        let message =
            format!("its access entry is of type {kind}: it is for nodes of another kind, and Karpenter's need one of type {wanted}");
        return Judgement::fail(subject, message)
            .fix("leave the entry while such nodes run, and give Karpenter's nodes a role of their own (another cluster name)");
    }
    let (message, delete, create) = if kind == LINUX {
        (
            format!("its access entry is of type {kind}: Linux nodes are let in by it, Windows nodes whole only by one of type {wanted}"),
            "make sure that you may make entries (`karpctl doctor --only caller-permissions`), then delete this one, whose type cannot be \
             changed: nodes that run by it are refused until the next command",
            "and at once make it anew: a node is NotReady within a minute without, and its pods go after 5 minutes more",
        )
    } else {
        (
            format!("its access entry is of type {kind}, by which no node is let in: it takes one of type {wanted}"),
            "its type cannot be changed: delete the entry",
            "and make it anew",
        )
    };
    made_anew(spec, Judgement::fail(subject, message), [delete, create], wanted)
}

/// An entry that is older than the role, which it keeps by its unique id.
fn earlier_role(spec: &Spec, facts: &Facts, subject: String, entry: &AccessEntryFacts, whose: &Whose) -> Judged {
    if matches!(whose, Whose::Ours) && is_to_come(&subject, facts)? {
        let message = "its access entry is of an earlier role of that name: karpctl makes it anew";
        return Ok(vec![Judgement::pass(subject, message)]);
    }
    let is_gone = entry.role_made == Probed::Absent;
    let what = if is_gone {
        "its access entry is of a role that is gone, and will let in none that is made by that name"
    } else {
        "its access entry is older than the role: it is of an earlier one of that name, and lets nobody in"
    };
    let by_row = facts.cluster.known().is_some_and(ClusterFacts::has_config_map)
        && facts.aws_auth.known().is_some_and(|found| matches!(Row::of(spec, Some(found)), Row::Right { .. }));
    let judgement = if by_row {
        Judgement::warn(subject, format!("{what}; the row in aws-auth would, if EKS looks for it beside an entry"))
    } else {
        Judgement::fail(subject, what)
    };
    let (delete, create) = ("delete the entry, which keeps the unique id of the role that was", "and make it anew, for the role that is");
    let judgement =
        if is_gone { judgement.fix("make the role again: `karpctl bootstrap` makes its own, and the entry anew") } else { judgement };
    Err(made_anew(spec, judgement, [delete, create], &entry.kind))
}

/// The two commands that put another entry in the place of one.
fn made_anew(spec: &Spec, judgement: Judgement, [delete, create]: [&str; 2], kind: &str) -> Judgement {
    let (cluster, region, role) = (spec.cluster_name.as_str(), spec.region.as_str(), spec.node_role_arn());
    let entry = ["--region", region, "--cluster-name", cluster, "--principal-arn", role.as_str()];
    judgement
        .run(delete, ["aws", "eks", "delete-access-entry"].into_iter().chain(entry))
        .run(create, ["aws", "eks", "create-access-entry"].into_iter().chain(entry).chain(["--type", kind]))
}

fn let_in(spec: &Spec, judgement: Judgement, way: Way, whose: &Whose) -> Judgement {
    let (cluster, region, role) = (spec.cluster_name.as_str(), spec.region.as_str(), spec.node_role_arn());
    match way {
        Way::Entry => {
            let command =
                ["aws", "eks", "create-access-entry", "--region", region, "--cluster-name", cluster, "--principal-arn", role.as_str()];
            judgement.run("let the role in by an access entry", command.into_iter().chain(["--type", render::access_entry(spec)]))
        }
        Way::Row if !matches!(whose, Whose::Ours) => {
            let row = render::role_mappings(spec).into_iter().next();
            let row = row.map(|row| format!("rolearn {}, username {}, groups {}", row.rolearn, row.username, row.groups.join(" and ")));
            judgement.run(format!("give the role a row, or mend the one that it has: {}", row.unwrap_or_default()), EDIT)
        }
        Way::Row => {
            let command = ["karpctl", "identity", "--cluster-name", cluster, "--region", region, "--existing-cluster", "--yes"];
            let windows = spec.windows.then_some("--windows");
            judgement.run("write the role's row anew; every other row stays as it is", command.into_iter().chain(windows))
        }
    }
}
