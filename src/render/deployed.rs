//! What of a stack's resources is kept as the deployed template has it: properties that `CloudFormation` changes only by making the resource
//! anew. Of a resource that bears a name it refuses that, also where a default is only written out: "`CloudFormation` cannot update a
//! stack when a custom-named resource requires replacing".

use super::policies::substituted;
use super::template::Functions;
use crate::spec::Spec;
use serde_json::{Map, Value, json};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

/// Such properties, by the type of the resource: `createOnlyProperties` of `CloudFormation`'s resource types.
pub(super) const CREATE_ONLY: [(&str, &[&str]); 5] = [
    ("AWS::IAM::InstanceProfile", &["InstanceProfileName", "Path"]),
    ("AWS::IAM::Role", &["RoleName", "Path"]),
    ("AWS::IAM::ManagedPolicy", &["ManagedPolicyName", "Path", "Description"]),
    ("AWS::SQS::Queue", &["QueueName", "FifoQueue"]),
    ("AWS::Events::Rule", &["Name", "EventBusName"]),
];

/// How deep a template may be nested. Templates of this stack reach half of it.
const DEPTH: usize = 32;

/// A property that cannot be changed, as the release's template has it.
pub(super) struct Fixed {
    pub(super) property: &'static str,
    /// As it is written in the template.
    pub(super) text: String,
    /// What `CloudFormation` makes of that.
    pub(super) value: String,
}

/// The resources of a template that is deployed, by their logical id.
#[derive(Default)]
pub(super) struct Deployed(Map<String, Value>);

impl Deployed {
    /// A template as YAML or JSON, or such a text within JSON, as the aws CLI answers. What cannot be read has no resources.
    pub(super) fn read(template: &str) -> Self {
        Self(parsed(template).and_then(|template| template.get("Resources")?.as_object().cloned()).unwrap_or_default())
    }

    /// Whether there is such a resource.
    pub(super) fn has(&self, id: &str, kind: &str) -> bool {
        self.0.get(id).is_some_and(|found| found["Type"] == kind)
    }

    /// The fixed properties of a resource, each with its text: those that it has, or those of the release where it is not there yet.
    pub(super) fn fixed(&self, id: &str, kind: &str, of_release: &[Fixed], spec: &Spec, functions: Functions) -> Vec<(String, String)> {
        let Some(found) = self.0.get(id).filter(|found| found["Type"] == kind) else {
            return of_release.iter().map(|fixed| (fixed.property.to_owned(), fixed.text.clone())).collect();
        };
        let names = CREATE_ONLY.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, names)| names);
        let kept = names.iter().filter_map(|name| Some((*name, found["Properties"].get(name)?)));
        kept.map(|(name, value)| {
            let own = of_release.iter().find(|fixed| fixed.property == name && resolved(value, spec).as_ref() == Some(&fixed.value));
            (name.to_owned(), own.map_or_else(|| written(value, functions), |fixed| fixed.text.clone()))
        })
        .collect()
    }
}

/// A template as [`Deployed::read`] takes it. `None`: it cannot be read.
pub(super) fn parsed(template: &str) -> Option<Value> {
    match document(template) {
        Some(Value::String(text)) => document(&text),
        read => read,
    }
}

/// What `CloudFormation` makes of a value; `None` for what takes more than the stack's own variables.
pub(super) fn resolved(value: &Value, spec: &Spec) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        _ => match (value.get("Ref"), value.get("Fn::Sub")) {
            (Some(Value::String(name)), _) => Some(substituted(&format!("${{{name}}}"), spec)),
            (_, Some(Value::String(text))) => Some(substituted(text, spec)),
            _ => None,
        },
    }
}

/// A value as it stands in a template: JSON, which both forms take, but for the function that names are made by.
fn written(value: &Value, functions: Functions) -> String {
    match value.get("Fn::Sub") {
        Some(Value::String(text)) => functions.sub(text),
        // As the templates of all releases have it.
        _ if value == "/" => "/".to_owned(),
        _ => value.to_string(),
    }
}

/// The first document of a text.
fn document(text: &str) -> Option<Value> {
    let events = Parser::new_from_str(text).map_while(|event| Some(event.ok()?.0));
    let mut events = events.filter(|event| !matches!(event, Event::Comment(..)));
    events.find(|event| matches!(event, Event::DocumentStart(..)))?;
    let first = events.next()?;
    node(first, &mut events, 0)
}

/// A node of a YAML text, with `CloudFormation`'s short functions in their long form. `None`: the text ends in it, or it is too deep.
fn node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>, depth: usize) -> Option<Value> {
    if depth > DEPTH {
        return None;
    }
    let (value, tag) = match event {
        Event::Scalar(text, style, _, tag) => {
            let value = match text.as_ref() {
                "true" if style == ScalarStyle::Plain => true.into(),
                "false" if style == ScalarStyle::Plain => false.into(),
                text => text.into(),
            };
            (value, tag)
        }
        Event::SequenceStart(_, _, tag) => {
            let mut items = Vec::new();
            loop {
                match events.next()? {
                    Event::SequenceEnd => break,
                    event => items.push(node(event, events, depth + 1)?),
                }
            }
            (items.into(), tag)
        }
        Event::MappingStart(_, _, tag) => {
            let mut fields = Map::new();
            loop {
                match events.next()? {
                    Event::MappingEnd => break,
                    key => {
                        let key = node(key, events, depth + 1)?;
                        let first = events.next()?;
                        fields.insert(key.as_str().unwrap_or_default().to_owned(), node(first, events, depth + 1)?);
                    }
                }
            }
            (fields.into(), tag)
        }
        // An alias, which no template of CloudFormation has.
        _ => (Value::Null, None),
    };
    Some(match tag.as_ref().filter(|tag| tag.handle() == "!").map(|tag| tag.suffix()) {
        None => value,
        Some("Ref") => json!({ "Ref": value }),
        Some(function) => json!({ format!("Fn::{function}"): value }),
    })
}
