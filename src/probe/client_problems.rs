//! What keeps a client from using the cluster or the credentials of a context, before any plugin is asked.

use crate::credential;
use crate::kubeconfig::{Cluster, User, pair_problem, proxy_problem, server_problem};
use crate::ports::Workstation;
use std::path::Path;

/// What is wrong with the cluster.
pub(super) fn cluster_problem(station: &dyn Workstation, cluster: &Cluster) -> Option<String> {
    let (file, data) = (&cluster.certificate_authority, &cluster.certificate_authority_data);
    if cluster.server.is_empty() {
        return Some("it names no API server, and the client then asks http://localhost:8080".into());
    }
    if !file.is_empty() && !data.is_empty() {
        return Some("certificate-authority-data and certificate-authority are both specified".into());
    }
    let authority = if file.is_empty() {
        data.clone()
    } else {
        match station.read(Path::new(file)) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Some(format!("unable to read certificate-authority {file}: no such file or directory")),
            Err(e) => return Some(format!("unable to read certificate-authority {file}: {e}")),
        }
    };
    let has_authority = !file.is_empty() || !data.is_empty();
    if has_authority && cluster.insecure {
        return Some("specifying a root certificates file with the insecure flag is not allowed".into());
    }
    if let Some(problem) = server_problem(&cluster.server) {
        return Some(problem);
    }
    if !cluster.proxy_url.is_empty()
        && let Some(problem) = proxy_problem(&cluster.proxy_url)
    {
        return Some(problem);
    }
    let readable = String::from_utf8_lossy(&authority).contains("-----BEGIN CERTIFICATE-----");
    (has_authority && !readable).then(|| "unable to load root certificates: there is no certificate in the cluster's authority".into())
}

/// What is wrong with credentials other than the plugin's.
pub(super) fn user_problem(station: &dyn Workstation, user: &User) -> Option<String> {
    if let Some(provider) = &user.auth_provider {
        return Some(match user.exec {
            Some(_) => "authProvider cannot be provided in combination with an exec plugin".into(),
            None => format!("the auth provider `{provider}` is no way into EKS, and newer clients have none"),
        });
    }
    if user.impersonates_more && user.impersonate.is_empty() {
        return Some("requesting uid, groups or user-extra without impersonating a user".into());
    }
    if user.has_password && !user.token.is_empty() {
        return Some("more than one authentication method found; found [token basicAuth], only one is allowed".into());
    }
    if !user.username.is_empty() {
        return Some("it has a username, which goes before every other credential, and EKS takes no password".into());
    }
    if let Some(problem) = bearer_problem(station, user) {
        return Some(problem);
    }
    if !user.client_certificate.is_empty() || !user.client_certificate_data.is_empty() {
        return certificate_problem(station, user);
    }
    let none = user.exec.is_none() && user.token.is_empty() && user.token_file.is_empty();
    none.then(|| "the context's user has no credential at all".into())
}

fn certificate_problem(station: &dyn Workstation, user: &User) -> Option<String> {
    if !user.client_certificate.is_empty() && !user.client_certificate_data.is_empty() {
        return Some("client-cert-data and client-cert are both specified".into());
    }
    if !user.client_key.is_empty() && !user.client_key_data.is_empty() {
        return Some("client-key-data and client-key are both specified".into());
    }
    if user.client_key.is_empty() && user.client_key_data.is_empty() {
        return Some("client-key-data or client-key must be specified to use the clientCert authentication method".into());
    }
    let bytes = |file: &str, data: &[u8]| {
        if file.is_empty() {
            return Ok(data.to_vec());
        }
        match station.read(Path::new(file)) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(format!("unable to read {file}: no such file or directory")),
            Err(e) => Err(format!("unable to read {file}: {e}")),
        }
    };
    match (bytes(&user.client_certificate, &user.client_certificate_data), bytes(&user.client_key, &user.client_key_data)) {
        (Ok(certificate), Ok(key)) => pair_problem(&certificate, &key).map(|why| format!("tls: {why}")),
        (Err(why), _) | (_, Err(why)) => Some(why),
    }
}

/// Of a token and a token's file the file counts, unless it cannot be read or is empty.
fn bearer_problem(station: &dyn Workstation, user: &User) -> Option<String> {
    if !user.token_file.is_empty() {
        match station.read(Path::new(&user.token_file)) {
            Ok(Some(bytes)) if bytes.iter().any(|b| !b.is_ascii_whitespace()) => {
                return credential::token_problem(String::from_utf8_lossy(&bytes).trim());
            }
            _ if !user.token.is_empty() => {}
            Ok(Some(_)) => return Some(format!("read empty token from file \"{}\"", user.token_file)),
            Ok(None) => return Some(format!("open {}: no such file or directory", user.token_file)),
            Err(e) => return Some(format!("open {}: {e}", user.token_file)),
        }
    }
    credential::token_problem(&user.token)
}
