//! Whether Karpenter knows that its VPC has no way out, and comes from a registry that is reached there.

use super::class_selection::unread_classes;
use super::given_values::{GivenValues, IN_SPEC_FILE};
use super::helm::set_values;
use super::judgement::{live_release, read};
use super::neighbours::karpenters;
use super::ways_out::{other_way, used_subnets, ways};
use super::{Check, Judged, Judgement, Situation, makes_cluster};
use crate::facts::{Facts, HelmRelease, ObjectFacts, Probed, Topic, Workload};
use crate::finding::Area;
use crate::knowledge::{Release, value_at};
use crate::spec::Spec;
use serde_json::json;

pub(super) struct PrivateValues;

/// How many node classes are named, and how many cures.
const NAMED: usize = 8;
/// The registry of Karpenter's image, to which no endpoint of a VPC leads.
const ECR_PUBLIC: &str = "public.ecr.aws/";
/// Where the chart has the image from, where nobody says otherwise.
const CONTROLLER_IMAGE: &str = "public.ecr.aws/karpenter/controller";

impl Check for PrivateValues {
    fn id(&self) -> &'static str {
        "private-values"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A VPC without a way out mostly has none to IAM and to the price list: a controller that makes an instance profile of a node class's role waits for IAM for ever, and no node is launched."
    }

    fn explain(&self) -> &'static str {
        "Where no subnet of nodes has a route that leads out, looks at the release that is installed and at the node classes that are there. \
         `settings.isolatedVPC` must be true (up to 0.31 `settings.aws.isolatedVPC`), so that prices are not asked for, and every EC2NodeClass must name an \
         `instanceProfile`, made beforehand, in place of a `role`.\n\n\
         What people see: `Post \"https://iam.amazonaws.com/\": dial tcp …: i/o timeout` and a node class that is not Ready, `failed to retrieve \
         pricing data … Post \"https://api.pricing.us-east-1.amazonaws.com/\"`, and since 1.7 `ListInstanceProfiles` in the log every few minutes.\n\n\
         The stack makes the profile where the spec is private: `karpctl iam --private`. It holds the nodes' role: a class of \
         another role takes a profile of that one. An endpoint com.amazonaws.iam in this VPC is a way to IAM; one in another VPC, or a \
         proxy, is not seen here: where a route leads to other networks, or the controller is told a proxy, there is one warning without a command.\n\n\
         Before an install too it looks where the image of the controller comes from: ECR Public, public.ecr.aws, has no endpoint in any VPC. What \
         people see: pods at ImagePullBackOff, `failed to do request: Head \"https://public.ecr.aws/v2/karpenter/controller/manifests/…\": dial \
         tcp …: i/o timeout`.\n\nCure: a mirror, in ECR or in a registry of the VPC, named in `chart.values`: see docs/private-cluster.md."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::Selection,
            Topic::Network,
            Topic::NodeSubnets,
            Topic::Routes,
            Topic::Endpoints,
            Topic::Chart,
            Topic::Neighbours,
            Topic::Crds,
            Topic::Objects,
            Topic::Stack,
            Topic::ControllerRole,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let (subject, live) = match live_release(situation) {
            Ok(live) => live,
            // What is installed next must come in all the same.
            Err(none) if none.is_pass() && is_closed(spec, facts) => return Ok(vec![image(spec, facts).unwrap_or(none)]),
            Err(none) if spec.private && makes_cluster(spec, facts) => {
                let nothing_yet = Facts { chart_release: Probed::Absent, ..Facts::default() };
                return Ok(vec![image(spec, &nothing_yet).unwrap_or(none)]);
            }
            Err(ended) => return Err(ended),
        };
        let ways = ways(&subject, facts)?;
        let subnets = used_subnets(spec, facts, &subject)?;
        if subnets.is_empty() {
            return Err(Judgement::skip(subject, "no subnet of nodes is known"));
        }
        if subnets.iter().any(|subnet| ways.lead_out(subnet.id)) {
            let way = Judgement::pass(subject, "there is a way to IAM and prices: a subnet of nodes has a route that leads out");
            return Ok([way].into_iter().chain(unread_classes(spec, facts)).collect());
        }
        let mut values: Vec<Judgement> = Vec::new();
        if !ways.has("pricing.api") {
            values.extend(isolated(spec, &subject, live));
        }
        if !ways.has("iam") {
            match read("node classes", &facts.objects) {
                Ok(Some(objects)) => values.extend(profiles(spec, objects)),
                Ok(None) => values.push(Judgement::skip("node classes", "were not looked at")),
                Err(unread) => values.push(unread),
            }
        }
        let mut said: Vec<Judgement> = image(spec, facts).into_iter().collect();
        match other_way(situation, ways, &subnets) {
            Some(way) if values.iter().any(|j| !j.is_skip()) => said.push(
                Judgement::warn(
                    &subject,
                    format!("the VPC has no endpoint of IAM and of prices, and {way}: whether they are reached so is not seen from here"),
                )
                .fix("where node classes are Ready, accept the finding")
                .fix("else name an `instanceProfile` in each class in place of the `role`, and set `settings.isolatedVPC`"),
            ),
            _ => said.extend(values),
        }
        if said.is_empty() {
            said.push(Judgement::pass(subject, "it asks neither IAM nor for prices, to which there is no way"));
            said.extend(unread_classes(spec, facts));
        }
        Ok(said)
    }
}

/// Whether nodes have no way out, as far as it is known.
fn is_closed(spec: &Spec, facts: &Facts) -> bool {
    let subnets = used_subnets(spec, facts, "subnets").unwrap_or_default();
    ways("", facts).is_ok_and(|ways| !subnets.is_empty() && !subnets.iter().any(|subnet| ways.lead_out(subnet.id)))
}

/// An image that no node can pull.
fn image(spec: &Spec, facts: &Facts) -> Option<Judgement> {
    let subject = "image of the controller";
    let values = match GivenValues::of(spec, facts, subject) {
        Ok(values) => values,
        Err(unknown) => return Some(unknown),
    };
    // Old charts have the whole image in one text.
    let given = [values.at("controller.image.repository"), values.at("controller.image")].into_iter().find_map(|value| value.as_str());
    let image = given.unwrap_or(CONTROLLER_IMAGE);
    // One that works was pulled, by a way that is not seen here.
    let works = |w: &Workload| w.ready > 0 && w.image.as_ref().is_some_and(|own| own.starts_with(image));
    let is_pulled = facts.neighbours.known().is_some_and(|n| karpenters(n).any(works));
    (image.starts_with(ECR_PUBLIC) && !is_pulled).then(|| {
        let named = if spec.release.features().image_repository { "controller.image.repository" } else { "controller.image" };
        Judgement::warn(subject, format!("{image} is of ECR Public, to which no subnet of nodes has a way: its pods stay at ImagePullBackOff"))
            .fix(format!("copy it to a registry that the VPC reaches, such as ECR of your own, and name it as `{named}` {IN_SPEC_FILE}"))
            .fix("ECR copies it by itself with a pull-through cache rule for public.ecr.aws, whose first pull must come from where there is a way out")
    })
}

/// Whether the release says that the VPC is isolated.
fn isolated(spec: &Spec, subject: &str, live: &HelmRelease) -> Option<Judgement> {
    let path = live
        .chart_version
        .parse::<Release>()
        .map_or_else(|_| spec.release.features().isolated_vpc_path(), |release| release.features().isolated_vpc_path())?;
    let given = value_at(&live.values, path);
    let on = given.is_some_and(|value| *value == true || *value == "true");
    (!on).then(|| {
        Judgement::warn(subject, format!("{path} is not true, and no subnet of nodes has a way out: it goes on asking for prices"))
            .run("say that the VPC is isolated", set_values(spec, live, [format!("{path}=true")]))
    })
}

/// Node classes that want a profile made.
fn profiles(spec: &Spec, objects: &[ObjectFacts]) -> Vec<Judgement> {
    let by_role = objects.iter().filter(|o| o.resource == "ec2nodeclasses.karpenter.k8s.aws" && o.role.is_some());
    // The stack's profile holds the nodes' role: a class of another role would lose it.
    let (ours, others): (Vec<_>, Vec<_>) = by_role.partition(|o| o.role.as_deref() == Some(spec.node_role_name().as_str()));
    let of_others = (!others.is_empty()).then(|| {
        unmade("node classes of other roles", &others)
            .fix("make an instance profile of each one's role, and name it in the class as instanceProfile, in place of the role")
    });
    (!ours.is_empty()).then(|| of_the_stack(spec, &ours)).into_iter().chain(of_others).collect()
}

fn unmade(subject: &str, classes: &[&ObjectFacts]) -> Judgement {
    let named = |class: &&ObjectFacts| format!("{} ({})", class.name, class.role.as_deref().unwrap_or_default());
    let mut names: Vec<String> = classes.iter().take(NAMED).map(named).collect();
    if classes.len() > NAMED {
        names.push("…".to_owned());
    }
    let message =
        format!("they name a role, of which Karpenter makes an instance profile, and there is no way to IAM: {}", names.join(", "));
    Judgement::fail(subject, message)
}

fn of_the_stack(spec: &Spec, classes: &[&ObjectFacts]) -> Judgement {
    let (cluster, region) = (spec.cluster_name.as_str(), spec.region.as_str());
    let stack = ["karpctl", "iam", "--private", "--cluster-name", cluster, "--region", region];
    let judgement = unmade("node classes", classes).run("have the stack make a profile", stack);
    let patch = json!([
        {"op": "remove", "path": "/spec/role"},
        {"op": "add", "path": "/spec/instanceProfile", "value": spec.instance_profile_name()},
    ]);
    classes.iter().take(NAMED).fold(judgement, |judgement, class| {
        judgement.run(
            "name it in place of the role (before 1.7 the API server refuses that: delete the class and make it anew)",
            ["kubectl", "patch", &class.resource, &class.name, "--type", "json", "--patch", &patch.to_string()],
        )
    })
}
