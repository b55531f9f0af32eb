//! Whether the live release was told the names of what is there: cluster and queue.

use super::helm::set_values;
use super::judgement::{live_release, read};
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{Facts, HelmRelease, Topic};
use crate::finding::Area;
use crate::knowledge::{Features, Release};
use crate::spec::Spec;
use serde_json::Value;

pub(super) struct ChartNames;

impl Check for ChartNames {
    fn id(&self) -> &'static str {
        "chart-names"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A controller that is told another cluster's name finds no subnets and may take away that cluster's nodes. One that is told no queue, or its ARN, handles no interruption and says so in one line of its log: `failed to create valid sqs provider`, `AWS.SimpleQueueService.NonExistentQueue`."
    }

    fn explain(&self) -> &'static str {
        "The values of the live release name the cluster, its queue, and perhaps its endpoint. The queue's value is its name, not its ARN and not its URL; the stack of \
         the guide makes one called like the cluster. Where that stack is not there, another tool's queue is taken as it is named, and only has to be there. \
         Its rules are looked at once that Karpenter is adopted (interruption-queue).\n\n\
         What is seen where it is wrong: `AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist`, `failed to create valid \
         sqs provider`; up to 1.3 the controller ends, later it goes on without handling interruptions. Without any credentials of its own the \
         controller asks the instance for its region: `panic: operation error ec2imds: GetRegion`; with Pod Identity or IRSA the \
         cluster gives it AWS_REGION, which is not looked at here."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Neighbours, Topic::Stack, Topic::Cluster, Topic::Queue]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let (subject, live) = live_release(situation)?;
        let features = live.chart_version.parse::<Release>().map_or_else(|_| spec.release.features(), |release| release.features());
        let queue = queue(spec, situation.facts, &subject, live, features);
        let mut said: Vec<Judgement> = [
            cluster(spec, &subject, live, features),
            endpoint(spec, situation.facts, &subject, live, features),
            queue.as_ref().err().cloned(),
        ]
        .into_iter()
        .flatten()
        .collect();
        if said.is_empty() {
            said.push(Judgement::pass(subject, queue.unwrap_or_default()));
        }
        Ok(said)
    }
}

fn cluster(spec: &Spec, subject: &str, live: &HelmRelease, features: &Features) -> Option<Judgement> {
    let path = features.value_layout.cluster_name_path();
    let name = spec.cluster_name.as_str();
    let found = live.given(path).filter(|value| *value != name)?;
    let set = set_values(spec, live, [format!("{path}={name}")]);
    Some(Judgement::fail(subject, format!("{path} is {}, not {name}", shown(found))).run("name this cluster", set))
}

/// An endpoint that the controller gives nodes, and that is not the cluster's: that of one that had its name before.
fn endpoint(spec: &Spec, facts: &Facts, subject: &str, live: &HelmRelease, features: &Features) -> Option<Judgement> {
    let path = features.value_layout.cluster_endpoint_path();
    let wanted = facts.cluster.known()?.endpoint.as_deref()?;
    let found = live.given(path).filter(|value| value.as_str().is_none_or(|text| text.trim_end_matches('/') != wanted))?;
    let message = format!("{path} is {}, and the cluster's is {wanted}: no node joins", shown(found));
    Some(Judgement::fail(subject, message).run("name this cluster's", set_values(spec, live, [format!("{path}={wanted}")])))
}

/// What is right of the names, where nothing else is wrong with them.
fn queue(spec: &Spec, facts: &Facts, subject: &str, live: &HelmRelease, features: &Features) -> Result<&'static str, Judgement> {
    const AND_QUEUE: &str = "it names this cluster and its queue";
    let Some(path) = features.interruption_queue_path().filter(|_| spec.has_queue()) else {
        return Ok("it names this cluster");
    };
    // Which queue another tool made is known only once that Karpenter is adopted.
    let wanted = (spec.made_elsewhere.is_some() || facts.stack.known().is_some()).then(|| spec.queue_name());
    let (judgement, name) = match (live.given(path), wanted) {
        (Some(found), Some(name)) if *found == name.as_str() => return Ok(AND_QUEUE),
        (Some(found), wanted) if found.as_str().is_some_and(|text| text.starts_with("arn:") || text.contains("://")) => {
            let own = found.as_str().and_then(|text| text.rsplit([':', '/']).next()).unwrap_or_default().to_owned();
            let name = wanted.unwrap_or(own);
            (Judgement::fail(subject, format!("{path} is {}: it must be the queue's name, {name}", shown(found))), name)
        }
        (Some(found), Some(name)) => {
            let whose = spec.made_elsewhere.as_ref().map_or("the stack makes", |_| "madeElsewhere names");
            (Judgement::fail(subject, format!("{path} is {}; {whose} the queue {name}", shown(found))), name)
        }
        (None, Some(name)) => {
            let message = format!("{path} is not set: interruptions are not handled, though the stack makes the queue {name}");
            (Judgement::warn(subject, message), name)
        }
        (found, None) => {
            read(subject, &facts.stack)?;
            let Some(found) = found else { return Ok("it names this cluster, and no queue: interruptions are not handled") };
            return match read(&format!("queue {}", shown(found)), &facts.told_queue)? {
                Some(_) => Ok(AND_QUEUE),
                None => Err(gone(spec, subject, path, found)),
            };
        }
    };
    Err(judgement.run("name the queue", set_values(spec, live, [format!("{path}={name}")])))
}

/// A queue of another tool's that the release names and that is not there.
fn gone(spec: &Spec, subject: &str, path: &str, found: &Value) -> Judgement {
    let message = format!(
        "{path} is {}, and {} has no such queue: AWS.SimpleQueueService.NonExistentQueue; up to 1.3 the controller ends with it, later ones handle no interruption",
        shown(found),
        spec.region
    );
    let make = aws(spec, "sqs", "create-queue").into_iter().chain(["--queue-name", found.as_str().unwrap_or_default()]);
    Judgement::fail(subject, message)
        .run("see which there are, and name that which is meant", aws(spec, "sqs", "list-queues"))
        .run("or make it again; its policy and the rules that send to it are for the tool that made it", make)
}

fn shown(value: &Value) -> String {
    crate::error::clean(&value.to_string())
}
