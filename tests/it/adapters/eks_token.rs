//! EKS tokens.

use karpctl::adapters::aws::presigned;
use std::time::{Duration, UNIX_EPOCH};

fn token_url(region: &str, session: Option<&str>) -> String {
    use base64::Engine as _;
    let credentials = aws_credential_types::Credentials::new("AKIDEXAMPLE", "SECRET", session.map(str::to_owned), None, "test");
    let now = UNIX_EPOCH + Duration::from_hours(490_896);
    let token = presigned("demo", &region.parse().unwrap(), credentials, now).unwrap();
    let encoded = token.strip_prefix("k8s-aws-v1.").unwrap();
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(encoded).unwrap();
    String::from_utf8(url).unwrap()
}

#[test]
fn a_token_is_a_presigned_url_of_the_regions_sts() {
    for (region, host) in [
        ("us-west-2", "sts.us-west-2.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ] {
        let url = token_url(region, None);
        let (place, query) = url.split_once('?').unwrap();
        assert_eq!(place, format!("https://{host}/"));
        let mut fields: Vec<(&str, &str)> = query.split('&').map(|f| f.split_once('=').unwrap()).collect();
        let signature = fields.pop().unwrap();
        assert_eq!(signature.0, "X-Amz-Signature");
        assert!(signature.1.len() == 64 && signature.1.bytes().all(|b| b.is_ascii_hexdigit()));
        fields.sort_unstable();
        let scope = format!("AKIDEXAMPLE%2F20260101%2F{region}%2Fsts%2Faws4_request");
        assert_eq!(
            fields,
            [
                ("Action", "GetCallerIdentity"),
                ("Version", "2011-06-15"),
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", scope.as_str()),
                ("X-Amz-Date", "20260101T000000Z"),
                ("X-Amz-Expires", "60"),
                ("X-Amz-SignedHeaders", "host%3Bx-k8s-aws-id"),
            ]
        );
    }
}

#[test]
fn a_token_carries_the_session_and_never_the_secret() {
    let url = token_url("us-west-2", Some("SESSION/+="));
    assert!(url.contains("X-Amz-Security-Token=SESSION%2F%2B%3D"), "{url}");
    assert!(!url.contains("SECRET"));
}

/// What `aws eks get-token` of botocore signs for the same input: the signature is right, not just of the right shape.
#[test]
fn a_token_is_signed_as_botocore_signs_it() {
    assert!(token_url("us-west-2", None).ends_with(BOTOCORE_SIGNATURE), "{}", token_url("us-west-2", None));
}

const BOTOCORE_SIGNATURE: &str = "9181d40a6cd60157bc7a1185ab6444b808dfcb1d83b344b3eef9ed8011a56c51";
