//! Whether the Karpenter that is installed knows that its VPC has no way out.

use super::helm::set_values;
use super::judgement::{live_release, read};
use super::private_endpoints::{leads_out, used_subnets};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{HelmRelease, ObjectFacts, Topic};
use crate::finding::Area;
use crate::knowledge::Release;
use crate::spec::Spec;
use serde_json::json;

pub(super) struct PrivateValues;

/// How many node classes are named, and how many cures.
const NAMED: usize = 8;

impl Check for PrivateValues {
    fn id(&self) -> &'static str {
        "private-values"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "IAM and the price list have no endpoint in a VPC: a controller that makes an instance profile of a node class's role waits for IAM for ever, and no node is launched."
    }

    fn explain(&self) -> &'static str {
        "Where no subnet of nodes has a route that leads out, looks at the release that is installed and at the node classes that are there. \
         `settings.isolatedVPC` must be true (up to 0.31 `settings.aws.isolatedVPC`), so that prices are not asked for, and every EC2NodeClass must name an \
         `instanceProfile`, made beforehand, in place of a `role`.\n\n\
         What people see: `Post \"https://iam.amazonaws.com/\": dial tcp …: i/o timeout` and a node class that is not Ready, `failed to retrieve \
         pricing data … Post \"https://api.pricing.us-east-1.amazonaws.com/\"`, and since 1.7 `ListInstanceProfiles` in the log every few minutes.\n\n\
         The stack makes the profile where the spec is private: `karpctl iam --private`. An IAM that is reached by a proxy is not seen here: \
         accept the finding then."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Selection, Topic::Network, Topic::Reach, Topic::Chart, Topic::Crds, Topic::Objects]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let (subject, live) = live_release(situation)?;
        let Some(reach) = read(&subject, &facts.reach)? else {
            return Err(Judgement::skip(subject, "the ways out of the VPC were not looked at"));
        };
        let subnets = used_subnets(facts);
        if subnets.is_empty() {
            return Err(Judgement::skip(subject, "no subnet of nodes is known"));
        }
        if subnets.iter().any(|subnet| leads_out(reach, &subnet.id)) {
            return Ok(vec![Judgement::pass(subject, "there is a way to IAM and prices: a subnet of nodes has a route that leads out")]);
        }
        let mut said = Vec::new();
        if !reach.endpoints.iter().any(|endpoint| endpoint.service == "pricing.api") {
            said.extend(isolated(spec, &subject, live));
        }
        let Some(objects) = read(&subject, &facts.objects)? else {
            return Err(Judgement::skip(subject, "the node classes were not looked at"));
        };
        said.extend(profiles(spec, objects));
        if said.is_empty() {
            said.push(Judgement::pass(subject, "it asks neither IAM nor for prices, to which there is no way"));
        }
        Ok(said)
    }
}

/// Whether the release says that the VPC is isolated.
fn isolated(spec: &Spec, subject: &str, live: &HelmRelease) -> Option<Judgement> {
    let path = live
        .chart_version
        .parse::<Release>()
        .map_or_else(|_| spec.release.features().isolated_vpc_path(), |release| release.features().isolated_vpc_path())?;
    let given = live.values.pointer(&format!("/{}", path.replace('.', "/")));
    let on = given.is_some_and(|value| *value == true || *value == "true");
    (!on).then(|| {
        Judgement::warn(subject, format!("{path} is not true, and no subnet of nodes has a way out: it goes on asking for prices"))
            .run("say that the VPC is isolated", set_values(spec, live, [format!("{path}=true")]))
    })
}

/// Node classes that want a profile made.
fn profiles(spec: &Spec, objects: &[ObjectFacts]) -> Option<Judgement> {
    let found: Vec<&ObjectFacts> =
        objects.iter().filter(|o| o.resource == "ec2nodeclasses.karpenter.k8s.aws" && o.role.is_some()).collect();
    if found.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = found.iter().take(NAMED).map(|o| o.name.as_str()).collect();
    if found.len() > NAMED {
        names.push("…");
    }
    let message =
        format!("they name a role, of which Karpenter makes an instance profile, and there is no way to IAM: {}", names.join(", "));
    let (cluster, region) = (spec.cluster_name.as_str(), spec.region.as_str());
    let stack = ["karpctl", "iam", "--private", "--cluster-name", cluster, "--region", region];
    let judgement = Judgement::fail("node classes", message).run("have the stack make a profile", stack);
    let patch = json!([
        {"op": "remove", "path": "/spec/role"},
        {"op": "add", "path": "/spec/instanceProfile", "value": spec.instance_profile_name()},
    ]);
    Some(found.iter().take(NAMED).fold(judgement, |judgement, class| {
        judgement.run(
            "name it in place of the role (before 1.7 the API server refuses that: delete the class and make it anew)",
            ["kubectl", "patch", &class.resource, &class.name, "--type", "json", "--patch", &patch.to_string()],
        )
    }))
}
