//! OCI registries over HTTP, without a login (OCI distribution specification, "Listing Tags", and the Docker token flow).

use super::{install_tls_provider, is_loopback};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Registry;
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

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
        let listed = tokio::task::spawn_blocking(move || tags(&repository)).await;
        listed.unwrap_or_else(|e| Err(Error::failed("cannot list the tags of a registry").because(e.to_string())))
    }
}

fn tags(repository: &str) -> Result<Vec<String>> {
    let place = repository.strip_prefix("oci://").unwrap_or(repository);
    let (host, path) = place.split_once('/').ok_or_else(|| {
        Error::usage(format!("`{repository}` names no repository of a registry")).hint("for example: oci://public.ecr.aws/karpenter")
    })?;
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name);
    let local = is_loopback(name);
    // As helm does with a registry on this machine.
    let root = format!("{}://{host}", if local { "http" } else { "https" });
    let session = Session { agent: agent(local), repository };
    let mut next = Some(format!("{root}/v2/{path}/tags/list?n=1000"));
    let (mut token, mut tags) = (None, Vec::new());
    for _ in 0..PAGES {
        let Some(url) = next.take() else { return Ok(tags) };
        let mut answer = session.get(&url, token.as_deref())?;
        if let (401, None, Some(challenge)) = (answer.status().as_u16(), &token, header(&answer, "www-authenticate")) {
            token = Some(session.token(&challenge, path)?);
            answer = session.get(&url, token.as_deref())?;
        }
        next = header(&answer, "link").and_then(|link| next_page(&link, &root));
        let page = session.read(answer)?;
        tags.extend(page["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)));
    }
    Err(session.failed("its list of tags does not end"))
}

fn agent(local: bool) -> Agent {
    install_tls_provider();
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .proxy(if local { None } else { Proxy::try_from_env() })
        .tls_config(tls)
        .build();
    config.into()
}

struct Session<'a> {
    agent: Agent,
    repository: &'a str,
}

impl Session<'_> {
    fn get(&self, url: &str, token: Option<&str>) -> Result<Response<Body>> {
        let request = self.agent.get(url).header("accept", "application/json");
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        request.call().map_err(|e| {
            let error = Error::new(ErrorKind::Unreachable, self.doing()).because(e.to_string());
            error.hint("where this machine reaches the internet by a proxy, set HTTPS_PROXY")
        })
    }

    /// The token that anybody is given. Its realm is where the registry's own challenge says.
    fn token(&self, challenge: &str, path: &str) -> Result<String> {
        let field = |name: &str| challenge.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        let Some(realm) = field("realm").filter(|_| challenge.to_ascii_lowercase().starts_with("bearer ")) else {
            return Err(self.failed("it wants a login, and only what anybody may read is compared"));
        };
        let scope = field("scope").map_or_else(|| format!("repository:{path}:pull"), str::to_owned);
        let mut request = self.agent.get(realm).query("scope", scope);
        if let Some(service) = field("service") {
            request = request.query("service", service);
        }
        let answer = request.call().map_err(|e| Error::new(ErrorKind::Unreachable, self.doing()).because(e.to_string()))?;
        let body = self.read(answer)?;
        let token = body["token"].as_str().or_else(|| body["access_token"].as_str());
        token.map(str::to_owned).ok_or_else(|| self.failed("it gives no token to somebody without a login"))
    }

    fn read(&self, mut answer: Response<Body>) -> Result<Value> {
        let status = answer.status();
        match status.as_u16() {
            200 => answer.body_mut().read_json().map_err(|e| self.failed(&e.to_string())),
            404 => Err(Error::new(ErrorKind::NotFound, self.doing()).because("the registry has no such repository")),
            _ => Err(self.failed(&format!("the registry answers {status}"))),
        }
    }

    fn doing(&self) -> String {
        format!("cannot list the tags of {}", self.repository)
    }

    fn failed(&self, why: &str) -> Error {
        Error::failed(self.doing()).because(why)
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
