//! API servers over kube's client, in raw JSON: what karpctl reads and writes has no types of its own here.

mod config;
mod dry_run;
mod eviction;
mod kinds;

use super::install_tls_provider;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{Aws, ClusterAccess, Eviction, Force, Kube, KubeConnector, NamedServer, ObjectKind, ObjectRef, Trial};
use async_trait::async_trait;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Limited;
use kube::Client;
use kube::client::ClientBuilder;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OnceCell};
use tower::util::MapResponseLayer;

/// Who karpctl is among the managers of fields.
const FIELD_MANAGER: &str = "fieldManager=karpctl";
/// A field that the API server does not know is an error, not a silence.
const STRICT: &str = "fieldValidation=Strict";
/// How many objects are listed at once.
const PAGE: usize = 500;
/// How often a list may go on: no cluster holds so many objects of a kind.
const PAGES: usize = 2000;
/// The most bytes of an answer that are read, of which no page comes near.
const LARGEST: usize = 256 << 20;
/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_mins(1);
/// How often a request is made that may get through yet: an API server that is being replaced refuses, resets or says 503 for some
/// seconds. Every request may be made twice: what is created is looked for where it is "there already", what is replaced carries its
/// version, and what is applied is the same.
const ATTEMPTS: u32 = 5;
/// The first pause between two of them; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(250);
/// EKS takes a token for 15 minutes; one this old is made anew.
const TOKEN_AGE: Duration = Duration::from_mins(10);

/// Connects to API servers: to those of EKS with tokens made of the AWS credentials, else as a kubeconfig says.
pub struct Connector {
    aws: Arc<dyn Aws>,
}

impl Connector {
    /// A connector that has its EKS tokens made by this.
    pub fn new(aws: Arc<dyn Aws>) -> Self {
        Self { aws }
    }
}

#[async_trait]
impl KubeConnector for Connector {
    async fn connect(&self, access: &ClusterAccess) -> Result<Arc<dyn Kube>> {
        install_tls_provider();
        let (config, doing) = config_of(access)?;
        let tokens = match access {
            ClusterAccess::Eks { name, .. } => Some(EksTokens { aws: self.aws.clone(), cluster: name.clone(), made: Mutex::new(None) }),
            ClusterAccess::Kubeconfig { .. } => None,
        };
        let endpoint = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = client_of(config.clone(), &doing, &endpoint).await?;
        Ok(Arc::new(ApiServer { client, config, hasty: OnceCell::new(), endpoint, tokens }))
    }

    fn named_server(&self, access: &ClusterAccess) -> Result<NamedServer> {
        match access {
            ClusterAccess::Eks { endpoint, .. } => Ok(NamedServer { server: endpoint.clone(), tls_server_name: None, by_proxy: false }),
            ClusterAccess::Kubeconfig { path, context } => {
                config::server_of_kubeconfig("cannot read the kubeconfig", path.as_deref(), context.as_deref())
            }
        }
    }
}

/// What an access comes to, and what cannot be done where it comes to nothing.
fn config_of(access: &ClusterAccess) -> Result<(kube::Config, String)> {
    let doing = match access {
        ClusterAccess::Eks { name, .. } => format!("cannot connect to the cluster {name}"),
        ClusterAccess::Kubeconfig { context: Some(context), .. } => format!("cannot connect as the kubeconfig's context {context} says"),
        ClusterAccess::Kubeconfig { context: None, .. } => "cannot connect as the kubeconfig says".to_owned(),
    };
    let config = match access {
        ClusterAccess::Eks { endpoint, certificate_authority, .. } => config::of_eks(&doing, endpoint, certificate_authority)?,
        ClusterAccess::Kubeconfig { path, context } => config::of_kubeconfig(&doing, path.as_deref(), context.as_deref())?,
    };
    Ok((config, doing))
}

/// A client. Making it runs the kubeconfig's credential plugin, and waits for it.
async fn client_of(config: kube::Config, doing: &str, endpoint: &str) -> Result<Client> {
    let bounded = MapResponseLayer::new(|answer: Response<_>| answer.map(|body| Limited::new(body, LARGEST)));
    let client = tokio::task::spawn_blocking(move || ClientBuilder::try_from(config).map(|made| made.with_layer(&bounded).build())).await;
    client
        .map_err(|e| Error::failed(doing).because(e.to_string()))?
        .map_err(|e| of_connection(Error::new(ErrorKind::Failed, doing), &chain(&e), endpoint))
}

/// The tokens of one EKS cluster.
struct EksTokens {
    aws: Arc<dyn Aws>,
    cluster: String,
    made: Mutex<Option<(Instant, String)>>,
}

impl EksTokens {
    /// A token that is not `refused`, and is young enough.
    async fn token(&self, refused: Option<&str>) -> Result<String> {
        let mut made = self.made.lock().await;
        if let Some((at, token)) = made.as_ref()
            && at.elapsed() < TOKEN_AGE
            && refused != Some(token.as_str())
        {
            return Ok(token.clone());
        }
        let token = self.aws.eks_token(&self.cluster).await?;
        *made = Some((Instant::now(), token.clone()));
        Ok(token)
    }
}

struct ApiServer {
    client: Client,
    config: kube::Config,
    // Answers a refusal at once. Made when it is needed: only evictions are refused so.
    hasty: OnceCell<Client>,
    endpoint: String,
    tokens: Option<EksTokens>,
}

/// One request.
struct Ask<'a> {
    doing: String,
    method: Method,
    path: String,
    content_type: &'static str,
    body: Option<&'a Value>,
    on_429: On429,
}

/// What "too many requests" means for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On429 {
    /// That the API server has too much to do: kube's client asks again, for as long as it is told to wait.
    Wait,
    /// An answer.
    Answer,
}

impl<'a> Ask<'a> {
    fn new(doing: impl Into<String>, method: Method, path: String) -> Self {
        Self { doing: doing.into(), method, path, content_type: "application/json", body: None, on_429: On429::Wait }
    }

    fn with(mut self, body: &'a Value) -> Self {
        self.body = Some(body);
        self
    }

    fn typed(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }
}

impl ApiServer {
    async fn send(&self, ask: &Ask<'_>) -> Result<Value> {
        let text = match &self.tokens {
            None => self.asked(ask, None).await,
            Some(tokens) => {
                let token = tokens.token(None).await.map_err(|e| e.within(&ask.doing))?;
                match self.asked(ask, Some(&token)).await {
                    // The machine may have slept, or the credentials behind the token may be new by now.
                    Err(Answer::Status(status)) if status.code == 401 => {
                        let token = tokens.token(Some(&token)).await.map_err(|e| e.within(&ask.doing))?;
                        self.asked(ask, Some(&token)).await
                    }
                    other => other,
                }
            }
        };
        let text = text.map_err(|answer| self.error(&ask.doing, answer))?;
        serde_json::from_str(&text).map_err(|e| Error::failed(&ask.doing).because(format!("the answer is not JSON: {e}")))
    }

    /// Asks, and asks again where it may get through yet.
    async fn asked(&self, ask: &Ask<'_>, token: Option<&str>) -> std::result::Result<String, Answer> {
        let mut pause = PAUSE;
        let mut patience = ATTEMPTS;
        loop {
            let answer = match self.attempt(ask, token).await {
                Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() => {
                    Answer::None("the answer is not JSON: it may be cut off, or not of an API server".to_owned())
                }
                Ok(text) => return Ok(text),
                Err(answer) => answer,
            };
            // One that was waited for in full has taken its time already.
            patience -= if matches!(answer, Answer::TooLate) { patience.min(3) } else { 1 };
            if patience == 0 || !answer.may_pass() {
                return Err(answer);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn attempt(&self, ask: &Ask<'_>, token: Option<&str>) -> std::result::Result<String, Answer> {
        let body = ask.body.map(|b| b.to_string().into_bytes()).unwrap_or_default();
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.path);
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, ask.content_type);
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|e| Answer::None(e.to_string()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(body).map_err(|e| Answer::None(e.to_string()))?;
        let client = match ask.on_429 {
            On429::Wait => &self.client,
            On429::Answer => self.hasty().await.map_err(|e| Answer::None(e.to_string()))?,
        };
        match tokio::time::timeout(ANSWER_TIME, client.request_text(request)).await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(kube::Error::Api(status))) => Err(Answer::Status(status)),
            Ok(Err(e)) => Err(Answer::None(chain(&e))),
            Err(_) => Err(Answer::TooLate),
        }
    }

    async fn hasty(&self) -> Result<&Client> {
        let mut config = self.config.clone();
        config.default_retry = false;
        self.hasty.get_or_try_init(|| client_of(config, "cannot connect for an eviction", &self.endpoint)).await
    }

    fn error(&self, doing: &str, answer: Answer) -> Error {
        let status = match answer {
            Answer::Status(status) => status,
            Answer::None(why) => return of_connection(Error::new(ErrorKind::Unreachable, doing), &why, &self.endpoint),
            Answer::TooLate => {
                let why = format!("there was no answer within {} s", ANSWER_TIME.as_secs());
                return of_connection(Error::new(ErrorKind::Unreachable, doing), &why, &self.endpoint);
            }
        };
        let kind = match status.code {
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            429 | 500 if eviction::is_refused(&status) => ErrorKind::Conflict,
            // A field that its schema does not know, the API server takes for a fault of its own.
            500 if status.message.contains("failed to create typed patch object") => ErrorKind::Failed,
            429 | 500..=599 => ErrorKind::Unreachable,
            _ => ErrorKind::Failed,
        };
        let said = format!("the API server {} answered {}: {}", self.endpoint, status.code, eviction::in_full(&status));
        let error = Error::new(kind, doing).because(said);
        match (status.code, &self.tokens) {
            (401, Some(tokens)) => {
                let cluster = &tokens.cluster;
                error
                    .hint(format!("the cluster {cluster} does not know who you are in AWS: whoever created it can let you in, by what `karpctl doctor --only cluster-entry` prints"))
                    .hint("see who AWS takes you for: `aws sts get-caller-identity`")
            }
            (401, None) => error.hint("the kubeconfig's user is not let in; log in again, or take another context (--context)"),
            (403, Some(_)) => error.hint(
                "your access entry (or aws-auth row) gives you too little; `karpctl doctor --only cluster-entry` prints what gives you enough",
            ),
            (403, None) => error.hint("see what you may do: `kubectl auth can-i --list`"),
            _ => error,
        }
    }

    /// All pages from one consistent list; `None` where the list expired on the way.
    async fn pages(&self, doing: &str, path: &str, query: &str, limit: usize) -> Result<Option<Vec<Value>>> {
        let mut items = Vec::new();
        let mut next = String::new();
        for _ in 0..PAGES {
            let mut uri = format!("{path}?limit={limit}");
            if !next.is_empty() {
                uri = format!("{uri}&continue={}", encoded(&next));
            }
            uri += query;
            let mut page = match self.send(&Ask::new(doing, Method::GET, uri)).await {
                Ok(page) => page,
                Err(e) if e.kind == ErrorKind::NotFound => return Ok(Some(Vec::new())),
                Err(e) if !next.is_empty() && e.causes.iter().any(|c| c.contains("answered 410")) => return Ok(None),
                Err(e) => return Err(e),
            };
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(more) if !more.is_empty() => more.clone_into(&mut next),
                _ => return Ok(Some(items)),
            }
        }
        Err(Error::failed(doing).because(format!("the API server {} goes on with its list after {PAGES} pages", self.endpoint)))
    }
}

/// What came back that is not a good answer.
enum Answer {
    Status(Box<kube::core::Status>),
    None(String),
    TooLate,
}

impl Answer {
    /// Whether the same request may be answered well a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) if status.message.contains("failed to create typed patch object") || eviction::is_refused(status) => false,
            Self::Status(status) => matches!(status.code, 429 | 500 | 502..=504),
            Self::None(why) => !["certificate", "UnknownIssuer", "auth error", "exec"].iter().any(|word| why.contains(word)),
            Self::TooLate => true,
        }
    }
}

#[async_trait]
impl Kube for ApiServer {
    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>> {
        match self.send(&Ask::new(format!("cannot read {}", shown(object)), Method::GET, path_of(object))).await {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn list(&self, kind: &ObjectKind, namespace: Option<&str>, label_selector: Option<&str>) -> Result<Vec<Value>> {
        let doing = format!("cannot list the {}", kind.plural);
        let path = collection(kind, namespace);
        let query = label_selector.map(|s| format!("&labelSelector={}", encoded(s))).unwrap_or_default();
        match self.pages(&doing, &path, &query, PAGE).await? {
            Some(items) => Ok(items),
            // Without a limit there is one page, which cannot expire.
            None => Ok(self.pages(&doing, &path, &query, 0).await?.unwrap_or_default()),
        }
    }

    async fn namespaced_kinds(&self) -> Result<Vec<ObjectKind>> {
        self.discovered().await
    }

    async fn apply(&self, object: &ObjectRef, body: &Value, force: Force) -> Result<Value> {
        let path = format!("{}?{FIELD_MANAGER}&{STRICT}&force={}", path_of(object), force == Force::Yes);
        let ask = Ask::new(format!("cannot apply {}", shown(object)), Method::PATCH, path);
        self.send(&ask.with(body).typed("application/apply-patch+yaml")).await
    }

    async fn dry_run(&self, object: &ObjectRef, body: &Value) -> Result<Trial> {
        let ask = Ask::new(format!("cannot try {}", shown(object)), Method::PATCH, format!("{}?{}", path_of(object), dry_run::QUERY));
        dry_run::answered(self.send(&ask.with(body).typed("application/apply-patch+yaml")).await)
    }

    async fn create(&self, object: &ObjectRef, body: &Value) -> Result<Value> {
        let path = format!("{}?{FIELD_MANAGER}&{STRICT}", collection(&object.kind, object.namespace.as_deref()));
        self.send(&Ask::new(format!("cannot create {}", shown(object)), Method::POST, path).with(body)).await
    }

    async fn replace(&self, object: &ObjectRef, body: &Value) -> Result<Value> {
        let path = format!("{}?{FIELD_MANAGER}&{STRICT}", path_of(object));
        self.send(&Ask::new(format!("cannot replace {}", shown(object)), Method::PUT, path).with(body)).await
    }

    async fn merge_patch(&self, object: &ObjectRef, patch: &Value) -> Result<Value> {
        let uri = format!("{}?{FIELD_MANAGER}&{STRICT}", path_of(object));
        let ask = Ask::new(format!("cannot change {}", shown(object)), Method::PATCH, uri);
        self.send(&ask.with(patch).typed("application/merge-patch+json")).await
    }

    async fn delete(&self, object: &ObjectRef) -> Result<()> {
        match self.send(&Ask::new(format!("cannot delete {}", shown(object)), Method::DELETE, path_of(object))).await {
            Err(e) if e.kind != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    async fn evict(&self, namespace: &str, name: &str, uid: &str) -> Result<Eviction> {
        let pod = ObjectRef { kind: ObjectKind::new("v1", "pods"), namespace: Some(namespace.to_owned()), name: name.to_owned() };
        let body = eviction::body(namespace, name, uid);
        let ask = Ask::new(format!("cannot evict {}", shown(&pod)), Method::POST, format!("{}/eviction", path_of(&pod)));
        eviction::answered(self.send(&Ask { on_429: On429::Answer, ..ask.with(&body) }).await)
    }
}

/// `configmaps/aws-auth in kube-system`.
fn shown(object: &ObjectRef) -> String {
    let name = format!("{}/{}", object.kind.plural, object.name);
    object.namespace.as_ref().map_or(name.clone(), |namespace| format!("{name} in {namespace}"))
}

fn collection(kind: &ObjectKind, namespace: Option<&str>) -> String {
    let root = if kind.api_version.contains('/') { "/apis" } else { "/api" };
    let namespace = namespace.map(|n| format!("/namespaces/{}", encoded(n))).unwrap_or_default();
    format!("{root}/{}{namespace}/{}", kind.api_version, kind.plural)
}

fn path_of(object: &ObjectRef) -> String {
    format!("{}/{}", collection(&object.kind, object.namespace.as_deref()), encoded(&object.name))
}

/// Percent-encoded for a path segment or a query value.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// There was no answer: the connection, or the credential plugin before it.
fn of_connection(error: Error, why: &str, endpoint: &str) -> Error {
    if why.contains("auth error") || why.contains("exec") && why.contains("plugin") {
        let error = Error { kind: ErrorKind::Credentials, ..error };
        return error.because(why).hint("the kubeconfig's credential plugin failed; `karpctl doctor --area client` looks into it");
    }
    let error = Error { kind: ErrorKind::Unreachable, ..error }.because(format!("{endpoint}: {why}"));
    if why.contains("certificate") || why.contains("UnknownIssuer") {
        return error.hint("the certificate is not of the cluster's CA: a proxy that ends TLS needs NO_PROXY for this endpoint");
    }
    error.hint("check that the endpoint can be reached from here: a private one needs the VPN (or a machine in the VPC), a public one may be limited to some addresses, and HTTPS_PROXY and NO_PROXY decide about a proxy")
}

/// An error and all below it, in one line, without what each level only repeats.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        below = cause.source();
    }
    text
}
