//! The HTTP client below the SDK: rustls with ring, the machine's roots (and `AWS_CA_BUNDLE`), and the proxy of the
//! environment, except for this machine itself and the instance metadata address.

use crate::adapters::{is_loopback, no_proxy, text_file};
use crate::error::{Error, Result};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// Where EC2, ECS and EKS hand out credentials: a proxy cannot reach it for us, and would be told the token that they are had by.
const METADATA_HOSTS: [&str; 5] = ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]"];

/// The most bytes of an answer that are read: AWS answers in pages, and what is longer than any is not from AWS.
const LARGEST: usize = 32 << 20;

/// Two clients, and which of them a request takes.
#[derive(Debug, Clone)]
struct ByHost {
    direct: SharedHttpClient,
    proxied: SharedHttpClient,
}

/// Chooses per request, so that the roots are read only for a connection that is made.
#[derive(Debug)]
struct ByHostConnector {
    clients: ByHost,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpClient for ByHost {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ByHostConnector { clients: self.clone(), settings: settings.clone(), components: components.clone() })
    }
}

impl HttpConnector for ByHostConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let direct = request.uri().parse().is_ok_and(|address| goes_direct(&address));
        let client = if direct { &self.clients.direct } else { &self.clients.proxied };
        let answer = client.http_connector(&self.settings, &self.components).call(request);
        HttpConnectorFuture::new(async move { Ok(answer.await?.map(|body| SdkBody::from_body_1_x(Limited::new(body, LARGEST)))) })
    }
}

fn goes_direct(address: &::http::Uri) -> bool {
    address.host().is_some_and(|host| is_loopback(host) || METADATA_HOSTS.contains(&host)) || no_proxy::names(address)
}

/// A proxy of the environment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Its URL, without a name and password.
    pub(super) address: String,
    /// The variable that names it.
    pub(super) variable: &'static str,
}

/// The proxy by which an address is asked.
pub(super) fn proxy_of(address: &str) -> Option<Proxy> {
    let uri: ::http::Uri = address.parse().ok()?;
    if goes_direct(&uri) {
        return None;
    }
    let proxy = Matcher::from_env().intercept(&uri)?;
    // In the order in which the client looks at them.
    let own = if uri.scheme_str() == Some("http") { ["HTTP_PROXY", "http_proxy"] } else { ["HTTPS_PROXY", "https_proxy"] };
    let variable = own.into_iter().chain(["ALL_PROXY", "all_proxy"]).find(|name| std::env::var(name).is_ok_and(|v| !v.is_empty()))?;
    Some(Proxy { address: proxy.uri().to_string().trim_end_matches('/').to_owned(), variable })
}

/// The client that every service shares.
pub(super) fn client() -> Result<SharedHttpClient> {
    let mut roots = TrustStore::default();
    // The other SDKs and the aws CLI take this variable; the Rust SDK leaves it to the program.
    if let Some(bundle) = std::env::var_os("AWS_CA_BUNDLE").filter(|v| !v.is_empty()) {
        let file = std::path::PathBuf::from(bundle);
        let pem = text_file::bytes(&file)
            .map_err(|e| Error::usage(format!("cannot read {}, which AWS_CA_BUNDLE names", file.display())).because(e.to_string()))?;
        check_bundle(&pem).map_err(|why| Error::usage(format!("cannot use {}, which AWS_CA_BUNDLE names", file.display())).because(why))?;
        roots = roots.with_pem_certificate(pem);
    }
    let tls =
        TlsContext::builder().with_trust_store(roots).build().map_err(|e| Error::failed("cannot set up TLS").because(e.to_string()))?;
    let of = |proxy: ProxyConfig| {
        let tls = tls.clone();
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut builder =
                Connector::builder().proxy_config(proxy.clone()).tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone());
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.build()
        })
    };
    Ok(SharedHttpClient::new(ByHost { direct: of(ProxyConfig::disabled()), proxied: of(ProxyConfig::from_env()) }))
}

/// Whether a bundle can be loaded: the client would panic over one that cannot.
fn check_bundle(pem: &[u8]) -> std::result::Result<(), String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| format!("not PEM: {e}"))?;
        roots.add(certificate).map_err(|e| format!("a certificate in it cannot be parsed: {e}"))?;
    }
    if roots.is_empty() { Err("there is no PEM certificate in it".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::goes_direct;

    #[test]
    fn what_hands_out_credentials_is_asked_without_a_proxy() {
        for (address, direct) in [
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://[fd00:ec2::254]/latest/meta-data/", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[::1]:4566/", true),
            ("https://[fd00:ec2::24]/", false),
            ("https://sts.us-west-2.amazonaws.com/", false),
        ] {
            assert_eq!(goes_direct(&address.parse().unwrap()), direct, "{address}");
        }
    }
}
