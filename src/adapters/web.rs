//! What is asked over HTTP without being AWS or Kubernetes.

use super::{install_tls_provider, is_loopback};
use std::time::Duration;
use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy};

/// Asks a host with the machine's own roots of trust, by the proxy that the environment names but for this machine itself. `patience` is
/// how long one whole answer may take.
pub(super) fn asking(host: &str, patience: Duration) -> ConfigBuilder<AgentScope> {
    install_tls_provider();
    Agent::config_builder()
        .timeout_global(Some(patience))
        .proxy(if is_loopback(host) { None } else { Proxy::try_from_env() })
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
}
