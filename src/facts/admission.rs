//! Who is asked before the API server takes an object: webhooks, policies and what they say.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A configuration of admission webhooks by which a Karpenter looks at what is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookFacts {
    /// What kubectl takes for its kind: `validatingwebhookconfiguration`.
    pub resource: String,
    /// Its name.
    pub name: String,
    /// The helm release that owns it, `<namespace>/<name>`, where labels and annotations say so.
    pub helm_owner: Option<String>,
}

/// The Service that a webhook is asked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WebhookService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The port.
    pub port: i64,
}

/// What stands behind a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookState {
    /// A pod that is ready.
    Answers,
    /// There is no such Service.
    NoService,
    /// The Service has no such port.
    NoPort,
    /// No pod behind the Service is ready.
    NoEndpoint,
}

/// Admission webhooks of somebody else, of one configuration and asked at one Service, without whose answer what Karpenter needs is not
/// written (`failurePolicy: Fail`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFacts {
    /// What kubectl takes for the configuration's kind: `validatingwebhookconfiguration`.
    pub resource: String,
    /// The name of the configuration.
    pub configuration: String,
    /// Their names.
    pub webhooks: Vec<String>,
    /// Whether all of them have conditions of their own, which may leave out what they cover.
    pub conditional: bool,
    /// What they are asked about of all that helm, the chart, the controller and karpctl write, by its plural: `services`.
    pub covers: Vec<String>,
    /// Where they are asked.
    pub service: WebhookService,
    /// What stands behind it.
    pub state: WebhookState,
}

/// An object that the API server was shown before it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialFacts {
    /// What it is, as people say it: `NodePool default`.
    pub subject: String,
    /// The API group of its kind; empty for the oldest.
    pub group: String,
    /// The plural of its kind.
    pub plural: String,
    /// Whether it is in a namespace.
    pub in_namespace: bool,
    /// What came of it.
    pub answer: TrialAnswer,
    /// What the binding is about (`spec.matchResources`) of the `ValidatingAdmissionPolicy` that refuses it, where it could be read.
    pub binding: Option<Value>,
}

/// What came of showing an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialAnswer {
    /// It would be taken.
    Taken,
    /// It would not, in the words of whoever refuses it.
    Refused(String),
    /// It was not shown, for this reason.
    NotTried(String),
}

/// The conversion webhook of some CRDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionFacts {
    /// Where it is asked.
    pub service: WebhookService,
    /// The CRDs that ask there.
    pub crds: Vec<String>,
    /// What stands there.
    pub state: WebhookState,
}
