//! The newest release of karpctl, as the address says that a person has set for it.

use super::{install_tls_provider, is_loopback};
use serde_json::Value;
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

/// How long the whole answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes. One that lists many files has tens of thousands.
const LONGEST: u64 = 1 << 20;

/// The tag of the newest release. `None`: nobody answers, or with something else.
#[must_use]
pub fn newest_release(url: &str) -> Option<String> {
    install_tls_provider();
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
    let config = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .user_agent(concat!("karpctl/", env!("CARGO_PKG_VERSION")))
        .proxy(if is_loopback(host) { None } else { Proxy::try_from_env() })
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build();
    let mut answer = Agent::from(config).get(url).header("accept", "application/json").call().ok()?;
    tag_of(&answer.body_mut().with_config().limit(LONGEST).read_to_string().ok()?)
}

/// The tag in an answer as GitHub's releases API gives it.
#[must_use]
pub fn tag_of(answer: &str) -> Option<String> {
    serde_json::from_str::<Value>(answer).ok()?.get("tag_name")?.as_str().map(str::to_owned)
}
