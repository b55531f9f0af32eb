//! Whether a client certificate and a key are a pair.

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Why these two PEM texts cannot be used together. `None`: they can, or it cannot be told here.
#[must_use]
pub fn pair_problem(certificate: &[u8], key: &[u8]) -> Option<String> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        return Some("failed to find any PEM data in certificate input".into());
    }
    let Ok(key) = PrivateKeyDer::from_pem_slice(key) else { return Some("failed to find any PEM data in key input".into()) };
    // A kind of key that is not known here may be known to Go.
    let signing = any_supported_type(&key).ok()?;
    match CertifiedKey::new(certificates, signing).keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => Some("private key does not match public key".into()),
        Err(rustls::Error::InvalidCertificate(_)) => Some("the certificate cannot be parsed".into()),
        _ => None,
    }
}
