//! What an upgrade changes where nobody says anything.

use super::given_values::GivenValues;
use super::judgement::installed_release;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ObjectFacts, Topic};
use crate::finding::Area;
use crate::knowledge::{NewDefault, Pin};
use serde_json::{Value, json};

pub(super) struct UpgradeDefaults;

impl Check for UpgradeDefaults {
    fn id(&self) -> &'static str {
        "upgrade-defaults"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A new default is no error and stands in no log: after the upgrade nodes are replaced, pods lose the instance metadata, or a replica of the controller stays Pending."
    }

    fn explain(&self) -> &'static str {
        "Compares the release that is installed with the wanted one, and names what the releases between them do otherwise where neither \
         the chart's values nor pools and node classes say anything, each with how it stays as it was. What your \
         own values, or all of your pools or classes, say as the finding asks for is not named.\n\n\
         What is seen by whoever did not know: nodes that are `Drifted` all at once, `operation error ec2imds: GetMetadata … context deadline \
         exceeded` in pods, `didn't match pod topology spread constraints` of a second replica.\n\n\
         Where a new default is what you want, accept the finding."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Chart, Topic::Neighbours, Topic::Crds, Topic::Objects, Topic::Stack, Topic::ControllerRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let wanted = &situation.spec()?.release;
        let subject = format!("upgrade to Karpenter {wanted}");
        let Some(release) = installed_release(situation, &subject)? else {
            return Ok(vec![Judgement::pass(subject, "no Karpenter is installed that could be upgraded")]);
        };
        let all = wanted.new_defaults_since(&release);
        if all.is_empty() {
            return Ok(vec![Judgement::pass(subject, format!("does nothing otherwise than {release} where nobody says anything"))]);
        }
        let new: Vec<NewDefault> = all.into_iter().filter(|default| !default.pin.is_some_and(|pin| is_said(situation, pin))).collect();
        if new.is_empty() {
            return Ok(vec![Judgement::pass(subject, format!("what it does otherwise than {release} is said in values and objects"))]);
        }
        let what: Vec<String> = new.iter().map(|default| format!("since {} {}", default.since, default.what)).collect();
        let judgement = Judgement::warn(subject, format!("Karpenter {release} is installed, and {}", what.join("; ")));
        Ok(vec![new.iter().fold(judgement, |judgement, default| {
            let judgement = judgement.fix(format!("for it to stay as it is ({}): {}", default.since, default.keep));
            let title = format!("so ({})", default.since);
            sayings(situation, default).into_iter().fold(judgement, |judgement, command| judgement.run(&title, command))
        })])
    }
}

/// Whether it is said that all stays as it was: in the values that the chart will be given, or in every object of a kind.
fn is_said(situation: &Situation<'_>, pin: &Pin) -> bool {
    let Some(plural) = pin.place.plural() else {
        let values = situation.spec().and_then(|spec| GivenValues::of(spec, situation.facts, "values of the chart"));
        return values.is_ok_and(|values| pin.is_said(|path| values.at(path)));
    };
    let mut of_kind = of_kind(situation, plural).peekable();
    of_kind.peek().is_some() && of_kind.all(|object| says(object, pin))
}

fn of_kind<'a>(situation: &Situation<'a>, plural: &'static str) -> impl Iterator<Item = &'a ObjectFacts> {
    let objects = situation.facts.objects.known().into_iter().flatten();
    objects.filter(move |object| object.resource.split_once('.').is_some_and(|(kind, _)| kind == plural))
}

fn says(object: &ObjectFacts, pin: &Pin) -> bool {
    pin.is_said(|path| object.said.get(path).unwrap_or(&Value::Null))
}

/// The commands by which each object says it that does not.
fn sayings(situation: &Situation<'_>, default: &NewDefault) -> Vec<Vec<String>> {
    let Some(pin) = default.pin else { return Vec::new() };
    let (Some(plural), Some(value), Some(path)) = (pin.place.plural(), &pin.say, pin.at.first()) else { return Vec::new() };
    let patch = path.rsplit('.').fold(value.clone(), |inner, key| json!({ key: inner }));
    let patch = json!({ "spec": patch }).to_string();
    let silent = of_kind(situation, plural).filter(|object| !says(object, pin));
    silent
        .map(|object| {
            ["kubectl", "patch", &object.resource, &object.name, "--type", "merge", "--patch", &patch].map(str::to_owned).to_vec()
        })
        .collect()
}
