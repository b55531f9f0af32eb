//! OCI registries over HTTP, without a login (OCI distribution specification, "Listing Tags", and the Docker token flow).

use super::{is_loopback, web::asking};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Registry;
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most pages that are read: a registry that goes on for longer is broken.
const PAGES: usize = 200;

/// Registries that anybody may read.
#[derive(Debug, Clone, Copy)]
pub struct PublicRegistry;

#[async_trait]
impl Registry for PublicRegistry {
    async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        let repository = repository.to_owned();
        let doing = format!("cannot list the tags of {repository}");
        aside(doing.clone(), move || Session::new(&repository, doing)?.tags()).await
    }

    async fn has(&self, repository: &str, tag: &str) -> Result<bool> {
        let (repository, tag) = (repository.to_owned(), tag.to_owned());
        let doing = format!("cannot see whether {repository} has {tag}");
        aside(doing.clone(), move || Session::new(&repository, doing)?.has(&tag)).await
    }
}

/// ureq waits where it is called.
async fn aside<T: Send + 'static>(doing: String, ask: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(ask).await.unwrap_or_else(|e| Err(Error::failed(doing).because(e.to_string())))
}

/// A conversation with a registry about one repository.
struct Session {
    agent: Agent,
    root: String,
    path: String,
    doing: String,
    token: Option<String>,
}

/// The forms in which a registry may give a manifest.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, application/json";

impl Session {
    fn new(repository: &str, doing: String) -> Result<Self> {
        let place = repository.strip_prefix("oci://").unwrap_or(repository);
        let (host, path) = place.split_once('/').ok_or_else(|| {
            Error::usage(format!("`{repository}` names no repository of a registry")).hint("for example: oci://public.ecr.aws/karpenter")
        })?;
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name);
        // As helm does with a registry on this machine.
        let root = format!("{}://{host}", if is_loopback(name) { "http" } else { "https" });
        let agent = asking(name, PATIENCE).http_status_as_error(false).build().into();
        Ok(Self { agent, root, path: path.to_owned(), doing, token: None })
    }

    fn tags(&mut self) -> Result<Vec<String>> {
        let mut next = Some(format!("{}/v2/{}/tags/list?n=1000", self.root, self.path));
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let Some(url) = next.take() else { return Ok(tags) };
            let answer = self.answer(&url)?;
            next = header(&answer, "link").and_then(|link| next_page(&link, &self.root));
            let page = self.read(answer)?;
            tags.extend(page["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)));
        }
        Err(self.failed("its list of tags does not end"))
    }

    fn has(&mut self, tag: &str) -> Result<bool> {
        let answer = self.answer(&format!("{}/v2/{}/manifests/{tag}", self.root, self.path))?;
        match answer.status().as_u16() {
            200 => Ok(true),
            // public.ecr.aws says 400 of some tags that it has not got.
            400 | 404 => Ok(false),
            _ => Err(self.failed(&format!("the registry answers {}", answer.status()))),
        }
    }

    /// The answer to somebody without a login: where the registry wants a token, with the one that it gives anybody.
    fn answer(&mut self, url: &str) -> Result<Response<Body>> {
        let answer = self.get(url)?;
        match (answer.status().as_u16(), &self.token, header(&answer, "www-authenticate")) {
            (401, None, Some(challenge)) => {
                self.token = Some(self.token(&challenge)?);
                self.get(url)
            }
            _ => Ok(answer),
        }
    }

    fn get(&self, url: &str) -> Result<Response<Body>> {
        let request = self.agent.get(url).header("accept", MANIFESTS);
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        request.call().map_err(|e| {
            let error = Error::new(ErrorKind::Unreachable, &self.doing).because(e.to_string());
            error.hint("where this machine reaches the internet by a proxy, set HTTPS_PROXY")
        })
    }

    /// The token that anybody is given. Its realm is where the registry's own challenge says.
    fn token(&self, challenge: &str) -> Result<String> {
        let field = |name: &str| challenge.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        let Some(realm) = field("realm").filter(|_| challenge.to_ascii_lowercase().starts_with("bearer ")) else {
            return Err(self.failed("it wants a login, and only what anybody may read is compared"));
        };
        let scope = field("scope").map_or_else(|| format!("repository:{}:pull", self.path), str::to_owned);
        let mut request = self.agent.get(realm).query("scope", scope);
        if let Some(service) = field("service") {
            request = request.query("service", service);
        }
        let answer = request.call().map_err(|e| Error::new(ErrorKind::Unreachable, &self.doing).because(e.to_string()))?;
        let body = self.read(answer)?;
        let token = body["token"].as_str().or_else(|| body["access_token"].as_str());
        token.map(str::to_owned).ok_or_else(|| self.failed("it gives no token to somebody without a login"))
    }

    fn read(&self, mut answer: Response<Body>) -> Result<Value> {
        let status = answer.status();
        match status.as_u16() {
            200 => answer.body_mut().read_json().map_err(|e| self.failed(&e.to_string())),
            404 => Err(Error::new(ErrorKind::NotFound, &self.doing).because("the registry has no such repository")),
            _ => Err(self.failed(&format!("the registry answers {status}"))),
        }
    }

    fn failed(&self, why: &str) -> Error {
        Error::failed(&self.doing).because(why)
    }
}

fn header(answer: &Response<Body>, name: &str) -> Option<String> {
    answer.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// The page that a `Link` header names as the next, on the same registry: a token is never sent elsewhere.
fn next_page(link: &str, root: &str) -> Option<String> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    if !rest.contains("next") {
        return None;
    }
    let path = target.strip_prefix(root).unwrap_or(target);
    path.starts_with('/').then(|| format!("{root}{path}"))
}
