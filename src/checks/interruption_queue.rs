//! Whether EC2's warnings get to the queue that the controller reads.

use super::judgement::read;
use super::key_policy::usable;
use super::policy::{allowing, beside, names_action, texts};
use super::{Check, Judged, Judgement, Situation, aws, missing, whose};
use crate::facts::{Probed, QueueFacts, RuleFacts, Topic};
use crate::finding::Area;
use crate::knowledge::EventRule;
use crate::spec::Spec;
use serde_json::{Value, json};

pub(super) struct InterruptionQueue;

/// What of a node class selects capacity reservations.
const RESERVATIONS: &str = "capacityReservationSelectorTerms";
/// The longest name of a rule (`EventBridge` API reference, `PutRule`).
const RULE_NAME: usize = 64;
/// Who sends to the queue.
const SENDER: &str = "events.amazonaws.com";

impl Check for InterruptionQueue {
    fn id(&self) -> &'static str {
        "interruption-queue"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "EC2 warns two minutes before it takes a spot instance back; where the warning does not arrive, pods are cut off instead of moved."
    }

    fn explain(&self) -> &'static str {
        "Reads the SQS queue, its policy, the policy of the key that it is encrypted with (AWS's own of SQS, alias/aws/sqs, keeps EventBridge out), and the EventBridge rules that send to it, and compares them with what the release reads: AWS \
         Health events, spot interruption warnings, rebalance recommendations, state changes, and capacity reservation interruptions \
         since 1.10; where no node class selects capacity reservations, these are only a warning.\n\nWhat people see otherwise: `AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist` (up to \
         1.3 the controller ends with it; 1.4 and newer only log `failed to create valid sqs provider` once and go on without), or \
         nothing at all: spot nodes that vanish with their pods.\n\nCure: the stack of this release makes queue, policy and rules \
         (`karpctl iam`); a rule that was switched off is switched on. Of a queue that is made elsewhere its tool makes the rules too, in a newer version of it, or \
         the commands do that are printed. The value of the chart is the queue's name, not its ARN."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Queue, Topic::Stack, Topic::ControllerRole, Topic::Cluster, Topic::Chart, Topic::Neighbours, Topic::Crds, Topic::Objects]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("queue {}", spec.queue_name());
        if !spec.release.features().interruption_queue {
            return Err(Judgement::skip(subject, format!("Karpenter {} has none", spec.release)));
        }
        if !spec.has_queue() {
            return Err(Judgement::skip(subject, "madeElsewhere.interruptionQueue names none"));
        }
        if let Some(not_ours) = whose::not_ours(spec, situation.facts, &subject) {
            return Err(not_ours);
        }
        let Some(queue) = read(&subject, &situation.facts.queue)? else {
            let judgement = missing(situation, subject, "is not there: AWS.SimpleQueueService.NonExistentQueue")?;
            return Err(judgement.fix("`karpctl iam` makes it, with its policy and rules"));
        };
        // What the spec's own stack makes is not brought in order by a stack that cannot be made beside it.
        let in_the_way = spec.made_elsewhere.is_none() && situation.facts.stack == Probed::Absent;
        if in_the_way && situation.facts.controller_role.known().is_none() {
            return Err(Judgement::skip(subject, "is in the way of the stack that makes it: see the check stack-state"));
        }
        let mut said = Vec::new();
        let sends = |s: &&Value| {
            let services = texts(&s["Principal"]["Service"]);
            (services.contains(&SENDER) || s["Principal"] == "*") && texts(&s["Action"]).iter().any(|a| names_action(a, "sqs:SendMessage"))
        };
        if !allowing(&queue.policy).iter().any(sends) {
            said.push(
                Judgement::fail(&subject, format!("its policy does not let {SENDER} send to it: no warning arrives"))
                    .run("let it, beside what the policy says already", let_send(spec, queue)),
            );
        }
        said.extend(locked(spec, &subject, queue));
        let rules = match read(&subject, &situation.facts.queue_rules) {
            Ok(rules) => rules.map(Vec::as_slice).unwrap_or_default(),
            // What was found stays said.
            Err(unread) => {
                said.push(unread);
                return Ok(said);
            }
        };
        let objects = situation.facts.objects.known().map(Vec::as_slice).unwrap_or_default();
        let reserves = objects.iter().any(|o| o.said.get(RESERVATIONS).and_then(Value::as_array).is_some_and(|terms| !terms.is_empty()));
        said.extend(spec.release.stack().rules.iter().filter_map(|wanted| {
            let unsent = unsent(spec, wanted, rules, in_the_way)?;
            // Nodes in reservations are launched only where a class selects some.
            let matters = reserves || !wanted.detail_type.contains("Capacity Reservation");
            Some(if matters { unsent } else { unsent.milder() })
        }));
        if said.is_empty() {
            said.push(Judgement::pass(subject, format!("gets what {} rules send", rules.len())));
        }
        Ok(said)
    }
}

/// A key of the queue with which `EventBridge` cannot write.
fn locked(spec: &Spec, subject: &str, queue: &QueueFacts) -> Option<Judgement> {
    let by_aws = || {
        Judgement::warn(subject, format!("is encrypted with AWS's own key of SQS, which {SENDER} may not use: no warning arrives"))
            .fix("have SQS encrypt it by itself (SSE-SQS), as the stack does, or with a key of your own, in the tool that made it")
    };
    queue.key.as_ref()?;
    let key = match queue.key_facts.as_ref() {
        Probed::Known(key) => key,
        Probed::NotAsked => return Some(by_aws()),
        Probed::Absent => return Some(Judgement::skip(subject, "the key that it is encrypted with is not there: NotFoundException")),
        Probed::Unavailable(reason) => return Some(Judgement::skip(subject, format!("its key could not be read: {reason}"))),
    };
    if key.by_aws {
        return Some(by_aws());
    }
    if let Err(unusable) = usable(spec, subject, key) {
        return Some(unusable);
    }
    let lets = |action: &str| {
        allowing(&key.policy).iter().any(|s| {
            let named = texts(&s["Principal"]["Service"]).contains(&SENDER) || s["Principal"] == "*" || s["Principal"]["AWS"] == "*";
            named && texts(&s["Action"]).iter().any(|a| names_action(a, action))
        })
    };
    let actions = ["kms:Decrypt", "kms:GenerateDataKey"];
    if actions.iter().all(|action| lets(action)) {
        return None;
    }
    let statement = json!({"Effect": "Allow", "Principal": {"Service": SENDER}, "Action": actions, "Resource": "*"});
    let policy = beside(&key.policy, [statement]).to_string();
    let put = aws(spec, "kms", "put-key-policy").into_iter().chain(["--key-id", &key.arn, "--policy-name", "default", "--policy", &policy]);
    let message = format!("is encrypted with {}, whose policy does not let {SENDER} use it: no warning arrives", key.arn);
    Some(Judgement::fail(subject, message).run("let it, beside what the policy says already", put))
}

/// The command that adds the statement of the guide's stack to the policy that is there.
fn let_send(spec: &Spec, queue: &QueueFacts) -> Vec<String> {
    let ours = json!({
        "Effect": "Allow",
        "Principal": {"Service": [SENDER, "sqs.amazonaws.com"]},
        "Action": "sqs:SendMessage",
        "Resource": queue.arn,
    });
    let attributes = json!({"Policy": beside(&queue.policy, [ours]).to_string()}).to_string();
    let words = aws(spec, "sqs", "set-queue-attributes").into_iter().map(str::to_owned);
    words.chain(["--queue-url", &queue.url, "--attributes", &attributes].map(str::to_owned)).collect()
}

/// Why an event does not get to the queue.
fn unsent(spec: &Spec, wanted: &EventRule, rules: &[RuleFacts], in_the_way: bool) -> Option<Judgement> {
    let is_for = |rule: &&RuleFacts| {
        let names = |key: &str, value: &str| rule.pattern.get(key).is_none_or(|named| texts(named).contains(&value));
        names("source", &wanted.event_source) && names("detail-type", &wanted.detail_type)
    };
    let of_event: Vec<&RuleFacts> = rules.iter().filter(is_for).collect();
    if of_event.iter().any(|rule| rule.enabled) {
        return None;
    }
    let subject = format!("event \"{}\"", wanted.detail_type);
    let judgement = |why: String| Judgement::fail(subject, format!("does not get to the queue {}: {why}", spec.queue_name()));
    if let Some(off) = of_event.first() {
        let on = aws(spec, "events", "enable-rule").into_iter().chain(["--name", off.name.as_str()]);
        return Some(judgement(format!("the rule {} is off", off.name)).run("switch it on", on));
    }
    let judgement = judgement("no rule sends it".to_owned());
    Some(if spec.made_elsewhere.is_some() {
        made_by_hand(judgement, spec, wanted)
    } else if in_the_way {
        judgement.fix("the queue first goes out of the stack's way (see the check stack-state); `karpctl iam` then makes both")
    } else {
        judgement.fix("`karpctl iam` brings the stack to this release, which makes the rule")
    })
}

/// No stack of karpctl's makes the rules of a queue that is made elsewhere.
fn made_by_hand(judgement: Judgement, spec: &Spec, wanted: &EventRule) -> Judgement {
    let pattern = json!({"source": [wanted.event_source], "detail-type": [wanted.detail_type]}).to_string();
    let mut name = format!("karpctl-{}-{}", wanted.id, spec.cluster_name);
    name.truncate(RULE_NAME);
    let target = format!("Id=KarpenterInterruptionQueueTarget,Arn={}", spec.queue_arn());
    let of_rule = |operation, more: [&str; 4]| {
        aws(spec, "events", operation).into_iter().map(str::to_owned).chain(more.map(str::to_owned)).collect::<Vec<_>>()
    };
    judgement
        .fix("have the tool that made the queue make the rule, in a version that knows this release")
        .run("or make it by hand", of_rule("put-rule", ["--name", &name, "--event-pattern", &pattern]))
        .run("and have it send to the queue", of_rule("put-targets", ["--rule", &name, "--targets", &target]))
}
