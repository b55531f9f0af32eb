//! From what says how an API server is reached to the configuration of kube's client.
//!
//! kube's own loader is not used for the last part: it compares `NO_PROXY` with the proxy instead of the API server, and fails
//! over a trailing comma in it.

use super::chain;
use crate::adapters::{is_loopback, no_proxy, text_file};
use crate::error::{Error, Result};
use crate::ports::NamedServer;
use kube::Config;
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{from_value, json};
use std::path::Path;
use std::time::Duration;

/// How long a connection may take: a private endpoint, seen from outside, swallows packets.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// For an EKS cluster; who asks is said in each request.
pub(super) fn of_eks(doing: &str, endpoint: &str, certificate_authority: &str) -> Result<Config> {
    let cluster = json!({"server": endpoint, "certificate-authority-data": certificate_authority});
    let cluster: Cluster = from_value(cluster).map_err(|e| Error::failed(doing).because(e.to_string()))?;
    made(doing, &cluster, AuthInfo::default(), None)
}

/// For a context of a kubeconfig.
pub(super) fn of_kubeconfig(doing: &str, path: Option<&Path>, context: Option<&str>) -> Result<Config> {
    let (cluster, user, namespace) = chosen(doing, path, context)?;
    made(doing, &cluster, user, namespace.as_deref())
}

/// The API server that a context of a kubeconfig names. A proxy of the environment's leads where it is told to.
pub(super) fn server_of_kubeconfig(doing: &str, path: Option<&Path>, context: Option<&str>) -> Result<NamedServer> {
    let (cluster, ..) = chosen(doing, path, context)?;
    Ok(NamedServer {
        server: cluster.server.unwrap_or_default(),
        tls_server_name: cluster.tls_server_name,
        by_proxy: cluster.proxy_url.is_some_and(|url| !url.is_empty()),
    })
}

/// The cluster, the user and the namespace of a context.
fn chosen(doing: &str, path: Option<&Path>, context: Option<&str>) -> Result<(Cluster, AuthInfo, Option<String>)> {
    let wrong =
        |why: String| Error::usage(doing).because(why).hint("check --kubeconfig, --context and KUBECONFIG: `kubectl config get-contexts`");
    // kube puts a quoted path into quotes.
    let whole =
        path.map_or_else(Kubeconfig::read, Kubeconfig::read_from).map_err(|e| wrong(chain(&e).replace("'\"", "'").replace("\"'", "'")))?;
    let name = context.or(whole.current_context.as_deref()).filter(|n| !n.is_empty());
    let name = name.ok_or_else(|| wrong("the kubeconfig has no current context".to_owned()))?;
    let context: &Context = whole
        .contexts
        .iter()
        .find(|c| c.name == name)
        .and_then(|c| c.context.as_ref())
        .ok_or_else(|| wrong(format!("the kubeconfig has no context `{name}`")))?;
    let cluster: &Cluster = whole
        .clusters
        .iter()
        .find(|c| c.name == context.cluster)
        .and_then(|c| c.cluster.as_ref())
        .ok_or_else(|| wrong(format!("the context `{name}` names the cluster `{}`, which is not there", context.cluster)))?;
    // The clients take a user that is not there for nobody, too.
    let user = whole.auth_infos.iter().find(|u| Some(&u.name) == context.user.as_ref()).and_then(|u| u.auth_info.clone());
    let mut user = user.unwrap_or_default();
    if let Some(exec) = user.exec.as_mut().filter(|e| e.provide_cluster_info) {
        exec.cluster = Some(cluster.try_into().map_err(|e: kube::config::KubeconfigError| wrong(chain(&e)))?);
    }
    Ok((cluster.clone(), user, context.namespace.clone()))
}

fn made(doing: &str, cluster: &Cluster, user: AuthInfo, namespace: Option<&str>) -> Result<Config> {
    let wrong = |why: String| Error::usage(doing).because(why);
    let server = cluster.server.as_deref().unwrap_or_default();
    let url: http::Uri = server.parse().map_err(|e| wrong(format!("`{server}` is not the URL of an API server: {e}")))?;
    let mut config = Config::new(url);
    config.connect_timeout = Some(CONNECT_TIME);
    config.proxy_url = proxy(cluster.proxy_url.as_deref(), &config.cluster_url).map_err(wrong)?;
    config.root_cert = authority(cluster).map_err(wrong)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or_default();
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.disable_compression = cluster.disable_compression.unwrap_or_default();
    if let Some(namespace) = namespace {
        namespace.clone_into(&mut config.default_namespace);
    }
    config.auth_info = user;
    Ok(config)
}

/// The certificates that the API server's is checked against; `None`: those of this machine.
fn authority(cluster: &Cluster) -> std::result::Result<Option<Vec<Vec<u8>>>, String> {
    use base64::Engine as _;
    let pem = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) => base64::engine::general_purpose::STANDARD
            .decode(data.trim())
            .map_err(|e| format!("the cluster's certificate authority is not base64: {e}"))?,
        (None, Some(file)) => text_file::bytes(file.as_ref()).map_err(|e| format!("cannot read the certificate authority {file}: {e}"))?,
        (None, None) => return Ok(None),
    };
    let certificates = CertificateDer::pem_slice_iter(&pem).map(|c| c.map(|c| c.to_vec())).collect::<std::result::Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|e| format!("the cluster's certificate authority is not PEM: {e}"))?;
    if certificates.is_empty() {
        return Err("the cluster's certificate authority holds no certificate".to_owned());
    }
    Ok(Some(certificates))
}

/// The proxy to take: the kubeconfig's own, else that of the environment; this machine itself is then reached without one. As
/// every other program does, `proxy:3128` is taken for `http://proxy:3128`.
fn proxy(own: Option<&str>, server: &http::Uri) -> std::result::Result<Option<http::Uri>, String> {
    let given = |url: &str| {
        let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        whole.parse().map(Some).map_err(|e| format!("`{}` is not the URL of a proxy: {e}", without_password(url)))
    };
    if let Some(own) = own.filter(|url| !url.is_empty()) {
        return given(own);
    }
    let set = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let url = match server.scheme_str() {
        Some("http") => set(&["http_proxy", "HTTP_PROXY"]),
        _ => set(&["HTTPS_PROXY", "https_proxy"]),
    };
    let Some(url) = url.or_else(|| set(&["ALL_PROXY", "all_proxy"])) else { return Ok(None) };
    if no_proxy::names(server) || server.host().is_some_and(is_loopback) { Ok(None) } else { given(&url) }
}

fn without_password(url: &str) -> String {
    url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, host)| format!("…@{host}"))
}
