//! The bearer token of an EKS API server: a presigned STS `GetCallerIdentity` URL. It is made here, and nothing is sent.

use super::{AwsClient, errors};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::{Partition, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::{Duration, SystemTime};

/// What every token begins with.
const PREFIX: &str = "k8s-aws-v1.";
/// The header that ties a token to one cluster; it is part of what is signed.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// What `aws eks get-token` asks for. EKS itself takes a token for 15 minutes from its signing on.
const URL_LIFETIME: Duration = Duration::from_mins(1);

pub(super) async fn token(aws: &AwsClient, cluster: &str) -> Result<String> {
    let doing = format!("cannot make a token for the cluster {cluster}");
    let region = aws.known_region(&doing)?;
    let provider = aws
        .config
        .credentials_provider()
        .ok_or_else(|| Error::new(ErrorKind::Credentials, &doing).because("no AWS credentials are set"))?;
    let credentials = provider.provide_credentials().await.map_err(|e| errors::no_credentials(&doing, &e, &aws.settings, &aws.seen))?;
    presigned(cluster, &region, credentials, SystemTime::now())
}

/// The token for these credentials, as signed at this time. It is a secret.
pub fn presigned(cluster: &str, region: &Region, credentials: Credentials, now: SystemTime) -> Result<String> {
    let doing = format!("cannot make a token for the cluster {cluster}");
    let failed = |why: String| Error::failed(&doing).because(why);
    // The regional endpoint: the global one is not there in every partition, and EKS takes only its own partition's.
    let suffix = Partition::of_region(region).url_suffix();
    let url = format!("https://sts.{region}.{suffix}/?Action=GetCallerIdentity&Version=2011-06-15");

    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(URL_LIFETIME);
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    let signable = SignableRequest::new("GET", &url, [(CLUSTER_HEADER, cluster)].into_iter(), SignableBody::Bytes(&[]))
        .map_err(|e| failed(e.to_string()))?;
    let (instructions, _) = sign(signable, &params.into()).map_err(|e| failed(e.to_string()))?.into_parts();
    let mut request = http::Request::get(&url).body(()).map_err(|e| failed(e.to_string()))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(request.uri().to_string())))
}
